"""Diversion headers as they are added (RFC 5806)."""
from __future__ import annotations

import pytest

from kit import message
from kit.passage import pass_through
from osip.modules.diversion import Diversion

# calls, Diversion lines before -> codes, Diversion values after
CASES = [
    ([("add_diversion", "user-busy")], "", [1], ["<sip:bob@10.0.0.2>;reason=user-busy"]),
    ([("add_diversion", "no-answer", "sip:a@b", 2)], "", [1], ["<sip:a@b>;reason=no-answer;counter=2"]),
    ([("add_diversion", "x", "sip:a@b", 0)], "", [1], ["<sip:a@b>;reason=x;counter=0"]),
    ([("add_diversion", "out of office", '"A" <sip:a@b>')], "", [1], ['"A" <sip:a@b>;reason="out of office"']),
    ([("add_diversion", "x", "sip:new@b")], "Diversion: <sip:old@b>\r\n", [1],
     ["<sip:new@b>;reason=x", "<sip:old@b>"]),
    ([("add_diversion", "x", "sip:1@b"), ("add_diversion", "y", "sip:2@b")], "Diversion: <sip:old@b>\r\n", [1, 1],
     ["<sip:2@b>;reason=y", "<sip:1@b>;reason=x", "<sip:old@b>"]),
    ([("add_diversion", "x", "sip:1@b"), ("add_diversion", "y", "sip:2@b")], "", [1, 1],
     ["<sip:2@b>;reason=y", "<sip:1@b>;reason=x"]),
    ([("add_diversion", "x\r\nEvil: 1", "sip:a@b")], "", [-1], []),
    ([("add_diversion", "x", "sip:a@b\r\nEvil: 1")], "", [-1], []),
    ([("add_diversion", "x", "")], "", [-1], []),
    ([("add_diversion", "", "sip:a@b")], "", [-1], []),
]


@pytest.mark.parametrize("calls,before,codes,after", CASES)
def test_add_diversion(calls: list[tuple[object, ...]], before: str, codes: list[int], after: list[str]) -> None:
    passed = pass_through(Diversion, message.request(headers=before), *calls)
    assert passed.results == codes
    assert passed.sent.get_all("Diversion") == after


def test_suffix() -> None:
    def setup(ctx: object) -> None:
        ctx.env.modules["diversion"].suffix = ";privacy=full"       # type: ignore[attr-defined]
    passed = pass_through(Diversion, message.request(), ("add_diversion", "x", "sip:a@b"), setup=setup)
    assert passed.sent.get("Diversion") == "<sip:a@b>;reason=x;privacy=full"


def test_not_in_a_response() -> None:
    raw = message.response(message.request(), 200)
    assert pass_through(Diversion, raw, ("add_diversion", "x"), response=True).result == -1
