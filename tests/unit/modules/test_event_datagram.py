"""Events by datagram, to real sockets."""
from __future__ import annotations

import asyncio
import errno
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from kit.peer import free_port
from kit.playbook import make_worker
from osip.api import MIError
from osip.core.run.management import CoreCommands
from osip.modules import event_datagram
from osip.modules.event_datagram import EventDatagram


def make() -> tuple[Any, Any]:
    worker, _, _ = make_worker((CoreCommands, EventDatagram))
    worker.env.events.declare("E_X")
    return worker.env, worker.env.modules["core"] if "core" in worker.env.modules else worker.registry.instances[CoreCommands.name]


@pytest.mark.parametrize(("family", "host", "text"), [
    (socket.AF_INET, "127.0.0.1", "udp:127.0.0.1:{}"), (socket.AF_INET6, "::1", "udp:[::1]:{}")])
async def test_udp(family: int, host: str, text: str) -> None:
    env, core = make()
    port = free_port()
    with socket.socket(family, socket.SOCK_DGRAM) as listener:
        listener.bind((host, port))
        listener.settimeout(5)
        core.event_subscribe("E_X", text.format(port), 10)
        env.events.raise_event("E_X", {"a": "é", "b": 5})
        assert json.loads(listener.recv(9000)) == {"jsonrpc": "2.0", "method": "E_X", "params": {"a": "é", "b": 5}}
        env.events.raise_event("E_X", {"1": "x", "2": None})
        assert json.loads(listener.recv(9000))["params"] == ["x", None]
    await env.modules["event_datagram"].destroy()


async def test_unix(tmp_path: Path, caplog: Any) -> None:
    env, core = make()
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        core.event_subscribe("E_X", f"unix:{path}")
        env.events.raise_event("E_X", {})
        assert json.loads(listener.recv(9000)) == {"jsonrpc": "2.0", "method": "E_X", "params": {}}
    path.unlink()
    env.events.raise_event("E_X", {})
    assert "event not delivered event=E_X" in caplog.text
    await env.modules["event_datagram"].destroy()


@pytest.mark.parametrize("address", ["udp:somewhere:5", "udp:127.0.0.1", "unix:relative", "udp:", "none:x", "nothing"])
def test_refused(address: str) -> None:
    _, core = make()
    with pytest.raises(MIError) as caught:
        core.event_subscribe("E_X", address)
    assert caught.value.code == 400


def test_subscribers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from osip.core.run import events

    monkeypatch.setattr(events, "MOST_SUBSCRIBERS", 1)
    _, core = make()
    core.event_subscribe("E_X", "udp:127.0.0.1:5000")
    core.event_subscribe("E_X", "udp:127.0.0.1:5000")
    with pytest.raises(MIError, match="Too many"):
        core.event_subscribe("E_X", "udp:127.0.0.1:5001")


class Far(event_datagram.Connected):
    """A destination far away: the network tells later that nobody listens."""
    error = 0

    def _error(self) -> int:
        found, self.error = self.error, 0
        return found


async def test_told_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_datagram, "LATEST", 0.01)
    back: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(5)
        far = Far(socket.AF_INET, listener.getsockname())
        far.offer(b"1", lambda why: back.put_nowait((1, why)))
        far.error = errno.ECONNREFUSED
        async with asyncio.timeout(5):
            assert await back.get() == (1, "Connection refused")        # by the clock
        far.offer(b"2", lambda why: back.put_nowait((2, why)))
        far.error = errno.EHOSTUNREACH
        far.offer(b"3", lambda why: back.put_nowait((3, why)))
        assert back.get_nowait() == (2, "No route to host")             # before the next one leaves
        await asyncio.sleep(0.05)
        assert back.empty() and [listener.recv(9) for _ in "123"] == [b"1", b"2", b"3"]
        far.close()


async def test_connected_sockets_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_datagram, "MOST_CONNECTED", 1)
    env, _ = make()
    for number in range(2):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
            listener.bind(("127.0.0.1", 0))
            listener.settimeout(5)
            env.events.connect(f"udp:127.0.0.1:{listener.getsockname()[1]}").offer("E_X", {"n": number}, lambda why: None)
            assert json.loads(listener.recv(999))["params"] == {"n": number}
    assert len(env.modules["event_datagram"]._connected) == 1
    await env.modules["event_datagram"].destroy()
