"""Multipart bodies: apart and together again."""
from __future__ import annotations

import pytest

from osip.core.sip.multipart import Part, bare_type, join, parts_of

SDP, ISUP = Part("application/sdp", b"", b"v=0\r\n"), Part("application/isup;v=1", b"X-A: 1\r\n", b"\x00\xff")


@pytest.mark.parametrize("parts", [[SDP], [ISUP], [SDP, ISUP], [ISUP, SDP, Part("text/plain", b"", b"")]])
def test_what_is_joined_comes_apart_again(parts: list[Part]) -> None:
    body, kind = join(parts)
    assert parts_of(body, kind) == parts


@pytest.mark.parametrize(("body", "kind", "expected"), [
    (b"", "application/sdp", []),
    (b"x", None, [Part("", b"", b"x")]),
    (b"x", "multipart/mixed", [Part("multipart/mixed", b"", b"x")]),
    (b"preamble\r\n--b\r\n\r\nplain\r\n--b--\r\nepilogue", "multipart/mixed;boundary=b", [Part("text/plain", b"",
        b"plain")]),
    (b"--b c\r\nc: a/b\r\n\r\nx\r\n--b c--", 'Multipart/Mixed; Boundary="b c"', [Part("a/b", b"", b"x")]),
    (b"--b\r\nContent-Type: a/b\r\n\r\nnever closed", "multipart/mixed;boundary=b", [Part("a/b", b"",
        b"never closed")]),
    (b"no mark at all", "multipart/mixed;boundary=b", []),
    (b"--b\r\nc: a/b\r\n\r\nsays --b inside a line\r\n--b--", "multipart/mixed;boundary=b",
     [Part("a/b", b"", b"says --b inside a line")]),
])
def test_apart(body: bytes, kind: str | None, expected: list[Part]) -> None:
    assert parts_of(body, kind) == expected


def test_the_boundary_is_in_no_part() -> None:
    inner, kind = join([SDP, ISUP])
    nested = [Part(kind, b"", inner), SDP]
    assert parts_of(*join(nested)) == nested


def test_nothing_joined() -> None:
    assert join([]) == (b"", "")


@pytest.mark.parametrize(("text", "bare"), [("Application/SDP; x=1", "application/sdp"), (None, ""), (" a/b ", "a/b")])
def test_bare_type(text: str | None, bare: str) -> None:
    assert bare_type(text) == bare


@pytest.mark.parametrize(("mime", "fits"), [(None, True), ("APPLICATION/ISUP ", True), ("application", False)])
def test_type_of_a_part(mime: str | None, fits: bool) -> None:
    assert ISUP.is_a(mime) == fits
