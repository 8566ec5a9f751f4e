"""Make the playbooks that the flow tests start from."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kit.playbook import Playbook
from osip.core.run.ctx import Ctx, Target
from osip.modules.rr import Rr
from osip.modules.sl import Sl
from osip.modules.tm import Tm

URIS = {"bob": "sip:bob@10.0.0.2", "carol": "sip:carol@10.0.0.3", "dave": "sip:dave@10.0.0.4"}


def tm(ctx: Ctx) -> Tm:
    """Return the tm instance of a context."""
    found: Tm = ctx.env.modules["tm"]
    return found


def fork(ctx: Ctx, *names: str) -> None:
    """Make the target set: the first name is the R-URI branch, the others are appended."""
    ctx.target.uri = URIS[names[0]]
    for name in names[1:]:
        ctx.add_target(Target(URIS[name]))


def flow(*targets: str, arm: Callable[[Tm, Ctx], Any] | None = None, flags: Any = None, **more: Any) -> Playbook:
    """Return a playbook whose request route relays to the named targets (R-URI when none), arming things first."""
    def route(ctx: Ctx) -> int:
        if targets and ctx.msg.method in ("INVITE", "MESSAGE", "SUBSCRIBE"):
            fork(ctx, *targets)
        if arm is not None:
            arm(tm(ctx), ctx)
        return tm(ctx).t_relay(ctx, flags)
    return Playbook((Tm, Rr, Sl), more.pop("route", route), **more)


def ringing(*targets: str, **more: Any) -> Playbook:
    """Return a flow in which all targets ring; what was sent so far has been looked at."""
    play = flow(*targets, **more).recv("INVITE").sent(100)
    for name in targets:
        play.sent("INVITE", name).answer(name, 180).sent(180)
    return play
