"""Record-Route as it leaves, and Route as it is followed (RFC 3261 sections 16.4, 16.6 and 16.12)."""
from __future__ import annotations

from typing import Any

import pytest

from kit import message
from kit.playbook import SERVER, Playbook
from osip.core.net.endpoint import LocalSocket, Source
from osip.core.run.ctx import BRANCH, Ctx, Target
from osip.core.sip.edits import splice
from osip.core.sip.message import parse
from osip.modules.rr import Rr
from osip.modules.tm import Tm

OURS = f"sip:{SERVER};lr"


def make(**params: Any) -> tuple[Playbook, Rr]:
    play = Playbook((Rr,), lambda ctx: 1, params={"rr": params})
    return play, play.modules["rr"]                     # type: ignore[return-value]


def ctx_of(play: Playbook, **more: Any) -> Ctx:
    return Ctx(play.env, parse(message.request(**more)), Source(play.env.sockets[0], "10.0.0.1", 5060))


def result(ctx: Ctx) -> list[str]:
    raw = splice(ctx.msg.raw, ctx.edits) if ctx.edits else ctx.msg.raw
    return parse(raw).get_all("Route")


R = "Route: "
# name, R-URI, To tag, Route lines, code, R-URI after, $du after, Routes as they leave
LOOSE = [
    ("none", "sip:b@x", "t", [], -1, None, None, []),
    ("only us, in a dialog", "sip:b@x", "t", [f"<{OURS}>"], 1, None, None, []),
    ("only us, preloaded", "sip:b@x", "", [f"<{OURS}>"], -1, None, None, []),
    ("us, then another", "sip:b@x", "t", [f"<{OURS}>", "<sip:p2;lr>"], 1, None, "sip:p2;lr", ["<sip:p2;lr>"]),
    ("on one line", "sip:b@x", "t", [f"<{OURS}>, <sip:p2;lr>,<sip:p3;lr>"], 1, None, "sip:p2;lr",
     ["<sip:p2;lr>, <sip:p3;lr>"]),
    ("preloaded, then another", "sip:b@x", "", [f"<{OURS}>", "<sip:p2;lr>"], 1, None, "sip:p2;lr", ["<sip:p2;lr>"]),
    ("not us", "sip:b@x", "t", ["<sip:p2;lr>"], 1, None, "sip:p2;lr", ["<sip:p2;lr>"]),
    ("double", "sip:b@x", "t", [f"<sip:{SERVER};transport=tcp;r2=on;lr>", f"<sip:{SERVER};r2=on;lr>", "<sip:p2;lr>"],
     1, None, "sip:p2;lr", ["<sip:p2;lr>"]),
    ("strict next", "sip:b@x", "t", [f"<{OURS}>", "<sip:p2>", "<sip:p3;lr>"], 1, "sip:p2", None,
     ["<sip:p3;lr>", "<sip:b@x>"]),
    ("strict before us", OURS, "t", ["<sip:p2;lr>", "<sip:b@x>"], 1, "sip:b@x", "sip:p2;lr", ["<sip:p2;lr>"]),
    ("strict before us, we are last", f"{OURS};ftag=1", "t", ["<sip:b@x>"], 1, "sip:b@x", None, []),
    ("strict on both sides", OURS, "t", ["<sip:p2>", "<sip:b@x;lr>"], 1, "sip:p2", None, ["<sip:b@x;lr>"]),
    ("a user at our address is no strict router", f"sip:bob@{SERVER}", "t", [f"<{OURS}>"], 1, None, None, []),
    ("broken", "sip:b@x", "t", ["<sip:p2"], -1, None, None, ["<sip:p2"]),
]


@pytest.mark.parametrize("name,ruri,tag,routes,code,uri,du,left", LOOSE, ids=[line[0] for line in LOOSE])
def test_loose_route(name: str, ruri: str, tag: str, routes: list[str], code: int, uri: str | None, du: str | None,
                     left: list[str]) -> None:
    play, rr = make()
    ctx = ctx_of(play, ruri=ruri, to_tag=tag, headers="".join(f"{R}{line}\r\n" for line in routes))
    assert rr.loose_route(ctx) == code
    assert (ctx.target.uri, ctx.target.du) == (uri, du)
    assert result(ctx) == left


def test_double_route_names_the_socket_to_leave_by() -> None:
    play, rr = make()
    ctx = ctx_of(play, to_tag="t", headers=f"Route: <sip:{SERVER};r2=on;lr>\r\n"
                                           f"Route: <sip:{SERVER};transport=tcp;r2=on;lr>\r\n")
    assert rr.loose_route(ctx) == 1
    assert ctx.target.socket is play.env.sockets[1]


def test_ignore_user() -> None:
    play, rr = make(ignore_user="not-us")
    ctx = ctx_of(play, to_tag="t", headers=f"Route: <sip:not-us@{SERVER};lr>\r\n")
    assert rr.loose_route(ctx) == 1 and ctx.target.du == f"sip:not-us@{SERVER};lr"


@pytest.mark.parametrize("ftag,direction,code", [
    ("a1", "downstream", 1), ("a1", "upstream", -1), ("zz", "downstream", -1), ("zz", "upstream", 1),
    (None, "downstream", 1), ("a1", "sideways", -1)])
def test_direction(ftag: str | None, direction: str, code: int) -> None:
    play, rr = make()
    mark = f";ftag={ftag}" if ftag else ""
    ctx = ctx_of(play, to_tag="t", headers=f"Route: <sip:{SERVER};lr{mark};did=5>\r\n")
    rr.loose_route(ctx)
    assert rr.is_direction(ctx, direction) == code
    assert rr.rr_params(ctx) == f"lr{mark};did=5"
    import re
    assert rr.check_route_param(ctx, re.compile("did=[0-9]")) == 1
    assert rr.check_route_param(ctx, re.compile("nat=yes")) == -1


def test_watchers_are_told() -> None:
    play, rr = make()
    seen: list[str] = []
    rr.watchers.append(lambda ctx, params: seen.append(params))
    rr.loose_route(ctx_of(play, to_tag="t", headers=f"Route: <{OURS};did=1>\r\n"))
    assert seen == ["lr;did=1"]


# --- recording ------------------------------------------------------------------------------------------------------

def recorded(action: Any, ruri: str = "sip:bob@10.0.0.2", sockets: list[LocalSocket] | None = None,
             **params: Any) -> list[str]:
    def route(ctx: Ctx) -> int:
        action(ctx.env.modules["rr"], ctx)
        return ctx.env.modules["tm"].t_relay(ctx)
    play = Playbook((Tm, Rr), route, params={"rr": params}, sockets=sockets)
    play.recv("INVITE", ruri).sent("INVITE", "bob")
    return play.got.get_all("Record-Route")


def twice(rr: Rr, ctx: Ctx) -> None:
    assert rr.record_route(ctx) == 1
    assert rr.record_route(ctx) == -1


def around(rr: Rr, ctx: Ctx) -> None:
    rr.add_rr_param(ctx, ";before=1")
    rr.record_route(ctx, ";own=2")
    rr.add_rr_param(ctx, "after=3")


TCP = "sip:bob@10.0.0.2;transport=tcp"
SAME = f"<sip:{SERVER};lr;ftag=a1>"
RECORD = [
    ("plain", twice, {}, "sip:bob@10.0.0.2", [SAME]),
    ("no tag", twice, {"append_fromtag": 0}, "sip:bob@10.0.0.2", [f"<sip:{SERVER};lr>"]),
    ("user", twice, {"add_username": 1}, "sip:bob@10.0.0.2", [f"<sip:bob@{SERVER};lr;ftag=a1>"]),
    ("parameters", around, {}, "sip:bob@10.0.0.2", [f"<sip:{SERVER};lr;ftag=a1;before=1;own=2;after=3>"]),
    ("double, outbound first", twice, {}, TCP, [f"<sip:{SERVER};transport=tcp;r2=on;lr;ftag=a1>",
                                                f"<sip:{SERVER};r2=on;lr;ftag=a1>"]),
    ("double is off", twice, {"enable_double_rr": 0}, TCP, [f"<sip:{SERVER};transport=tcp;lr;ftag=a1>"]),
    ("preset", lambda rr, ctx: rr.record_route_preset(ctx, "1.2.3.4:5090"), {}, TCP,
     ["<sip:1.2.3.4:5090;lr;ftag=a1>"]),
    ("two presets", lambda rr, ctx: rr.record_route_preset(ctx, "1.1.1.1", "2.2.2.2"), {}, "sip:bob@10.0.0.2",
     ["<sip:1.1.1.1;r2=on;lr;ftag=a1>", "<sip:2.2.2.2;r2=on;lr;ftag=a1>"]),
]


@pytest.mark.parametrize("name,action,params,ruri,expected", RECORD, ids=[line[0] for line in RECORD])
def test_record_route(name: str, action: Any, params: dict[str, Any], ruri: str, expected: list[str]) -> None:
    assert recorded(action, ruri, **params) == expected


def test_another_port_and_an_advertised_name() -> None:
    assert recorded(twice, sockets=[LocalSocket("udp", SERVER, 5070)]) == [f"<sip:{SERVER}:5070;lr;ftag=a1>"]
    named = [LocalSocket("udp", SERVER, 5060, adv_host="proxy.example")]
    assert recorded(twice, sockets=named) == ["<sip:proxy.example:5060;lr;ftag=a1>"]


def test_parameters_of_a_branch_are_its_own() -> None:
    def branch(ctx: Ctx) -> int:
        ctx.env.modules["rr"].add_rr_param(ctx, f";b={ctx.branch_index}")
        return 1

    def route(ctx: Ctx) -> int:
        ctx.env.modules["rr"].record_route(ctx)
        ctx.env.modules["tm"].t_on_branch(ctx, "B")
        ctx.add_target(Target("sip:carol@10.0.0.3"))
        return ctx.env.modules["tm"].t_relay(ctx)
    play = Playbook((Tm, Rr), route, B=branch)
    for number, name in enumerate(("bob", "carol")):
        own = f"<sip:{SERVER};lr;ftag=a1;b={number}>"
        (play if number else play.recv("INVITE")).sent("INVITE", name)
        assert play.got.get("Record-Route") == own


def test_record_route_of_a_branch() -> None:
    play, rr = make()
    ctx = ctx_of(play)
    ctx.kind = BRANCH
    assert rr.record_route(ctx) == 1


def test_other_modules_add_parameters() -> None:
    def action(rr: Rr, ctx: Ctx) -> None:
        rr.tails += [lambda ctx: f";m={ctx.msg.method}", lambda ctx: "", lambda ctx: ";z"]
        rr.add_rr_param(ctx, ";a=1")
        rr.record_route(ctx)
    assert recorded(action) == [f"<sip:{SERVER};lr;ftag=a1;a=1;m=INVITE;z>"]


WATCHED = [
    (f"<{OURS};a=1>", "t", [("lr;a=1", None)]),
    (f"<{OURS};a=1>", "", [("lr;a=1", None)]),
    (f"<{OURS};a=1>, <sip:p2;lr>", "t", [("lr;a=1", "sip:p2;lr")]),
    (f"<sip:{SERVER};r2=on;lr;a=1>, <sip:{SERVER};transport=tcp;r2=on;lr;a=2>", "t", [("r2=on;lr;a=1", None)]),
    ("<sip:p2;lr>", "t", []),
    ("<broken", "t", []),
]


@pytest.mark.parametrize("route,tag,told", WATCHED)
def test_others_hear_of_a_route_of_ours_once_the_next_hop_is_set(route: str, tag: str,
                                                                  told: list[tuple[str, str | None]]) -> None:
    play, rr = make()
    heard: list[tuple[str, str | None]] = []
    rr.watchers.append(lambda ctx, params: heard.append((params, ctx.target.du)))
    rr.loose_route(ctx_of(play, to_tag=tag, headers=f"Route: {route}\r\n"))
    assert heard == told
