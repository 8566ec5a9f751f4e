"""Tables of CSeq values."""

from __future__ import annotations

import pytest

from osip.core.errors import ParseError
from osip.core.sip.cseq import parse_cseq


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 INVITE", (1, "INVITE")),
        ("0009  INVITE", (9, "INVITE")),
        ("4294967295 X-Y", (4294967295, "X-Y")),
        (" 7\tBYE ", (7, "BYE")),
    ],
)
def test_parse(text: str, expected: tuple) -> None:
    assert parse_cseq(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "1", "INVITE", "-1 INVITE", "1 IN VITE", "x INVITE", "12345678901 BYE", "1 <", "² BYE", "1\u00a0BYE X"],
)
def test_refused(text: str) -> None:
    with pytest.raises(ParseError):
        parse_cseq(text)
