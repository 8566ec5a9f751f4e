"""From and To under other names: each side sees its own, in the first request and all later ones, both directions."""
from __future__ import annotations

from typing import Any

import pytest

from kit import message
from kit.flows import tm
from kit.playbook import SERVER, Playbook
from osip.core.run.ctx import Ctx, Target
from osip.modules.rr import Rr
from osip.modules.sl import Sl
from osip.modules.tm import Tm
from osip.modules.uac import Uac

ALICE, BOB = "<sip:alice@example.com>;tag=a1", "<sip:bob@example.com>"
ANON, OTHER = '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=a1', "<sip:+4930@gw.example;user=phone>"


def uac(ctx: Ctx) -> Any:
    return ctx.env.modules["uac"]


def disguise(ctx: Ctx) -> None:
    assert uac(ctx).uac_replace_from(ctx, "Anonymous", "sip:anonymous@anonymous.invalid") == 1
    assert uac(ctx).uac_replace_to(ctx, None, "sip:+4930@gw.example;user=phone") == 1


def call(first: Any = disguise, inside: Any = None, branch: Any = None, failure: Any = None,
         **params: Any) -> Playbook:
    """Return a flow that disguises first requests and routes later ones by their Route."""
    def route(ctx: Ctx) -> int:
        rr: Any = ctx.env.modules["rr"]
        if ctx.msg.to_tag:
            rr.loose_route(ctx)
            if inside is not None:
                inside(ctx)
        elif ctx.msg.method != "CANCEL":
            rr.record_route(ctx)
            if first is not None:
                first(ctx)
            if branch is not None:
                tm(ctx).t_on_branch(ctx, "B")
            if failure is not None:
                tm(ctx).t_on_failure(ctx, "F")
        return tm(ctx).t_relay(ctx)
    routes = {name: found for name, found in (("B", branch), ("F", failure)) if found is not None}
    return Playbook((Tm, Rr, Sl, Uac), route, params={"uac": params}, **routes)


def names(from_: str, to: str) -> Any:
    """Return a check of both headers of a message; the To tag counts only when one is written."""
    def test(msg: Any) -> bool:
        found = msg.get("To")
        return bool(msg.get("From") == from_ and (found if ";tag=" in to else found.partition(";tag=")[0]) == to)
    return test


def answered(play: Playbook) -> str:
    """Let bob take the call; return the Record-Route."""
    play.recv("INVITE").sent(100).check(names(ALICE, BOB)).sent("INVITE", "bob").check(names(ANON, OTHER))
    play.answer("bob", 180).sent(180).check(names(ALICE, BOB + ";tag=tag-bob"))
    play.answer("bob", 200).sent(200).check(names(ALICE, BOB + ";tag=tag-bob"))
    return play.got.get("Record-Route")                         # type: ignore[no-any-return]


@pytest.mark.parametrize("password", ["", "secret"])
def test_whole_call(password: str) -> None:
    play = call(restore_passwd=password)
    route = answered(play)
    assert route.startswith(f"<sip:{SERVER};lr;ftag=a1;vsf=") and ";vst=" in route and "anonymous" not in route
    inside: Any = {"to_tag": "tag-bob", "headers": f"Route: {route}\r\n"}
    play.recv("ACK", branch="z9hG4bK-a", **inside).sent("ACK", "bob").check(names(ANON, OTHER + ";tag=tag-bob"))
    play.recv("INVITE", branch="z9hG4bK-r", cseq=2, **inside).sent(100).check(names(ALICE, BOB + ";tag=tag-bob"))
    play.sent("INVITE", "bob").check(names(ANON, OTHER + ";tag=tag-bob"))
    play.answer("bob", 488).sent(488).check(names(ALICE, BOB + ";tag=tag-bob"))
    play.sent("ACK", "bob").check(names(ANON, OTHER + ";tag=tag-bob"))
    back(play, route)
    play.recv("BYE", branch="z9hG4bK-b", cseq=3, **inside).sent("BYE", "bob")
    play.check(names(ANON, OTHER + ";tag=tag-bob"))
    play.answer("bob", 200, "BYE").sent(200).check(names(ALICE, BOB + ";tag=tag-bob")).quiet().advance(40).gone()


def from_bob(method: str, route: str, **more: Any) -> bytes:
    """Return a request of the called party, who knows both under their other names."""
    raw = message.request(method, "sip:alice@10.0.0.1", from_tag="tag-bob", to_tag="a1", via="10.0.0.2:5060",
                          headers=f"Route: {route}\r\n", **more)
    raw = raw.replace(b"<sip:alice@example.com>", OTHER.encode())
    return raw.replace(b"<sip:bob@example.com>", ANON[:-7].encode())


def back(play: Playbook, route: str) -> None:
    """Let the called party ask something within the dialog."""
    play.feed(from_bob("INFO", route, branch="z9hG4bK-i"), "bob").sent("INFO")
    play.check(names(BOB + ";tag=tag-bob", "<sip:alice@example.com>;tag=a1"))
    play.answer("alice", 200, "INFO").sent(200, "bob").check(names(OTHER + ";tag=tag-bob", ANON))


def test_nothing_is_undone_in_mode_none() -> None:
    play = call(restore_mode="none").recv("INVITE").sent(100).sent("INVITE", "bob").check(names(ANON, OTHER))
    play.answer("bob", 200).sent(200).check(names(ANON, OTHER))
    assert play.got.get("Record-Route") == f"<sip:{SERVER};lr;ftag=a1>"


def test_the_script_undoes_it_in_mode_manual() -> None:
    def inside(ctx: Ctx) -> None:
        assert uac(ctx).uac_restore_from(ctx) == 1 and uac(ctx).uac_restore_to(ctx) == 1
    play = call(inside=inside, restore_mode="manual").recv("INVITE").sent(100).sent("INVITE", "bob")
    route = play.answer("bob", 200).sent(200).got.get("Record-Route")
    play.recv("BYE", branch="z9hG4bK-b", cseq=2, to_tag="tag-bob", headers=f"Route: {route}\r\n").sent("BYE", "bob")
    play.check(names(ANON, OTHER + ";tag=tag-bob"))


def test_a_cancel_has_the_names_of_its_invite() -> None:
    play = call().recv("INVITE").answer("bob", 180).sent(100).sent(180).sent("INVITE", "bob")
    play.recv("CANCEL").sent("CANCEL", "bob").check(names(ANON, OTHER)).sent(200).answer("bob", 487)
    play.sent("ACK", "bob").check(names(ANON, OTHER + ";tag=tag-bob")).sent(487).check(names(ALICE, BOB))


def test_each_branch_has_its_own_names() -> None:
    def fork(ctx: Ctx) -> None:
        ctx.add_target(Target("sip:carol@10.0.0.3"))
        ctx.add_target(Target("sip:dave@10.0.0.4"))

    def branch(ctx: Ctx) -> int:
        if ctx.branch_index < 2:
            uac(ctx).uac_replace_from(ctx, None, f"sip:n{ctx.branch_index}@y")
        return 1
    play = call(first=fork, branch=branch).recv("INVITE").sent(100)
    for peer, from_ in (("bob", "<sip:n0@y>;tag=a1"), ("carol", "<sip:n1@y>;tag=a1"), ("dave", ALICE)):
        play.sent("INVITE", peer).check(names(from_, BOB)).answer(peer, 180).sent(180).check(names(ALICE, BOB))
        assert ("vsf=" in play.got.get("Record-Route")) == (peer != "dave")
    tm_of: Any = play.modules["tm"]
    tx = next(iter(tm_of.table.servers.values()))
    assert len(tx.watchers) == 1                                # one is enough for all branches
    play.answer("carol", 200).sent(200)
    route = play.got.get("Record-Route")
    play.recv("ACK", branch="z9hG4bK-a", to_tag="tag-carol", headers=f"Route: {route}\r\n", ruri="sip:carol@10.0.0.3")
    play.sent("ACK", "carol").check(names("<sip:n1@y>;tag=a1", BOB))


def test_another_name_for_the_next_try() -> None:
    def failure(ctx: Ctx) -> int:
        uac(ctx).uac_replace_from(ctx, None, "sip:second@y")
        ctx.target.uri = "sip:carol@10.0.0.3"
        return tm(ctx).t_relay(ctx)
    play = call(failure=failure).recv("INVITE").sent(100).sent("INVITE", "bob").answer("bob", 486).sent("ACK", "bob")
    play.sent("INVITE", "carol").check(names("<sip:second@y>;tag=a1", OTHER))
    route = play.answer("carol", 200).sent(200).check(names(ALICE, BOB)).got.get("Record-Route")
    assert route.count("vsf=") == 1
    play.recv("ACK", branch="z9hG4bK-a", to_tag="tag-carol", headers=f"Route: {route}\r\n", ruri="sip:carol@10.0.0.3")
    play.sent("ACK", "carol").check(names("<sip:second@y>;tag=a1", OTHER))


@pytest.mark.parametrize("change", [("vsf=", "vsf=AAAA"), ("vsf=", "vsf=%%"), (";vst=", ";vst=x"),
                                    ("ftag=a1", "ftag=zz")])
def test_a_parameter_that_was_tampered_with_changes_nothing(change: tuple[str, str]) -> None:
    play = call()
    route = answered(play).replace(*change)
    play.recv("BYE", branch="z9hG4bK-b", cseq=2, to_tag="tag-bob", headers=f"Route: {route}\r\n").sent("BYE", "bob")
    fixed_from = ANON if "vst" in change[0] else ALICE
    fixed_to = OTHER if "vsf" in change[0] else BOB
    play.check(names(fixed_from, fixed_to + ";tag=tag-bob"))


def test_without_a_record_route_responses_are_still_undone() -> None:
    def route(ctx: Ctx) -> int:
        disguise(ctx)
        return tm(ctx).t_relay(ctx)
    play = Playbook((Tm, Rr, Uac), route).recv("MESSAGE").sent("MESSAGE", "bob").check(names(ANON, OTHER))
    play.answer("bob", 200, "MESSAGE").sent(200).check(names(ALICE, BOB + ";tag=tag-bob"))
