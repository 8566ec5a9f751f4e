"""Check start lines and what messages say of themselves."""

from __future__ import annotations

import gc

import pytest

from osip.core.errors import ParseError
from osip.core.sip import names
from osip.core.sip.message import Request, Response, check, parse

HEAD = (
    "Via: SIP/2.0/UDP a;branch=z1, SIP/2.0/TCP b;branch=z2\r\nv: SIP/2.0/UDP c\r\nFrom: <sip:f@x>;tag=ft\r\n"
    "To: <sip:t@x>\r\nCall-ID: cid@x\r\nCSeq: 5 INVITE\r\nX-One: 1\r\nx-one:  2 \r\nSubject: a\r\n  b\r\n"
)


def request(extra: str = "", body: str = "", line: str = "INVITE sip:u@h SIP/2.0") -> Request:
    msg = parse(f"{line}\r\n{HEAD}{extra}\r\n{body}".encode("utf-8", "surrogateescape"))
    assert isinstance(msg, Request)
    return msg


def test_request_line() -> None:
    msg = request()
    assert (msg.method, msg.method_id, msg.ruri, msg.is_request) == ("INVITE", names.M_INVITE, "sip:u@h", True)
    assert msg.raw[msg.ruri_start : msg.ruri_end] == b"sip:u@h"
    assert msg.uri.host == "h"


@pytest.mark.parametrize(
    ("line", "method", "number"),
    [
        ("FOO sip:u@h SIP/2.0", "FOO", 0),
        ("invite sip:u@h SIP/2.0", "invite", 0),
        ("BYE sip:u@h sip/2.0", "BYE", names.M_BYE),
    ],
)
def test_methods(line: str, method: str, number: int) -> None:
    msg = request(line=line)
    assert (msg.method, msg.method_id) == (method, number)


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        ("SIP/2.0 200 OK", 200, "OK"),
        ("SIP/2.0 180 ", 180, ""),
        ("SIP/2.0 699", 699, ""),
        ("SIP/2.0 486 Besetzt ä", 486, "Besetzt ä"),
    ],
)
def test_status_line(line: str, status: int, reason: str) -> None:
    msg = parse(f"{line}\r\n{HEAD}\r\n".encode())
    assert isinstance(msg, Response)
    assert (msg.status, msg.reason, msg.is_request) == (status, reason, False)
    assert (msg.method, msg.method_id) == ("INVITE", names.M_INVITE)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", 400),
        (b"\r\n\r\n", 400),
        (b"INVITE sip:u@h SIP/2.0\r\n", 400),
        (b"INVITE\r\n\r\n", 400),
        (b"INVITE sip:u@h\r\n\r\n", 400),
        (b"INVITE sip:u@h SIP/3.0\r\n\r\n", 505),
        (b"INVITE sip:u@h HTTP/1.1\r\n\r\n", 400),
        (b"IN<ITE sip:u@h SIP/2.0\r\n\r\n", 400),
        (b"INVITE  SIP/2.0\r\n\r\n", 400),
        (b"SIP/2.0 99 x\r\n\r\n", 400),
        (b"SIP/2.0 2000 x\r\n\r\n", 400),
        (b"SIP/2.0 700 x\r\n\r\n", 400),
        (b"SIP/2.0 abc\r\n\r\n", 400),
        (b"INVITE sip:" + b"u" * 5000 + b" SIP/2.0\r\n\r\n", 414),
        (b"INVITE sip:u SIP/2.0\r\nX: " + b"y" * 70000 + b"\r\n\r\n", 513),
        (b"INVITE sip:u SIP/99999999999999999999.0\r\n\r\n", 505),
    ],
)
def test_refused(raw: bytes, code: int) -> None:
    with pytest.raises(ParseError) as caught:
        parse(raw)
    assert caught.value.code == code


def test_partial_can_be_read() -> None:
    with pytest.raises(ParseError) as caught:
        parse(f"INVITE sip:u@h SIP/7.0\r\n{HEAD}\r\n".encode())
    assert caught.value.partial.call_id == "cid@x"


def test_leading_blank_lines_are_skipped() -> None:
    assert parse(f"\r\n\r\nBYE sip:u@h SIP/2.0\r\n{HEAD}\r\n".encode()).method == "BYE"


def test_bare_line_feeds() -> None:
    msg = parse(f"BYE sip:u@h SIP/2.0\r\n{HEAD}\r\nbody".replace("\r\n", "\n").encode())
    assert (msg.ruri, msg.call_id, msg.get("Subject"), msg.body) == ("sip:u@h", "cid@x", "a b", b"body")
    assert msg.raw[msg.blank :] == b"\nbody"


def test_fields() -> None:
    msg = request(
        "Max-Forwards: 70\r\nContact: <sip:c1>;q=0.5, sip:c2@x\r\nm: <sip:c3>\r\nRoute: <sip:r1;lr>,<sip:r2>\r\n"
        "Expires: 60\r\nSupported: 100rel, path\r\nk: timer\r\nc: a/b\r\nl: 4\r\n",
        "body and more",
    )
    assert (msg.from_tag, msg.to_tag, msg.call_id, msg.cseq, msg.cseq_method) == ("ft", "", "cid@x", 5, "INVITE")
    assert (msg.max_forwards, msg.expires, msg.content_length, msg.content_type) == (70, 60, 4, "a/b")
    assert msg.body == b"body"
    assert [c.uri_text for c in msg.contacts] == ["sip:c1", "sip:c2@x", "sip:c3"] and not msg.contact_star
    assert [r.uri_text for r in msg.routes] == ["sip:r1;lr", "sip:r2"]
    assert msg.supported == ["100rel", "path", "timer"]
    assert (msg.from_.uri.user, msg.to.uri.user) == ("f", "t")


def test_absent_fields() -> None:
    msg = request()
    assert (msg.max_forwards, msg.expires, msg.content_length, msg.content_type) == (None, None, None, None)
    assert (msg.contacts, msg.contact_star, msg.routes, msg.record_routes, msg.paths) == ([], False, [], [], [])
    assert (msg.require, msg.proxy_require, msg.body) == ([], [], b"")


def test_star() -> None:
    msg = request("Contact: *\r\n")
    assert msg.contact_star and msg.contacts == []


def test_vias() -> None:
    msg = request()
    assert [via.host for via in msg.vias] == ["a", "b", "c"]
    assert (msg.via1.host, msg.via1_branch, msg.via1_alone) == ("a", "z1", False)
    assert msg.raw[slice(*msg.via1_span)] == b"SIP/2.0/UDP a;branch=z1"
    assert msg.raw[slice(*msg.via1_cut)] == b"SIP/2.0/UDP a;branch=z1, "


def test_via_alone() -> None:
    msg = parse(b'BYE sip:a SIP/2.0\r\nTo: x\r\nVia: SIP/2.0/UDP h;x="a,b" \r\nVia: SIP/2.0/UDP i\r\n\r\n')
    assert msg.via1_alone
    assert msg.raw[slice(*msg.via1_span)] == b'SIP/2.0/UDP h;x="a,b"'
    assert msg.raw[slice(*msg.via1_cut)] == b'Via: SIP/2.0/UDP h;x="a,b" \r\n'


def test_get() -> None:
    msg = request()
    assert msg.get("X-ONE") == "1" and msg.get_all("x-one") == ["1", "2"] and msg.get("none") is None
    assert msg.get("Subject") == msg.get("s") == msg.get(names.H_SUBJECT) == "a b"
    assert msg.get_all("Via") == ["SIP/2.0/UDP a;branch=z1, SIP/2.0/TCP b;branch=z2", "SIP/2.0/UDP c"]
    assert msg.find(names.H_ROUTE) == -1 and msg.find("X-One", 7) == 7 and msg.find("X-One", 8) == -1


def test_line_ends() -> None:
    msg = request()
    spans = [msg.raw[header[1] : msg.line_end(at)] for at, header in enumerate(msg.headers)]
    assert b"".join(spans).decode() == HEAD
    assert msg.name(0) == "Via" and msg.name(1) == "v"
    assert msg.raw[msg.blank :] == b"\r\n"


def test_any_byte_survives() -> None:
    msg = parse(b"BYE sip:a SIP/2.0\r\nX: \xff\xc3\xa9\r\n\r\n")
    assert msg.get("X") == "\udcffé"


@pytest.mark.parametrize(
    ("attribute", "head"),
    [
        ("via1", ""),
        ("via1", "Via: x\r\n"),
        ("from_", "From: <sip:a\r\n"),
        ("from_tag", ""),
        ("to_tag", 'To: "x <a:b>\r\n'),
        ("call_id", ""),
        ("call_id", "Call-ID: a b\r\n"),
        ("cseq", "CSeq: x\r\n"),
        ("max_forwards", "Max-Forwards: -1\r\n"),
        ("max_forwards", "Max-Forwards: 99999999999\r\n"),
        ("content_length", "Content-Length: 1 2\r\n"),
        ("contacts", "Contact: <a\r\n"),
        ("routes", "Route: x\r\n"),
        ("vias", ""),
        ("contacts", "Contact: " + "<sip:a>," * 300 + "<sip:a>\r\n"),
    ],
)
def test_broken_value_raises_each_time(attribute: str, head: str) -> None:
    msg = parse(f"BYE sip:a SIP/2.0\r\n{head}\r\n".encode())
    for _ in range(2):
        with pytest.raises(ParseError):
            getattr(msg, attribute)


def test_unknown_attribute() -> None:
    with pytest.raises(AttributeError):
        request().nothing  # noqa: B018


@pytest.mark.parametrize(
    ("head", "tag"),
    [
        ("<sip:a>;tag=x", "x"),
        ("<sip:a>;tag=x;y=z", "x"),
        ("<sip:a>;y;TAG=x", "x"),
        ("sip:a@b;tag=x", "x"),
        ("<sip:a;tag=n>", ""),
        ('"q>;tag=n" <sip:a>;tag=x', "x"),
        ('<sip:a>;y=";tag=n";tag=x', "x"),
        ("<sip:a> ; tag = x", "x"),
        ("<sip:a>;tag", ""),
        ("<sip:a>;tagx=1", ""),
        ("<sip:a>;tag=a-b.c", "a-b.c"),
    ],
)
def test_tags(head: str, tag: str) -> None:
    assert parse(f"BYE sip:a SIP/2.0\r\nTo: {head}\r\n\r\n".encode()).to_tag == tag


@pytest.mark.parametrize(
    "raw",
    [
        b"INVITE sip:u@h SIP/7.0\r\n\r\n",
        b"INVITE  sip:u@h SIP/2.0\r\n\r\n",
        b"INVITE <u> SIP/2.0\r\n\r\n",
        b"x",
        b"BYE sip:u SIP/2.0\r\nVia: x\r\n\r\n",
        b"BYE sip:u SIP/2.0\r\nFrom: <x\r\n\r\n",
    ],
)
def test_faults_leave_no_cycles(raw: bytes) -> None:
    # The worker runs without the cycle collector; a cycle for each bad message would be a leak.
    def read() -> None:
        try:
            msg = parse(raw)
        except ParseError:
            return
        check(msg, deep=True)
        for name in ("via1", "from_", "contacts", "call_id"):
            try:
                getattr(msg, name)
            except ParseError:
                continue

    read()
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            read()
        assert gc.collect() == 0
    finally:
        gc.enable()
