"""Management over real datagram sockets."""
from __future__ import annotations

import asyncio
import json
import os
import pwd
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from kit.peer import free_port
from kit.playbook import make_worker
from osip.api import Module, ModuleError, mi
from osip.core.mi.commands import Commands
from osip.core.run.management import CoreCommands
from osip.modules.mi_datagram import MiDatagram


class Pot(Module):
    """Some commands."""
    name = "pot"

    @mi("stir")
    async def stir(self, how: str = "slowly") -> dict[str, str]:
        """Stir."""
        return {"how": how}

    @mi("big")
    def big(self) -> str:
        """Return much."""
        return "x" * 70_000


@asynccontextmanager
async def open_module(name: str, **params: Any) -> AsyncIterator[Any]:
    worker, _, _ = make_worker((CoreCommands, Pot, MiDatagram), {"mi_datagram": {"socket_name": name, **params}})
    worker.env.mi = Commands(worker.registry)
    module: Any = worker.env.modules["mi_datagram"]
    await module.child_init(worker.env)
    yield module
    await module.destroy()


async def ask(family: int, own: Any, place: Any, body: Any) -> Any:
    loop = asyncio.get_running_loop()
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.setblocking(False)
        one.bind(own)
        await loop.sock_sendto(one, body if isinstance(body, bytes) else json.dumps(body).encode(), place)
        return json.loads(await asyncio.wait_for(loop.sock_recv(one, 70_000), 5))


def call(method: str, params: Any = None) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or []}


@pytest.mark.parametrize(("host", "family", "text"), [("127.0.0.1", socket.AF_INET, "udp:127.0.0.1:{}"),
                                                      ("::1", socket.AF_INET6, "udp:[::1]:{}")])
async def test_udp(host: str, family: int, text: str) -> None:
    port = free_port()
    async with open_module(text.format(port)):
        assert (await ask(family, (host, 0), (host, port), call("stir", ["fast"])))["result"] == {"how": "fast"}
        assert (await ask(family, (host, 0), (host, port), b"nonsense"))["error"]["code"] == -32700
        assert "use mi_http" in (await ask(family, (host, 0), (host, port), call("big")))["error"]["data"]


async def test_unix(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    path.write_text("left behind")
    async with open_module(str(path), unix_socket_mode=0o600, unix_socket_user=os.getuid()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        own = str(tmp_path / "own")
        assert (await ask(socket.AF_UNIX, own, str(path), call("pot:stir")))["result"] == {"how": "slowly"}
    assert not path.exists()


async def test_a_client_that_is_gone(tmp_path: Path, caplog: Any) -> None:
    path = tmp_path / "sock"
    async with open_module(str(path)) as module:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
            one.bind(str(tmp_path / "own"))
            one.sendto(json.dumps(call("stir")).encode(), str(path))
        (tmp_path / "own").unlink()
        for _ in range(200):
            if "not delivered" in caplog.text:
                break
            await asyncio.sleep(0.01)
        assert "answer not delivered" in caplog.text and module._running == 0


@pytest.mark.parametrize(("name", "words"), [
    ("", "needs modparam"), ("udp:0.0.0.0:8080", "may not listen"), ("udp:127.0.0.1", "no port"), ("relative", "neither"),
    ("udp:host:80", "socket_name")])
def test_refused(name: str, words: str) -> None:
    with pytest.raises(ModuleError, match=words):
        make_worker((CoreCommands, MiDatagram), {"mi_datagram": {"socket_name": name}})


async def test_a_place_that_is_taken(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match="cannot use"):
        async with open_module(str(tmp_path / "none" / "sock")):
            pass


async def test_the_kernel_tells_who_sends(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "socket"
    caplog.set_level("INFO", "osip.audit")
    async with open_module(str(path)):
        await ask(socket.AF_UNIX, str(tmp_path / "own"), str(path), call("stir"))
    async with open_module(f"udp:127.0.0.1:{(port := free_port())}"):
        await ask(socket.AF_INET, ("127.0.0.1", 0), ("127.0.0.1", port), call("stir"))
    lines = [record.getMessage() for record in caplog.records if record.name == "osip.audit"]
    user = pwd.getpwuid(os.getuid()).pw_name
    assert lines[0].startswith(f"who={user} role=admin via=datagram from={tmp_path}/own command=pot:stir outcome=ok")
    assert lines[1].startswith("who=local role=admin via=datagram from=127.0.0.1:")


def test_as_the_server_runs_it(tmp_path: Path) -> None:
    """uvloop has no sock_sendto: a client in a thread, by both kinds of socket."""
    def client(family: int, own: Any, place: Any) -> Any:
        with socket.socket(family, socket.SOCK_DGRAM) as one:
            one.bind(own)
            one.settimeout(5)
            one.sendto(json.dumps(call("stir")).encode(), place)
            return json.loads(one.recv(65536))["result"]

    async def run() -> None:
        path, port = str(tmp_path / "socket"), free_port()
        async with open_module(path):
            assert await asyncio.to_thread(client, socket.AF_UNIX, str(tmp_path / "own"), path) == {"how": "slowly"}
        async with open_module(f"udp:127.0.0.1:{port}"):
            assert await asyncio.to_thread(client, socket.AF_INET, ("127.0.0.1", 0), ("127.0.0.1", port)) == {"how": "slowly"}
    uvloop.run(run())
