"""The short way for the only Route, and what takes the long one; test_module.py has the rest."""
from __future__ import annotations

from typing import Any

import pytest

from kit import message
from kit.flows import flow
from osip.core.sip.message import parse
from osip.api import only_route
from osip.modules.rr import router

OURS = "10.0.0.9:5060"


def look(*routes: str) -> str | None:
    """The parameters of the Route when it is the only one, plain and ours."""
    rr: Any = flow().env.modules["rr"]
    msg = parse(message.request("BYE", to_tag="b", headers="".join([f"Route: {route}\r\n" for route in routes])))
    start, _, address, params = only_route(msg)
    return params if start >= 0 and rr.router.is_own(address) else None


@pytest.mark.parametrize("routes,params", [
    ([f"<sip:{OURS};lr>"], "lr"),
    ([f"<sip:{OURS};lr;ftag=a1;vsf=X>"], "lr;ftag=a1;vsf=X"),
    (["<sip:10.0.0.9;lr>"], "lr"),
    (["<sip:10.0.0.9>"], ""),
    (["<sip:10.0.0.8;lr>"], None),                              # somebody else's
    ([f"<sip:{OURS};lr>", "<sip:10.0.0.8;lr>"], None),          # the next one must be read
    ([f"<sip:{OURS};lr>, <sip:10.0.0.8;lr>"], None),
    ([f"<sip:{OURS};r2=on;lr>"], None),
    ([f"<sip:{OURS};Transport=tcp;lr>"], "Transport=tcp;lr"),
    ([f"<sip:{OURS};lr;transport=UDP>"], "lr;transport=UDP"),
    ([f"<sip:{OURS};transport=tls;lr>"], None),                 # may be another port
    (["<sip:10.0.0.9;transport=tcp;lr>"], None),
    ([f"<sip:{OURS};transport;lr>"], None),
    ([f"<sip:user@{OURS};lr>"], None),
    ([f"<sips:{OURS};lr>"], None),
    ([f"<sip:{OURS};lr?a=b>"], None),
    ([f"<sip:{OURS};lr>;x=y"], None),
    ([f'"Us" <sip:{OURS};lr>'], None)])
def test_only_what_is_plain_and_ours_is_taken_the_short_way(routes: list[str], params: str | None) -> None:
    assert look(*routes) == params


def test_what_is_remembered_is_bounded() -> None:
    rr: Any = flow().env.modules["rr"]
    for number in range(2 * router.MOST_OWN):
        assert not rr.router.is_own(f"10.1.{number // 200}.{number % 200}".encode())
    assert len(rr.own) <= router.MOST_OWN
    rr.own[b"10.0.0.9:5060"] = False
    for called in rr.env.on_reload:             # a reload may change what is ours
        called()
    assert not rr.own


@pytest.mark.parametrize("short", [True, False])
def test_both_ways_lead_to_the_same(short: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    play = flow()
    route = f"Route: <sip:{OURS};lr;ftag=a1>\r\n" if short else f"Route: <sip:{OURS};lr;ftag=a1>,<sip:10.0.0.2;lr>\r\n"
    play.recv("BYE", to_tag="b1", headers=route)
    sent = play.net.log[-1][1]
    assert sent.startswith(b"BYE ") and OURS.encode() not in sent.partition(b"Route:")[2].partition(b"\r\n")[0]
