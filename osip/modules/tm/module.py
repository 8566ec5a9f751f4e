"""Declare tm: parameters, script functions and statistics; the work is done in the files beside it.

Longer than 400 lines because the module exports some thirty functions and twenty-five parameters.
"""
from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from osip.api import (M_ACK, M_CANCEL, M_INVITE, BranchRoute, CapturedSource, Complaint, Ctx, Dest, FailureRoute, Hook,
                      LocalSocket, Module, Parse, ReplyRoute, Request, Route, Target, Var, function, gauge, hook, needs,
                      param, slot, stat)
from osip.modules.tm import answer, arrival, cancel, relay, response, settled, uac, waiting
from osip.modules.tm.dump import Dumps, parse_append
from osip.modules.tm.late import Late
from osip.modules.tm.layer import Layer
from osip.modules.tm.mi import Management
from osip.modules.tm.transaction import Plan, Transaction, Watcher
from osip.modules.tm.variable import Variables

REQUEST = int(Route.REQUEST)
RelayArgument = Annotated[Any, Parse(relay.relay_argument)]
_INJECT = {"cancel": "cancel", "c": "cancel", "last": "last", "l": "last"}
InjectFlags = Annotated[frozenset[str], Parse(lambda text: inject_flags(text))]
_REPLY = "tm.reply_by_callid"
_CLUSTER = "without the module clusterer there are no other nodes"


def _count(doc: str, name: str = "") -> Any:
    return stat(doc, name=name, holder="counts")


class Tm(Variables, Management, Dumps, Module):
    """Transactions: stateful relaying, forking, retransmission, local replies and own requests."""

    ruri_matching = param(1, ge=0, le=1, doc="Match requests without RFC 3261 branch by R-URI as well.")
    via1_matching = param(1, ge=0, le=1, doc="Match requests without RFC 3261 branch by the top Via as well.")
    fr_timeout = param(30, ge=1, aliases=("fr_timer",), doc="Seconds for a final response; INVITE: for any response.")
    fr_inv_timeout = param(120, ge=1, aliases=("fr_inv_timer",), doc="Seconds for a final response after a 1xx.")
    timer_c = param(0, ge=0, doc="Seconds of ringing after the last 101 to 199 (timer C, RFC 3261 16.8), instead of "
                                 "fr_inv_timeout and restart_fr_on_each_reply; 0 = those decide.")
    wt_timer = param(5, ge=0, doc="Seconds that a finished transaction lingers whole; what answers late copies stays "
                                  "for 64*T1.")
    own_timer_proc = param(0, removed="each worker has one timer wheel")
    delete_timer = param(2, ge=0, removed="memory is freed at once")
    t1_timer = param(500, ge=1, name="T1_timer", doc="Milliseconds to the first retransmission.")
    t2_timer = param(4000, ge=1, name="T2_timer", doc="Cap of the retransmission interval, milliseconds.")
    unix_tx_timeout = param(2, ge=0, doc="Seconds for t_write_unix.")
    restart_fr_on_each_reply = param(1, ge=0, le=1, doc="Every provisional response restarts fr_inv_timeout.")
    tw_append = param(None, kind=str, multiple=True, parse=parse_append,
                      doc="`name:header=$var;...` for t_write_req and t_write_unix.")
    enable_stats = param(1, ge=0, le=1, doc="Count.")
    pass_provisional_replies = param(0, ge=0, le=1, removed="management answers once, with the final response; "
                                                             "modules ask for provisional ones themselves")
    syn_branch = param(1, ge=0, le=1, removed="branches are always unique by themselves")
    onreply_avp_mode = param(0, ge=0, le=1, doc="onreply routes see the transaction's AVPs.")
    disable_6xx_block = param(0, ge=0, le=1, doc="A 6xx does not stop further forking.")
    minor_branch_flag = param(None, kind=(str, int), doc="Branch flag: do not wait for such a branch.")
    timer_partitions = param(1, ge=1, removed="each worker has one timer wheel")
    auto_100trying = param(1, ge=0, le=1, doc="Answer an INVITE with 100 when its transaction is made.")
    tm_replication_cluster = param(0, ge=0, removed=_CLUSTER)
    cluster_param = param("cid", removed=_CLUSTER)
    cluster_auto_cancel = param(1, ge=0, le=1, removed=_CLUSTER)
    local_reply_route = param(None, kind=str, doc="Route that runs before a local reply is sent.")
    local_request_route = param(None, kind=str, doc="Route that runs before an own request is sent.")

    received_replies = _count("Responses that matched a transaction.")
    relayed_replies = _count("Responses passed upstream.")
    local_replies = _count("Responses made here.")
    uas_transactions = _count("Server transactions.", name="UAS_transactions")
    uac_transactions = _count("Client transactions.", name="UAC_transactions")
    finals_2xx = _count("Transactions that ended so.", name="2xx_transactions")
    finals_3xx = _count("Transactions that ended so.", name="3xx_transactions")
    finals_4xx = _count("Transactions that ended so.", name="4xx_transactions")
    finals_5xx = _count("Transactions that ended so.", name="5xx_transactions")
    finals_6xx = _count("Transactions that ended so.", name="6xx_transactions")
    cluster_reply_sent = stat("Replies sent to the cluster.")
    cluster_request_sent = stat("Requests sent to the cluster.")
    cluster_cancel_sent = stat("CANCELs sent to the cluster.")
    cluster_reply_recv = stat("Replies from the cluster.")
    cluster_request_recv = stat("Requests from the cluster.")
    cluster_cancel_recv = stat("CANCELs from the cluster.")
    retransmission_req_t1_1 = _count("First retransmissions of requests.", name="retransmission_req_T1_1")
    retransmission_req_t1_2 = _count("Second ones.", name="retransmission_req_T1_2")
    retransmission_req_t1_3 = _count("Third ones.", name="retransmission_req_T1_3")
    retransmission_req_t2 = _count("Later ones.", name="retransmission_req_T2")
    retransmission_rpl_t2 = _count("Retransmissions of responses.", name="retransmission_rpl_T2")
    timeout_finalresponse = _count("fr_timeout ran out.")
    timeout_finalresponse_inv = _count("fr_inv_timeout ran out.")
    plan = slot(Plan)
    rr = needs("rr", optional=True)
    uac_auth = needs("uac_auth", optional=True)

    @gauge("inuse_transactions")
    def inuse_transactions(self) -> int:
        """Transactions in memory."""
        return len(self.table.servers)

    # --- life ----------------------------------------------------------------------------------------------------

    def __init__(self) -> None:
        self.layer = layer = Layer(self.plan)
        layer.late = Late
        self.counts = layer.counts
        super().__init__()
        self.table, self.times, self.echoes = layer.table, layer.times, layer.echoes
        self.on_created = layer.on_created
        # What the core and compiled scripts take from this object they then call without a step in between.
        self.on_response, self.t_relay, self.t_check_trans = layer.on_response, layer.t_relay, layer.t_check_trans
        self.t_on_failure, self.t_on_reply, self.t_on_branch = layer.t_on_failure, layer.t_on_reply, layer.t_on_branch
        self.watch = layer.watch        # type: ignore[method-assign]

    def mod_init(self) -> None:
        """Set the timers, the table and the way in which the core replies."""
        env, layer = self.env, self.layer
        self.complain = Complaint(env.log, clock=lambda: env.now)
        layer.begin(self)
        self.table, self.times, self.echoes = layer.table, layer.times, layer.echoes
        stateless = env.reply

        def reply_any(ctx: Ctx, code: int, reason: str) -> int:
            return self.t_reply(ctx, code, reason) if ctx.tx is not None else stateless(ctx, code, reason)
        env.reply = reply_any
        env.bus.subscribe(_REPLY, self._on_reply_by_call)

    @hook(Hook.RESPONSE, order=50)
    def on_response(self, ctx: Ctx) -> bool:
        """Take a response that belongs to a transaction."""
        return self.layer.on_response(ctx)

    @hook(Hook.UNSENT)
    def on_unsent(self, data: bytes, dest: Dest) -> None:
        """Take a message that was lost with its connection."""
        response.on_unsent(self.layer, data)

    @hook(Hook.BEFORE_WAIT, order=50)
    def before_wait(self, ctx: Ctx) -> int:
        """Make the request stateful before its route waits, so that retransmissions do not run the script again.

        0 when the message was a retransmission and the route must not go on. The transaction is kept while it waits.
        """
        msg = ctx.msg
        if ctx.kind != REQUEST or msg is None or not msg.is_request:
            return 1
        if ctx.tx is None and (msg.method_id == M_ACK or ctx.source is None
                               or isinstance(ctx.source, CapturedSource)):
            return 1                            # nobody waits for our response to what was only captured
        tx = arrival.take(self.layer, ctx)[0]
        if tx is None:
            return 0
        if isinstance(tx, Transaction):
            tx.suspended += 1
        return 1

    @hook(Hook.AFTER_WAIT)
    def after_wait(self, ctx: Ctx) -> None:
        """Note that a request route goes on."""
        tx = ctx.tx
        if ctx.kind == REQUEST and isinstance(tx, Transaction) and tx.suspended:
            tx.suspended -= 1

    @hook(Hook.DRAIN)
    def drain(self) -> int:
        """Count the requests that were not answered finally yet."""
        return sum(tx.status < 200 for tx in self.table.servers.values())

    @hook(Hook.IN_USE)
    def in_use(self, socket: LocalSocket) -> int:
        """Count the transactions that came in or left over a socket."""
        return sum(tx.dest.socket is socket for tx in self.table.servers.values()) \
            + sum(branch.dest is not None and branch.dest.socket is socket for branch in self.table.clients.values())

    @hook(Hook.KNOWN)
    def known(self, msg: Request) -> bool:
        """Say whether a request is one that has a transaction, come once more."""
        return self.table.find(msg) is not None

    # --- for the files of this package and for other modules -----------------------------------------------------

    def armed(self, ctx: Ctx) -> Transaction | Plan:
        """Return where arming goes: the transaction, or the plan of a message that has none yet."""
        return self.layer.armed(ctx)                    # type: ignore[no-any-return]

    def watch(self, ctx: Ctx, mask: int, watcher: Watcher) -> None:
        """Call `watcher` for events of the transaction of `ctx` (now or later made); see `transaction.ON_...`."""
        self.layer.watch(ctx, mask, watcher)

    def after_reply(self, ctx: Ctx, work: Callable[[Ctx], Any]) -> None:
        """Call `work` with each response to the request of `ctx`, after its onreply_routes; it may have to be awaited."""
        armed = self.armed(ctx)
        armed.on_reply = Late(self.layer, armed.on_reply, work)

    def request(self, method: str, ruri: str, from_: str, to: str, **more: Any) -> uac.Outbound | None:
        """Send a request of our own; see uac.send."""
        return uac.send(self, method, ruri, from_, to, **more)

    def hold(self, ctx: Ctx, count: int) -> Transaction | None:
        """Keep a transaction open for branches that come later; see waiting.hold."""
        return waiting.hold(self.layer, ctx, count)

    def inject(self, tx: Transaction, ctx: Ctx, target: Target) -> bool:
        """Send a branch that was waited for."""
        return waiting.inject(self.layer, tx, ctx, target)

    def release(self, tx: Transaction, ctx: Ctx) -> None:
        """Give up one branch that was waited for."""
        waiting.release(self.layer, tx, ctx)

    # --- making, relaying, replying ------------------------------------------------------------------------------

    @function(routes=Route.REQUEST)
    def t_newtran(self, ctx: Ctx) -> int:
        """Make the transaction now: 1 made, 0 a retransmission or ACK that was absorbed, below 0 not possible."""
        if ctx.tx is not None:
            return -1
        tx, made = arrival.take(self.layer, ctx)
        return 1 if tx is not None else made

    @function(routes="QF", waits="relay_waits")
    def t_relay(self, ctx: Ctx, flags: RelayArgument | None = None, proxy: RelayArgument | None = None) -> int:
        """Relay to the R-URI branch and all appended ones.

        1 sent, absorbed or answered here; -1 internal, -2 bad message or URI, -3 no destination (or cancelled, or 6xx
        seen), -4 unresolvable, -5 filtered, -6 not sent. Flags: no-auto-477, no-dns-failover, pass-reason-hdr,
        allow-no-cancel. Without a destination URI the proxy `[proto:]host[:port]` is where it goes.
        """
        return self.layer.t_relay(ctx, flags, proxy)

    def relay_waits(self, given: tuple[str | None, ...], functions: frozenset[str]) -> str:
        """Return which method a call of t_relay has to await, "" for none; see settled."""
        return "t_relay_settled" if settled.is_needed(given, functions) else ""

    def t_relay_settled(self, ctx: Ctx, flags: Any = None, proxy: Any = None) -> Any:
        """Relay, and wait until it is known whether a branch could leave."""
        return settled.t_relay(self.layer, ctx, flags, proxy)

    @function(routes="QF")
    def t_replicate(self, ctx: Ctx, uri: str, flags: RelayArgument | None = None) -> int:
        """Send a stateful copy to a URI (and the appended branches); its responses go nowhere.

        The request itself may be answered or relayed before or after.
        """
        own = ctx.target
        ctx.target = own.copy()
        ctx.target.uri, ctx.target.du = uri, None
        mask = flags if flags.__class__ is int else 0
        code = relay.relay(self.layer, ctx, mask | relay.ABSORB | relay.NO_AUTO, None)
        ctx.target = own
        return code

    @function(routes="QF")
    def t_reply(self, ctx: Ctx, code: int, reason_phrase: str) -> int:
        """Reply statefully; in a failure_route in place of the pending response. -1 when a final one was sent."""
        return answer.t_reply(self.layer, ctx, code, reason_phrase)

    @function(routes="QF")
    def t_reply_with_body(self, ctx: Ctx, code: int, reason_phrase: str, body: str) -> int:
        """Reply statefully with a body; set its Content-Type with append_to_reply."""
        return answer.t_reply(self.layer, ctx, code, reason_phrase, body)

    @function(routes=Route.REQUEST)
    def t_reply_by_callid(self, ctx: Ctx, code: int, reason_phrase: str, callid: str | None = None,
                          cseq: str | None = None) -> int:
        """Reply to an INVITE found by Call-ID and CSeq (this message's by default); 1 also when another worker was asked."""
        number = (cseq.split() or [""])[0] if cseq else str(ctx.msg.cseq)
        if not (number.isascii() and number.isdigit()):
            return -1
        callid = callid or ctx.msg.call_id
        if self._reply_by_call(code, reason_phrase, callid, int(number[:11])):
            return 1
        if self.env.ids.owns(callid):
            return -1
        self.env.bus.others(_REPLY, (code, reason_phrase, callid, int(number[:11])))
        return 1

    def _reply_by_call(self, code: int, reason: str, callid: str, cseq: int) -> bool:
        """Reply to an INVITE of this worker; False when there is none or it has its final reply."""
        tx = self.table.find_by_call(callid, cseq, M_INVITE)
        return tx is not None and self.layer.reply_local(tx, code, reason)

    def _on_reply_by_call(self, wanted: tuple[int, str, str, int]) -> None:
        if self.env.ids.owns(wanted[2]):
            self._reply_by_call(*wanted)

    @function(routes="QFRB")
    def t_check_status(self, ctx: Ctx, re: re.Pattern) -> int:
        """Search the status: last one sent, the current one (onreply), or the winning one (failure)."""
        return 1 if re.search(str(self.code_of(ctx))) else -1

    @function(routes="QB")
    def t_flush_flags(self, ctx: Ctx) -> int:
        """Copy the message flags into the transaction."""
        if ctx.tx is None:
            return -1
        ctx.tx.flags = ctx.flags
        return 1

    @function(routes="QB")
    def t_check_trans(self, ctx: Ctx) -> int:
        """Say whether the message belongs to a transaction.

        CANCEL: 1 its INVITE is known, else -1. ACK: 1 to a negative response, -2 end to end, -1 unknown. Others: -1
        new, 0 a retransmission that was answered again.
        """
        return self.layer.t_check_trans(ctx)

    # --- arming --------------------------------------------------------------------------------------------------

    @function(routes="QFRBL")
    def t_on_failure(self, ctx: Ctx, failure_route: FailureRoute) -> int:
        """Arm a failure_route; "" disarms."""
        return self.layer.t_on_failure(ctx, failure_route)

    @function(routes="QFRBL")
    def t_on_reply(self, ctx: Ctx, reply_route: ReplyRoute) -> int:
        """Arm an onreply_route: for this branch in a branch_route, else for the transaction."""
        return self.layer.t_on_reply(ctx, reply_route)

    @function(routes="QFRB")
    def t_on_branch(self, ctx: Ctx, branch_route: BranchRoute) -> int:
        """Arm a branch_route for the next t_relay."""
        return self.layer.t_on_branch(ctx, branch_route)

    @function(routes="QFRBL")
    def t_is_set(self, ctx: Ctx, target: str) -> int:
        """Say whether a `branch_route`, `failure_route` or `onreply_route` is armed."""
        attr = {"branch_route": "on_branch", "failure_route": "on_failure", "onreply_route": "on_reply"}.get(target)
        armed = getattr(self.armed(ctx), attr) if attr else None
        return 1 if (armed.route if isinstance(armed, Late) else armed) is not None else -1

    @function(routes=Route.REQUEST)
    def t_add_hdrs(self, ctx: Ctx, sip_hdrs: str) -> int:
        """Add header text to every request of the transaction: branches, CANCELs, hop-by-hop ACKs."""
        text = sip_hdrs.encode("utf-8", "surrogateescape")
        self.armed(ctx).headers = text if not text or text.endswith(b"\r\n") else text.rstrip(b"\r\n") + b"\r\n"
        return 1

    @function(routes=Route.REQUEST)
    def t_add_cancel_reason(self, ctx: Ctx, reason_hdr: str) -> int:
        """Set the Reason header line that the CANCELs of this transaction carry; on a CANCEL, of its INVITE."""
        text = reason_hdr.encode("utf-8", "surrogateescape").rstrip(b"\r\n") + b"\r\n"
        armed: Any = self.armed(ctx)
        if ctx.msg.method_id == M_CANCEL:
            armed = self.table.find(ctx.msg, M_INVITE)
            if armed is None:
                return -1
        armed.cancel_reason = text
        return 1

    # --- asking and steering -------------------------------------------------------------------------------------

    @function(routes="QFRB", aliases=("t_is_canceled", "t_is_cancelled"))
    def t_was_cancelled(self, ctx: Ctx) -> int:
        """Say whether the caller cancelled this INVITE."""
        return 1 if isinstance(ctx.tx, Transaction) and ctx.tx.cancelled else -1

    @function(routes="QFRB")
    def t_local_replied(self, ctx: Ctx, reply: str) -> int:
        """`all`: only replies made here so far; `last`: the chosen or last reply was made here."""
        tx = ctx.tx
        if not isinstance(tx, Transaction) or reply not in ("all", "last"):
            return -1
        current = tx.branches[tx.round_start:]
        if reply == "all":
            return 1 if all(branch.local or not branch.status for branch in current) else -1
        if 0 <= ctx.branch_index < len(tx.branches):
            return 1 if tx.branches[ctx.branch_index].local else -1
        return 1 if tx.local else -1

    @function(routes="R")
    def t_cancel_branch(self, ctx: Ctx, flags: str = "") -> int:
        """Cancel from an onreply_route: this branch, `a` all, `o` all others."""
        tx = ctx.tx
        if not isinstance(tx, Transaction) or tx.method_id != M_INVITE or ctx.branch_index < 0:
            return -1
        mine = tx.branches[ctx.branch_index]
        for branch in list(tx.branches):
            if (branch is mine) == ("o" not in flags) or "a" in flags:
                cancel.cancel_branch(branch)
        return 1

    @function(routes="QRBF")
    def t_wait_no_more_branches(self, ctx: Ctx) -> int:
        """Undo t_wait_for_new_branches."""
        tx = ctx.tx
        if not isinstance(tx, Transaction) or not tx.phony:
            return -1
        tx.phony = 0
        # Not at once: the route that calls this may be one that the transaction is waiting for.
        self.env.timers.call_at(self.env.now, self._decide, tx)
        return 1

    @function(routes=Route.REQUEST)
    def t_wait_for_new_branches(self, ctx: Ctx, branches: int = 0) -> int:
        """Keep the transaction open for branches to be injected: `branches` of them, until fr_inv_timeout at most."""
        tx = ctx.tx
        if not isinstance(tx, Transaction) or tx.method_id != M_INVITE:
            return -1
        tx.phony = branches if branches > 0 else 1 << 30
        self.env.timers.call_at(self.env.now + tx.times.ring, self._stop_waiting, tx)
        return 1

    def _stop_waiting(self, tx: Transaction) -> None:
        if tx.phony:
            tx.phony = 0
            self._decide(tx)

    def _decide(self, tx: Transaction) -> None:
        waiting.decide(self.layer, tx)

    @function(routes="QR")
    def t_inject_branches(self, ctx: Ctx, source: Literal["msg", "event"], flags: InjectFlags = frozenset()) -> int:
        """Add branches to a running transaction from `msg` (its appended branches) or `event`.

        Flags: `cancel` cancels the pending ones first, `last` says that no more will come.
        """
        tx = ctx.tx
        if not isinstance(tx, Transaction) or not waiting.is_open(self.layer, tx):
            return -1
        targets = list(ctx.targets or ()) if source == "msg" else _event_targets(ctx)
        ctx.targets = None if source == "msg" else ctx.targets
        if "cancel" in flags:
            cancel.cancel_pending(tx)
        work = tx.make_ctx(REQUEST)
        sent = sum(relay.start(self.layer, tx, work, target) > 0 for target in targets)
        if tx.phony:
            tx.phony = 0 if "last" in flags else max(tx.phony - sent, 0)
            if not tx.phony and not sent:
                self.env.timers.call_at(self.env.now, self._decide, tx)
        return 1 if sent else -1

    @function(routes=Route.REQUEST)
    def t_anycast_replicate(self, ctx: Ctx) -> int:
        """Hand an unmatched ACK or CANCEL to the other nodes; -1, as without clusterer there are none."""
        return -1

    @function(routes="*")
    def t_new_request(self, ctx: Ctx, method: str, ruri: str, from_: str, to: str, body: str | None = None,
                      ctx_value: str | None = None) -> int:
        """Send an independent request; from and to are `[display ]uri`, body is `type text`; the last argument becomes
        the AVP uac_ctx in local_route."""
        headers, content = b"", b""
        if body:
            kind, _, text = body.partition(" ")
            headers, content = f"Content-Type: {kind}\r\n".encode(), text.encode("utf-8", "surrogateescape")
        avps: dict[str, Any] | None = {"uac_ctx": [ctx_value]} if ctx_value else None
        sent = self.request(method, ruri, _address(from_), _address(to), headers=headers, body=content, avps=avps)
        return 1 if sent is not None else -1

    @function(routes="RBF")
    def t_get_branch_idx_by_attr(self, ctx: Ctx, attr: str, val_str: str | None = None, val_int: int | None = None,
                                 result_var: Var | None = None, offset: int = 0) -> int:
        """Find a branch of the transaction by an attribute's name and value; its index goes to the variable."""
        tx = ctx.tx
        wanted = val_str if val_str is not None else val_int
        for branch in tx.branches[offset:] if isinstance(tx, Transaction) else ():
            attrs = branch.target.attrs or {}
            if attr in attrs and (wanted is None or attrs[attr] == wanted):
                if result_var is not None:
                    result_var.set(ctx, branch.index)
                return 1
        return -1


def inject_flags(text: str) -> frozenset[str]:
    """Read flags of t_inject_branches, as words or as letters in one word; ValueError names an unknown one."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if any(word not in _INJECT for word in words):
        words = list(text.strip())
    unknown = [word for word in words if word not in _INJECT]
    if unknown:
        raise ValueError(f'unknown flag in "{text}"; known: cancel, last')
    return frozenset(_INJECT[word] for word in words)


def _address(text: str) -> str:
    """Return `[display ]uri` as a header value."""
    if "<" in text:
        return text
    display, _, uri = text.rpartition(" ")
    return f'"{display}" <{uri}>' if display else f"<{uri}>"


def _event_targets(ctx: Ctx) -> list[Target]:
    """Make a target of the attributes of an event (E_UL_CONTACT_INSERT and its like)."""
    event = ctx.event or {}
    uri = event.get("uri") or event.get("contact")
    if not uri:
        return []
    du = event.get("received") or None
    q = event.get("qval")
    return [Target(str(uri), str(du) if du else None, event.get("path") or None, int(q) if isinstance(q, int) else -1)]


