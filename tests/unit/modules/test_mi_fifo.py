"""Management over a real named pipe: JSON and the old text form, names of reply pipes, making it again."""
from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kit.playbook import make_worker
from osip.api import MIError, Module, mi
from osip.core.errors import ModuleError
from osip.core.run.management import CoreCommands
from osip.modules.mi_fifo import MiFifo, as_text, take


class Pot(Module):
    """Some commands."""
    name = "pot"

    @mi("stir")
    def stir(self, how: str = "slowly", twice: str = "") -> dict[str, Any]:
        """Stir."""
        if how == "never":
            raise MIError(404, "No spoon")
        return {"how": how, "twice": twice, "parts": [{"n": 1}, {"n": 2}]}

    @mi("wait")
    async def wait(self) -> str:
        """Wait a moment."""
        await asyncio.sleep(0)
        return "done"

    @mi("big")
    def big(self) -> str:
        """Return more than a pipe holds."""
        return "x" * 300_000


@asynccontextmanager
async def piping(folder: Path, **params: Any) -> AsyncIterator[Any]:
    fifo = {"fifo_name": str(folder / "fifo"), "reply_dir": str(folder), **params}
    worker, _, _ = make_worker((CoreCommands, Pot, MiFifo), {"mi_fifo": fifo})
    module = worker.registry.instances["mi_fifo"]
    module.mod_init()
    await module.child_init(worker.env)
    try:
        yield module
    finally:
        await module.destroy()
        await worker.env.finish_tasks()


class Reply:
    """A pipe for answers, made before the request and read as it fills."""

    def __init__(self, folder: Path, name: str = "reply") -> None:
        self.name = name
        os.mkfifo(folder / name)
        self._fd = os.open(folder / name, os.O_RDWR | os.O_NONBLOCK)
        self._reader = asyncio.StreamReader()

    async def read(self, end: bytes = b"\n", least: int = 0) -> bytes:
        data, loop = b"", asyncio.get_running_loop()
        async with asyncio.timeout(5):
            while not data.endswith(end) or len(data) < least:
                filled = asyncio.Event()
                loop.add_reader(self._fd, filled.set)
                try:
                    await filled.wait()
                finally:
                    loop.remove_reader(self._fd)
                data += os.read(self._fd, 65536)
        return data

    async def silent(self) -> bool:
        for _ in range(20):
            await asyncio.sleep(0)
        try:
            return not os.read(self._fd, 10)
        except BlockingIOError:
            return True

    def close(self) -> None:
        os.close(self._fd)


def write(module: Any, data: bytes) -> None:
    fd = os.open(module.fifo_name, os.O_WRONLY | os.O_NONBLOCK)
    os.write(fd, data)
    os.close(fd)


def rpc(method: str, params: Any = None, ident: Any = 1) -> bytes:
    request = {"jsonrpc": "2.0", "method": method, "params": params or []}
    return json.dumps(request if ident is None else {**request, "id": ident}).encode()


async def test_json(tmp_path: Path) -> None:
    async with piping(tmp_path) as module:
        reply = Reply(tmp_path)
        write(module, b":reply:" + rpc("stir", {"how": "fast"}) + b"\n")
        assert json.loads(await reply.read())["result"]["how"] == "fast"
        write(module, b":reply:" + rpc("wait") + b"\n")
        assert json.loads(await reply.read())["result"] == "done"
        write(module, b":reply:{bad\n")
        assert json.loads(await reply.read())["error"]["code"] == -32700
        reply.close()


async def test_as_the_tools_of_opensips_write_it(tmp_path: Path) -> None:
    """No line end behind the request, the answer pipe opened after it, and an open and close before to look."""
    async with piping(tmp_path) as module:
        write(module, b"")
        os.mkfifo(tmp_path / "late")
        write(module, b":late:" + rpc("stir", {"how": "fast"}))
        await asyncio.sleep(0)

        def read() -> str:
            with open(tmp_path / "late") as file:
                return file.readline()
        assert json.loads(await asyncio.to_thread(read))["result"]["how"] == "fast"


async def test_the_begin_of_a_request_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with piping(tmp_path) as module:
        reply = Reply(tmp_path)
        write(module, b":reply:{\"jsonrpc\"")
        assert await reply.silent() and module._buffer
        monkeypatch.setattr("osip.modules.mi_fifo.STALE", 0.0)
        write(module, b":reply:" + rpc("stir", None, 5))
        assert json.loads(await reply.read())["id"] == 5
        reply.close()


async def test_many_requests_wait_in_the_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("osip.modules.mi_fifo.MOST_RUNNING", 2)
    async with piping(tmp_path) as module:
        reply = Reply(tmp_path)
        write(module, b"".join(b":reply:" + rpc("wait", None, number) for number in range(40)))
        got: list[bytes] = []
        while len(got) < 40:
            got += (await reply.read()).splitlines()
            assert module._running <= 2
        assert sorted(json.loads(line)["id"] for line in got) == list(range(40))
        write(module, b":reply:" + rpc("wait", None, 77))
        assert json.loads(await reply.read())["id"] == 77
        reply.close()


async def test_a_request_in_pieces_and_two_at_once(tmp_path: Path) -> None:
    async with piping(tmp_path) as module:
        reply = Reply(tmp_path)
        data = b":reply:" + rpc("stir", ["a"], 1) + b"\n"
        write(module, data[:20])
        assert await reply.silent()
        write(module, data[20:])
        assert json.loads(await reply.read())["id"] == 1
        write(module, b":reply:" + rpc("stir", ["a"], 2) + b"\n:reply:" + rpc("stir", ["a"], 3) + b"\n")
        got = (await reply.read()).splitlines()
        while len(got) < 2:
            got += (await reply.read()).splitlines()
        assert [json.loads(line)["id"] for line in got] == [2, 3]
        reply.close()


async def test_an_answer_longer_than_the_pipe(tmp_path: Path) -> None:
    async with piping(tmp_path) as module:
        reply = Reply(tmp_path)
        write(module, b":reply:" + rpc("big") + b"\n")
        assert len(json.loads(await reply.read(least=300_000))["result"]) == 300_000
        reply.close()


async def test_no_answer_is_wanted(tmp_path: Path) -> None:
    async with piping(tmp_path) as module:
        reply = Reply(tmp_path)
        write(module, b"::" + rpc("stir") + b"\n:reply:" + rpc("stir", None, None) + b"\n")
        assert await reply.silent()
        reply.close()


@pytest.mark.parametrize(("request_", "answer"), [
    (b":pot:stir:reply\n\n", None),
    (b":stir:reply\n\n", b"200 OK\nhow:: slowly\ntwice:: \nparts::\n\tn:: 1\n\tn:: 2\n"),
    (b":stir:reply\nfast\n\n", b"200 OK\nhow:: fast\ntwice:: \nparts::\n\tn:: 1\n\tn:: 2\n"),
    (b":stir:reply\nfast\n{\"a\": 1}\n\n", b"200 OK\nhow:: fast\ntwice:: {\"a\": 1}\nparts::\n\tn:: 1\n\tn:: 2\n"),
    (b":stir:reply\nnever\n\n", b"404 No spoon\n"),
    (b":none:reply\n\n", b"500 Method not found\n"),
    (b":wait:reply\n\n", b"200 OK\ndone\n"),
])
async def test_the_text_form(tmp_path: Path, request_: bytes, answer: bytes | None) -> None:
    async with piping(tmp_path) as module:
        reply = Reply(tmp_path)
        write(module, request_)
        if answer is None:
            assert await reply.silent()     # a group in the name is a colon too many for the old form
        else:
            assert await reply.read(least=len(answer)) == answer
        reply.close()


@pytest.mark.parametrize("name", [b"../outside", b"a/b", b"..", b".", b"x" * 200, b"a b", b"\xff", b"a;b"])
async def test_bad_names_of_reply_pipes(tmp_path: Path, name: bytes, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    os.mkfifo(tmp_path / "outside")
    async with piping(folder) as module:
        write(module, b":" + name + b":" + rpc("stir") + b"\n")
        async with asyncio.timeout(5):
            while "bad reply name" not in caplog.text:
                await asyncio.sleep(0.001)
        reply = Reply(folder)
        write(module, b":reply:" + rpc("stir") + b"\n")
        assert await reply.read(), "the next request is served"
        reply.close()


async def test_a_reply_is_not_written_into_a_file_or_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    os.mkfifo(tmp_path / "real")
    hold = os.open(tmp_path / "real", os.O_RDWR | os.O_NONBLOCK)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    async with piping(tmp_path) as module:
        await asyncio.gather(module._run(b":file:" + rpc("stir")), module._run(b":link:" + rpc("stir")))
        assert (tmp_path / "file").read_text() == "old"
        with pytest.raises(BlockingIOError):
            os.read(hold, 10)
    os.close(hold)


async def test_noise_is_dropped_and_the_next_request_served(tmp_path: Path) -> None:
    async with piping(tmp_path) as module:
        reply = Reply(tmp_path)
        write(module, b"noise\n\xff\xfe:x\n:::::\n\n{}\n")
        write(module, b":reply:" + rpc("stir") + b"\n")
        assert await reply.read()
        reply.close()


async def test_making_it_again(tmp_path: Path) -> None:
    async with piping(tmp_path) as module:
        path = Path(module.fifo_name)
        before = path.stat().st_ino
        module.watch()
        assert path.stat().st_ino == before, "nothing to do while it is there"
        path.unlink()
        module.watch()
        path.unlink()
        path.write_text("a file")
        module.watch()
        assert path.read_text() == "a file"
        path.unlink()
        os.mkfifo(path)                     # somebody else's: nobody would read it
        module.watch()
        reply = Reply(tmp_path)
        write(module, b":reply:" + rpc("stir") + b"\n")
        assert await reply.read()
        reply.close()
    assert not path.exists()


async def test_a_hang_up_makes_it_again(tmp_path: Path) -> None:
    """The reference: every 30 seconds, or on SIGHUP."""
    async with piping(tmp_path) as module:
        path = Path(module.fifo_name)
        path.unlink()
        for listener in module.env.on_hang_up:
            listener()
        assert path.is_fifo()
        path.unlink()
        module._is_mine = False             # another worker has it
        for listener in module.env.on_hang_up:
            listener()
        assert not path.exists()


async def test_mode_and_what_is_in_the_way(tmp_path: Path) -> None:
    async with piping(tmp_path, fifo_mode=0o600) as module:
        assert stat.S_IMODE(os.stat(module.fifo_name).st_mode) == 0o600
    for params, words in (({"fifo_user": "no-such-user"}, "no-such-user"), ({"fifo_group": "no-such-group"},
            "no-such-group"),
                          ({"fifo_name": str(tmp_path / "none" / "fifo")}, "cannot make")):
        with pytest.raises(ModuleError, match=words):
            async with piping(tmp_path, **params):
                pass
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ModuleError, match="is no pipe"):
        async with piping(tmp_path, fifo_name=str(tmp_path / "file")):
            pass
    assert (tmp_path / "file").read_text() == "mine", "a file in the way stays"


@pytest.mark.parametrize(("buffer", "request_", "rest"), [
    (b":a:{}", b":a:{}", b""), (b":a:{}\nx", b":a:{}", b"x"), (b":a:{", None, b":a:{"),
    (b':a:{"x":"}', None, b':a:{"x":"}'), (b':a:{"x":tru', None, b':a:{"x":tru'), (b':a: [1]:b:{"y', b":a: [1]", b':b:{"y'),
    (b':a:{"x":\n 1}\n\n:b:{}', b':a:{"x":\n 1}', b":b:{}"), (b":a:{bad\n", b":a:{bad", b""),
    (b":a:{really bad json}", b":a:{really bad json}", b""), (b":a:{\n", None, b":a:{\n"), (b':a:{"\\ud83', None, b':a:{"\\ud83'),
    (b":a:{bad json}\nx", b":a:{bad json}", b"x"), (b":a:{\xff}..........", b":a:{\xff}..........", b""),
    (b':a:{"x":"a\nb"}', b':a:{"x":"a\nb"}', b""), (b":a:" + b"[" * 5000, b":a:" + b"[" * 5000, b""), (b"\nx", b"", b"x"), (b":c:r\n", None, b":c:r\n"),
    (b":c:r\na\n\nx", b":c:r\na", b"x"), (b"junk\nx", b"junk", b"x")])
def test_take(buffer: bytes, request_: bytes | None, rest: bytes) -> None:
    assert take(buffer) == (request_, rest)


@pytest.mark.parametrize(("value", "text"), [
    ("OK", ""), (None, ""), ("a", "a\n"), (5, "5\n"), ([1, 2], "1\n2\n"), (1.5, "1.5\n"), ({"a": {"b": "c"}},
        "a::\n\tb:: c\n")])
def test_as_text(value: Any, text: str) -> None:
    assert as_text(value) == text
