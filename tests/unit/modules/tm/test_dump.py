"""Requests as text, to a real FIFO and a real socket."""
from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from kit.script import ScriptBook
from osip.modules.tm.dump import parse_append

SCRIPT = '''modparam("tm", "tw_append", "more:X-Who=$rU;$rm")
modparam("tm", "unix_tx_timeout", 1)
route { $var(rc) = 0; if (t_write_req("%s", "voicemail/more")) xlog("written"); else xlog("no"); }'''
UNIX = 'route { if (t_write_unix("%s", "act")) xlog("sent $T_id"); else xlog("no"); }'


@pytest.fixture
def pipe(tmp_path: Path) -> Any:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield path, reader
    os.close(reader)


def test_fifo(pipe: Any) -> None:
    path, reader = pipe
    book = ScriptBook(SCRIPT % path, "tm")
    book.recv("INVITE", body="v=0\r\n", headers="Content-Type: application/sdp\r\nRoute: <sip:10.0.0.9;lr>, <sip:x;lr>\r\n")
    book.says("written").sent(100)
    tx = next(iter(book.modules["tm"].table.servers.values()))
    lines = os.read(reader, 65536).decode().split("\n")
    msg = tx.request
    assert lines[:21] == [
        "0.3", "voicemail", "INVITE", "bob", "sip:bob@10.0.0.2", "10.0.0.2", "10.0.0.9", "5060", "sip:bob@10.0.0.2",
        msg.contacts[0].uri_text, msg.get("From"), msg.get("To"), msg.call_id, msg.from_tag, "", str(msg.cseq),
        f"0:{tx.label}", "<sip:10.0.0.9;lr>, <sip:x;lr>", "sip:bob@10.0.0.2", "X-Who: bob", "rm: INVITE"]
    assert lines[21] == "." and lines[22].startswith("Via: ") and lines[-5:] == [".", "v=0\r", "", ".", ""]


def test_nobody_reads(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    book = ScriptBook(SCRIPT % path, "tm")
    book.recv("INVITE")
    assert book.said[-1] == "no" and "cannot write fifo" in book.said[0]
    assert ScriptBook(SCRIPT % (tmp_path / "none"), "tm").recv("INVITE").said[-1] == "no"     # type: ignore[attr-defined]


def test_a_full_pipe(pipe: Any) -> None:
    path, _ = pipe
    writer = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.close(writer)
    book = ScriptBook(SCRIPT % path, "tm")
    book.recv("INVITE")
    assert "is full" in book.said[0] and book.said[-1] == "no"


async def test_unix(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    book = ScriptBook(UNIX % path, "tm")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        book.recv("INVITE")
        await asyncio.gather(*book.env._tasks)
        assert listener.recv(65536).startswith(b"0.3\nact\nINVITE\nbob\n")
    assert book.said[-1].startswith("sent 0:")
    book.said.clear()
    book.recv("INVITE", branch="z9hG4bK-2")
    await asyncio.gather(*book.env._tasks)
    assert book.said[-1] == "no" and f"socket={path}" in book.said[0]


def test_unknown_append(pipe: Any) -> None:
    book = ScriptBook((SCRIPT % pipe[0]).replace("voicemail/more", "voicemail/less"), "tm")
    book.recv("INVITE").says("tm: no tw_append is named less", "no")


@pytest.mark.parametrize("text", ["x", "x:", ":a=$b", "x:a=b"])
def test_bad_append(text: str) -> None:
    with pytest.raises(ValueError):
        parse_append(text)
