"""Send every torture message through the sample proxy: it answers, forwards or drops, as its JSON file's `answer` says.

`answer` is the status of the final reply, "forwarded", or "dropped" (responses that are broken or whose top Via is not
ours). A request whose From, To or Contact only a user agent has to understand is forwarded (RFC 3261 section 16.3).
"""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit.playbook import SERVER
from kit.script import ScriptBook
from osip.core.net.endpoint import LocalSocket
from osip.core.sip.message import parse

FOLDER = Path(__file__).parent
PROXY = FOLDER.parents[1] / "cfg/rfc3261_proxy.cfg"
CASES = sorted(FOLDER.glob("*/*.sip"))
SOCKETS = [("udp", SERVER, 5060), ("tcp", SERVER, 5060), ("udp", "2001:db8::99", 5060), ("tcp", "2001:db8::99", 5060)]
SENDER, ELSEWHERE = "10.0.0.77", "10.0.0.2"


class AnyName(dict[str, list[str]]):
    """A name service that knows every name."""

    def get(self, key: str, default: object = None) -> list[str]:      # type: ignore[override]
        return [ELSEWHERE]


def outcome(raw: bytes) -> tuple[int | str, list[bytes], ScriptBook]:
    play = ScriptBook(PROXY, sockets=[LocalSocket(*one) for one in SOCKETS])
    play.net.names = AnyName()
    play.feed(raw, SENDER)
    sent = [data for _, data in play.net.log]
    statuses = [int(data[8:11]) for data in sent if data.startswith(b"SIP/2.0 ")]
    finals = [status for status in statuses if status >= 200]
    assert len(finals) < 2
    if finals:
        return finals[0], sent, play
    return "forwarded" if len(sent) > len(statuses) else "dropped", sent, play


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.stem}")
def test_what_becomes_of_it(case: Path) -> None:
    raw = case.read_bytes()
    found, sent, play = outcome(raw)
    assert found == json.loads(case.with_suffix(".json").read_text(encoding="utf-8"))["answer"]
    dispatch = play.env.dispatch
    counted = (dispatch.err_requests, dispatch.err_replies, dispatch.drop_replies)
    if found == "forwarded":
        body = raw.partition(b"\r\n\r\n")[2]
        copy = next(data for data in sent if not data.startswith(b"SIP/2.0 "))
        assert body[:parse(copy).content_length] == parse(copy).body and counted == (0, 0, 0)
    elif found == "dropped":
        assert not sent and raw.startswith(b"SIP/2.0 ") and counted in ((0, 1, 0), (0, 0, 1))
    else:
        assert len(sent) == 1 and parse(sent[0]).status == found


def test_copies_are_answered_alike() -> None:
    for case in CASES:
        raw = case.read_bytes()
        found, sent, play = outcome(raw)
        play.net.log.clear()
        play.feed(raw, SENDER)
        if isinstance(found, int):
            again = [data for _, data in play.net.log]
            assert [data.split(b" ")[1] for data in again] == [b"%d" % found], case.name
