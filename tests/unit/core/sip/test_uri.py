"""Tables of URIs: their parts, what is refused, what compares equal (RFC 3261 section 19.1)."""

from __future__ import annotations

import pytest

from osip.core.errors import ParseError
from osip.core.sip.uri import (
    Uri,
    _plain_address,
    _without_user,
    escape_user,
    parse_uri,
    plain_address,
    unescape_user,
    uri_equal,
    without_user,
)

PARTS = [
    ("sip:a@b", {"scheme": "sip", "user": "a", "host": "b", "port": None, "params": (), "password": ""}),
    ("SIP:A@B:5061", {"scheme": "sip", "user": "A", "host": "B", "port": 5061}),
    ("sips:b.example", {"scheme": "sips", "user": "", "host": "b.example"}),
    ("sip:u:p@h;lr;x=1?a=b&c=d", {"password": "p", "params": (("lr", None), ("x", "1")), "headers": "a=b&c=d"}),
    ("sip:u:@h", {"user": "u", "password": ""}),
    (
        "sip:+1(55)-5;phone-context=a@h;user=phone",
        {"user": "+1(55)-5;phone-context=a", "params": (("user", "phone"),)},
    ),
    ("sip:a?b/c@h", {"user": "a?b/c", "host": "h", "headers": ""}),
    ("sip:[::1]:5060;transport=tcp", {"host": "::1", "port": 5060, "is_ipv6": True}),
    ("sip:h;x=", {"params": (("x", ""),)}),
    ("sip:h;;lr", {"params": (("lr", None),)}),
    ("tel:+1-201-555-0123;ext=7", {"scheme": "tel", "user": "+1-201-555-0123", "params": (("ext", "7"),), "host": ""}),
    ("urn:service:sos", {"scheme": "urn", "opaque": "service:sos"}),
    ("http://x/y?z", {"scheme": "http", "opaque": "//x/y?z"}),
]


@pytest.mark.parametrize(("text", "parts"), PARTS)
def test_parts(text: str, parts: dict) -> None:
    uri = parse_uri(text)
    assert {name: getattr(uri, name) for name in parts} == parts
    assert str(uri) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip",
        "sip:",
        "sip:a@",
        "sip:a@b@c",
        "sip:a b@c",
        "sip:a@b:x",
        "sip:a@b:99999",
        "sip:a@b:65536",
        "sip:[::1",
        "sip:[abc]",
        "sip:[1::2::3]",
        "sip:[1:::2]",
        "sip:2001:db8::1",
        "<sip:a@b>",
        "sip:a@b>",
        "tel:",
        "tel:abc xyz",
        "sip:a@b;=1",
        "1x:foo",
        "sip:a@b c",
        "sip:a@exa mple",
        'sip:"a"@b',
        "sip:h\r\nX: y",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(ParseError):
        parse_uri(text)


def test_too_long_is_414() -> None:
    with pytest.raises(ParseError) as caught:
        parse_uri("sip:" + "a" * 5000 + "@b")
    assert caught.value.code == 414


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        ("sip:alice@atlanta.com;transport=TCP", "SIP:alice@AtLanTa.CoM;Transport=tcp", True),
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp", True),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", True),
        ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on", True),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            True,
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            True,
        ),
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", False),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", False),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", False),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp", False),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", False),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4", False),
        ("sip:a@b", "sips:a@b", False),
        ("sip:a%40b@c", "sip:a%40B@c", False),
        ("sip:a@b;x=1", "sip:a@b;x=2", False),
        ("tel:+1-201-555", "tel:+1201555", True),
        ("tel:+1-201-555", "tel:+1201556", False),
        ("urn:a:b", "urn:a:b", True),
        ("urn:a:b", "urn:a:c", False),
    ],
)
def test_equal(a: str, b: str, equal: bool) -> None:
    assert uri_equal(a, b) is equal
    assert uri_equal(b, a) is equal


def test_params() -> None:
    uri = parse_uri("sip:a@b;LR;transport=TCP")
    assert (uri.param("lr"), uri.param("Transport"), uri.param("x")) == ("", "TCP", None)
    assert uri.has_param("lr") and not uri.has_param("x")
    assert str(uri.with_param("transport", "udp")) == "sip:a@b;LR;transport=udp"
    assert str(uri.without_param("lr")) == "sip:a@b;transport=TCP"


def test_replace() -> None:
    uri = parse_uri("sip:u:p@h:1;x?y=z")
    assert str(uri.replace(user="v")) == "sip:v:p@h:1;x?y=z"
    assert str(uri.replace(host="[::2]", port=None)) == "sip:u:p@[::2];x?y=z"
    assert str(uri.replace(host="::2").replace(host="q")) == "sip:u:p@q:1;x?y=z"
    assert str(uri.replace(user="", password="")) == "sip:h:1;x?y=z"
    assert str(uri) == "sip:u:p@h:1;x?y=z"


def test_build_from_parts() -> None:
    assert str(Uri(user="a", host="::1", port=5)) == "sip:a@[::1]:5"
    assert parse_uri("sip:a@b") == Uri(user="a", host="b")


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [("a%40b", "a@b"), ("%00", "\0"), ("100%", "100%"), ("%zz", "%zz"), ("%FF", "\udcff"), ("%C3%A9", "é")],
)
def test_unescape(escaped: str, plain: str) -> None:
    assert unescape_user(escaped) == plain


def test_escape() -> None:
    assert escape_user("a b@é%") == "a%20b%40%C3%A9%25"


@pytest.mark.parametrize("text", [
    "sip:Bob@Example.COM", "sip:b.o-b_1@10.0.0.1", "sip:bob@h:5060", "sip:bob@h;x", "sip:@h", "sip:bob@", "sip:h",
    "sip:",
    "sips:bob@h", "SIP:bob@h", "sip:a@b@c", "sip:b%6Fb@h", "sip:+4@h", "sip:b\xf6b@h", "sip:bob@[::1]", "", "sip:a@h ",
    "sip:" + "a" * 600 + "@h"])
def test_plain_address_agrees_with_the_parser(text: str) -> None:
    found = plain_address(text)
    assert found == _plain_address(text)
    if found is not None:
        uri = parse_uri(text)
        assert (uri.user, uri.host.lower()) == found
        assert (uri.scheme, uri.password, uri.port, uri.params, uri.headers) == ("sip", "", None, (), "")


@pytest.mark.parametrize(("text", "place"), [
    ("sip:bob@10.0.0.1", "sip:10.0.0.1"), ("sip:+49.1-b_o@10.0.0.1:5070", "sip:10.0.0.1:5070"), ("sip:10.0.0.1:5070", None),
    ("sip:b@10.0.0.1:5070;transport=tcp", "sip:10.0.0.1:5070;transport=tcp"), ("sip:b@10.0.0.1;transport=", None),
    ("sip:b@10.0.0.1;transport=TCP", None), ("sip:b@10.0.0.1;transport=tcp;lr", None), ("sip:b@;transport=tcp", None),
    ("sip:bob@10.0.0.1;lr", None), ("sip:bob:pw@10.0.0.1", None), ("sip:bob@h", None), ("sip:@10.0.0.1", None),
    ("sip:bob@", None), ("sip:b%6Fb@10.0.0.1", None), ("sips:bob@10.0.0.1", None), ("sip:b\xf6b@10.0.0.1", None), ("", None),
    ("sip:a@10.0.0.1@10.0.0.2", None), ("SIP:bob@10.0.0.1", None), ("sip:bob@[::1]", None), ("sip:" + "a" * 600 + "@1.2.3.4", None)])
def test_without_user(text: str, place: str | None) -> None:
    assert without_user(text) == _without_user(text) == (place or text)
