"""Send requests of our own, with a callback for their responses (RFC 3261 section 8.1)."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from osip.api import (H_CSEQ, M_INVITE, M_OTHER, METHOD_IDS, Ctx, Dest, LocalSocket, OsipError, Response, Route,
                      build_request, forward, parse)
from osip.modules.tm.branch import Branch
from osip.modules.tm.confirm import confirm
from osip.modules.tm.machine import TERMINATED

if TYPE_CHECKING:
    from osip.modules.tm.module import Tm

LOCAL = int(Route.LOCAL)
MOST_TRIES = 2
"""Answers to challenges for one request: one, and one more when the server calls the nonce stale."""

Callback = Callable[[int, Response | None], Any]
"""Called with the final status (408 on timeout, 477 when nothing could be sent) and the response, if there is one."""


class Outbound:
    """A request of ours under way; stands where a relayed request's transaction stands.

    `acknowledges`: a 2xx to an INVITE gets its ACK here. `is_given_up`: a failure was told, so what is answered later is
    hung up.
    """
    __slots__ = ("module", "tm", "method", "method_id", "times", "headers", "cancel_reason", "branches", "callback", "work",
                 "no_failover", "provisional", "cancelled", "call_id", "cseq", "answers", "tries", "acknowledges",
                 "is_given_up", "is_hung_up")
    is_local = True
    is_answered = False

    def __init__(self, module: Tm, method: str, work: Ctx, callback: Callback | None) -> None:
        self.module, self.method, self.work, self.callback = module, method, work, callback
        self.tm = module.layer
        self.method_id = METHOD_IDS.get(method, M_OTHER)
        self.times = self.tm.times
        self.headers = self.cancel_reason = b""
        self.answers: list[Any] = []            # late edits that answer the last challenge
        self.tries = 0
        self.branches: list[Branch] = []
        self.no_failover = self.provisional = self.cancelled = self.is_given_up = self.is_hung_up = False
        self.acknowledges = True
        self.call_id, self.cseq = work.msg.call_id, work.msg.cseq

    def go(self, dests: list[Dest]) -> None:
        """Send to the first address that takes it."""
        branch = Branch(self, len(self.branches), self.work.target)
        self.branches.append(branch)
        if not self.tm.launch(branch, self.work, dests):
            self.finish(477, None)

    def on_reply_in(self, branch: Branch, msg: Response | None) -> None:
        """Take a response or a timeout (None); go on to the next address where RFC 3263 section 4.3 says so."""
        status = msg.status if msg is not None else 408
        if status < 200:
            if self.provisional and self.callback is not None:
                self.callback(status, msg)
            return
        silent = branch.status == 0 or branch.local
        branch.status = status
        dests = list(branch.dests)
        branch.dests, branch.work = (), None
        if dests and ((msg is None and silent) or status == 503):
            self.go(dests)
            return
        if msg is not None and status in (401, 407) and self.answer(branch, msg):
            return
        is_call = self.method_id == M_INVITE and 200 <= status < 300
        if is_call and msg is not None:
            confirm(self, branch, msg)
        self.finish(status, msg, is_call)

    def answer(self, branch: Branch, msg: Response) -> bool:
        """Send the request again with credentials of uac_auth (22.2, 22.3); False when the challenge stands."""
        auth, work = self.module.uac_auth, self.work
        if auth is None or branch.last is None or self.tries >= MOST_TRIES or self.cancelled:
            return False
        found = auth.answers(msg, parse(branch.last), work)
        if not found:
            return False
        self.tries += 1
        edit = work.edit
        edit.items = [item for item in edit.items if item[2] not in self.answers]
        self.answers = found
        for answer in found:
            edit.append_hf(answer)
        self.cseq += 1
        edit.set_value(work.msg.ids.find(H_CSEQ), f"{self.cseq} {self.method}")
        self.go([branch.dest])
        return True

    def finish(self, status: int, msg: Response | None, more: bool = False) -> None:
        """Tell the outcome once; an INVITE's further 2xx are told as well."""
        callback = self.callback
        if not more:
            self.callback = None
            self.is_given_up = True
        if callback is not None:
            callback(status, msg)
        if all(branch.state == TERMINATED for branch in self.branches):
            self.close()

    def collect(self) -> None:
        """Have nothing to choose: there is one branch."""

    def reap(self) -> None:
        """Leave the table once no machine runs any more."""
        if all(branch.state == TERMINATED for branch in self.branches):
            self.close()

    def close(self) -> None:
        """Cut every link."""
        for branch in self.branches:
            branch.close()
        self.branches = []
        self.callback = None
        self.work = None                                # type: ignore[assignment]


def send(module: Tm, method: str, ruri: str, from_: str, to: str, *, headers: bytes = b"", body: bytes = b"",
         call_id: str = "", cseq: int = 0, next_hop: str | None = None, socket: LocalSocket | None = None,
         routes: tuple[str, ...] = (), callback: Callback | None = None, avps: dict[str, Any] | None = None,
         contact: str | None = None, provisional: bool = False, max_forwards: int = 70,
         ack: bool = True) -> Outbound | None:
    """Send a request; None (after the callback) when it cannot be built or sent at once. Runs local_route before.

    `from_` and `to` are header values; From gets a tag unless it has one. `headers` are whole lines. A 2xx to an INVITE
    is acknowledged unless `ack` says that the caller does so.
    """
    env = module.env
    if ";tag=" not in from_:
        from_ = f"{from_ if '<' in from_ else f'<{from_}>'};tag={env.ids.next()}"
    if "<" not in to:
        to = f"<{to}>"
    agent = env.config.user_agent_header
    if agent:
        headers += agent.encode() + b"\r\n"
    raw = build_request(method, ruri, from_, to, call_id or env.ids.call_id(), cseq or 10, b"", contact, routes,
                        headers, body, max_forwards)
    ctx = Ctx(env, parse(raw), None, LOCAL)
    ctx.target.du, ctx.target.socket = next_hop, socket
    ctx.avps, ctx.request = avps, ctx.msg
    local = module.layer.route("route", module.local_request_route) if module.local_request_route else \
        env.program.local if env.program is not None else None
    if local is not None:
        env.run_route(local, ctx)
    out = Outbound(module, method, ctx, callback)
    out.provisional, out.acknowledges = provisional, ack
    try:
        dests = forward.next_hops(ctx, ctx.target)
    except OsipError as error:
        module.complain("own request not sent", "method=%s ruri=%s error=%s", method, ruri, error)
        out.finish(477, None)
        return None
    if dests is None:
        env.spawn(_send_later(out), "own request")
        return out
    out.go(dests)
    return out if out.work is not None else None


async def _send_later(out: Outbound) -> None:
    try:
        dests = await forward.next_hops_wait(out.work, out.work.target)
    except OsipError as error:
        out.module.complain("own request not sent", "method=%s error=%s", out.method, error)
        dests = []
    if dests:
        out.go(dests)
    else:
        out.finish(477, None)
