"""What a worker offers: flags, ids, tasks, and a word for those who come too early."""
from __future__ import annotations

import asyncio
import logging
import os
import re

import pytest

from osip.core.errors import OsipError
from osip.core.net.endpoint import Dest, LocalSocket
from osip.core.run.env import BLOCK, Env, FlagTable, Ids
from osip.core.run.sender import Sender


def test_flags_take_bits_in_order() -> None:
    table = FlagTable()
    assert [table.bit(name) for name in ("a", "b", "a", "7")] == [1, 2, 1, 4]
    assert table.listing(0b101) == "a 7" and table.listing(0) == "" and table.listing(1 << 20) == ""


def test_there_are_32_flags() -> None:
    table = FlagTable()
    assert table.bit("0") == 1
    for number in range(1, 32):
        table.bit(str(number))
    assert table.bit("31") == 1 << 31
    with pytest.raises(OsipError, match="at most 32"):
        table.bit("one too many")
    assert table.bit("3") == 8


def test_ids_do_not_repeat() -> None:
    ids = Ids(b"\x01", worker=3)
    found = [make() for _ in range(100) for make in (ids.next, ids.branch, ids.call_id)]
    assert len(set(found)) == 300
    assert ids.branch().startswith("z9hG4bK.w3.")
    assert Ids().next() != Ids().next()


def test_tags_and_call_ids_are_random() -> None:
    ids, made = Ids(), 3 * BLOCK
    tags = [ids.next() for _ in range(made)]
    assert len(set(tags)) == made and all(re.fullmatch("[0-9a-f]{16}", tag) for tag in tags)
    assert all(len({tag[at] for tag in tags}) > 8 for at in range(16)), "a place that hardly changes"
    calls = [ids.call_id() for _ in range(made)]
    assert len(set(calls)) == made and all(re.fullmatch("[0-9a-f]{16}-[0-9a-f]{16}", text) for text in calls)


def test_the_system_is_asked_for_random_bits_by_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, asked, real = Ids(), [], os.urandom
    monkeypatch.setattr(os, "urandom", lambda size: asked.append(size) or real(size))
    for _ in range(3 * BLOCK):
        ids.next()
    assert asked == [8 * BLOCK] * 3


def test_before_the_start() -> None:
    env = Env()
    for call in (env.send, env.resolve, env.is_myself, env.run_route, env.reply, env.reload, env.shutdown):
        with pytest.raises(OsipError, match="not started"):
            call()


async def test_a_failed_task_is_logged_and_a_long_one_ended(caplog: pytest.LogCaptureFixture) -> None:
    env = Env()

    async def failing() -> None:
        raise RuntimeError("bug")

    async def waiting() -> None:
        await asyncio.Event().wait()
    with caplog.at_level(logging.ERROR, "osip"):
        first, second = env.spawn(failing(), "first"), env.spawn(waiting(), "second")
        await asyncio.wait([first])
        await asyncio.sleep(0)
        await env.finish_tasks()
    assert second.cancelled() and "task failed what=first error=RuntimeError('bug')" in caplog.text
    assert "second" not in caplog.text


def test_a_call_id_of_our_own_is_ours() -> None:
    mine, other = Ids(b"\x01", 1, 3), Ids(b"\x02", 2, 3)
    made = [mine.call_id() for _ in range(20)]
    assert all(mine.owns(text) and not other.owns(text) for text in made) and Ids(b"\x03").owns("anything")


class Net:
    """Takes what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, data: bytes, dest: Dest) -> bool:
        self.sent.append(data)
        return True


def test_hand_does_what_send_does() -> None:
    env, net, dest = Env(), Net(), Dest("udp", "10.0.0.1", 5060, LocalSocket("udp", "10.0.0.9", 5060))
    with pytest.raises(OsipError, match="has not started yet"):
        env.hand(b"none", dest)
    env.sender = sender = Sender(env, {"udp": net})
    env.send = env.own_send = sender.send
    assert env.hand(b"one", dest) and net.sent == [b"one"]
    taken: list[bytes] = []
    env.send = lambda data, where: not taken.append(data)       # as those do who look at all that leaves
    assert env.hand(b"two", dest) and taken == [b"two"] and net.sent == [b"one"]
