"""Management of transactions: counted, cancelled, answered from outside."""
from __future__ import annotations

from typing import Any

import pytest

from kit.flows import flow, ringing
from osip.core.errors import MIError
from osip.modules.tm.mi import _split_headers


def test_hash() -> None:
    play = flow().recv("INVITE").recv("INVITE", branch="z9hG4bK-2").advance(0.1)
    assert play.modules["tm"].mi_hash() == [{"index": 0, "Current": 2, "Total": 2}]


def test_cancel() -> None:
    play = ringing("bob")
    tm: Any = play.modules["tm"]
    for callid, cseq in (("other", "1 INVITE"), ("call-1", "2 INVITE"), ("call-1", "")):
        with pytest.raises(MIError):
            tm.mi_uac_cancel(callid, cseq)
    assert tm.mi_uac_cancel("call-1", "1 INVITE") == "OK"
    play.sent("CANCEL", "bob")
    with pytest.raises(MIError):
        tm.mi_uac_cancel("call-1", "1 INVITE")


def test_reply() -> None:
    play = ringing("bob")
    tm: Any = play.modules["tm"]
    tx = next(iter(tm.table.servers.values()))
    with pytest.raises(MIError):
        tm.mi_reply(480, "No", "0:99", "t1")
    assert tm.mi_reply(480, "No", f"0:{tx.label}", "t1", "X-A: 1\r\n") == "OK"
    play.sent(480).check(lambda m: m.to_tag == "t1" and m.get("X-A") == "1").sent("CANCEL", "bob")
    with pytest.raises(MIError):
        tm.mi_reply(480, "No", f"0:{tx.label}", "t1")


@pytest.mark.parametrize("text,own,rest", [
    ("From: <sip:a@b>\r\nX: 1\r\n", {"from": "<sip:a@b>"}, b"X: 1\r\n"),
    ("f: a\nt: b\ni: c\nCSeq: 3 INVITE\n\n", {"from": "a", "to": "b", "call-id": "c", "cseq": "3 INVITE"}, b"")])
def test_headers_are_told_apart(text: str, own: dict[str, str], rest: bytes) -> None:
    assert _split_headers(text) == (own, rest)
