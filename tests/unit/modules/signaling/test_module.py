"""send_reply: with state when there is some, else without."""
from __future__ import annotations

from kit.playbook import Playbook
from osip.core.run.ctx import Ctx
from osip.modules.signaling import Signaling
from osip.modules.sl import Sl
from osip.modules.tm import Tm


seen: list[str | None] = []


def reply(ctx: Ctx, stateful: bool = False) -> int:
    if stateful:
        ctx.env.modules["tm"].t_newtran(ctx)
    signaling: Signaling = ctx.env.modules["signaling"]
    seen.append(signaling.local_totag(ctx))
    return signaling.send_reply(ctx, 404, "Not Found")


def test_without_state() -> None:
    play = Playbook((Tm, Sl, Signaling), reply).recv("INVITE").sent(404).check(lambda m: m.to_tag == seen[-1])
    assert play.modules["sl"].sent_replies == 1 and not play.modules["tm"].table.servers


def test_with_state() -> None:
    play = Playbook((Tm, Sl, Signaling), lambda ctx: reply(ctx, True)).recv("INVITE").sent(100).sent(404)
    assert play.got.to_tag == seen[-1] and play.modules["tm"].local_replies == 2


def test_tm_alone_makes_the_transaction() -> None:
    play = Playbook((Tm, Signaling), reply).recv("MESSAGE").sent(404)
    assert len(play.modules["tm"].table.servers) == 1


def test_sl_alone() -> None:
    Playbook((Sl, Signaling), reply).recv("MESSAGE").sent(404)
