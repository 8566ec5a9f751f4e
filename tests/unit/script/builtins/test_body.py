"""Check body variables."""
from __future__ import annotations

import pytest
from kit.builtin import INVITE, Words

PARTS = """--x
Content-Type: application/sdp

v=0

--x
Content-Type: text/plain; a=b

one
--x
Content-Type: TEXT/plain

two
--x--
"""
MIXED = INVITE.replace("text/plain", 'multipart/mixed;boundary="x"').replace("Content-Length: 4", "X: y").replace(
    "\nbody", "\n" + PARTS)


@pytest.mark.parametrize(("name", "key", "index", "value"), [
    ("rb", None, None, "body"), ("rb", None, "*", "body"), ("rb", None, 0, "body"), ("rb", None, 1, None),
    ("rb", "text/plain", None, "body"), ("rb", "application/sdp", None, None), ("cT", None, None, "text/plain"),
    ("cT", None, 0, "text/plain"), ("cT", None, 1, None),
])
def test_plain(name: str, key: str | None, index: object, value: str | None) -> None:
    words = Words()
    assert words.get(words.ctx(), name, key, index) == value


@pytest.mark.parametrize(("name", "key", "index", "value"), [
    ("rb", None, None, PARTS.replace("\n", "\r\n")), ("rb", None, 0, "v=0\r\n"), ("rb", None, -1, "two"),
    ("rb", "text/plain", 1, "two"), ("rb", "Application/SDP", None, "v=0\r\n"), ("rb", "text/plain", "*", "one, two"),
    ("cT", None, None, 'multipart/mixed;boundary="x"'), ("cT", None, 1, "text/plain; a=b"), ("cT", None, 3, None),
])
def test_multipart(name: str, key: str | None, index: object, value: str | None) -> None:
    words = Words()
    assert words.get(words.ctx(MIXED), name, key, index) == value


def test_no_body() -> None:
    words = Words()
    ctx = words.ctx(INVITE.replace("Content-Length: 4", "Content-Length: 0").removesuffix("body"))
    assert words.get(ctx, "rb") is None and words.get(ctx, "rb", index=0) is None


def test_a_multipart_body_without_boundary_is_one_part() -> None:
    words = Words()
    ctx = words.ctx(INVITE.replace("text/plain", "multipart/mixed"))
    assert words.get(ctx, "rb", index=0) == "body"


@pytest.mark.parametrize("kind", ['multipart/mixed;boundary="x', "multipart/mixed;boundary="])
def test_a_broken_boundary_makes_one_part(kind: str) -> None:
    words = Words()
    assert words.get(words.ctx(INVITE.replace("text/plain", kind)), "rb", index=0) == "body"
