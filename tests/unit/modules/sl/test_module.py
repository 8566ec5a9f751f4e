"""What sl declares: the words, and the numbers that its statistics show."""
from __future__ import annotations

from kit.playbook import Playbook, make_worker
from osip.core.run.ctx import Ctx
from osip.modules.sl import Sl


def play(action: object) -> Playbook:
    return Playbook((Sl,), lambda ctx: action(ctx.env.modules["sl"], ctx))       # type: ignore[operator]


def test_statistics_are_those_that_replies_count() -> None:
    worker, _, _ = make_worker((Sl,))
    sl = worker.registry.instances["sl"]
    for code in (100, 200, 302, 404, 500, 603, 699):
        sl.replies.count(code)
    shown = {stat.name: stat.read() for stat in worker.env.stats.select("sl:")}
    assert shown == {"1xx_replies": 1, "2xx_replies": 1, "3xx_replies": 1, "4xx_replies": 1, "5xx_replies": 1,
                     "6xx_replies": 2, "sent_replies": 7, "sent_err_replies": 0, "received_ACKs": 0}
    sl.sent_replies = 0
    assert sl.replies.sent_replies == 0


def test_without_enable_stats_nothing_is_counted() -> None:
    worker, _, _ = make_worker((Sl,), {"sl": {"enable_stats": 0}})
    sl = worker.registry.instances["sl"]
    assert not sl.replies.enable_stats and sl.sl_send_reply.__self__ is sl.replies


def test_reply_error() -> None:
    def action(sl: Sl, ctx: Ctx) -> int:
        ctx.error = (1, 3, "bad", 400, "Bad Request")
        return sl.sl_reply_error(ctx)
    play(action).recv("INVITE").sent(400).check(lambda m: m.reason == "Bad Request (400/SL)")
    flow = play(lambda sl, ctx: sl.sl_reply_error(ctx)).recv("INVITE").sent(500)
    assert flow.modules["sl"].sent_err_replies == 1
