"""Pass responses on and decide when all branches failed: the response context of RFC 3261 section 16.7."""
from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from osip.api import M_CANCEL, M_INVITE, M_OTHER, Ctx, Edits, Response, Route, forward, reason_phrase
from osip.modules.tm import arrival, cancel, relay
from osip.modules.tm.branch import CANCEL_SENT, CANCEL_WANTED, Branch, challenges, pick
from osip.modules.tm.machine import (FAULT, LATE, PASS_UP, PROCEEDING, R1XX, R2XX, RFAIL, SEND_ACK, TERMINATED,
                                     TIMER_C)
from osip.modules.tm.transaction import ON_FAILURE, ON_FINAL, ON_REPLY, Transaction

if TYPE_CHECKING:
    from osip.modules.tm.layer import Layer
    from osip.modules.tm.transaction import RouteFn

FAILURE: Final = int(Route.FAILURE)
_BRANCH = re.compile(rb";branch=([^;,\s]+)")


# --- a response came in ------------------------------------------------------------------------------------------

def on_response(tm: Layer, ctx: Ctx) -> bool:
    """Match a response and put it through its machine; False when no transaction of ours knows it."""
    msg: Any = ctx.msg
    branch = tm.table.clients.get(msg.via1_branch)
    if branch is None:
        return _stray(tm, msg)
    status: int = msg.status
    method_id: int = msg.method_id
    event = R1XX if status < 200 else R2XX if status < 300 else RFAIL
    server = branch.server
    expected: int = server.method_id if server is not None else branch.tx.method_id
    if method_id != expected or (method_id == M_OTHER and msg.method != branch.tx.method):
        if method_id != M_CANCEL or branch.cancel is None:
            return False
        branch.cancel.step(event, None, tm.env.now)
        return True
    if tm.enable_stats:
        tm.counts.received_replies += 1
    _step(tm, branch, event, status, msg, ctx)
    return True


def _stray(tm: Layer, msg: Response) -> bool:
    """Take a response to a branch of ours whose transaction is over; False when it is to be forwarded without state.

    A 2xx to an INVITE still goes on, as the caller's ACK is what stops it. Anything else would be a second answer to a
    caller that has one, so it stops here (RFC 6026 section 7.3); a failure that is repeated gets its ACK again. What
    bears another branch of ours, stateless or from before a restart, is forwarded (16.7 step 1).
    """
    id = msg.via1_branch
    if not id.startswith(tm.env.ids.branch_start):
        return False
    status = msg.status
    if msg.method_id == M_INVITE:
        if 200 <= status < 300:
            return False
        if status >= 300:
            arrival.echo(tm, id)
    tm.env.dispatch.drop_replies += 1
    return True


def _step(tm: Layer, branch: Branch, event: int, status: int, msg: Response, ctx: Ctx) -> None:
    ringing, expiry = branch.state == PROCEEDING, branch.expire_at
    actions = branch.step(event, None, tm.env.now)
    if event == R1XX and ringing and (status == 100 if tm.timer_c else not tm.restart_fr_on_each_reply):
        branch.expire_at = branch.wake = expiry
    if branch.wake < branch.scheduled:
        tm.timers.schedule(branch)
    if actions & SEND_ACK:
        branch.send_ack(msg)
    if actions & LATE and branch.local and branch.cancelling != CANCEL_SENT:
        cancel.send_cancel(branch)                      # it rings although we gave it up
    if not actions & PASS_UP:
        return
    if status < 200:
        branch.status = status
        if branch.cancelling == CANCEL_WANTED:
            cancel.send_cancel(branch)
    tx = branch.server
    if tx is None:
        branch.tx.on_reply_in(branch, msg)
    elif branch.on_reply is None and tx.on_reply is None and tx.watchers is None:
        pass_on(tm, branch, tx, ctx, False)
    else:
        _run_routes(tm, branch, ctx, branch.on_reply, tx.on_reply)


def _run_routes(tm: Layer, branch: Branch, ctx: Ctx, per_branch: RouteFn | None, per_tx: RouteFn | None) -> None:
    """Run the onreply routes of branch and transaction, then go on."""
    tx: Transaction = branch.tx
    ctx.tx, ctx.branch_index, ctx.request, ctx.reply = tx, branch.index, tx.request, ctx.msg
    ctx.target, ctx.flags = branch.target, tx.flags
    ctx.reply_code = ctx.msg.status                     # type: ignore[union-attr]
    if tm.onreply_avp_mode:
        ctx.avps = tx.avps
    tx.waiting += 1
    waits: Any = tm.call(per_branch, ctx) if per_branch is not None else None
    if waits is None:
        _after_branch_route(tm, branch, ctx, per_tx)
    else:
        tm.go_on(waits, partial(_after_branch_route, tm, branch, ctx, per_tx))


def _after_branch_route(tm: Layer, branch: Branch, ctx: Ctx, per_tx: RouteFn | None) -> None:
    waits: Any = tm.call(per_tx, ctx) if per_tx is not None else None
    if waits is None:
        _after_routes(tm, branch, ctx)
    else:
        tm.go_on(waits, partial(_after_routes, tm, branch, ctx))


def _after_routes(tm: Layer, branch: Branch, ctx: Ctx) -> None:
    tx: Transaction = ctx.tx
    tx.waiting -= 1
    if branch.tx is None:                               # the transaction ended while a route waited
        return
    tx.flags = ctx.flags
    if tm.onreply_avp_mode:
        tx.avps = ctx.avps
    if tx.watchers is not None and not branch.is_copy:
        tx.tell_watchers(ON_REPLY, ctx.msg.status, ctx)     # type: ignore[union-attr]
    pass_on(tm, branch, tx, ctx, ctx.dropped)


def pass_on(tm: Layer, branch: Branch, tx: Transaction, ctx: Ctx, dropped: bool) -> None:
    """Send a response upstream or keep it for the choice (section 16.7 step 5)."""
    msg: Any = ctx.msg
    status: int = msg.status
    if branch.is_copy:
        if status >= 200:
            branch.status = status
            collect(tm, tx)
        return
    if status < 200:
        # To other requests than INVITE only a 100 is allowed, and that one stays on its hop (RFC 4320 section 4.1).
        if status > 100 and not dropped and tx.status < 200 and not branch.superseded and tx.method_id == M_INVITE:
            tx.respond(status, forward.build_response(ctx), False)
        return
    known = branch.status >= 200
    branch.status = status
    if status < 300:
        _on_success(tm, tx, ctx, status)
        return
    if known:
        return
    branch.reply, branch.edits = msg, ctx.edits
    branch.local = False
    if branch.superseded:
        return
    if status == 503 and branch.dests and not tx.cancelled and not tx.is_answered and fail_over(tm, branch):
        return
    if status >= 600 and not tm.disable_6xx_block:
        tx.blocked = True
        tx.phony = 0                                    # no branch may come any more (16.7 step 5)
        cancel.cancel_pending(tx)
    collect(tm, tx)


def _on_success(tm: Layer, tx: Transaction, ctx: Ctx, status: int) -> None:
    """Pass a 2xx on at once; to an INVITE every further one as well (section 16.7 step 5, RFC 6026)."""
    data = forward.build_response(ctx)
    first = tx.status < 200
    if not tx.respond(status, data, False):
        if tx.method_id == M_INVITE:
            tm.env.hand(data, tx.dest)                          # a 2xx after a failure was sent: still passed
        return
    if first:
        tx.on_failure = None
        if len(tx.branches) > 1 and not (tx.no_cancel and tx.many_2xx):
            cancel.cancel_pending(tx)
        if tx.watchers is not None:
            tx.tell_watchers(ON_FINAL, tx.status, ctx.msg)
        tx.shrink()


# --- a timer or the network said no ------------------------------------------------------------------------------

def on_timeout(tm: Layer, branch: Branch, event: int) -> None:
    """Count a branch that got no answer as 408 (487 once the caller gave up); try its next address first."""
    tx = branch.tx
    ringing = event == TIMER_C
    if tm.enable_stats:
        if ringing:
            tm.counts.timeout_finalresponse_inv += 1
        else:
            tm.counts.timeout_finalresponse += 1
    if tx.is_local:
        branch.local, branch.status = True, 408
        if ringing:                                     # a phone: it is not tried elsewhere, and must stop (9.1)
            branch.dests = ()
            if branch.cancelling != CANCEL_SENT:
                cancel.send_cancel(branch)
        tx.on_reply_in(branch, None)
        return
    silent = branch.status == 0
    if silent and tm.env.lost is not None:
        tm.env.lost(branch.dest)
    if branch.cancelling != CANCEL_SENT and tx.method_id == M_INVITE:
        if ringing:
            cancel.send_cancel(branch)
        else:
            branch.cancelling = CANCEL_WANTED
    branch.local = True
    if silent and branch.dests and not tx.cancelled and not tx.is_answered and fail_over(tm, branch):
        return
    branch.status = 487 if tx.cancelled else 408
    collect(tm, tx)


def on_unsent(tm: Layer, data: bytes) -> None:
    """Take a message whose connection failed after it was accepted: a request counts as answered with 503 (16.9)."""
    found = _BRANCH.search(data)
    branch = tm.table.clients.get(found.group(1).decode("ascii", "replace")) if found is not None else None
    if branch is None or data[:8] == b"SIP/2.0 " or data[:7] == b"CANCEL " or data[:4] == b"ACK ":
        return
    if not branch.step(FAULT, None, tm.env.now):
        return
    if tm.env.lost is not None:
        tm.env.lost(branch.dest)
    tx = branch.tx
    if tx.is_local:
        branch.local = True
        tx.on_reply_in(branch, None)
        return
    branch.local = True
    if branch.dests and not tx.cancelled and not tx.is_answered and fail_over(tm, branch):
        return
    relay.give_up(tm, branch, relay.UNSENT)
    tx.reap()


def fail_over(tm: Layer, branch: Branch) -> bool:
    """Send the request to the next address of the same name, as a new branch (RFC 3263 section 4.3)."""
    tx, ctx = branch.tx, branch.work
    if ctx is None or tx.no_failover or tm.env.config.disable_dns_failover:
        return False
    new = Branch(tx, len(tx.branches), branch.target)
    new.on_reply, new.bavps, new.is_copy = branch.on_reply, branch.bavps, branch.is_copy
    tx.branches.append(new)
    if not tm.launch(new, ctx, list(branch.dests)):
        tx.branches.pop()
        branch.dests = ()
        return False
    branch.superseded = True
    branch.dests, branch.work = (), None
    return True


# --- the choice --------------------------------------------------------------------------------------------------

def collect(tm: Layer, tx: Transaction) -> None:
    """Decide once no branch of this round is pending: failure_route, else the best response goes upstream."""
    if tx.waiting or tx.phony:
        return
    if tx.is_answered:
        tx.shrink()
        tx.reap()
        return
    current = tx.branches[tx.round_start:]
    minor = tm.minor_mask
    for branch in current:
        if branch.status < 200 and not branch.superseded and not branch.is_copy \
                and not (minor and branch.target.bflags & minor):
            return
    winner = pick(current, tx.cancelled)
    if winner is None:
        if not tx.status and not tx.is_under_way:       # there were only copies: absorb those of the caller a while
            tx.keep_until(tm.env.now + tx.times.linger)
        return
    if tx.watchers is not None:
        tx.tell_watchers(ON_FAILURE, winner.status, winner.reply)
    if tx.on_failure is None or tx.is_answered:
        send_best(tm, tx, winner)
    else:
        _run_failure(tm, tx, winner)


def _run_failure(tm: Layer, tx: Transaction, winner: Branch) -> None:
    route, tx.on_failure = tx.on_failure, None
    ctx = tx.make_ctx(FAILURE, winner.target.copy())
    ctx.reply, ctx.branch_index, ctx.reply_code = winner.reply, winner.index, winner.status
    tx.waiting += 1
    tx.deciding = True
    tm.run(route, ctx, partial(_after_failure, tm, tx, ctx, winner, len(tx.branches)))


def _after_failure(tm: Layer, tx: Transaction, ctx: Ctx, winner: Branch, before: int) -> None:
    """Go on after a failure route; `before` is how many branches there were."""
    tx.waiting -= 1
    tx.deciding = False
    if tx.state == TERMINATED:
        return
    tx.flags, tx.avps, tx.slots = ctx.flags, ctx.avps, ctx.slots
    if tx.is_answered:
        tx.shrink()
    elif tx.round_start >= before and len(tx.branches) > before:
        collect(tm, tx)                                 # a new round: it may even be over already
    elif not tx.waiting and not tx.phony:
        send_best(tm, tx, winner)


def send_best(tm: Layer, tx: Transaction, winner: Branch) -> None:
    """Send the chosen negative response upstream; a 503 becomes 500, challenges are gathered (16.7 steps 6 and 7)."""
    if winner.status < 300:
        return
    if winner.reply is None:
        _send_local(tm, tx, winner)
    else:
        status, data = _best_response(tm, tx, winner)
        if tx.method_id != M_INVITE and data[8:11] == b"408":
            tx.end_in_silence(408)
        else:
            tx.respond(status, data, False)
    cancel.cancel_pending(tx)                           # minor branches may still be running
    if tx.watchers is not None:
        tx.tell_watchers(ON_FINAL, tx.status, winner.reply)
    tx.shrink()


def _best_response(tm: Layer, tx: Transaction, winner: Branch) -> tuple[int, bytes]:
    msg = winner.reply
    assert msg is not None
    ctx = Ctx(tm.env, msg, None, int(Route.ONREPLY))
    ctx.edits = winner.edits
    status = winner.status
    if status in (401, 407):
        extra = challenges(winner, tx.branches[tx.round_start:])
        if extra:
            edits = Edits(msg) if ctx.edits is None else ctx.edits.copy()
            edits.append_hf(extra)
            ctx.edits = edits
    elif status == 503 and not tm.env.config.disable_503_translation:
        status = 500
        edits = Edits(msg) if ctx.edits is None else ctx.edits.copy()
        edits.replace(0, msg.raw.index(b"\n") + 1, b"SIP/2.0 500 %b\r\n" % reason_phrase(500).encode())
        ctx.edits = edits
    return status, forward.build_response(ctx)


def _send_local(tm: Layer, tx: Transaction, winner: Branch) -> None:
    status = winner.status
    if status == 408 and tx.method_id != M_INVITE:
        # It says nothing that the client's own timer does not tell, and would cross it (RFC 4320 section 4.2).
        tx.end_in_silence(status)
        return
    if winner.why is not None:
        status, reason = winner.why
    elif status == 503 and not tm.env.config.disable_503_translation:
        status, reason = 500, reason_phrase(500)
    else:
        reason = "Request Terminated" if status == 487 else reason_phrase(status)
    tm.reply_local(tx, status, reason)
