"""A plain REGISTER is read at once, to the same values as one by one; any other is left alone."""
from __future__ import annotations

import pytest

from osip.core.sip.address import parse_name_addr
from osip.core.sip.binding import _plain_binding, contact_line, plain_binding
from osip.core.sip.message import READER, Request, parse

TO, CONTACT = b"<sip:Bob@Example.COM>", b"<sip:bob@10.0.0.1:5062;transport=tcp>"
PLAIN = ("Bob", "example.com", "c-1", 7, "sip:bob@10.0.0.1:5062;transport=tcp")


def message(to: bytes = TO, contact: bytes | None = CONTACT, more: bytes = b"") -> Request:
    line = b"" if contact is None else b"Contact: " + contact + b"\r\n"
    found = parse(b"REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=a\r\n"
                  b"To: " + to + b"\r\nCall-ID: c-1\r\nCSeq: 7 REGISTER\r\n" + line + more + b"Content-Length: 0\r\n\r\n")
    assert isinstance(found, Request)
    return found


@pytest.mark.parametrize(("msg", "wanted"), [
    (message(), (*PLAIN, -1, None, None)),
    (message(more=b"Expires: 60\r\nUser-Agent:  Phone 1 \r\nAllow: INVITE, ACK\r\n"),
     (*PLAIN, 60, "Phone 1", "INVITE, ACK")),
    (message(contact=CONTACT + b";expires=0", more=b"Expires: 60\r\nUser-Agent: A\r\nUser-Agent: B\r\n"),
     (*PLAIN, 0, "A", None)),
    (message(to=b'"Bob, B." <sip:Bob@Example.COM>', contact=b"Bob " + CONTACT + b";expires=999999999"),
     (*PLAIN, 999999999, None, None)),
    (message(more=b"m: \r\n".replace(b"m", b"Supported") + b"Expires: 5\r\nExpires: x\r\n"), (*PLAIN, 5, None, None)),
    (message(contact=b"<sips:h>"), (*PLAIN[:4], "sips:h", -1, None, None)),
])
def test_plain(msg: Request, wanted: object) -> None:
    assert plain_binding(msg) == wanted
    assert _plain_binding(msg) == wanted


@pytest.mark.parametrize("msg", [
    message(to=b"sip:bob@example.com"), message(to=b"<sip:bob@example.com:5060>"), message(to=b"<sips:bob@example.com>"),
    message(to=b"<sip:b%6fb@example.com>"), message(to=b"<sip:example.com>"), message(to=b'"B\\"" <sip:bob@b>'),
    message(contact=None), message(contact=b"*"), message(contact=b""), message(contact=b"sip:bob@h"),
    message(contact=CONTACT + b", <sip:b@h>"), message(more=b"m: <sip:b@h>\r\n"), message(contact=CONTACT + b";q=0.5"),
    message(contact=CONTACT + b";expires=60;+sip.instance=\"x\""), message(contact=CONTACT + b";expires"),
    message(contact=CONTACT + b";expires=1234567890"), message(contact=CONTACT + b";expires=-1"),
    message(contact=CONTACT + b" ;expires=5"), message(contact=b"<tel:123>"), message(contact=b"<sip:b@h:70000>"),
    message(contact=b"<sip:x@y.Invalid;transport=ws>"), message(contact=b"B\xc3\xb6b <sip:b@h>"),
    message(more=b"Expires: soon\r\n"), message(more=b"Expires: 12345678901\r\n"), message(more=b"Expires: \r\n"),
    message(more=b"Allow: INVITE\r\nAllow: BYE\r\n"), message(contact=b"<sip:b@h>\r\n\t;expires=5"),
])
def test_others_are_left_alone(msg: Request) -> None:
    assert plain_binding(msg) is None


@pytest.mark.skipif(READER is None, reason="there is no accelerator")
@pytest.mark.parametrize("more", [b"User-Agent: B\xc3\xb6b\r\n", b"Allow: A,\r\n B\r\n"])
def test_the_accelerator_leaves_more_alone(more: bytes) -> None:
    assert plain_binding(message(more=more)) is None
    assert _plain_binding(message(more=more)) is not None


@pytest.mark.parametrize(("uri", "seconds"), [("sip:bob@10.0.0.1:5062;transport=tcp", 3600), ("sip:b\xf6b@h", 0),
                                              ("sip:\udcff@h", 2**32 - 1), ("sip:" + "a" * 5000 + "@h", -1)])
def test_contact_line(uri: str, seconds: int) -> None:
    line = contact_line(uri, seconds)
    assert line == f"Contact: <{uri}>;expires={seconds}\r\n".encode("utf-8", "surrogateescape")
    back = parse_name_addr(line[9:-2].decode("utf-8", "surrogateescape"))
    assert back.uri_text == uri and (seconds < 0 or back.expires == seconds)
