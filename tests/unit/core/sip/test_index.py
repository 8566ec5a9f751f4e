"""Check offsets of header lines, folding, odd line ends, and the Call-ID peek."""

from __future__ import annotations

import pytest

from osip.core.errors import ParseError
from osip.core.sip import names
from osip.core.sip.bounds import MAX_HEADERS
from osip.core.sip.index import find_head_end, peek_call_id, scan


def lines(raw: bytes) -> list[tuple[int, bytes, bytes]]:
    headers, ids = scan(raw, 0, len(raw))
    assert ids == bytes([header[0] for header in headers])
    return [(number, raw[start:value].rstrip(b": \t\r\n"), raw[value:end]) for number, start, value, end in headers]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", []),
        (b"Via: x", [(names.H_VIA, b"Via", b"x")]),
        (b"Via:x\r\nQ:  y \r\nt: z", [(names.H_VIA, b"Via", b"x"), (0, b"Q", b"y "), (names.H_TO, b"t", b"z")]),
        (b"Via : x\r\nvIA\t:\ty", [(names.H_VIA, b"Via", b"x"), (names.H_VIA, b"vIA", b"y")]),
        (b"Subject:\r\nTo: x", [(names.H_SUBJECT, b"Subject", b""), (names.H_TO, b"To", b"x")]),
        (b"To: a\r\n b\r\n\tc\r\nQ: y", [(names.H_TO, b"To", b"a\r\n b\r\n\tc"), (0, b"Q", b"y")]),
        (b"To:\r\n a\r\nQ: y", [(names.H_TO, b"To", b"a"), (0, b"Q", b"y")]),
        (b"To: a\nQ: y\n z", [(names.H_TO, b"To", b"a"), (0, b"Q", b"y\n z")]),
        (b"nocolon\r\nTo: a", [(0, b"nocolon", b""), (names.H_TO, b"To", b"a")]),
        (b"To: a:b", [(names.H_TO, b"To", b"a:b")]),
    ],
)
def test_scan(raw: bytes, expected: list) -> None:
    assert lines(raw) == expected


def test_lines_follow_each_other() -> None:
    raw = b"To: a\r\n b\r\nQ: y\r\nVia:\r\n z"
    headers, _ = scan(raw, 0, len(raw))
    assert [raw[header[1] : header[1] + 1] for header in headers] == [b"T", b"Q", b"V"]


@pytest.mark.parametrize("raw", [b"To: a\r\n\nQ: y", b" folded\r\nTo: a", b"\tTo: a", b"\nTo: a"])
def test_refused(raw: bytes) -> None:
    with pytest.raises(ParseError):
        scan(raw, 0, len(raw))


@pytest.mark.parametrize("fold", [b"", b"\r\n z"])
def test_too_many(fold: bytes) -> None:
    raw = b"\r\n".join([b"Q: y"] * (MAX_HEADERS + 1)) + fold
    with pytest.raises(ParseError) as caught:
        scan(raw, 0, len(raw))
    assert caught.value.code == 513
    headers, ids = caught.value.partial
    assert len(headers) == len(ids) == MAX_HEADERS


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"A\r\nB: c\r\n\r\nbody", (7, 11)),
        (b"A\nB: c\n\nbody", (6, 8)),
        (b"A\r\nB: c\r\n", (-1, -1)),
        (b"A\r\n\r\n", (1, 5)),
        (b"A\nB: c\n\r\nx\n\n", (6, 9)),
    ],
)
def test_head_end(raw: bytes, expected: tuple) -> None:
    assert find_head_end(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"R\r\nCall-ID: abc@d\r\n\r\n", b"abc@d"),
        (b"R\r\ni:abc\r\n\r\n", b"abc"),
        (b"R\r\nCALL-ID \t:\t abc \r\n\r\n", b"abc"),
        (b"R\r\nCall-ID:\r\n abc\r\n\r\n", b"abc"),
        (b"R\r\nTo: x\r\n\r\nbody\nCall-ID: no\r\n", None),
        (b"R\r\ni: yes\r\n\r\n\nCall-ID: no\r\n\r\n", b"yes"),
        (b"R\r\nX-Call-ID: no\r\n\r\n", None),
        (b"", None),
        (b"R\r\nCall-ID: \r\n\r\n", None),
        (b"R\r\nCall-ID:\r\nTo: x\r\n\r\n", None),
        (b"R\nCall-ID: abc\nTo: x\n\n", b"abc"),
        (b"R\nCall-ID: abc", b"abc"),
    ],
)
def test_peek(raw: bytes, expected: bytes | None) -> None:
    assert peek_call_id(raw) == expected
