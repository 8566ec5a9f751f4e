"""Keys, marks and the only Route; the accelerator must say what its twin says (tests/fuzz has whole messages)."""
from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from kit import message
from kit.source import source_of
from kit.twin import PLAIN, mutate
from osip.core.accel import LEAF
from osip.core.errors import ParseError
from osip.core.sip import identity
from osip.core.sip.message import parse


def make(*args: Any, **more: Any) -> Any:
    return parse(message.request(*args, **more))


def pure() -> Any:
    """The twin alone."""
    twin = source_of("osip.core.sip.identity")
    twin._KEY = twin._MARK = twin._BEARS = twin._ROUTE = None       # type: ignore[attr-defined]
    return twin


def test_keys_name_method_branch_and_sender() -> None:
    keys = [identity.request_key(msg, number) for msg, number in (
        (make(branch="z9hG4bK1"), 1), (make(branch="z9hG4bK1"), 4), (make(branch="z9hG4bK2"), 1),
        (make(branch="z9hG4bK1", via="10.0.0.1"), 1), (make(branch="z9hG4bK1", via="10.0.0.1:5080"), 1))]
    assert len(set(keys)) == 5 and None not in keys
    assert keys[0] == identity.request_key(make("ACK", branch="z9hG4bK1", via_params=";rport"), 1)


@pytest.mark.parametrize("branch", ["", "z9hG4bK", "1"])
def test_no_key_without_the_cookie(branch: str) -> None:
    assert identity.request_key(make(branch=branch), 1) is None


def test_other_methods_have_their_name_in_the_key() -> None:
    assert identity.request_key(make("FOO"), 0) != identity.request_key(make("BAR"), 0)


@pytest.mark.parametrize("more", [
    {"ruri": "sip:other@10.0.0.2"}, {"call_id": "call-2"}, {"from_tag": "a2"}, {"to_tag": "b"}, {"cseq": 2},
    {"method": "BYE"}, {"headers": "Route: <sip:10.0.0.7;lr>\r\n"}])
def test_another_way_is_another_mark(more: dict[str, Any]) -> None:
    usual = identity.loop_mark(make(), "secret", "10.0.0.1:5060")
    assert len(usual) == 13 and usual[0] == "." and usual == identity.loop_mark(make(), "secret", "10.0.0.1:5060")
    assert identity.loop_mark(make(**more), "secret", "10.0.0.1:5060") != usual
    assert identity.loop_mark(make(), "other", "10.0.0.1:5060") != usual != identity.loop_mark(make(), "secret", "x")


@pytest.mark.parametrize("lines,expected", [
    ("", False), ("Via: SIP/2.0/UDP h;branch=z9hG4bK.1.abc\r\n", True), ("Subject: .abc\r\n", False),
    ("Via: SIP/2.0/UDP h;branch=z9hG4bK.ab\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK.ab.abc\r\n", True)])
def test_a_mark_counts_in_a_via(lines: str, expected: bool) -> None:
    assert identity.bears_mark(make(headers=lines), ".abc") is expected


@pytest.mark.parametrize("route,expected", [
    ("<sip:10.0.0.9>", (b"10.0.0.9", "")),
    ("<sip:h.example:5070;lr;ftag=a%2b1>", (b"h.example:5070", "lr;ftag=a%2b1")),
    ("<sip:[2001:db8::1];lr>", (b"[2001:db8::1]", "lr")), ("<sip:h;lr;r22=on>", (b"h", "lr;r22=on")),
    ("<sip:h;lr;R2=on>", None), ("<sip:h;transport=tcp>", None), ("<sip:h;Transport>", None), ("<sip:u@h;lr>", None),
    ("<sips:h;lr>", None), ("<SIP:h;lr>", None), ("<sip:h;lr>;a=b", None), ("<sip:h;lr>,<sip:i;lr>", None),
    ("<sip:h;a=\"b\">", None), ("<sip:h?a=b>", None), ("sip:h;lr", None), ("<sip:>", None), ("<sip:h;lr", None)])
def test_the_only_route(route: str, expected: tuple[bytes, str] | None) -> None:
    msg = make(headers=f"Route: {route}\r\n")
    start, end, *found = identity.only_route(msg)
    assert tuple(found) == expected if expected is not None else start == -1
    assert start == -1 or msg.raw[start:end] == f"Route: {route}\r\n".encode()


def test_two_routes_are_not_one() -> None:
    assert identity.only_route(make(headers="Route: <sip:h;lr>\r\nRoute: <sip:i;lr>\r\n"))[0] == -1
    assert identity.only_route(make())[0] == -1


@pytest.mark.parametrize(("uri", "is_plain"), [
    ("sip:bob@10.0.0.2", True), ("sip:b+1@example.com:5070", True), ("sip:10.0.0.2", False), ("sip:bob@10.0.0.2;lr", False),
    ("sip:bob@h:0", False), ("sip:bob:pw@h", False), ("sip:b%20b@h", False), ("sips:bob@h", False), ("sip:bob@[::1]", False),
    ("sip:bob@h:1;transport=tcp", True), ("sip:bob@h;transport=udp", True), ("sip:bob@h;transport=tls", False),
    ("sip:bob@h;Transport=tcp", False), ("sip:h;transport=tcp", False), ("sip:bob@;transport=tcp", False),
    ("sip:bob@h?x=y", False), ("tel:+123", False)])
def test_plain_user(uri: str, is_plain: bool) -> None:
    assert identity.has_plain_user(make(ruri=uri)) is is_plain


def tried(function: Callable[..., Any], *given: Any) -> Any:
    try:
        return function(*given)
    except ParseError as error:
        return str(error)


@pytest.mark.skipif(LEAF is None, reason="there is only the twin")
def test_both_say_the_same_of_broken_messages() -> None:
    twin, rng, read = pure(), random.Random(7), 0
    routes = tuple(raw.replace(b"\r\n\r\n", b"\r\nRoute: <sip:10.0.0.9;lr;ftag=a1>\r\n\r\n", 1) for raw in PLAIN)
    for _ in range(4000):
        try:
            msg: Any = parse(mutate(rng, PLAIN + routes))
        except ParseError:
            continue
        if not msg.is_request or not msg.checked:
            continue
        read += 1
        for name, given in (("request_key", (1,)), ("request_key", (0,)), ("loop_mark", ("secret", "10.0.0.1:5060")),
                            ("bears_mark", (".1",)), ("only_route", ()), ("has_plain_user", ())):
            found = tried(getattr(identity, name), msg, *given)
            assert found == tried(getattr(twin, name), msg, *given), (name, msg.raw)
    assert read > 200
