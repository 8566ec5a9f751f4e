"""Redirections followed by the proxy (RFC 3261 sections 16.5 and 16.7 step 4; rows PRX-12)."""
from __future__ import annotations

from typing import Any

import pytest

from kit.flows import tm
from kit.playbook import Playbook
from osip.core.run.ctx import Ctx, Target
from osip.modules.rr import Rr
from osip.modules.sl import Sl
from osip.modules.tm import Tm
from osip.modules.uac_redirect import UacRedirect
from osip.script.builtins.branch import CoreBranch


def follow(*targets: str, serial: bool = False) -> Any:
    """Return a flow that follows redirections as often as they come; `codes` holds what get_redirects said."""
    codes: list[int] = []

    def failure(ctx: Ctx) -> int:
        branches: Any = ctx.env.modules.get("core_branch")
        codes.append(ctx.env.modules["uac_redirect"].get_redirects(ctx))        # type: ignore[attr-defined]
        if codes[-1] < 0 and not (serial and branches.next_branches(ctx) > 0):
            return 1
        if serial and codes[-1] > 0:
            branches.serialize_branches(ctx, 1)
            branches.next_branches(ctx)
        tm(ctx).t_on_failure(ctx, "F")
        return tm(ctx).t_relay(ctx)

    def route(ctx: Ctx) -> int:
        if ctx.msg.method == "INVITE" and not ctx.msg.to_tag:
            for target in targets:
                ctx.add_target(Target(target))
            tm(ctx).t_on_failure(ctx, "F")
        return tm(ctx).t_relay(ctx)
    play: Any = Playbook((Tm, Rr, Sl, UacRedirect, CoreBranch), route, F=failure)
    play.codes = codes
    return play


CAROL, DAVE = "<sip:carol@10.0.0.3>", "<sip:dave@10.0.0.4>"


@pytest.mark.parametrize("status", [300, 301, 302, 305, 380])
def test_redirected_call(status: int) -> None:
    play = follow().recv("INVITE").sent(100).sent("INVITE", "bob")
    play.answer("bob", status, headers=f"Contact: {CAROL}\r\n").sent("ACK", "bob")
    play.sent("INVITE", "carol").check(lambda m: m.ruri == "sip:carol@10.0.0.3" and m.max_forwards == 69)
    play.quiet("alice")
    play.answer("carol", 200).sent(200).check(lambda m: m.to_tag == "tag-carol").quiet()
    assert play.codes == [1]


def test_contacts_at_once() -> None:
    play = follow().recv("INVITE").sent(100).answer("bob", 302, headers=f"Contact: {CAROL};q=0.1, {DAVE};q=0.7\r\n")
    play.sent("INVITE", "carol").sent("INVITE", "dave")
    order = [where for where, data in play.net.log if data.startswith(b"INVITE")]
    assert order == ["10.0.0.2:5060", "10.0.0.4:5060", "10.0.0.3:5060"]
    play.answer("carol", 486).answer("dave", 480).sent(480)


def test_contacts_one_after_another_by_q() -> None:
    play = follow(serial=True).recv("INVITE").sent(100)
    play.answer("bob", 302, headers=f"Contact: {CAROL};q=0.1, {DAVE};q=0.7\r\n")
    play.sent("INVITE", "dave").quiet("carol").answer("dave", 486).sent("INVITE", "carol").quiet("alice")
    play.answer("carol", 200).sent(200)
    assert play.codes == [1, -1]


def test_recursion_ends() -> None:
    """bob sends to carol, carol to dave, dave back to bob: nobody is tried twice, the last answer goes upstream."""
    play = follow().recv("INVITE").sent(100).answer("bob", 302, headers=f"Contact: {CAROL}\r\n")
    play.answer("carol", 302, headers=f"Contact: <sip:bob@10.0.0.2>, {DAVE}\r\n")
    play.answer("dave", 301, headers=f"Contact: <sip:bob@10.0.0.2>, {CAROL}\r\n").sent(301).quiet("alice")
    assert play.codes == [1, 1, -1]
    assert sum(data.startswith(b"INVITE") for _, data in play.net.log) == 3


def test_recursion_is_bounded_even_if_uris_are_always_new() -> None:
    play = follow().recv("INVITE").sent(100)
    for number in range(200):
        box = [msg for msg in play.received.get("bob", []) if msg.is_request and msg.method == "INVITE"]
        play.answer("bob", 302, headers=f"Contact: <sip:n{number}@10.0.0.2>\r\n")
        play._collect()
        if len([m for m in play.received["bob"] if m.is_request and m.method == "INVITE"]) == len(box) and number:
            break
    assert number < 60
    play.sent(302).quiet("alice")


def test_all_redirections_of_a_fork() -> None:
    play = follow("sip:carol@10.0.0.3").recv("INVITE").sent(100).answer("bob", 302, headers=f"Contact: {DAVE}\r\n")
    play.quiet("dave").answer("carol", 302, headers="Contact: <sip:dave2@10.0.0.4>, <sip:dave@10.0.0.4>\r\n")
    play.sent("INVITE", "dave").sent("INVITE", "dave").quiet("dave").answer("dave", 200)
    tried = {m.ruri for m in play.received["dave"] if m.method == "INVITE"}
    assert tried == {"sip:dave@10.0.0.4", "sip:dave2@10.0.0.4"}


def test_a_caller_who_gave_up_is_not_redirected() -> None:
    play = follow().recv("INVITE").answer("bob", 180).recv("CANCEL")
    play.answer("bob", 302, headers=f"Contact: {CAROL}\r\n")
    play.quiet("carol").sent(100).sent(180).sent(200)


def test_a_contact_that_cannot_be_reached() -> None:
    play = follow().recv("INVITE").sent(100).answer("bob", 302, headers="Contact: <sip:x@nowhere.invalid>\r\n")
    play.sent(302).quiet("alice")
