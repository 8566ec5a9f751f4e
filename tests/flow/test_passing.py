"""What a proxy does not understand passes as it is: any method, header and body, both ways (RFC 3261 section 16.6)."""
from __future__ import annotations

from typing import Any

import pytest

from kit import message
from kit.script import ScriptBook

SCRIPT = "route { t_relay(); }"
STATELESS = "route { forward(); } onreply_route { exit; }"
METHODS = ["PRACK", "UPDATE", "INFO", "REFER", "SUBSCRIBE", "NOTIFY", "PUBLISH", "MESSAGE", "OPTIONS", "BYE",
           "REGISTER", "X-Unknown.Method%!*_+`'~"]
PART = b"--cut\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n" \
       b"--cut\r\nContent-Type: image/x\r\n\r\n\x00\xff\r\n--cut--\r\n"
BODIES: dict[str, tuple[bytes, bytes]] = {
    "empty": (b"", b""),
    "text": (b"Content-Type: text/plain\r\n", b"one\ntwo\r\n\r\nthree"),
    "binary": (b"Content-Type: application/octet-stream\r\nContent-Encoding: gzip\r\n", bytes(range(256)) * 4),
    "looks like SIP": (b"Content-Type: message/sip\r\n", b"BYE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP x\r\n\r\n"),
    "multipart": (b"Content-Type: multipart/mixed;boundary=cut\r\nMIME-Version: 1.0\r\n", PART),
    "8 kB": (b"Content-Type: text/plain\r\n", b"x" * 8192),
}
HEADERS: dict[str, bytes] = {
    "compact": b"k: foo\r\nx: 90\r\ns: hi\r\no: presence\r\nu: a,b\r\nr: <sip:x@y>\r\n",
    "folded": b"Subject: one\r\n two\r\n\t three\r\nX-Fold:\r\n  late\r\n",
    "8 kB value": b"X-Long: " + b"y" * 8192 + b"\r\n",
    "8 kB folded": b"X-Long: a\r\n" + (b" " + b"0123456789abcde" * 5 + b"\r\n") * 108,
    "bytes of no charset": b"Subject: \xff\xfe\xe9\x80\r\nX-\xc3\xa9: 1\r\n",
    "odd spelling": b"sUbJeCt : a\r\nX-Empty:\r\nX-Empty: \r\nX-Twice: 1\r\nx-twice: 2, 3\r\n",
    "hundred lines": b"".join(b"X-%d: %d\r\n" % (number, number) for number in range(100)),
}


def raw_request(method: str, headers: bytes = b"", body: bytes = b"") -> bytes:
    """Return a request with these very bytes in it."""
    plain = message.request(method)
    return plain.replace(b"Content-Length: 0\r\n\r\n", b"%bContent-Length: %d\r\n\r\n%b" % (headers, len(body), body))


def raw_response(to: Any, headers: bytes = b"", body: bytes = b"") -> bytes:
    """Return a 200 with these very bytes in it."""
    plain = message.response(to, 200, to_tag="b1")
    assert plain.endswith(b"Content-Length: 0\r\n\r\n")
    return plain.replace(b"Content-Length: 0\r\n\r\n", b"%bContent-Length: %d\r\n\r\n%b" % (headers, len(body), body))


def check_passes(method: str, headers: bytes, body: bytes, script: str = SCRIPT, uri: bytes = b"sip:bob@10.0.0.2",
                 mtu: int = 0) -> None:
    """Send a request with a response through the server: only Via and Max-Forwards may differ."""
    raw = raw_request(method, headers, body).replace(b"sip:bob@10.0.0.2", uri, 1)
    play = ScriptBook(script, udp_mtu=mtu).feed(raw)
    if method == "INVITE" and script == SCRIPT:
        play.sent(100)
    got = play.sent(method, "bob").got
    ours = got.raw.split(b"\r\n")[1] + b"\r\n"
    assert got.raw == raw.replace(b"Via:", ours + b"Via:", 1).replace(b"Max-Forwards: 70", b"Max-Forwards: 69")
    answer = raw_response(got, headers, body)
    play.feed(answer, "bob").sent(200)
    assert play.got.raw == answer.replace(ours, b"", 1)


@pytest.mark.parametrize("script", [SCRIPT, STATELESS], ids=["t_relay", "forward"])
@pytest.mark.parametrize("method", ["INVITE", *METHODS])
def test_any_method(method: str, script: str) -> None:
    check_passes(method, *BODIES["text"], script)


@pytest.mark.parametrize("script", [SCRIPT, STATELESS], ids=["t_relay", "forward"])
@pytest.mark.parametrize("name", BODIES)
def test_any_body(name: str, script: str) -> None:
    check_passes("MESSAGE", *BODIES[name], script)


@pytest.mark.parametrize("method", ["INVITE", "X-NEW"])
@pytest.mark.parametrize("name", HEADERS)
def test_any_header(name: str, method: str) -> None:
    check_passes(method, HEADERS[name], b"")


@pytest.mark.parametrize("name", HEADERS)
def test_all_at_once_by_tcp(name: str) -> None:
    kind, body = BODIES["multipart"]
    check_passes("MESSAGE", HEADERS[name] + kind, body, uri=b"sip:bob@10.0.0.2;transport=tcp", mtu=1300)


@pytest.mark.parametrize("name", BODIES)
def test_edits_leave_the_body_alone(name: str) -> None:
    kind, body = BODIES[name]
    script = 'route { remove_hf("Subject"); append_hf("X-New: 1\\r\\n"); record_route(); t_relay(); }'
    play = ScriptBook(script, udp_mtu=0)
    play.feed(raw_request("MESSAGE", HEADERS["folded"] + kind, body)).sent("MESSAGE", "bob")
    play.check(lambda m: m.body == body and m.get("Subject") is None and m.get("X-New") == "1")
    assert play.got.raw.count(b"X-Fold:\r\n  late\r\n") == 1


def test_compact_names_that_are_understood() -> None:
    old = b"v: SIP/2.0/UDP 10.0.0.8;branch=z9hG4bKold\r\nm: <sip:x@y>\r\nc: text/plain\r\n"
    raw = raw_request("MESSAGE", old, b"hi")
    for long, short in ((b"From:", b"f:"), (b"To:", b"t:"), (b"Call-ID:", b"i:"), (b"Via: SIP/2.0/UDP 10.0.0.1",
                                                                                   b"v: SIP/2.0/UDP 10.0.0.1"),
                        (b"Content-Length:", b"l:"), (b"Contact: <sip:alice", b"m: <sip:alice")):
        assert long in raw
        raw = raw.replace(long, short, 1)
    play = ScriptBook(SCRIPT).feed(raw).sent("MESSAGE", "bob")
    ours = play.got.raw.split(b"\r\n")[1] + b"\r\n"
    assert play.got.raw == raw.replace(b"v:", ours + b"v:", 1).replace(b"Max-Forwards: 70", b"Max-Forwards: 69")
    play.answer("bob", 200, "MESSAGE").sent(200)
