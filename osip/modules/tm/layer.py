"""Hold what the files of this package share: the transaction layer of one worker (RFC 3261 section 17).

The module's own class is interpreted, as its declarations are; this one is compiled, so that what a message asks for
is read as C does. It takes over the parameters in `begin`.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from osip.api import M_ACK, M_CANCEL, M_INVITE, Ctx, Dest, Route
from osip.modules.tm import answer, arrival, relay, response
from osip.modules.tm.echo import Echoes
from osip.modules.tm.launch import launch
from osip.modules.tm.machine import Times
from osip.modules.tm.match import Table
from osip.modules.tm.transaction import Plan, RouteFn, Transaction

if TYPE_CHECKING:
    from osip.api import Env, Timers
    from osip.modules.tm.branch import Branch

BRANCH: Final = int(Route.BRANCH)


class Counts:
    """What the statistics of this module count."""
    __slots__ = ("received_replies", "relayed_replies", "local_replies", "uas_transactions", "uac_transactions",
                 "finals_2xx", "finals_3xx", "finals_4xx", "finals_5xx", "finals_6xx", "retransmission_req_t1_1",
                 "retransmission_req_t1_2", "retransmission_req_t1_3", "retransmission_req_t2",
                 "retransmission_rpl_t2", "timeout_finalresponse", "timeout_finalresponse_inv")

    def __init__(self) -> None:
        self.received_replies = self.relayed_replies = self.local_replies = 0
        self.uas_transactions = self.uac_transactions = 0
        self.finals_2xx = self.finals_3xx = self.finals_4xx = self.finals_5xx = self.finals_6xx = 0
        self.retransmission_req_t1_1 = self.retransmission_req_t1_2 = self.retransmission_req_t1_3 = 0
        self.retransmission_req_t2 = self.retransmission_rpl_t2 = 0
        self.timeout_finalresponse = self.timeout_finalresponse_inv = 0

    def final(self, status: int) -> None:
        """Count a transaction by the class of its final response."""
        if status < 300:
            self.finals_2xx += 1
        elif status < 400:
            self.finals_3xx += 1
        elif status < 500:
            self.finals_4xx += 1
        elif status < 600:
            self.finals_5xx += 1
        else:
            self.finals_6xx += 1

    def retransmission(self, interval: float, t1: float) -> None:
        """Count a retransmission of a request by its step; `interval` is the one to the next."""
        if interval <= 2 * t1:
            self.retransmission_req_t1_1 += 1
        elif interval <= 4 * t1:
            self.retransmission_req_t1_2 += 1
        elif interval <= 8 * t1:
            self.retransmission_req_t1_3 += 1
        else:
            self.retransmission_req_t2 += 1


class Layer:
    """Transactions by key and branch, their timers, counters and settings.

    `on_created` are called as (transaction, ctx) for each new server transaction. `fault` is the reply code of the
    last bad message or URI, `filtered` how many addresses of the last branch a blacklist kept away.
    """
    __slots__ = ("env", "timers", "plan", "table", "times", "echoes", "counts", "on_created", "fault", "filtered",
                 "minor_mask", "most_branches", "labels", "enable_stats", "auto_100trying", "timer_c",
                 "restart_fr_on_each_reply", "onreply_avp_mode", "disable_6xx_block", "local_reply_route", "rr",
                 "complain", "late", "_program", "_routes")

    env: Env                # from `begin` on
    timers: Timers

    def __init__(self, plan: Any) -> None:
        self.plan = plan                        # the slot of a message's Plan
        self.table = Table()
        self.times = Times()
        self.echoes = Echoes()
        self.counts = Counts()
        self.on_created: list[Any] = []
        self.fault = self.filtered = self.minor_mask = self.labels = 0
        self.most_branches = 12
        self.enable_stats = self.auto_100trying = self.restart_fr_on_each_reply = True
        self.timer_c = self.onreply_avp_mode = self.disable_6xx_block = False
        self.local_reply_route = ""
        self.rr: Any = None
        self.complain: Any = None
        self.late: Any = None                   # the class Late, which needs this one
        self._program: Any = None
        self._routes: dict[str, dict[str, RouteFn]] = {}        # those of it that were asked for, by kind and name

    def begin(self, module: Any) -> None:
        """Take over the environment and the parameters of the module."""
        env: Env = module.env
        self.env, self.timers = env, env.timers
        self.complain, self.rr = module.complain, module.rr
        self.table = Table(bool(module.ruri_matching), bool(module.via1_matching))
        self.times = Times(module.t1_timer / 1000, module.t2_timer / 1000, float(module.fr_timeout),
                           float(module.timer_c or module.fr_inv_timeout), float(module.wt_timer))
        self.echoes = Echoes(env.timers, self.times.give_up - self.times.linger)
        # Serial forking adds rounds: the bound is on what one request may cause in all.
        self.most_branches = 4 * env.config.max_branches
        if module.minor_branch_flag is not None:
            self.minor_mask = env.branch_flags.bit(str(module.minor_branch_flag))
        self.enable_stats, self.auto_100trying = bool(module.enable_stats), bool(module.auto_100trying)
        self.restart_fr_on_each_reply = bool(module.restart_fr_on_each_reply)
        self.timer_c, self.onreply_avp_mode = bool(module.timer_c), bool(module.onreply_avp_mode)
        self.disable_6xx_block = bool(module.disable_6xx_block)
        self.local_reply_route = module.local_reply_route or ""

    # --- what the core and scripts call -------------------------------------------------------------------------

    def on_response(self, ctx: Ctx) -> bool:
        """Take a response that belongs to a transaction."""
        return response.on_response(self, ctx)

    def t_relay(self, ctx: Ctx, flags: Any = None, proxy: Any = None) -> int:
        """Relay; see the module's function."""
        mask = 0
        where: Any = None
        if flags is not None:
            if flags.__class__ is int:
                mask = flags
            else:
                where = flags
        if proxy is not None:
            if proxy.__class__ is int:
                mask |= proxy
            else:
                where = proxy
        return relay.relay(self, ctx, mask, where)

    def t_check_trans(self, ctx: Ctx) -> int:
        """Say whether a message belongs to a transaction; see the module's function."""
        msg: Any = ctx.msg
        key = self.table.key(msg)
        found = self.table.servers.get(key)
        method_id: int = msg.method_id
        if method_id == M_ACK:
            if found is None:
                return -1
            if found.status < 300:
                return -2
            arrival.acknowledge(found, ctx)
            return 1
        if found is not None and found is not ctx.tx:
            arrival.absorb(found)
            return 0
        if found is None and arrival.echo(self, key):
            return 0
        if method_id == M_CANCEL:
            key = self.table.key(msg, M_INVITE)
            return 1 if key in self.table.servers or key in self.echoes.entries else -1
        return -1

    def armed(self, ctx: Ctx) -> Any:
        """Return where arming goes: the transaction, or the plan of a message that has none yet."""
        tx = ctx.tx
        if tx is not None and not tx.is_local:
            return tx
        plan = ctx[self.plan]
        if plan is None:
            plan = ctx[self.plan] = Plan()
        return plan

    def watch(self, ctx: Ctx, mask: int, watcher: Any) -> None:
        """Call `watcher` for events of a transaction; see the module."""
        armed = self.armed(ctx)
        watchers: list[Any] | None = armed.watchers
        if watchers is None:
            armed.watchers = [(mask, watcher)]
        else:
            watchers.append((mask, watcher))

    def t_on_failure(self, ctx: Ctx, failure_route: str) -> int:
        """Arm a failure_route; "" disarms."""
        route = self.route("failure_route", failure_route) if failure_route else None
        if route is None and failure_route:
            return -1
        self.armed(ctx).on_failure = route
        return 1

    def t_on_branch(self, ctx: Ctx, branch_route: str) -> int:
        """Arm a branch_route for the next t_relay; "" disarms."""
        route = self.route("branch_route", branch_route) if branch_route else None
        if route is None and branch_route:
            return -1
        self.armed(ctx).on_branch = route
        return 1

    def t_on_reply(self, ctx: Ctx, reply_route: str) -> int:
        """Arm an onreply_route: for this branch in a branch_route, else for the transaction; "" disarms."""
        route = self.route("onreply_route", reply_route) if reply_route else None
        if route is None and reply_route:
            return -1
        armed = ctx.tx.branches[ctx.branch_index] if ctx.kind == BRANCH and ctx.tx is not None else self.armed(ctx)
        known: Any = armed.on_reply
        if known is not None and isinstance(known, self.late):
            known.route = route
        else:
            armed.on_reply = route
        return 1

    # --- for the files of this package --------------------------------------------------------------------------

    def next_label(self) -> int:
        """Return the number of a new transaction."""
        self.labels += 1
        return self.labels

    def route(self, kind: str, name: str) -> RouteFn | None:
        """Return a named route of the present program."""
        program = self.env.program
        if program is not self._program:
            self._program, self._routes = program, {}
        of_kind = self._routes.get(kind)
        if of_kind is None:
            of_kind = self._routes[kind] = {}
        found = of_kind.get(name)
        if found is None and program is not None:
            found = program.named(kind, name)
            if found is not None:                       # names of routes that are not there may have no end
                of_kind[name] = found
        return found

    def call(self, route: RouteFn, ctx: Ctx) -> Any:
        """Run a route; None when it is done, a coroutine to await when it has to wait."""
        try:
            found = route(ctx)
        except Exception as error:                      # as in dispatch: a broken route must not stop the call
            self.env.dispatch.failed(ctx, error)
            return None
        if type(found) is int:
            return None
        return self._guarded(found, ctx) if hasattr(found, "__await__") else None

    async def _guarded(self, waiting: Any, ctx: Ctx) -> None:
        try:
            await waiting
        except Exception as error:
            self.env.dispatch.failed(ctx, error)

    def run(self, route: RouteFn, ctx: Ctx, then: Callable[[], Any]) -> None:
        """Run a route, then call `then()`: at once, or when the route is done waiting."""
        waits = self.call(route, ctx)
        if waits is None:
            then()
        else:
            self.go_on(waits, then)

    def go_on(self, waits: Any, then: Callable[[], Any]) -> None:
        """Call `then()` when a route is done waiting."""
        self.env.spawn(_after(waits, then), "route")

    def launch(self, branch: Branch, work: Ctx, dests: list[Dest]) -> bool:
        """Send a branch; see launch.launch."""
        return launch(self, branch, work, dests)

    def on_timeout(self, branch: Branch, event: int) -> None:
        """Take a branch that got no answer."""
        response.on_timeout(self, branch, event)

    def collect(self, tx: Any) -> None:
        """Decide when nothing is pending."""
        if tx.is_local:
            tx.collect()
        else:
            response.collect(self, tx)

    def reply_local(self, tx: Transaction, code: int, reason: str, tag: str = "") -> bool:
        """Send a reply that tm decided on."""
        return answer.reply_local(self, tx, code, reason, tag)


async def _after(waits: Any, then: Callable[[], Any]) -> None:
    await waits
    then()
