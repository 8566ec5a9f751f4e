"""Check the messages that tests send."""
from __future__ import annotations

from pathlib import Path

import pytest

from osip.core.errors import OsipError
from osip.core.net.endpoint import Endpoint
from osip.core.sip.message import check, parse
from osip.testing import message

HERE = Endpoint("udp", "10.0.0.1", 5060)


def ask(method: str = "INVITE", **more: object) -> bytes:
    words = {"branch": "z9hG4bK1", "call_id": "c", "cseq": 3, "from_": "sip:alice@a.example", "to": "sip:bob@b.example",
             "from_tag": "f", **more}
    return message.request(method, "sip:bob@b.example", HERE, **words)      # type: ignore[arg-type]


@pytest.mark.parametrize(("more", "name", "values"), [
    ({}, "Contact", ["<sip:alice@10.0.0.1:5060>"]),
    ({"method": "BYE"}, "Contact", []),
    ({"headers": {"contact": "<sip:x@y>"}}, "Contact", ["<sip:x@y>"]),
    ({"headers": {"Max-Forwards": None}}, "Max-Forwards", []),
    ({"headers": {"X": ["1", "2"]}}, "X", ["1", "2"]),
    ({"routes": ["<sip:a;lr>", "<sip:b;lr>"]}, "Route", ["<sip:a;lr>, <sip:b;lr>"]),
    ({"body": "a\nb"}, "Content-Length", ["4"]),
    ({"body": "v=0\n"}, "Content-Type", ["application/sdp"]),
    ({"body": "x", "headers": {"Content-Length": "9"}}, "Content-Length", ["9"]),
    ({"to_tag": "t"}, "To", ["<sip:bob@b.example>;tag=t"]),
    ({"from_": '"A" <sip:a@b>;tag=own'}, "From", ['"A" <sip:a@b>;tag=own']),
])
def test_requests(more: dict[str, object], name: str, values: list[str]) -> None:
    msg = parse(ask(**more))        # type: ignore[arg-type]
    assert msg.get_all(name) == values
    assert "Content-Length" in (more.get("headers") or {}) or check(msg) is None    # type: ignore[operator]


def test_answers() -> None:
    asked = parse(ask(headers={"Record-Route": "<sip:p;lr>"}))
    ringing, refusal = (parse(message.response(asked, code, to_tag="t")) for code in (180, 486))
    assert ringing.get_all("Record-Route") == ["<sip:p;lr>"] and refusal.get_all("Record-Route") == []
    assert (ringing.to_tag, ringing.via1.branch, ringing.cseq_method) == ("t", "z9hG4bK1", "INVITE")
    assert parse(message.response(asked, 100, to_tag="t")).to_tag == ""


def test_a_recorded_answer_is_fitted() -> None:
    old = parse(b"SIP/2.0 200 Fine\r\nVia: SIP/2.0/UDP 9.9.9.9\r\nFrom: <sip:x@y>\r\nTo: <sip:x@y>;tag=old\r\n"
                b"i: other\r\nCSeq: 99 INVITE\r\nX-Kept: 1\r\nContent-Length: 2\r\n\r\nhi")
    new = parse(message.graft(old, parse(ask()), "fresh"))
    assert (new.call_id, new.cseq, new.to_tag, new.get("X-Kept"), new.body) == ("c", 3, "old", "1", b"hi")
    assert new.raw.startswith(b"SIP/2.0 200 Fine\r\n")


@pytest.mark.parametrize(("raw", "ends"), [
    (b"A sip:b SIP/2.0\nX: 1\n\n", b"A sip:b SIP/2.0\r\nX: 1\r\n\r\n"),
    (b"A sip:b SIP/2.0\nX: 1", b"A sip:b SIP/2.0\r\nX: 1\r\n\r\n"),
    (b"A sip:b SIP/2.0\r\nX: 1\r\n\r\nbo\ndy", b"A sip:b SIP/2.0\r\nX: 1\r\n\r\nbo\ndy"),
])
def test_line_ends(raw: bytes, ends: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.sip").write_bytes(raw)
    assert message.read_message(tmp_path / "m.sip") == ends


def test_addresses() -> None:
    assert message.endpoint("tcp:[2001:db8::1]:5070") == Endpoint("tcp", "2001:db8::1", 5070)
    assert message.endpoint("tls:10.0.0.1") == Endpoint("tls", "10.0.0.1", 5061)
    with pytest.raises(OsipError):
        message.endpoint("10.0.0.1:99999")
