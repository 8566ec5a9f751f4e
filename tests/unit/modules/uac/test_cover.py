"""The Record-Route parameter that leads from one URI to the other."""
from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osip.modules.uac.cover import cover, uncover

TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), min_size=1, max_size=60)


@given(TEXT, TEXT, st.none() | TEXT, st.text(max_size=20))
def test_either_end_learns_the_other(old: str, new: str, display: str | None, password: str) -> None:
    value = cover(old, new, display, password)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", value)
    assert uncover(value, old, password) == (new, display)
    assert uncover(value, new, password) == (old, display)


@pytest.mark.parametrize("known,password", [("sip:c@x", "p"), ("sip:a@x", "q"), ("sip:a@x", ""), ("sip:a", "p"),
                                            ("sip:a@x" * 9, "p"), ("", "p")])
def test_neither_of_the_two(known: str, password: str) -> None:
    assert uncover(cover("sip:a@x", "sip:bob@example.com", None, "p"), known, password) is None


@given(st.text(max_size=40), st.text(max_size=3))
def test_rubbish_is_refused(value: str, password: str) -> None:
    assert uncover(value, "sip:a@x", password) is None


def test_a_password_hides() -> None:
    import base64
    for password, seen in (("", True), ("secret", False)):
        value = cover("sip:a@x", "sip:a@x", "Alice", password)
        assert (b"Alice" in base64.urlsafe_b64decode(value + "==="[:-len(value) % 4])) is seen
