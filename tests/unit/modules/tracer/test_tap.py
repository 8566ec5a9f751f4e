"""The tap: what a script may send is never broken by it, and nothing is lost in it."""
from __future__ import annotations

from pathlib import Path

import pytest
from kit.message import request
from kit.script import ScriptBook

from osip.api import Dest, LocalSocket


@pytest.fixture
async def book(tmp_path: Path) -> ScriptBook:
    text = f'modparam("tracer", "trace_id", "[t]uri=file:{tmp_path}/t") route {{ trace("t"); t_relay(); exit; }}'
    found = ScriptBook(text, "tm", "tracer")
    await found.modules["tracer"].child_init(found.env)
    return found


@pytest.mark.parametrize("data", [b"", b"\0\0\0\0", b"\r\n\r\n", b"junk\r\nCall-ID: call-1\r\nmore",
                                  b"OPTIONS x SIP/2.0\r\nCall-ID:\r\n\r\n", b"X\r\ni: call-1\r\n\r\n"])
async def test_anything_may_be_sent(data: bytes, book: ScriptBook, tmp_path: Path) -> None:
    book.recv("INVITE")
    before = (tmp_path / "t").read_text()
    assert book.env.send(data, Dest("udp", "10.0.0.2", 5060)) is True
    assert (tmp_path / "t").read_text() == before and book.net.log[-1][1] == data


async def test_compact_names_and_a_destination_without_a_socket(book: ScriptBook, tmp_path: Path) -> None:
    book.recv("INVITE")
    raw = request("INVITE").replace(b"Call-ID:", b"i :")
    book.env.send(raw, Dest("tcp", "10.0.0.2", 5060))
    last = (tmp_path / "t").read_text().splitlines()[-1]
    assert '"from_proto": "tcp", "from_ip": "10.0.0.9"' in last and '"direction": "out"' in last


async def test_what_was_not_sent_is_not_traced(book: ScriptBook, tmp_path: Path) -> None:
    book.net.down.add("10.0.0.2:5060")
    book.recv("INVITE")
    assert '"method": "INVITE", "status": "", "from_proto": "udp", "from_ip": "10.0.0.9"' not in (tmp_path / "t").read_text()
    assert book.env.send(b"x", Dest("udp", "10.0.0.2", 5060)) is False


async def test_another_who_wraps_sending_is_left_in_place(book: ScriptBook) -> None:
    book.recv("INVITE")
    tap = book.env.send
    book.env.send = lambda data, dest: tap(data, dest)
    mine = book.env.send
    await book.modules["tracer"].destroy()
    assert book.env.send is mine and mine(b"x", Dest("udp", "10.0.0.2", 5060, LocalSocket("udp", "10.0.0.9", 5060)))
