"""Check that reading all at once gives what reading one by one gives, and that every field has its slot."""

from __future__ import annotations

import pytest

from osip.core.errors import ParseError
from osip.core.sip.address import parse_expires, parse_name_addr, split_commas
from osip.core.sip.fields import COMPUTE, fill, value_of
from osip.core.sip.message import Message, Request, parse
from osip.core.sip.names import H_AUTHORIZATION, H_CONTACT, H_EXPIRES, H_PROXY_AUTHORIZATION, H_USER_AGENT

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


@pytest.mark.parametrize("lines", [
    (), ("Contact: <sip:a@h>",), ("m: <sip:a@h>;q=0.5",), ("Contact:  <sip:a@h>\t ",), ("Contact: *",), ("Contact:",),
    ("Contact: <sip:a@h>, <sip:b@h>",), ("Contact: <sip:a@h>", "Contact: <sip:b@h>"), ("Contact: *", "Contact: *"),
    ("Contact:\r\n <sip:a@h>;\r\n q=1",), ("Contact: \"\xe4\" <sip:a@h>",), ("Contact: \"a,b\" <sip:a@h>",),
    ("Contact: sip:a@h;expires=5",), ("Contact: <sip:a@h",), ("Expires: 60",), ("Expires: x",), ("Expires:  7 ",),
    ("Expires: 99999999999",), ("Expires: 1", "Expires: 2"), ("Expires: +5",), ("Expires:",),
])
def test_values_are_read_as_line_by_line(lines: tuple[str, ...]) -> None:
    head = RAW[:-2] + b"".join(line.encode() + b"\r\n" for line in lines) + b"\r\n"
    msg = parse(head)
    for number in (H_CONTACT, H_EXPIRES, H_USER_AGENT):
        assert value_of(msg, number) == msg.get(number)
    assert msg.expires == parse_expires(msg.get(H_EXPIRES))
    try:
        values = [value for line in msg.get_all(H_CONTACT) for value in split_commas(line)]
        expected = [] if values == ["*"] else [str(parse_name_addr(value)) for value in values]
    except ParseError:
        with pytest.raises(ParseError):
            _ = msg.contacts
    else:
        assert [str(one) for one in msg.contacts] == expected
        assert msg.contact_star == (values == ["*"])


def test_every_field_has_a_slot() -> None:
    assert set(COMPUTE) <= set(Message.__slots__) | set(Request.__slots__)


@pytest.mark.parametrize("fold", [b" ", b"\r\n "])
def test_credentials(fold: bytes) -> None:
    lines = (b'Proxy-Authorization: Digest username="p"\r\nAuthorization: Digest' + fold + b'username="a"\r\n'
             b"authorization: ,,\r\nAuthorization: Bearer abc\r\n")
    msg = parse(RAW.replace(b"Max-Forwards", lines + b"Max-Forwards"))
    assert [(number, at, auth and (auth.get("username") or auth.token)) for number, at, auth in msg.credentials] == [
        (H_AUTHORIZATION, 6, "a"), (H_AUTHORIZATION, 7, None), (H_AUTHORIZATION, 8, "abc"),
        (H_PROXY_AUTHORIZATION, 5, "p")]
    assert msg.credentials is msg.credentials and parse(RAW).credentials == []
