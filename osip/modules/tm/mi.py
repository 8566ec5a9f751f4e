"""Declare the management commands of tm (mi_events_stats.md)."""
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from osip.api import M_INVITE, MIError, ParseError, Response, Route, Scope, mi
from osip.modules.tm import answer, cancel
from osip.modules.tm.branch import CANCEL_SENT

if TYPE_CHECKING:
    from osip.modules.tm.layer import Layer
    from osip.modules.tm.match import Table

REQUEST = int(Route.REQUEST)


class Management:
    """Look at transactions and act on them from outside."""
    if TYPE_CHECKING:
        env: Any
        table: Table
        request: Any
        layer: Layer

    @mi("hash", aliases=("t_hash",), scope=Scope.EACH)
    def mi_hash(self) -> list[dict[str, int]]:
        """Count the transactions of each worker: now, and since its start."""
        return [{"index": self.env.number, "Current": len(self.table.servers), "Total": self.layer.labels}]

    @mi("uac_cancel", aliases=("t_uac_cancel",), scope=Scope.OWNER)
    def mi_uac_cancel(self, callid: str, cseq: str) -> str:
        """Cancel an INVITE of our own or a relayed one; cseq as "1 INVITE"."""
        number = cseq.split()[0] if cseq.split() else ""
        for branch in list(self.table.clients.values()):
            tx = branch.tx
            known = (tx.call_id, str(tx.cseq)) if tx.is_local else \
                (tx.request.call_id, str(tx.request.cseq)) if tx.request is not None else ("", "")
            if known == (callid, number) and tx.method_id == M_INVITE and branch.cancelling != CANCEL_SENT:
                cancel.cancel_branch(branch)
                return "OK"
        raise MIError(481, "No such transaction")

    @mi("reply", aliases=("t_reply",), named_only=True, scope=Scope.OWNER)
    def mi_reply(self, code: int, reason: str, trans_id: str, to_tag: str, new_headers: str = "",
                 body: str = "") -> str:
        """Reply to a pending request; trans_id is `$T_id`."""
        if not 100 <= code <= 699:
            raise MIError(400, f"{code} is no status code: 100 to 699")
        tx = next((tx for tx in self.table.servers.values() if tx.id == trans_id), None)
        if tx is None or tx.request is None:
            raise MIError(404, "Transaction not found")
        ctx = tx.make_ctx(REQUEST)
        if not answer.send(self.layer, tx, ctx, code, reason, _lines(new_headers), body.encode(), to_tag):
            raise MIError(400, "Transaction already answered")
        return "OK"

    @mi("uac_dlg", aliases=("t_uac_dlg",), named_only=True, scope=Scope.OWNER)
    async def mi_uac_dlg(self, method: str, ruri: str, headers: str, next_hop: str = "", socket: str = "",
                         body: str = "") -> dict[str, Any]:
        """Send a request and wait for its final response; From and To stand in the headers, Call-ID and CSeq may.

        RURI, Next-hop and Routes of the result are what a further request of the dialog needs.
        """
        given, rest = _split_headers(headers)
        if "from" not in given or "to" not in given or (body and b"content-type:" not in rest.lower()):
            raise MIError(400, "From, To and (with a body) Content-Type are mandatory")
        where = next((s for s in self.env.sockets if s.text == socket), None)
        if socket and where is None:
            raise MIError(400, f"No such socket: {socket}; known: {', '.join(s.text for s in self.env.sockets)}")
        number = given.get("cseq", "0").partition(" ")[0]
        if not (number.isascii() and number.isdigit() and int(number[:11]) < 1 << 31):
            raise MIError(400, "CSeq is no number below 2**31")
        call_id = given.get("call-id", "")
        if not (self.env.ids.owns(call_id) if call_id else self.env.number == 0):
            raise MIError(404, "For another worker")        # the answers are steered to it
        done: asyncio.Future[tuple[int, Response | None]] = asyncio.get_running_loop().create_future()

        def finished(status: int, msg: Response | None) -> None:
            if not done.done():
                done.set_result((status, msg))
        self.request(method, ruri, given["from"], given["to"], headers=rest, body=body.encode(),
                     next_hop=next_hop or None, socket=where, call_id=call_id, cseq=int(number), callback=finished)
        status, msg = await done
        if msg is None:
            raise MIError(500, "No response" if status == 408 else "Request not sent")
        return {"Status": f"{msg.status} {msg.reason}", "Message": msg.raw.decode("utf-8", "replace"),
                **_dialog(msg, ruri, next_hop)}


def _dialog(msg: Response, ruri: str, next_hop: str) -> dict[str, Any]:
    """Return where further requests go: remote target, route set and its first hop (RFC 3261 section 12.1.2)."""
    routes: list[str] = []
    if msg.status < 300:
        try:
            ruri = msg.contacts[0].uri_text if msg.contacts else ruri
            routes = [f"<{route.uri_text}>" for route in reversed(msg.record_routes)]
        except ParseError:
            pass
    return {"RURI": ruri, "Next-hop": routes[0][1:-1] if routes else next_hop or ruri, "Routes": routes}


def _lines(text: str) -> bytes:
    """Return header lines that end as they must."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "".join(line + "\r\n" for line in lines if line.strip()).encode("utf-8", "surrogateescape")


def _split_headers(text: str) -> tuple[dict[str, str], bytes]:
    """Take From, To, Call-ID and CSeq out of header lines; return them and the rest."""
    own: dict[str, str] = {}
    rest = []
    for line in text.replace("\r\n", "\n").split("\n"):
        name, _, value = line.partition(":")
        key = {"f": "from", "t": "to", "i": "call-id"}.get(name.strip().lower(), name.strip().lower())
        if key in ("from", "to", "call-id", "cseq"):
            own[key] = value.strip()
        elif line.strip():
            rest.append(line.strip())
    return own, "".join(line + "\r\n" for line in rest).encode("utf-8", "surrogateescape")
