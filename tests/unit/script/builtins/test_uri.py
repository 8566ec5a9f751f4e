"""Check the words for the request-URI and the next hop."""
from __future__ import annotations

import pytest
from kit.builtin import INVITE, RINGING, Holder, Words

URI = "sip:bob:pw@example.com:5070;transport=tcp;maddr=10.9.9.9?x=y"


def with_uri(uri: str) -> str:
    return INVITE.replace(URI, uri)


@pytest.mark.parametrize(("name", "uri", "value"), [
    ("ru", URI, URI), ("ruri", URI, URI), ("rU", URI, "bob"), ("ruri.user", URI, "bob"), ("rd", URI, "example.com"),
    ("rp", URI, "5070"), ("rP", URI, "tcp"), ("ou", URI, URI), ("oU", URI, "bob"), ("od", URI, "example.com"),
    ("op", URI, "5070"), ("oP", URI, "tcp"), ("rU", "sip:example.com", None), ("rp", "sip:example.com", 5060),
    ("rp", "sips:example.com", 5061), ("rp", "sip:h;transport=tls", 5061), ("rp", "sip:h;transport=ws", 80),
    ("rP", "sip:h", "UDP"), ("rP", "sips:h", "TLS"), ("rd", "sip:[::1]:5080", "[::1]"), ("rU", "tel:+123;a=b", "+123"),
    ("rp", "tel:+123", None), ("rd", "urn:service:sos", None), ("rT", URI, None), ("ru_q", URI, -1),
])
def test_read(name: str, uri: str, value: object) -> None:
    words = Words()
    assert words.get(words.ctx(with_uri(uri)), name) == value


def test_null_on_replies() -> None:
    words = Words()
    ctx = words.ctx(RINGING)
    assert [words.get(ctx, name) for name in ("ru", "rU", "rd", "rp", "rP", "ou", "oU")] == [None] * 7
    assert not words.set(ctx, "ru", "sip:x@y")
    assert not words.set(ctx, "rU", "x")


@pytest.mark.parametrize(("name", "value", "uri"), [
    ("ru", "sip:x@y", "sip:x@y"), ("ru", "", None), ("ru", None, None), ("ru", 5, None),
    ("rU", "carol", "sip:carol:pw@example.com:5070;transport=tcp;maddr=10.9.9.9?x=y"),
    ("rU", 100, "sip:100:pw@example.com:5070;transport=tcp;maddr=10.9.9.9?x=y"),
    ("rU", None, "sip:example.com:5070;transport=tcp;maddr=10.9.9.9?x=y"),
    ("rd", "h.net", "sip:bob:pw@h.net:5070;transport=tcp?x=y"), ("rd", None, None), ("rd", "", None),
    ("rp", 6000, "sip:bob:pw@example.com:6000;transport=tcp;maddr=10.9.9.9?x=y"),
    ("rp", "6001", "sip:bob:pw@example.com:6001;transport=tcp;maddr=10.9.9.9?x=y"),
    ("rp", None, "sip:bob:pw@example.com;transport=tcp;maddr=10.9.9.9?x=y"), ("rp", "x", None), ("rp", 70000, None),
])
def test_write(name: str, value: object, uri: str | None) -> None:
    words = Words()
    ctx = words.ctx()
    assert words.set(ctx, name, value) is (uri is not None)         # type: ignore[arg-type]
    assert ctx.ruri == (uri or URI)
    assert words.get(ctx, "ou") == URI


@pytest.mark.parametrize(("name", "args", "uri"), [
    ("seturi", ("sip:x@y",), "sip:x@y"), ("rewriteuri", ("sip:x@y",), "sip:x@y"),
    ("sethost", ("h",), "sip:bob:pw@h:5070;transport=tcp?x=y"), ("seth", ("h",), "sip:bob:pw@h:5070;transport=tcp?x=y"),
    ("sethostport", ("h:7",), "sip:bob:pw@h:7;transport=tcp?x=y"),
    ("rewritehostport", ("h",), "sip:bob:pw@h;transport=tcp?x=y"),
    ("sethostport", ("[::1]:7",), "sip:bob:pw@[::1]:7;transport=tcp?x=y"), ("sethostport", ("h:x",), None),
    ("setuser", ("u",), "sip:u:pw@example.com:5070;transport=tcp;maddr=10.9.9.9?x=y"),
    ("setuser", ("",), "sip:example.com:5070;transport=tcp;maddr=10.9.9.9?x=y"),
    ("setuserpass", ("u:p",), "sip:u:p@example.com:5070;transport=tcp;maddr=10.9.9.9?x=y"),
    ("setuserpass", ("u",), "sip:u@example.com:5070;transport=tcp;maddr=10.9.9.9?x=y"),
    ("setport", ("9",), "sip:bob:pw@example.com:9;transport=tcp;maddr=10.9.9.9?x=y"),
    ("prefix", ("00",), "sip:00bob:pw@example.com:5070;transport=tcp;maddr=10.9.9.9?x=y"),
    ("strip", (1,), "sip:ob:pw@example.com:5070;transport=tcp;maddr=10.9.9.9?x=y"),
    ("strip_tail", (1,), "sip:bo:pw@example.com:5070;transport=tcp;maddr=10.9.9.9?x=y"),
    ("strip", (9,), "sip:example.com:5070;transport=tcp;maddr=10.9.9.9?x=y"),
    ("strip", (0,), URI), ("strip", (-1,), None),
])
def test_functions(name: str, args: tuple[object, ...], uri: str | None) -> None:
    words = Words()
    ctx = words.ctx()
    assert words.call(ctx, name, *args) == (1 if uri else -1)
    assert ctx.ruri == (uri or URI)


def test_bad_ruri_fails_every_change() -> None:
    words = Words()
    ctx = words.ctx()
    assert words.set(ctx, "ru", "no uri")
    assert words.get(ctx, "ru") == "no uri" and words.get(ctx, "rU") is None
    assert words.call(ctx, "sethost", "h") == -1 and words.call(ctx, "prefix", "0") == -1


def test_prefix_makes_a_user_and_revert_brings_back() -> None:
    words = Words()
    ctx = words.ctx(with_uri("sip:example.com"))
    assert words.call(ctx, "prefix", "9") == 1 and ctx.ruri == "sip:9@example.com"
    ctx.target.du = "sip:hop"
    assert words.call(ctx, "revert_uri") == 1
    assert ctx.ruri == "sip:example.com" and ctx.target.du == "sip:hop"


def test_next_hop() -> None:
    words = Words()
    ctx = words.ctx()
    assert words.call(ctx, "isdsturiset") == -1 and words.get(ctx, "du") is None and words.get(ctx, "dd") is None
    assert not words.set(ctx, "dd", "h") and not words.set(ctx, "dp", 5)
    assert words.call(ctx, "setdsturi", "not a uri") == -1 and words.call(ctx, "setdsturi", "tel:1") == -1
    assert words.call(ctx, "setduri", "sip:10.0.0.9:5090;transport=tls") == 1
    assert [words.get(ctx, n) for n in ("duri", "dd", "dp", "dP")] == ["sip:10.0.0.9:5090;transport=tls", "10.0.0.9",
                                                                       "5090", "tls"]
    assert words.set(ctx, "dd", "h2") and words.set(ctx, "dp", None)
    assert ctx.target.du == "sip:h2;transport=tls" and words.get(ctx, "dp") == 5061
    assert ctx.ruri == URI
    assert not words.set(ctx, "du", "%%%") and ctx.target.du == "sip:h2;transport=tls"
    assert words.call(ctx, "resetdsturi") == 1 and ctx.target.du is None
    assert words.set(ctx, "du", "sip:h3") and words.set(ctx, "du", None) and ctx.target.du is None


@pytest.mark.parametrize(("value", "q"), [(500, 500), (5000, 1000), (-7, -1), ("300", 300)])
def test_q(value: object, q: int) -> None:
    words = Words()
    ctx = words.ctx()
    assert words.set(ctx, "ru_q", value) and ctx.target.q == q       # type: ignore[arg-type]


def test_is_myself() -> None:
    words = Words()
    ctx = words.ctx()
    assert [words.call(ctx, "is_myself", *args) for args in (("10.0.0.1",), ("10.0.0.1", 5060), ("10.0.0.1", 0),
                                                             ("10.0.0.1", 9), ("h",))] == [1, 1, 1, -1, -1]


@pytest.mark.parametrize(("args", "uri"), [
    (("sip", "u", "d", "5", "a=b"), "sip:u@d:5;a=b"), (("sip", None, "d", None, None), "sip:d"),
    (("", "u", "d", None, None), None), (("sip", "u", "", None, None), None),
])
def test_construct_uri(args: tuple[str | None, ...], uri: str | None) -> None:
    words = Words()
    out = Holder()
    assert words.call(words.ctx(), "construct_uri", *args, out) == 1
    assert out.value == uri
