"""Path headers as they leave, and `received` on the way back (RFC 3327)."""
from __future__ import annotations

from typing import Any

import pytest

from kit import message
from kit.playbook import Playbook
from osip.core.errors import ModuleError
from osip.core.net.endpoint import LocalSocket
from osip.core.run import forward
from osip.core.run.ctx import Ctx
from osip.modules.path import Path
from osip.modules.rr import Rr

INSIDE, OUTSIDE = LocalSocket("udp", "10.0.0.9", 5060), LocalSocket("udp", "192.0.2.9", 5070)


def edge(*call: Any, out: LocalSocket | None = None, **params: Any) -> Playbook:
    """Return a playbook whose route adds a Path and forwards without state."""
    def route(ctx: Ctx) -> int:
        path: Any = ctx.env.modules["path"]
        play.codes.append(getattr(path, call[0])(ctx, *call[1:]))   # type: ignore[attr-defined]
        if out is not None:
            ctx.target.socket = out
        forward.send_stateless(ctx, forward.next_hops(ctx, ctx.target) or [])
        return 1
    play = Playbook((Rr, Path), route, sockets=[INSIDE, OUTSIDE, LocalSocket("tcp", "10.0.0.9", 5060)],
                    params={"path": params})
    play.codes = []                                                 # type: ignore[attr-defined]
    return play


def paths(play: Playbook, proto: str = "udp", **more: Any) -> list[str]:
    play.feed(message.request("REGISTER", "sip:10.0.0.2", **more), proto=proto, port=40000)
    return play.sent("REGISTER", "bob").got.get_all("Path")         # type: ignore[no-any-return]


def test_path_goes_on_top() -> None:
    assert paths(edge("add_path"), headers="Path: <sip:p1;lr>\r\n") == ["<sip:10.0.0.9;lr>", "<sip:p1;lr>"]
    assert paths(edge("add_path", "edge")) == ["<sip:edge@10.0.0.9;lr>"]


def test_received() -> None:
    assert paths(edge("add_path_received")) == ["<sip:10.0.0.9;lr;received=sip:10.0.0.1:40000>"]
    assert paths(edge("add_path_received", "u"), "tcp")[0] == \
        "<sip:u@10.0.0.9;lr;received=sip:10.0.0.1:40000%3Btransport%3Dtcp;r2=on>"


def test_two_headers_between_two_sockets() -> None:
    assert paths(edge("add_path", out=OUTSIDE)) == ["<sip:192.0.2.9:5070;lr;r2=on>", "<sip:10.0.0.9;lr;r2=on>"]
    assert paths(edge("add_path", out=OUTSIDE, enable_double_path=0)) == ["<sip:192.0.2.9:5070;lr>"]


@pytest.mark.parametrize("user", ["a@b", "a b", "a\r\nEvil: 1", "<"])
def test_bad_user(user: str) -> None:
    play = edge("add_path", user)
    assert paths(play) == [] and play.codes == [-1]                 # type: ignore[attr-defined]


ROUTES = [
    ("<sip:10.0.0.9;lr;received=sip:10.0.0.3:40000>", "sip:10.0.0.3:40000"),
    ("<sip:10.0.0.9;lr;received=sip:10.0.0.3:40000%3Btransport%3Dtcp>", "sip:10.0.0.3:40000;transport=tcp"),
    ("<sip:192.0.2.9:5070;lr;received=sip:10.0.0.3:4;r2=on>, <sip:10.0.0.9;lr;received=sip:10.0.0.3:4;r2=on>",
     "sip:10.0.0.3:4"),
    ("<sip:10.0.0.9;lr;received=sip:10.0.0.3:4>, <sip:p2;lr>", "sip:10.0.0.3:4"),
    ("<sip:10.0.0.9;lr>", None),
    ("<sip:10.0.0.9;lr;received=rubbish>", None),
    ("<sip:10.0.0.9;lr;received=tel:1>", None),
    ("<sip:other;lr;received=sip:10.0.0.3:4>", "sip:other;lr;received=sip:10.0.0.3:4"),
]


@pytest.mark.parametrize("route,du", ROUTES)
@pytest.mark.parametrize("use", [0, 1])
def test_use_received(use: int, route: str, du: str | None) -> None:
    seen: list[str | None] = []

    def main(ctx: Ctx) -> int:
        ctx.env.modules["rr"].loose_route(ctx)                      # type: ignore[attr-defined]
        seen.append(ctx.target.du)
        return 1
    play = Playbook((Rr, Path), main, sockets=[INSIDE, OUTSIDE], params={"path": {"use_received": use}})
    play.recv("INVITE", headers=f"Route: {route}\r\n")
    plain = {"sip:10.0.0.9": None}.get(route[1:13])
    if not use and du is not None and not du.startswith("sip:other"):
        du = "sip:p2;lr" if "p2" in route else plain
    assert seen == [du]


def test_use_received_needs_rr() -> None:
    with pytest.raises(ModuleError, match="rr"):
        Playbook((Path,), lambda ctx: 1, params={"path": {"use_received": 1}})
