"""Check that reading all at once gives what reading one by one gives, and that every field has its slot."""

from __future__ import annotations

import pytest

from osip.core.errors import ParseError
from osip.core.sip.fields import COMPUTE, fill
from osip.core.sip.message import Message, Request, parse

RAW = (
    b'BYE sip:u@h SIP/2.0\r\nVia: SIP/2.0/UDP a;rport;branch=z1\r\nFrom: "x" <sip:f@x>;tag=ft\r\n'
    b'To: <sip:t@x>;tag=tt\r\n'
    b"Call-ID: cid@x\r\nCSeq: 5 BYE\r\nMax-Forwards: 3\r\nContent-Length: 0\r\n\r\n"
)


def test_fill_agrees_with_reading() -> None:
    one, two = parse(RAW), parse(RAW)
    fill(two)
    for name in (
        "ids",
        "headers",
        "via1_span",
        "via1_alone",
        "via1_branch",
        "from_tag",
        "to_tag",
        "call_id",
        "cseq",
        "cseq_method",
        "content_length",
        "max_forwards",
    ):
        assert getattr(one, name) == getattr(two, name), name
    assert str(one.via1) == str(two.via1)


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_fill_names_what_is_missing(name: str) -> None:
    lines = [line for line in RAW.split(b"\r\n") if not line.startswith(name.encode() + b":")]
    with pytest.raises(ParseError, match=f"missing {name}"):
        fill(parse(b"\r\n".join(lines)))


def test_every_field_has_a_slot() -> None:
    assert set(COMPUTE) <= set(Message.__slots__) | set(Request.__slots__)
