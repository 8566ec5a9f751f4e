"""Relay a request: make its transaction, form branches, send them, answer when none could be sent (RFC 3261 16.6)."""
from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

from osip.api import (H_ROUTE, M_ACK, M_CANCEL, M_INVITE, Ctx, Dest, Endpoint, OsipError, ParseError, Route, Target,
                      bracket, forward, parse_endpoint, refusal, reply, value_start)
from osip.modules.tm import cancel
from osip.modules.tm.arrival import absorb, create, echo, take
from osip.modules.tm.branch import Branch
from osip.modules.tm.launch import launch
from osip.modules.tm.machine import TERMINATED
from osip.modules.tm.transaction import Transaction

if TYPE_CHECKING:
    from osip.modules.tm.layer import Layer

BRANCH: Final = int(Route.BRANCH)
FAILURE: Final = int(Route.FAILURE)

NO_AUTO: Final = 2
NO_FAILOVER: Final = 4
PASS_REASON: Final = 8
NO_CANCEL: Final = 16
ABSORB: Final = 256
_FLAGS: Final = {"no-auto-477": NO_AUTO, "no-dns-failover": NO_FAILOVER, "pass-reason-hdr": PASS_REASON,
          "allow-no-cancel": NO_CANCEL}

INTERNAL: Final = -1
BAD: Final = -2
NO_TARGET: Final = -3
UNRESOLVED: Final = -4
FILTERED: Final = -5
UNSENT: Final = -6
_AUTO: Final = {INTERNAL: (500, "Server error (500/TM)"), NO_TARGET: (500, "No destination (500/TM)"),
         UNRESOLVED: (476, "Unresolvable destination (476/TM)"), FILTERED: (473, "Filtered destination (473/TM)"),
         UNSENT: (477, "Send failed (477/TM)")}
_BAD: Final = {400: (400, "Bad message (400/TM)"), 416: (416, "Unsupported URI Scheme"), 420: (420, "Bad Extension"),
        482: (482, "Loop Detected"), 483: (483, "Too Many Hops")}


def relay_argument(text: str) -> int | Endpoint:
    """Read an argument of t_relay: flags as a mask (words or the old number), else a proxy as an endpoint."""
    text = text.strip()
    if text[:2].lower() == "0x" or text.isdigit():
        return int(text, 16 if text[:2].lower() == "0x" else 10)
    words = [word.strip() for word in text.split(",")]
    if all(word in _FLAGS or not word for word in words):
        return sum({_FLAGS[word] for word in words if word})
    if "-" in text and ":" not in text and "." not in text:
        raise ValueError(f'unknown flag in "{text}"; known: {", ".join(_FLAGS)}')
    return parse_endpoint(text)


# --- t_relay -----------------------------------------------------------------------------------------------------

def relay(tm: Layer, ctx: Ctx, flags: int, proxy: Endpoint | None) -> int:
    """Relay the request of a request or failure route to its target set; see t_relay for the codes."""
    msg = ctx.msg
    if msg.method_id == M_CANCEL and ctx.tx is None:
        return _relay_cancel(tm, ctx, proxy)
    tx, made = take(tm, ctx)
    if tx is None:                      # the ACK of a 2xx goes end to end, without a transaction (section 13.2.2.4)
        return 1 if made == 0 else _send_stateless(tm, ctx, proxy)
    if ctx.kind != FAILURE:
        if tx.method_id == M_CANCEL:
            invite = tm.table.find(msg, M_INVITE)
            if invite is not None and not tx.is_answered:
                cancel.on_cancel(tm, ctx, tx, invite)
                return 1
    if flags & ABSORB:
        return _replicate(tm, tx, ctx, flags & ~ABSORB)
    if flags & ~NO_AUTO:
        _set_flags(tx, ctx, flags)
    code = send_targets(tm, tx, ctx, proxy)
    if code < 0 and made and not flags & NO_AUTO:
        answer_fault(tm, tx, ctx, code)
        return 1
    return code


def _replicate(tm: Layer, tx: Transaction, ctx: Ctx, flags: int) -> int:
    """Send copies whose responses stop here; the request itself may be answered or relayed before or after."""
    if flags & ~NO_AUTO:
        _set_flags(tx, ctx, flags)
    start = tx.round_start
    tx.copying = True
    try:
        return send_targets(tm, tx, ctx)
    finally:
        tx.copying, tx.round_start = False, start


def _set_flags(tx: Transaction, ctx: Ctx, flags: int) -> None:
    tx.no_failover = bool(flags & NO_FAILOVER)
    tx.pass_reason = bool(flags & PASS_REASON)
    if flags & NO_CANCEL:
        wish = (ctx.msg.get("Request-Disposition") or ctx.msg.get("d") or "").lower()
        tx.no_cancel = tx.many_2xx = "no-cancel" in wish


def answer_fault(tm: Layer, tx: Transaction, ctx: Ctx, code: int) -> None:
    """Answer a request that could not be relayed (dsl.md section 11)."""
    if tx.is_answered:
        return
    if code == BAD:
        status, reason = _BAD.get(tm.fault) or (475, "Bad URI (475/TM)")
    else:
        status, reason = _AUTO.get(code) or _AUTO[INTERNAL]
    headers = f"Unsupported: {refusal.unsupported(ctx)}\r\n".encode() if status == 420 else b""
    data = reply.build(ctx, status, reason, tx.to_tag, headers)
    tx.respond(status, data, True)
    tx.shrink()


def _relay_cancel(tm: Layer, ctx: Ctx, proxy: Endpoint | None) -> int:
    key = tm.table.key(ctx.msg)
    found = tm.table.servers.get(key)
    if found is not None:
        absorb(found)
        return 1
    if echo(tm, key):
        return 1
    invite = tm.table.find(ctx.msg, M_INVITE)
    if invite is None:
        if tm.table.key(ctx.msg, M_INVITE) in tm.echoes.entries:        # answered a while ago: nothing to stop (9.2)
            tm.reply_local(create(tm, ctx, key), 200, "canceling")
            return 1
        return _send_stateless(tm, ctx, proxy)          # no response context: like any other request (16.10)
    cancel.on_cancel(tm, ctx, create(tm, ctx, key), invite)
    return 1


def _send_stateless(tm: Layer, ctx: Ctx, proxy: Endpoint | None) -> int:
    follow_route(tm, ctx, proxy)
    target = via_proxy(ctx.target, proxy) if proxy is not None else ctx.target
    if not refusal.count_hop(ctx):
        return BAD
    try:
        dests = forward.next_hops(ctx, target)
        if dests is None:
            tm.env.spawn(_stateless_later(tm, ctx, target), "ack")
            return 1
        return _send_copy(tm, ctx, target, dests)
    except ParseError:
        return BAD
    except OsipError:
        return UNRESOLVED


async def _stateless_later(tm: Layer, ctx: Ctx, target: Target) -> None:
    try:
        _send_copy(tm, ctx, target, await forward.next_hops_wait(ctx, target))
    except OsipError as error:
        tm.complain("not forwarded", "call_id=%s error=%s", ctx.msg.call_id, error)


def _send_copy(tm: Layer, ctx: Ctx, target: Target, dests: list[Dest]) -> int:
    env = tm.env
    filtered = 0
    for dest in dests:
        # A CANCEL must bear the branch that a stateless copy of its INVITE bore; an ACK only needs one of its own.
        id = env.ids.branch() if ctx.msg.method_id == M_ACK else forward.stateless_branch(ctx)
        data = forward.build(ctx, target, dest, id)
        if forward.is_too_long(env, dest, data) and forward.send_by_stream(ctx, target, dest, id):
            return 1
        if forward.blocked(ctx, dest, data):
            filtered += 1
        elif env.hand(data, dest):
            env.dispatch.fwd_requests += 1
            return 1
    return _why_unsent(dests, filtered)


def _why_unsent(dests: list[Dest], filtered: int) -> int:
    return UNRESOLVED if not dests else FILTERED if filtered == len(dests) else UNSENT


# --- branches ----------------------------------------------------------------------------------------------------

def send_targets(tm: Layer, tx: Transaction, ctx: Ctx, proxy: Endpoint | None = None) -> int:
    """Send a copy to each target of `ctx`; 1 when at least one is on its way, else the last failure."""
    if tx.cancelled or (tx.is_answered and not tx.copying) or (tx.blocked and not tm.disable_6xx_block):
        return NO_TARGET
    if ctx.kind != FAILURE:
        tm.fault = _refuse(tm, tx, ctx, proxy)
        if tm.fault:
            return BAD
        tx.keep(ctx)
    targets = _targets(ctx)
    first = len(tx.branches)
    code, sent = NO_TARGET, False
    for target in targets:
        result = start(tm, tx, ctx, target, proxy)
        if result > 0:
            sent = True
        else:
            code = result
    if not sent:
        return code
    if ctx.kind == FAILURE and tx.round_start <= ctx.branch_index:
        tx.round_start = first          # the winner's round is over; a second t_relay of this route joins the new one
    return 1


def _refuse(tm: Layer, tx: Transaction, ctx: Ctx, proxy: Endpoint | None) -> int:
    """Look at what forbids to forward a request; return the code of the refusal, 0 when there is none (16.3)."""
    if not tx.loop:
        tx.loop = refusal.loop_part(ctx)
        if refusal.is_loop(ctx, tx.loop):
            return 482
    if refusal.unsupported(ctx):
        return 420
    follow_route(tm, ctx, proxy)
    return 0 if refusal.count_hop(ctx) else 483


def follow_route(tm: Layer, ctx: Ctx, proxy: Endpoint | None) -> None:
    """Do what loose_route does, for a script that left the whole decision to us (16.4, 16.6 step 6)."""
    target = ctx.target
    if tm.rr is None or proxy is not None or target.uri is not None or target.du is not None or ctx.targets:
        return
    start = value_start(ctx.msg, H_ROUTE)
    if start < 0:
        return
    if ctx.edits is not None:
        for edit in ctx.edits.items:
            if edit[0] <= start < edit[1]:
                return
    tm.rr.loose_route(ctx)


def _targets(ctx: Ctx) -> list[Target]:
    """Return the target set: the R-URI's branch and the appended ones, none of them twice (16.5)."""
    targets = [ctx.target.copy()]
    if ctx.targets:
        if ctx.kind == FAILURE and ctx.target.du is None and any(t.uri == ctx.target.uri for t in ctx.targets):
            targets = []                # older scripts append the new R-URI: it must not be tried twice
        seen = {(t.uri, t.du, t.path, t.socket) for t in targets}
        for target in ctx.targets:
            key = target.uri, target.du, target.path, target.socket
            if key not in seen:
                seen.add(key)
                targets.append(target)
        ctx.targets = None
    return targets


def start(tm: Layer, tx: Transaction, ctx: Ctx, target: Target, proxy: Endpoint | None = None) -> int:
    """Form one branch and send it; a branch that cannot be sent leaves no trace."""
    if len(tx.branches) >= tm.most_branches:
        return INTERNAL
    branch = Branch(tx, len(tx.branches), target)
    tx.branches.append(branch)
    work: Ctx = ctx
    waits: Any = None
    if tx.on_branch is not None:
        work = _branch_ctx(tx, ctx, branch)
        waits = tm.call(tx.on_branch, work)
        if waits is None:
            ctx.flags = tx.flags = work.flags           # the next branch_route sees them
            if work.dropped:
                tx.branches.pop()
                return NO_TARGET
    if waits is None:
        code = _resolve_and_send(tm, branch, work, proxy)
        if code:
            if code < 0:
                tx.branches.pop()
            return code
    tx.waiting += 1
    tm.env.spawn(_start_later(tm, branch, work, proxy, waits), "branch")
    return 1


def _branch_ctx(tx: Transaction, ctx: Ctx, branch: Branch) -> Ctx:
    """Make the context of a branch_route: edits and slots of its own, flags and AVPs of the transaction."""
    work = Ctx(ctx.env, ctx.msg, ctx.source, BRANCH)
    work.tx, work.request, work.branch_index, work.target = tx, ctx.msg, branch.index, branch.target
    if ctx.avps is None:
        ctx.avps = tx.avps = {}         # one dict for all, whoever sets the first AVP
    work.flags, work.avps = ctx.flags, ctx.avps
    work.slots = dict(ctx.slots) if ctx.slots else None
    work.via_flags, work.adv_host, work.adv_port = ctx.via_flags, ctx.adv_host, ctx.adv_port
    work.reply, work.blacklists = ctx.reply, ctx.blacklists
    if ctx.edits is not None:
        work.edits = ctx.edits.copy()
    return work


def _resolve_and_send(tm: Layer, branch: Branch, work: Ctx, proxy: Endpoint | None) -> int:
    """Find the addresses of a branch and send it: 1 sent, 0 a name must be asked for, below 0 a failure."""
    try:
        dests = forward.next_hops(work, _hop(branch, work, proxy))
        if dests is None:
            return 0
    except ParseError as error:
        tm.fault = error.code if error.code == 416 else 475
        return BAD
    except OsipError:
        return UNRESOLVED
    return _launch_checked(tm, branch, work, dests)


def _hop(branch: Branch, work: Ctx, proxy: Endpoint | None) -> Target:
    """Return the target to look up for a branch: its own, or that of the proxy it is sent to."""
    target = branch.target
    if proxy is None:
        return target
    forward.clean(work, target)
    return via_proxy(target, proxy)


def _launch_checked(tm: Layer, branch: Branch, work: Ctx, dests: list[Dest]) -> int:
    """Send a branch; the code says what kept it from leaving."""
    try:
        return 1 if launch(tm, branch, work, dests) else _why_unsent(dests, tm.filtered)
    except ParseError:                                  # a header that must be rewritten cannot be read
        tm.fault = 400
        return BAD


async def _start_later(tm: Layer, branch: Branch, work: Ctx, proxy: Endpoint | None,
                       waits: Coroutine[Any, Any, Any] | None) -> None:
    """Go on with a branch whose branch_route or name resolution had to wait."""
    tx = branch.tx
    code = 0
    try:
        if waits is not None:
            await waits
        if branch.state != TERMINATED and not work.dropped:
            hop = _hop(branch, work, proxy)
            dests = forward.next_hops(work, hop) or await forward.next_hops_wait(work, hop)
            if branch.state != TERMINATED and tx.tm.table.servers.get(tx.key) is tx:
                code = _launch_checked(tm, branch, work, dests)
    except ParseError as error:
        tm.fault, code = error.code if error.code == 416 else 475, BAD
    except OsipError:
        code = UNRESOLVED
    finally:
        tx.waiting -= 1
    if code <= 0 and branch.tx is not None:
        give_up(tm, branch, code or NO_TARGET)


def give_up(tm: Layer, branch: Branch, code: int) -> None:
    """Count a branch that never left as 503, the least of all responses; alone, it gets its own text (16.9)."""
    tx = branch.tx
    branch.local, branch.state = True, TERMINATED
    if tx.cancelled:
        branch.status = 487
    elif branch.status < 200:
        branch.status = 503
        branch.why = _BAD.get(tm.fault, (475, "Bad URI (475/TM)")) if code == BAD else _AUTO.get(code, _AUTO[INTERNAL])
    tm.collect(tx)


def via_proxy(target: Target, proxy: Endpoint) -> Target:
    """Return a copy of a target that is sent to a proxy, unless it has a destination URI."""
    hop = target.copy()
    if not hop.du:
        port = f":{proxy.port}" if proxy.port else ""
        transport = f";transport={proxy.proto}" if proxy.proto else ""
        hop.du = f"sip:{bracket(proxy.host)}{port}{transport}"
    return hop
