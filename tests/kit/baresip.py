"""Run baresip without a screen or a sound card: it registers, calls and answers, and tells what happened."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kit.peer import HOST, Child, PeerError, child, eventually, free_port, missing_peer, program

CONFIG = """\
poll_method epoll
net_interface {host}
sip_listen {host}:{sip}
call_local_timeout 30
call_max_calls 4
audio_player aubridge,nil
audio_source aubridge,nil
audio_alert aubridge,nil
audio_level no
rtp_ports {rtp}-{rtp_end}
module_path {modules}
module g711.so
module aubridge.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {host}:{ctrl}
"""


class Baresip:
    """One baresip: commands out, events in, as netstrings of JSON over its control connection."""

    __slots__ = ("_buffer", "_sock", "child", "events", "port", "user")

    def __init__(self, running: Child, user: str, port: int, sock: socket.socket) -> None:
        self.child, self.user, self.port, self._sock = running, user, port, sock
        self.events: list[dict[str, Any]] = []
        self._buffer = b""

    def command(self, name: str, params: str = "") -> None:
        """Send a command; what it leads to comes as events."""
        body = json.dumps({"command": name, "params": params}).encode()
        self._sock.sendall(b"%d:%b," % (len(body), body))

    def wait_for(self, *types: str, timeout: float = 15.0) -> dict[str, Any]:
        """Wait for an event of one of these types, come already or still to come."""
        deadline, seen = time.monotonic() + timeout, 0
        while True:
            for event in self.events[seen:]:
                if event.get("type") in types:
                    return event
            seen = len(self.events)
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(left):
                told = [event.get("type") for event in self.events]
                raise PeerError(f"{self.child.name}: no {' or '.join(types)}, only {told}\n{self.child.last_words()}")

    def _read(self, timeout: float) -> bool:
        """Take in what the connection has; False when there is nothing more to come."""
        self._sock.settimeout(timeout)
        try:
            more = self._sock.recv(65536)
        except TimeoutError:
            return False
        self._buffer += more
        while head := re.match(rb"(\d+):", self._buffer):
            end = head.end() + int(head[1])
            if len(self._buffer) <= end:
                break
            message = json.loads(self._buffer[head.end():end])
            if message.get("event"):
                self.events.append(message)
            self._buffer = self._buffer[end + 1:]
        return bool(more)


def _modules() -> Path:
    """Find the folder of baresip's modules."""
    for pattern in ("usr/lib/baresip/modules", "usr/lib/*/baresip/modules", "usr/local/lib/baresip/modules"):
        for folder in Path("/").glob(pattern):
            return folder
    raise PeerError("baresip's modules were not found")


@contextmanager
def baresip(folder: Path, user: str, registrar: str, *, transport: str = "udp",
            account: str = "answermode=auto") -> Iterator[Baresip]:
    """Run a baresip that has registered `sip:user@registrar` and answers calls by itself."""
    found = program("baresip")
    if found is None:
        raise PeerError(missing_peer("baresip"))
    home = folder / f"baresip-{user}"
    home.mkdir(parents=True)
    sip, ctrl, rtp = free_port(), free_port(), free_port() & ~1
    (home / "config").write_text(CONFIG.format(host=HOST, sip=sip, ctrl=ctrl, rtp=rtp, rtp_end=rtp + 20,
                                               modules=_modules()))
    (home / "accounts").write_text(
        f"<sip:{user}@{registrar};transport={transport}>;auth_pass=secret;regint=600;{account}\n")
    (home / "contacts").write_text("")
    with child(f"baresip {user}", [found, "-f", home], home) as running:
        running.wait_for(r"\b200 OK\b.*\[1 binding")     # the event would come before anybody can listen to it
        with _connect(ctrl) as sock:
            phone = Baresip(running, user, sip, sock)
            yield phone


def _connect(port: int) -> socket.socket:
    """Connect to a control port as soon as it listens."""
    found: list[socket.socket] = []

    def try_once() -> bool:
        try:
            found.append(socket.create_connection((HOST, port), timeout=5.0))
        except ConnectionRefusedError:
            return False
        return True

    eventually(try_once, f"baresip's control port {port}")
    return found[0]
