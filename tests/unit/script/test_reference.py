"""Variables at run time: AVPs, keys, networks, our own names."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import pytest
from kit.words import INVITE, Stage

from osip.core.run.ctx import Ctx
from osip.core.sip.message import parse
from osip.script import reference
from osip.script.runtime import ERR


@pytest.fixture
def ctx() -> Ctx:
    return Stage("route { }").ctx()


def test_avp_order(ctx: Ctx) -> None:
    for value in ("old", "mid", "new"):
        reference.avp_push(ctx, "x", value)
    assert reference.avp(ctx, "x") == "new"
    assert [reference.avp_at(ctx, "x", i) for i in (0, 1, 2, 3, -1, -3, -4)] == \
        ["new", "mid", "old", None, "old", "new", None]
    assert reference.avp_at(ctx, "x", "*") == "new, mid, old"


def test_avp_failures_leave_it_alone(ctx: Ctx) -> None:
    reference.avp_push(ctx, "x", 1)
    assert not reference.avp_push(ctx, "x", ERR)
    assert not reference.avp_renew(ctx, "x", ERR)
    assert not reference.avp_set_at(ctx, "x", 0, ERR)
    assert not reference.avp_set_at(ctx, "x", 4, 1)
    assert not reference.avp_set_at(ctx, "x", None, 1)
    assert not reference.avp_set_at(ctx, "none", 0, 1)
    assert ctx.avps == {"x": [1]}


def test_reading_makes_nothing(ctx: Ctx) -> None:
    assert reference.avp(ctx, "x") is None
    assert reference.avp_at(ctx, "x", 0) is None
    assert reference.avp_push(ctx, "x", None)
    assert ctx.avps is None


NETS: list[tuple[str, Any, Any]] = [
    ("10.0.0.0/8", "10.9.9.9", True), ("10.0.0.0/8", "11.9.9.9", False), ("10.0.0.0/8", None, False),
    ("10.0.0.0/8", "host", -1), ("10.0.0.0/8", 5, -1), ("fe80::/10", "[fe80::1]", True),
    ("fe80::/10", "10.0.0.1", False),
]


@pytest.mark.parametrize(("net", "value", "found"), NETS)
def test_network(net: str, value: Any, found: Any) -> None:
    network = reference.Network(ipaddress.ip_network(net), ipaddress.ip_address)
    for _ in range(2):          # the second answer comes from memory
        assert network.match(value) == found
    assert network.differ(value) == (found if found == -1 and found is not True else not found)


MYSELF: list[tuple[Any, bool]] = [
    ("sip:bob@example.com", True), ("sip:example.com:5060", True), ("sip:example.com:5070", False),
    ("sips:example.com", False), ("sip:other.com", False), ("nonsense", False), (None, False),
]


@pytest.mark.parametrize(("uri", "found"), MYSELF)
def test_is_my_uri(ctx: Ctx, uri: Any, found: bool) -> None:
    assert reference.is_my_uri(ctx, uri) is found


def test_keys() -> None:
    assert reference.key_of(None, 5) == "5"
    assert reference.key_of(int, None) is None
    assert reference.key_of(int, "x") is None
    assert reference.avp_name("i:5") == "5"
    assert reference.avp_name("s:name") == "name"
    assert reference.avp_name("is:x") == "is:x"


WORDS: list[tuple[Any, bool]] = [
    (None, False), ("", False), ("phone/1.0", False), ("a Friendly-Scanner 2", True), ("SIPVICIOUS", True),
    ("sipviciou", False), ("\u017fipvicious", True), ("\xe9 friendly-scanner", True), ("\xe9", False),
]


@pytest.mark.parametrize(("value", "found"), WORDS)
def test_words(value: Any, found: bool) -> None:
    search = re.compile("friendly-SCANNER|sipvicious", re.IGNORECASE).search
    assert reference.Words(("friendly-SCANNER", "sipvicious"), search).match(value) is found
    assert (value is not None and search(value) is not None) is found


@pytest.mark.parametrize(("to", "expected"), [
    (b"<sip:bob@example.com>", False), (b"<sip:bob@example.com>;tag=1", True)])
def test_has_totag(ctx: Ctx, to: bytes, expected: bool) -> None:
    ctx.msg = parse(INVITE.replace(b"To: <sip:bob@example.com>", b"To: " + to))
    assert reference.has_totag(ctx) is expected
