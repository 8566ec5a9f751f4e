"""Hold one client transaction of a relayed request, and choose among responses (RFC 3261 sections 16.7 and 17.1)."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osip.api import (H_PROXY_AUTHENTICATE, H_WWW_AUTHENTICATE, M_INVITE, RELIABLE, Ctx, Dest, Edits, Response, Target,
                      build_ack)
from osip.modules.tm.machine import DONE, INVITE_CLIENT, NEVER, NON_INVITE_CLIENT, REPORT, TERMINATED, Machine
from osip.modules.tm.transaction import Transaction

if TYPE_CHECKING:
    from osip.modules.tm.layer import Layer
    from osip.modules.tm.transaction import RouteFn

NOT_CANCELLED: Final = 0
CANCEL_WANTED: Final = 1
CANCEL_SENT: Final = 2


class Branch(Machine):
    """One copy of a request on its way: where it went, and what came back.

    `tx` is a Transaction, which `server` is then too, or what stands for one: an Outbound. `tm` is there once the
    branch is sent. `status` is the last code: below 200 the branch is pending. `local`: we made it up (timeout, send
    failure). `dests` are further addresses of the same name; a branch that moved on to one is `superseded` by a new branch.
    `is_copy`: made by t_replicate, its responses go nowhere.
    """
    __slots__ = ("tx", "server", "tm", "index", "target", "dest", "dests", "id", "status", "reply", "edits", "local",
                 "on_reply", "bavps", "cancel", "cancelling", "superseded", "failed", "work", "ack", "why", "started",
                 "is_copy")
    tm: Layer

    def __init__(self, tx: Any, index: int, target: Target) -> None:
        if isinstance(tx, Transaction):
            super().__init__(INVITE_CLIENT if tx.method_id == M_INVITE else NON_INVITE_CLIENT, tx.times, False)
            self.server: Transaction | None = tx
            self.is_copy = tx.copying
        else:
            super().__init__(INVITE_CLIENT if tx.method_id == M_INVITE else NON_INVITE_CLIENT, tx.times, False)
            self.server = None
            self.is_copy = False
        self.tx: Any = tx
        self.index, self.target = index, target
        self.dest: Dest = None                          # type: ignore[assignment]  # set when it is sent
        self.dests: list[Dest] | tuple[()] = ()
        self.id = ""
        self.status = 0
        self.reply: Response | None = None              # the final response, until it was passed on
        self.edits: Edits | None = None                 # what onreply routes did to it
        self.local = self.superseded = self.failed = self.started = False
        self.on_reply: RouteFn | None = None
        self.bavps: dict[str, list[str | int]] | None = None
        self.cancel: Cancel | None = None
        self.cancelling = NOT_CANCELLED
        self.work: Ctx | None = None                    # what the request is built from, while addresses are left
        self.ack: bytes | None = None
        self.why: tuple[int, str] | None = None         # reply for a branch that never left

    def aim(self, tm: Layer, dest: Dest, id: str) -> None:
        """Set where the branch goes and the Via branch it bears."""
        self.tm, self.dest, self.id = tm, dest, id
        self.reliable = dest.proto != "udp" and dest.proto in RELIABLE

    def send(self, data: bytes) -> None:
        """Send the request."""
        if not self.tm.env.hand(data, self.dest):
            self.failed = True

    def send_ack(self, response: Response) -> None:
        """Acknowledge a negative final response (section 17.1.1.3); the same one again for its copies."""
        if self.ack is None:
            if self.last is None:
                return
            self.ack = with_headers(build_ack(self.last, response), self.tx.headers)
        self.tm.env.send(self.ack, self.dest)

    def tell(self, event: int, actions: int) -> None:
        """Act on a timer: a timeout, the end, or a retransmission to count."""
        tx, server = self.tx, self.server
        if tx is None:
            return
        if actions & REPORT:
            self.tm.on_timeout(self, event)
        if not actions & DONE:
            if not actions & REPORT and self.tm.enable_stats:
                self.tm.counts.retransmission(self.interval, self.tm.times.t1)
        elif server is not None:
            server.reap()
        else:
            tx.reap()

    def close(self) -> None:
        """Leave the table and cut every link."""
        if self.tx is not None and self.id:
            self.tm.table.clients.pop(self.id, None)
            if self.ack is not None and not self.reliable:
                self.tm.echoes.add(self.id, self.ack, self.dest)
        self.state = TERMINATED
        self.wake = NEVER
        if self.cancel is not None:
            self.cancel.wake = NEVER
            self.cancel.branch = None
            self.cancel = None
        self.tx = self.server = self.reply = self.edits = self.work = self.last = self.ack = None
        self.dests = ()


class Cancel(Machine):
    """The CANCEL of a branch: a non-INVITE client transaction of its own, with the same Via branch."""
    __slots__ = ("branch",)

    def __init__(self, branch: Branch) -> None:
        super().__init__(NON_INVITE_CLIENT, branch.times, branch.reliable)
        self.branch: Branch | None = branch

    def send(self, data: bytes) -> None:
        """Send it where the INVITE went."""
        if self.branch is not None:
            self.branch.tm.env.hand(data, self.branch.dest)

    def tell(self, event: int, actions: int) -> None:
        """Count a retransmission; an unanswered CANCEL changes nothing, the INVITE has its own timer."""
        if self.branch is not None and not actions & (REPORT | DONE):
            tm = self.branch.tm
            if tm.enable_stats:
                tm.counts.retransmission(self.interval, tm.times.t1)


def with_headers(data: bytes, headers: bytes) -> bytes:
    """Return a message without body with header lines added at its end."""
    return data[:-2] + headers + b"\r\n" if headers else data


_PREFERRED = {401: 500, 407: 501, 415: 502, 420: 503, 484: 504, 408: 800, 503: 801}


def priority(status: int, cancelled: bool) -> int:
    """Rank a final response; the lowest number wins (RFC 3261 section 16.7 step 6, in the reference's order)."""
    if status >= 600:
        return status - 300
    if status == 487 and cancelled:
        return 0
    if status < 400:
        return status + 100
    return _PREFERRED.get(status) or status + 200


def pick(branches: list[Branch], cancelled: bool) -> Branch | None:
    """Return the branch with the best final response, the earliest among equals; None when no branch has one."""
    best, rank = None, 0
    for branch in branches:
        if branch.superseded or branch.status < 300 or branch.is_copy:
            continue
        this = priority(branch.status, cancelled)
        if best is None or this < rank:
            best, rank = branch, this
    return best


def challenges(winner: Branch, branches: list[Branch]) -> bytes:
    """Return the challenges of the other branches, to be added to the winner's (section 16.7 step 7)."""
    lines = []
    for branch in branches:
        reply = branch.reply
        if branch is winner or reply is None or branch.status not in (401, 407) or branch.is_copy:
            continue
        for number in (H_WWW_AUTHENTICATE, H_PROXY_AUTHENTICATE):
            for at in reply.find_all(number):
                _, start, _, end = reply.headers[at]
                lines.append(reply.raw[start:end] + b"\r\n")
    return b"".join(lines)
