"""Sort messages by their owner; whether the other workers get them is in test_crew.py."""
from __future__ import annotations

import pytest
from kit.message import request, response

from osip.core.exports.registry import Registry
from osip.core.net.endpoint import LocalSocket, Source
from osip.core.run.config import Config
from osip.core.run.dispatch import Dispatch
from osip.core.run.env import Env
from osip.core.run.inbox import Inbox
from osip.core.run.stats import Stats
from osip.core.run.steer import owner

LOCAL = LocalSocket("udp", "10.0.0.9", 5060)
OWN = next(raw for count in range(99) if owner(raw := request(call_id=f"c{count}"), 2) == 0)
OTHER = next(raw for count in range(99) if owner(raw := request(call_id=f"c{count}"), 2) == 1)
BARE = OTHER.replace(b"INVITE", b"NOTIFY")
SDP = b"v=0\r\ns=call-id: no\r\n\r\n"


def parts(raw: bytes, line: bytes = b"Call-ID: another\r\n") -> bytes:
    """Return the message with a part of a message as its body (RFC 3420)."""
    return raw + b"SIP/2.0 200 OK\r\n" + line + b"\r\n"


NOTIFY = parts(BARE)


class Place:
    """Inbox 0 of two, with what it handled and what it handed over."""

    def __init__(self, unsteered: set[LocalSocket] | None = None, is_there: bool = True) -> None:
        registry = Registry()
        registry.create()
        env = Env(Config(), registry)
        env.stats = Stats()
        dispatch = Dispatch(env, registry)
        self.kept: list[bytes] = []
        self.given: list[tuple[int, bytes]] = []
        self.is_there = is_there
        dispatch.tap = lambda msg, source: self.kept.append(msg.raw)
        self.inbox = Inbox(dispatch, 2, 0, unsteered or set(), self.hand)

    def hand(self, number: int, raw: bytes, source: Source) -> bool:
        if self.is_there:
            self.given.append((number, raw))
        return self.is_there


@pytest.mark.parametrize(("raw", "conn", "unsteered", "is_kept"), [
    (OWN, 0, False, True), (OTHER, 0, False, True), (OWN, 0, True, True), (OTHER, 0, True, False),
    (OTHER, 7, False, False), (OWN, 7, False, True), (NOTIFY, 0, False, False), (BARE, 0, False, True),
    (OTHER + SDP, 0, False, True), (parts(OTHER), 0, False, False), (parts(OWN), 0, False, True),
    (parts(response(OTHER, 200)), 0, False, False), (OTHER + b"CALL-id: another\r\n", 0, False, False),
    (parts(OTHER, b"call-id : x\r\n"), 0, False, False), (parts(OTHER.replace(b"Call-ID:", b"i:")), 0, False, False)])
def test_whose_is_it(raw: bytes, conn: int, unsteered: bool, is_kept: bool) -> None:
    place = Place({LOCAL} if unsteered else None)
    place.inbox.receive(raw, Source(LOCAL, "10.0.0.1", 5070, conn))
    assert (place.kept, place.given) == (([raw], []) if is_kept else ([], [(1, raw)]))


def test_an_owner_that_is_away() -> None:
    place = Place(is_there=False)
    place.inbox.receive(NOTIFY, Source(LOCAL, "10.0.0.1", 5070))
    assert place.kept == [NOTIFY]


@pytest.mark.parametrize(("branch", "goes"), [
    ("z9hG4bK.w0.abc", False), ("z9hG4bK.w1.abc", True), ("z9hG4bK.w2.abc", False), ("z9hG4bKother", False),
    ("z9hG4bK.w.abc", False)])
def test_a_response_goes_where_its_branch_says(branch: str, goes: bool) -> None:
    place, raw = Place(), response(request(), 200)
    assert place.inbox.elsewhere(branch, raw, Source(LOCAL, "10.0.0.1", 5070)) is goes
    assert place.given == ([(1, raw)] if goes else [])
