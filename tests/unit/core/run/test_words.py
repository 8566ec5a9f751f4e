"""Header and URI words by themselves, mixed into any module (what is sent: tests of sipmsgops and textops)."""
from __future__ import annotations

import pytest

from kit.message import request
from kit.passage import pass_through
from osip.api import HeaderWords, Module, UriWords, body_parts, set_body_parts
from osip.core.run.ctx import Ctx
from osip.core.sip.multipart import Part


class Both(HeaderWords, UriWords, Module):
    """Has the words."""
    name = "both"


@pytest.mark.parametrize(("word", "letters"), [
    ("append_hf", "QRFBL"), ("is_method", "QRFBL"), ("has_totag", "QRFBL"), ("ruri_has_param", "QFBL"),
    ("is_uri_user_e164", "QFL")])
def test_where_the_words_may_stand(word: str, letters: str) -> None:
    spec = next(f for f in Both.spec.functions if f.name == word)
    assert "".join(c for i, c in enumerate("QFRBELSTV") if spec.routes >> i & 1) == "".join(sorted(letters,
        key="QFRBELSTV".index))


def test_old_names() -> None:
    assert {alias: f.name for f in Both.spec.functions for alias in f.aliases} == {
        "uri_param": "ruri_has_param", "add_uri_param": "ruri_add_param", "del_uri_param": "ruri_del_param",
        "tel2sip": "ruri_tel2sip"}


def test_appending_and_removing() -> None:
    found = pass_through(Both, request(headers="X-A: 1\r\n"), ("append_hf", "X-B: 2\r\n"), ("remove_hf", "x-a"),
        ("remove_hf", "X-A"),
                         ("is_present_hf", "X-A"))
    assert found.results == [1, 1, -1, 1]
    assert found.sent.get("X-A") is None and found.sent.get("X-B") == "2"


def test_a_bad_uri_parameter_is_no_exception() -> None:
    assert pass_through(Both, request(), ("ruri_add_param", "=x"), ("ruri_del_param", ""), ("ruri_has_param",
        "")).results == [-1] * 3


def test_body_parts_are_remembered() -> None:
    seen: list[list[Part]] = []

    def setup(ctx: Ctx) -> None:
        seen.append(body_parts(ctx))
        set_body_parts(ctx, [*seen[0], Part("text/plain", b"", b"two")])
        seen.append(body_parts(ctx))
    found = pass_through(Both, request(headers="Content-Type: text/plain\r\n", body="one"), ("has_body",), setup=setup)
    assert [len(parts) for parts in seen] == [1, 2]
    assert found.sent.content_type.startswith("multipart/mixed")
