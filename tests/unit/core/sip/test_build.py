"""Check messages built from others, byte for byte."""

from __future__ import annotations

import pytest

from osip.core.sip.build import (
    TAG_ENDING,
    _build_answer,
    build_ack,
    build_answer,
    build_cancel,
    build_forward,
    build_forward_reply,
    build_reply,
    build_request,
)
from osip.core.sip.edits import Edits
from osip.core.sip.mark import mark_identity
from osip.core.sip.message import Request, Response, check, parse

INVITE = (
    b"INVITE sip:bob@h SIP/2.0\r\nVia: SIP/2.0/UDP p1;branch=z1;rport\r\n"
    b"Via: SIP/2.0/UDP p2;branch=z2\r\nMax-Forwards: 70\r\n"
    b"Record-Route: <sip:p1;lr>\r\nRoute: <sip:r1;lr>\r\nRoute: <sip:r2;lr>\r\n"
    b"From: <sip:a@x>;tag=ft\r\nTo: <sip:b@x>\r\n"
    b"Call-ID: cid\r\nCSeq: 7 INVITE\r\nTimestamp: 54\r\nContact: <sip:a@p2>\r\nContent-Length: 4\r\n\r\nbody"
)
VIAS = b"Via: SIP/2.0/UDP p1;branch=z1;rport\r\nVia: SIP/2.0/UDP p2;branch=z2\r\n"
ENDS = b"From: <sip:a@x>;tag=ft\r\nTo: <sip:b@x>"
CALL = b"\r\nCall-ID: cid\r\nCSeq: 7 INVITE\r\n"
RR = b"Record-Route: <sip:p1;lr>\r\n"
NONE = b"Content-Length: 0\r\n\r\n"


def request(raw: bytes = INVITE) -> Request:
    msg = parse(raw)
    assert isinstance(msg, Request)
    return msg


def response(raw: bytes) -> Response:
    msg = parse(raw)
    assert isinstance(msg, Response)
    return msg


@pytest.mark.parametrize(
    ("status", "reason", "options", "expected"),
    [
        (404, "Not Found", {"to_tag": "tt"}, VIAS + ENDS + b";tag=tt" + CALL + NONE),
        (100, "Trying", {}, VIAS + ENDS + CALL + b"Timestamp: 54\r\n" + NONE),
        (180, "Ringing", {"to_tag": "tt"}, VIAS + RR + ENDS + b";tag=tt" + CALL + NONE),
        (
            200,
            "OK",
            {"to_tag": "t", "extra": b"Contact: <x:y>\r\nContent-Type: a/b\r\n", "body": b"hey", "server": b"osip"},
            VIAS
            + RR
            + ENDS
            + b";tag=t"
            + CALL
            + b"Contact: <x:y>\r\nContent-Type: a/b\r\nServer: osip\r\nContent-Length: 3\r\n\r\nhey",
        ),
        (
            400,
            "Bad",
            {"received": "9.9.9.9", "rport": 99},
            VIAS.replace(b"z1;rport", b"z1;received=9.9.9.9;rport=99") + ENDS + CALL + NONE,
        ),
    ],
)
def test_reply(status: int, reason: str, options: dict, expected: bytes) -> None:
    built = build_reply(request(), status, reason, **options)
    assert built == b"SIP/2.0 %d %b\r\n" % (status, reason.encode()) + expected


def test_reply_keeps_a_tag() -> None:
    raw = INVITE.replace(b"To: <sip:b@x>", b"To: <sip:b@x>;tag=old")
    assert response(build_reply(request(raw), 200, "OK", "new")).to_tag == "old"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"To: <sip:b@x>", b'To: "x <sip:b@x>'),
        (b"SIP/2.0/UDP p1;branch=z1;rport", b"rubbish"),
        (b"Via: SIP/2.0/UDP p1;branch=z1;rport\r\nVia: SIP/2.0/UDP p2;branch=z2\r\n", b""),
        (b"To: <sip:b@x>\r\n", b""),
    ],
)
def test_reply_to_a_broken_request(old: bytes, new: bytes) -> None:
    reply = response(build_reply(request(INVITE.replace(old, new)), 400, "Bad", "t", received="1.1.1.1", rport=1))
    assert (reply.status, reply.call_id) == (400, "cid")


def test_ack() -> None:
    sent = request()
    reply = build_reply(sent, 486, "Busy", "tt")
    assert build_ack(INVITE, reply) == (
        b"ACK sip:bob@h SIP/2.0\r\nVia: SIP/2.0/UDP p1;branch=z1;rport\r\nMax-Forwards: 70\r\nRoute: <sip:r1;lr>\r\n"
        b"Route: <sip:r2;lr>\r\nFrom: <sip:a@x>;tag=ft\r\nTo: <sip:b@x>;tag=tt\r\nCall-ID: cid\r\nCSeq: 7 ACK\r\n"
        + NONE
    )
    assert build_ack(sent, response(reply)) == build_ack(INVITE, reply)


def test_cancel() -> None:
    assert build_cancel(INVITE, b"Reason: SIP;cause=200\r\n") == (
        b"CANCEL sip:bob@h SIP/2.0\r\nVia: SIP/2.0/UDP p1;branch=z1;rport\r\nMax-Forwards: 70\r\n"
        b"Route: <sip:r1;lr>\r\n"
        b"Route: <sip:r2;lr>\r\nFrom: <sip:a@x>;tag=ft\r\nTo: <sip:b@x>\r\nCall-ID: cid\r\nCSeq: 7 CANCEL\r\n"
        b"Reason: SIP;cause=200\r\n" + NONE
    )


def test_only_the_top_via_of_a_list() -> None:
    raw = INVITE.replace(b"z1;rport\r\nVia: ", b"z1;rport, ")
    assert response(build_reply(request(raw), 200, "OK")).get_all("Via") == [
        "SIP/2.0/UDP p1;branch=z1;rport, SIP/2.0/UDP p2;branch=z2"
    ]
    assert b"p2" not in build_cancel(raw)


def test_forward() -> None:
    edits = Edits(request())
    edits.set_max_forwards(69)
    edits.insert_hf(lambda out: b"Record-Route: <sip:" + out + b";lr>\r\n")
    built = build_forward(request(), "sip:new@z", b"Via: SIP/2.0/UDP me;branch=z9\r\n", edits, b"me")
    assert built == INVITE.replace(b"sip:bob@h", b"sip:new@z").replace(b": 70", b": 69").replace(
        b"Via", b"Via: SIP/2.0/UDP me;branch=z9\r\nRecord-Route: <sip:me;lr>\r\nVia", 1
    )


def test_forward_forms_of_via() -> None:
    line = b"Via: SIP/2.0/UDP me\r\n"
    expected = INVITE.replace(b"Via", line + b"Via", 1)
    assert build_forward(request(), None, line) == expected
    assert build_forward(request(), None, b"SIP/2.0/UDP me") == expected
    assert build_forward(request(), None, lambda out: b"SIP/2.0/UDP " + out, None, b"me") == expected


def test_forward_cuts_what_is_no_body_and_adds_a_length() -> None:
    assert build_forward(request(INVITE + b"more"), None, b"Via: x\r\n").endswith(b"\r\n\r\nbody")
    bare = INVITE.replace(b"Content-Length: 4\r\n", b"")
    assert build_forward(request(bare), None, b"Via: x\r\n").endswith(b"Content-Length: 4\r\n\r\nbody")


def test_forward_with_new_body() -> None:
    edits = Edits(request())
    edits.set_body("longer body")
    sent = request(build_forward(request(), None, b"Via: SIP/2.0/UDP x\r\n", edits))
    assert check(sent) is None and sent.body == b"longer body"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"", b"", b"Via: SIP/2.0/UDP p2;branch=z2\r\n"),
        (b";rport\r\nVia: ", b" ,  ", b"Via: SIP/2.0/UDP p2;branch=z2\r\n"),
        (b";rport\r\nVia: ", b",\r\n ", b"Via: SIP/2.0/UDP p2;branch=z2\r\n"),
    ],
)
def test_forward_reply(old: bytes, new: bytes, expected: bytes) -> None:
    raw = build_reply(request(), 200, "OK", "t", body=b"b").replace(old, new, 1)
    built = build_forward_reply(response(raw))
    assert built == b"SIP/2.0 200 OK\r\n" + expected + RR + ENDS + b";tag=t" + CALL + b"Content-Length: 1\r\n\r\nb"


def test_forward_reply_with_edits() -> None:
    raw = build_reply(request(), 200, "OK", "t")
    edits = Edits(response(raw))
    edits.append_hf("X: 1")
    assert build_forward_reply(response(raw), edits).endswith(b"Content-Length: 0\r\nX: 1\r\n\r\n")


def test_request() -> None:
    built = build_request(
        "OPTIONS",
        "sip:b",
        "<sip:a>;tag=1",
        b"<sip:b>",
        "cid",
        3,
        b"SIP/2.0/UDP me;branch=z9",
        "<sip:me>",
        ["<sip:r;lr>"],
        b"Accept: x/y\r\n",
        b"hi",
    )
    assert built == (
        b"OPTIONS sip:b SIP/2.0\r\nVia: SIP/2.0/UDP me;branch=z9\r\nMax-Forwards: 70\r\nRoute: <sip:r;lr>\r\n"
        b"From: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: cid\r\nCSeq: 3 OPTIONS\r\nContact: <sip:me>\r\n"
        b"Accept: x/y\r\nContent-Length: 2\r\n\r\nhi"
    )
    assert check(parse(built), deep=True) is None


def test_ack_wants_a_request() -> None:
    with pytest.raises(TypeError):
        build_cancel(build_reply(request(), 200, "OK"))


@pytest.mark.parametrize(("via", "port", "is_built"), [
    ("p1:5080;branch=z1", 5080, True), ("p1:5080;branch=z1", 5060, False), ("p1;branch=z1", 5060, False),
    ("p1;branch=z1;rport", 5099, True), ("p1;branch=z1;rport=7", 5099, True), ("p1;branch=z1;rport;maddr=10.0.0.1", 5099, False),
    ("p1:5080;MADDR", 5080, False), ("p1:5080;xmaddr=1", 5080, True), ('p1:5080;x="a;maddr=b"', 5080, True)])
@pytest.mark.parametrize("status", [100, 200, 404])
def test_an_answer_that_goes_back(via: str, port: int, is_built: bool, status: int) -> None:
    req = request(INVITE.replace(b"p1;branch=z1;rport", via.encode()))
    tag = mark_identity(req, "secret") + TAG_ENDING
    wanted = build_reply(req, status, "Any", "" if status == 100 else tag, b"X-A: 1\r\n", b"b", b"srv", "192.0.2.1", port)
    given = (req, status, "Any", "secret", TAG_ENDING, b"X-A: 1\r\n", b"b", b"srv", "192.0.2.1", port)
    assert _build_answer(*given) == (wanted if is_built else None)
    assert build_answer(*given) in (None, _build_answer(*given))
