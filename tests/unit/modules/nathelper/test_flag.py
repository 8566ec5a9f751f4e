"""Flags of nathelper in words and numbers."""
from __future__ import annotations

import pytest

from osip.modules.nathelper.flag import parse_codes, parse_contact_flags, parse_sdp_flags, parse_tests


@pytest.mark.parametrize(("text", "names"), [
    ("19", {"private-contact", "diff-ip-src-via", "diff-port-src-via"}), ("0x80", {"carrier-grade-nat"}),
    ("private-sdp, private-via", {"private-sdp", "private-via"}), ("", set())])
def test_tests(text: str, names: set[str]) -> None:
    assert parse_tests(text) == names


def test_sdp_and_contact_flags() -> None:
    assert parse_sdp_flags("10") == {"rewrite-media-ip", "rewrite-origin-ip"}
    assert parse_contact_flags("preserve-uri") == {"preserve-uri"}


def test_codes() -> None:
    assert parse_codes("404, 480") == {404, 480}


@pytest.mark.parametrize(("parse", "text"), [(parse_tests, "privat"), (parse_codes, "99"), (parse_codes, "x"),
                                             (parse_sdp_flags, "rewrite")])
def test_unknown(parse: object, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        parse(text)     # type: ignore[operator]
