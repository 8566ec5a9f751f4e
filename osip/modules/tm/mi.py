"""Declare the management commands of tm (mi_events_stats.md)."""
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from osip.api import M_INVITE, MIError, Response, Route, mi
from osip.modules.tm import answer, cancel
from osip.modules.tm.branch import CANCEL_SENT

if TYPE_CHECKING:
    from osip.modules.tm.match import Table

REQUEST = int(Route.REQUEST)


class Management:
    """Look at transactions and act on them from outside."""
    if TYPE_CHECKING:
        env: Any
        table: Table
        request: Any
        _labels: int

    @mi("hash", aliases=("t_hash",))
    def mi_hash(self) -> list[dict[str, int]]:
        """Count the transactions: now, and since the start."""
        return [{"index": 0, "Current": len(self.table.servers), "Total": self._labels}]

    @mi("uac_cancel", aliases=("t_uac_cancel",))
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

    @mi("reply", aliases=("t_reply",), named_only=True)
    def mi_reply(self, code: int, reason: str, trans_id: str, to_tag: str, new_headers: str = "",
                 body: str = "") -> str:
        """Reply to a pending request; trans_id is `$T_id`."""
        label = trans_id.rpartition(":")[2]
        tx = next((tx for tx in self.table.servers.values() if str(tx.label) == label), None)
        if tx is None or tx.request is None:
            raise MIError(404, "Transaction not found")
        ctx = tx.make_ctx(REQUEST)
        if not answer.send(self, tx, ctx, code, reason, new_headers.encode(), body.encode(), to_tag):
            raise MIError(400, "Transaction already answered")
        return "OK"

    @mi("uac_dlg", aliases=("t_uac_dlg",), named_only=True)
    async def mi_uac_dlg(self, method: str, ruri: str, headers: str, next_hop: str = "", socket: str = "",
                         body: str = "") -> dict[str, str]:
        """Send a request and wait for its final response; From and To stand in the headers."""
        given, rest = _split_headers(headers)
        if "from" not in given or "to" not in given or (body and b"content-type:" not in rest.lower()):
            raise MIError(400, "From, To and (with a body) Content-Type are mandatory")
        done: asyncio.Future[tuple[int, Response | None]] = asyncio.get_running_loop().create_future()

        def finished(status: int, msg: Response | None) -> None:
            if not done.done():
                done.set_result((status, msg))
        where = next((s for s in self.env.sockets if s.text == socket), None)
        cseq = given.get("cseq", "").split()
        self.request(method, ruri, given["from"], given["to"], headers=rest, body=body.encode(),
                     next_hop=next_hop or None, socket=where, call_id=given.get("call-id", ""),
                     cseq=int(cseq[0]) if cseq else 0, callback=finished)
        status, msg = await done
        if msg is None:
            raise MIError(500, "No response" if status == 408 else "Request not sent")
        return {"Status": f"{msg.status} {msg.reason}", "Message": msg.raw.decode("utf-8", "replace")}


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
