"""Check the tables of methods, headers and status codes."""

from __future__ import annotations

import pytest

from osip.core.sip import names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Via", names.H_VIA),
        ("v", names.H_VIA),
        ("V", names.H_VIA),
        ("vIA", names.H_VIA),
        (b"VIA", names.H_VIA),
        (b"call-id", names.H_CALL_ID),
        ("CaLl-Id", names.H_CALL_ID),
        (b"i", names.H_CALL_ID),
        (b"CSEQ", names.H_CSEQ),
        (b"Cseq", names.H_CSEQ),
        (b"via ", names.H_VIA),
        ("l", names.H_CONTENT_LENGTH),
        ("x", names.H_SESSION_EXPIRES),
        ("P-Asserted-Identity", names.H_PAI),
        ("X-Foo", names.H_OTHER),
        (b"", names.H_OTHER),
        ("\udcff", names.H_OTHER),
    ],
)
def test_header_id(name: str | bytes, expected: int) -> None:
    assert names.header_id(name) == expected


def test_ids_fit_a_byte_and_are_unique() -> None:
    ids = {name: value for name, value in vars(names).items() if name.startswith("H_")}
    assert len(set(ids.values())) == len(ids)
    assert max(ids.values()) < 256


def test_canonical_names_lead_back() -> None:
    for name, value in vars(names).items():
        if name.startswith("H_") and value:
            assert names.header_id(names.canonical_name(value)) == value, name


def test_methods() -> None:
    assert names.METHOD_IDS["INVITE"] == names.M_INVITE == 1
    assert names.METHOD_BYTES[b"BYE"] == (names.M_BYE, "BYE")
    assert names.method_id("invite") == names.M_OTHER
    assert len(names.METHOD_IDS) == 14


@pytest.mark.parametrize(
    ("code", "words"),
    [(200, "OK"), (404, "Not Found"), (299, "OK"), (499, "Bad Request"), (999, "Unknown"), (183, "Session Progress")],
)
def test_reasons(code: int, words: str) -> None:
    assert names.reason_phrase(code) == words
