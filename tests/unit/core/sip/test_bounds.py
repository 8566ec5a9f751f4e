"""Check that the bounds leave room for real messages and keep header ids within a byte."""

from __future__ import annotations

from osip.core.sip import bounds


def test_bounds_fit_each_other() -> None:
    assert bounds.MAX_URI < bounds.MAX_HEAD
    assert len(str(bounds.MAX_SECONDS)) <= bounds.MAX_DIGITS
    assert len(str(bounds.MAX_CSEQ)) <= bounds.MAX_DIGITS
