"""Cancel: the caller's CANCEL, and those that we send downstream (RFC 3261 sections 9.1, 9.2, 16.7 step 10, 16.10)."""
from __future__ import annotations

from typing import TYPE_CHECKING

from osip.api import H_REASON, M_INVITE, Ctx, build_cancel
from osip.modules.tm.branch import CANCEL_SENT, CANCEL_WANTED, NOT_CANCELLED, Branch, Cancel, with_headers
from osip.modules.tm.machine import ACCEPTED, CALLING, COMPLETED, PROCEEDING, START, TERMINATED
from osip.modules.tm.transaction import ON_CANCEL, Transaction

if TYPE_CHECKING:
    from osip.modules.tm.layer import Layer


def on_cancel(tm: Layer, ctx: Ctx, cancelling: Transaction, invite: Transaction) -> None:
    """Answer the caller's CANCEL with 200 and cancel what is pending; later branches are refused."""
    tm.reply_local(cancelling, 200, "canceling", invite.to_tag)
    if invite.is_answered or invite.cancelled:
        return
    invite.cancelled = True
    if invite.pass_reason:
        invite.cancel_reason = b"".join(f"Reason: {value}\r\n".encode("utf-8", "surrogateescape")
                                        for value in ctx.msg.get_all(H_REASON)) or invite.cancel_reason
    if invite.watchers is not None:
        invite.tell_watchers(ON_CANCEL, 0, ctx)
    invite.phony = 0
    if invite.no_cancel:
        return
    cancel_pending(invite)
    if not invite.deciding and any([not branch.is_copy for branch in invite.branches]):
        tm.collect(invite)
    elif not invite.is_pending and not invite.is_answered:
        # Nothing was forwarded yet, or all has failed: the caller need not wait for what will not come (9.2).
        tm.reply_local(invite, 487, "Request Terminated")
        invite.shrink()


def cancel_pending(tx: Transaction, but: Branch | None = None) -> None:
    """Cancel every branch that has no final response."""
    if tx.method_id != M_INVITE:
        return
    for branch in tx.branches:
        if branch is not but:
            cancel_branch(branch)


def cancel_branch(branch: Branch) -> None:
    """Cancel one branch: now when it has answered provisionally, else as soon as it does (9.1)."""
    if branch.cancelling != NOT_CANCELLED or branch.superseded:
        return
    if not branch.started:
        if branch.status < 200 and branch.state != TERMINATED:          # it waits for DNS or a route: it never leaves
            branch.status, branch.local, branch.state = 487, True, TERMINATED
        return
    branch.dests = ()
    if branch.state == PROCEEDING:
        send_cancel(branch)
    elif branch.state == CALLING:
        branch.cancelling = CANCEL_WANTED


def send_cancel(branch: Branch) -> None:
    """Send the CANCEL of a branch, and give its final response 64*T1 (9.1)."""
    tx = branch.tx
    if branch.last is None or branch.state in (ACCEPTED, TERMINATED):
        return
    branch.cancelling = CANCEL_SENT
    env, timers = tx.tm.env, tx.tm.timers
    branch.cancel = found = Cancel(branch)
    found.step(START, with_headers(build_cancel(branch.last, tx.cancel_reason), tx.headers), env.now)
    timers.schedule(found)
    if branch.state != COMPLETED:
        until = env.now + branch.times.give_up
        if until < branch.expire_at:
            branch.expire_at = branch.wake = until
            timers.schedule(branch)
