"""Hold one server transaction and its response context (RFC 3261 sections 16.2 and 17.2)."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from osip.api import M_INVITE, Ctx, Dest, Edits, Request, Source, Target, reply
from osip.modules.tm.machine import (DONE, INVITE_SERVER, NEVER, NON_INVITE_SERVER, R1XX, R2XX, REPORT, RFAIL, START,
                                     TERMINATED, TIMER_GUARD, Machine, Times)

if TYPE_CHECKING:
    from osip.modules.tm.branch import Branch
    from osip.modules.tm.layer import Layer

RouteFn = Callable[[Ctx], Any]

ON_REPLY: Final = 1
ON_FINAL: Final = 2
ON_FAILURE: Final = 4
ON_CANCEL: Final = 8
ON_ACK: Final = 16
ON_DONE: Final = 32
"""What a watcher may ask for: a response arrived (before it is passed on), the final response was sent, a failure is
about to be decided, the caller cancelled, a negative response was acknowledged, the transaction is gone."""

Watcher = Callable[["Transaction", int, int, Any], Any]
"""Called as (transaction, which of the above, status, ctx or message or None)."""


class Plan:
    """What a script armed before the transaction exists; it moves into the transaction."""
    __slots__ = ("on_failure", "on_reply", "on_branch", "headers", "cancel_reason", "answer", "ring", "watchers")

    def __init__(self) -> None:
        self.on_failure: RouteFn | None = None
        self.on_reply: RouteFn | None = None
        self.on_branch: RouteFn | None = None
        self.headers = b""
        self.cancel_reason = b""
        self.answer: int | None = None          # seconds; None = the parameter's
        self.ring: int | None = None
        self.watchers: list[tuple[int, Watcher]] | None = None


class Transaction(Machine):
    """One request being answered: the server machine, what the script left behind, and the branches.

    `waiting` counts what is still being decided (DNS, a route that waits, a failure route): while it is above 0 no
    final response is chosen. `suspended` counts request routes that wait, `phony` branches that are to come; `deciding`
    tells that a failure route runs, `copying` that t_replicate forms the branches. `round_start` is the first branch of
    the present round of serial forking. `status` is the last code sent. After the end `request`, edits, AVPs and
    buffers are given up.
    """
    __slots__ = ("tm", "key", "label", "request", "source", "dest", "method_id", "method", "tag", "status", "branches",
                 "round_start", "edits", "via_flags", "adv_host", "adv_port", "flags", "avps", "slots", "on_failure",
                 "on_reply", "on_branch", "headers", "cancel_reason", "cancelled", "blocked", "waiting", "local",
                 "no_cancel", "no_failover", "pass_reason", "many_2xx", "watchers", "born", "copying", "phony", "loop",
                 "suspended", "deciding")
    is_local = False

    def __init__(self, tm: Layer, key: str, ctx: Ctx) -> None:
        request: Request = ctx.msg                      # type: ignore[assignment]
        source: Source = ctx.source                     # type: ignore[assignment]
        self.method_id: int = request.method_id
        invite = self.method_id == M_INVITE
        super().__init__(INVITE_SERVER if invite else NON_INVITE_SERVER, tm.times, source.socket.reliable)
        self.tm, self.key, self.request, self.source = tm, key, request, source
        self.method = request.method
        self.label = tm.next_label()
        self.dest: Dest = reply.dest(tm.env, request, source, ctx.via_flags)
        self.tag = ""
        self.status = 0
        self.branches: list[Branch] = []
        self.round_start = 0
        self.edits: Edits | None = None
        self.via_flags, self.adv_host, self.adv_port = ctx.via_flags, "", 0
        self.flags, self.avps, self.slots = ctx.flags, ctx.avps, ctx.slots
        self.on_failure: RouteFn | None = None
        self.on_reply: RouteFn | None = None
        self.on_branch: RouteFn | None = None
        self.headers = self.cancel_reason = b""
        self.cancelled = self.blocked = self.local = False
        self.no_cancel = self.no_failover = self.pass_reason = self.many_2xx = self.copying = self.deciding = False
        self.waiting = self.suspended = 0
        self.phony = 0
        self.loop = ""                          # loop part of the branches (16.6 step 8)
        self.watchers: list[tuple[int, Watcher]] | None = None
        self.born = tm.env.now

    @property
    def id(self) -> str:
        """The name of the transaction for scripts and management."""
        return f"{self.tm.env.number}:{self.label}"

    @property
    def to_tag(self) -> str:
        """The To tag of our own replies, made on first use."""
        if not self.tag:
            self.tag = self.tm.env.ids.next()
        return self.tag

    @property
    def is_answered(self) -> bool:
        """Say whether a final response was sent."""
        return self.status >= 200

    @property
    def is_under_way(self) -> bool:
        """Say whether something can still come of the request: a branch, one that is waited for, a route that waits."""
        return self.waiting > 0 or self.suspended > 0 or self.phony > 0 \
            or any([branch.status < 200 and not branch.superseded for branch in self.branches])

    @property
    def is_pending(self) -> bool:
        """Say whether a branch has no final response yet, copies and those that others took over from apart."""
        return any([branch.status < 200 and not branch.superseded and not branch.is_copy for branch in self.branches])

    def adopt(self, plan: Plan) -> None:
        """Take over what was armed before the transaction existed."""
        self.on_failure, self.on_reply, self.on_branch = plan.on_failure, plan.on_reply, plan.on_branch
        self.headers, self.cancel_reason, self.watchers = plan.headers, plan.cancel_reason, plan.watchers
        if plan.answer is not None or plan.ring is not None:
            self.set_times(plan.answer, plan.ring)

    def set_times(self, answer: float | None, ring: float | None) -> None:
        """Give this transaction fr timers of its own; None leaves one as it is."""
        old = self.times
        if old is self.tm.times:
            self.times = Times(old.t1, old.t2, old.answer, old.ring, old.linger)
            for branch in self.branches:
                branch.times = self.times
        if answer is not None:
            self.times.answer = answer
        if ring is not None:
            self.times.ring = ring
        times = self.times
        guard = times.answer + times.ring
        if guard > times.guard:
            times.guard = guard
            self.keep_until(self.born + guard)

    def keep_until(self, when: float) -> None:
        """Move the time at which a request that has no final response is forgotten, unless something is under way."""
        if self.alarm == TIMER_GUARD and self.expire_at != NEVER:
            self.expire_at = self.wake = when
            self.tm.timers.schedule(self)

    def begin(self) -> None:
        """Start the machine."""
        self.step(START, None, self.tm.env.now)
        self.tm.timers.schedule(self)

    def keep(self, ctx: Ctx) -> None:
        """Remember what the request route did to its message: later branches and routes start from it."""
        self.edits = ctx.edits
        self.flags, self.avps, self.slots = ctx.flags, ctx.avps, ctx.slots
        self.via_flags, self.adv_host, self.adv_port = ctx.via_flags, ctx.adv_host, ctx.adv_port

    def make_ctx(self, kind: int, target: Target | None = None) -> Ctx:
        """Make the context for a route that runs over the request of this transaction."""
        ctx = Ctx(self.tm.env, self.request, self.source, kind)
        ctx.tx, ctx.request = self, self.request
        ctx.flags, ctx.avps, ctx.slots = self.flags, self.avps, self.slots
        ctx.via_flags, ctx.adv_host, ctx.adv_port = self.via_flags, self.adv_host, self.adv_port
        if self.edits is not None:
            ctx.edits = self.edits.copy()
        if target is not None:
            ctx.target = target
        return ctx

    # --- the server machine --------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Send a response upstream."""
        env = self.tm.env
        if env.no_new_conn_reply:
            self.dest.only_reuse = bool(self.flags & env.no_new_conn_reply)
        env.hand(data, self.dest)

    def respond(self, status: int, data: bytes, local: bool) -> bool:
        """Put a response through the machine; False when it can have no more."""
        event = R1XX if status < 200 else R2XX if status < 300 else RFAIL
        if not self.step(event, data, self.tm.env.now):
            return False
        if self.wake < self.scheduled:
            self.tm.timers.schedule(self)
        first_final = status >= 200 > self.status
        self.status, self.local = status, local
        if self.tm.enable_stats:
            counts = self.tm.counts
            if local:
                counts.local_replies += 1
            else:
                counts.relayed_replies += 1
            if first_final:
                counts.final(status)
        return True

    def end_in_silence(self, status: int) -> None:
        """Count as answered, but send nothing: copies are absorbed until the client has given up (RFC 4320 4.2)."""
        self.status, self.local = status, True
        if self.tm.enable_stats:
            self.tm.counts.final(status)
        self.keep_until(max(self.tm.env.now, self.born + self.times.give_up))

    def input(self, event: int) -> int:
        """Put an input other than a response through the machine."""
        actions = self.step(event, None, self.tm.env.now)
        if self.wake < self.scheduled:
            self.tm.timers.schedule(self)
        return actions

    def tell(self, event: int, actions: int) -> None:
        """Act on a timer: nobody answered (guard), the end, or a retransmission to count."""
        if actions & DONE:
            self.reap()
        elif actions & REPORT:
            if not self.is_under_way:
                self.close()
        elif self.tm.enable_stats:
            self.tm.counts.retransmission_rpl_t2 += 1

    # --- the end -------------------------------------------------------------------------------------------------

    def tell_watchers(self, what: int, status: int, subject: Any = None) -> None:
        """Call the watchers that asked for `what`."""
        if self.watchers is None:
            return
        for mask, watcher in self.watchers:
            if mask & what:
                watcher(self, what, status, subject)

    def shrink(self) -> None:
        """Give up what only a running transaction needs; key, last response, destination and routes stay."""
        if self.waiting or self.status < 200:
            return
        for branch in self.branches:
            if branch.status < 200 and not branch.superseded:
                return
        for branch in self.branches:
            branch.reply = branch.edits = branch.work = None
            branch.dests = ()
            if branch.status >= 200 and not branch.local:
                branch.last = None
        self.request = self.edits = self.avps = self.slots = None      # type: ignore[assignment]
        self.source = None                                              # type: ignore[assignment]
        self.on_failure = self.on_branch = None
        if self.status < 300 and self.method_id == M_INVITE:
            self.last = None            # 2xx are sent again by the far end only (RFC 6026 section 7.1)

    def reap(self) -> None:
        """Leave the table once no machine of this transaction runs any more."""
        if self.state != TERMINATED or self.waiting:
            return
        for branch in self.branches:
            if branch.state != TERMINATED:
                return
        if not self.reliable and self.status >= 200:
            if self.method_id != M_INVITE:
                self.tm.echoes.add(self.key, self.last, self.dest)
            elif self.status < 300:
                self.tm.echoes.add(self.key, None, None)
        self.close()

    def close(self) -> None:
        """Leave the table now and cut every link, so that reference counting frees all of it."""
        self.state = TERMINATED
        self.wake = NEVER
        table = self.tm.table
        if table.servers.get(self.key) is self:
            del table.servers[self.key]
        for branch in self.branches:
            branch.close()
        if self.watchers is not None:
            self.tell_watchers(ON_DONE, self.status)
        self.branches = []
        self.watchers = None
        self.request = self.edits = self.avps = self.slots = self.source = None     # type: ignore[assignment]
        self.on_failure = self.on_reply = self.on_branch = None
