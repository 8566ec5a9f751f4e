"""Stateless replies: tags, ACKs, contacts, counters (the flow is in tests/flow)."""
from __future__ import annotations

import pytest

from kit.playbook import Playbook
from osip.core.run.ctx import Ctx, Target
from osip.modules.sl import Sl


def play(action: object) -> Playbook:
    return Playbook((Sl,), lambda ctx: action(ctx.env.modules["sl"], ctx))       # type: ignore[operator]


@pytest.mark.parametrize("code,reason", [(100, "Trying"), (200, "OK"), (404, "Not Found"), (603, "Decline")])
def test_replies_are_counted_by_class(code: int, reason: str) -> None:
    flow = play(lambda sl, ctx: sl.sl_send_reply(ctx, code, reason)).recv("INVITE").sent(code)
    sl = flow.modules["sl"]
    assert flow.got.reason == reason and bool(flow.got.to_tag) == (code > 100)
    assert sl.sent_replies == 1 and getattr(sl, f"replies_{code // 100}xx") == 1


def test_never_to_an_ack_and_never_a_bad_code() -> None:
    codes: list[int] = []
    play(lambda sl, ctx: codes.append(sl.sl_send_reply(ctx, 404, "x")) or 1).recv("ACK").quiet()
    play(lambda sl, ctx: codes.append(sl.sl_send_reply(ctx, 42, "x")) or 1).recv("INVITE").quiet()
    assert codes == [-1, -1]


def test_redirect_carries_the_destination_set() -> None:
    def action(sl: Sl, ctx: Ctx) -> int:
        ctx.target.uri = "sip:new@x"
        ctx.target.q = 700
        ctx.add_target(Target("sip:other@y"))
        return sl.sl_send_reply(ctx, 302, "Moved Temporarily")
    flow = play(action).recv("INVITE").sent(302)
    assert flow.got.get_all("Contact") == ["<sip:new@x>;q=0.7, <sip:other@y>"]


def test_a_contact_of_the_script_stands() -> None:
    def action(sl: Sl, ctx: Ctx) -> int:
        ctx.target.uri = "sip:new@x"
        ctx.reply_edits = [b"Contact: <sip:mine@z>\r\n"]
        return sl.sl_send_reply(ctx, 302, "Moved Temporarily")
    assert play(action).recv("INVITE").sent(302).got.get_all("Contact") == ["<sip:mine@z>"]
