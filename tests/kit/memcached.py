"""Run memcached servers of our own on loopback."""
from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.peer import HOST, Child, child, eventually, free_port, program


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), 1):
            return True
    except OSError:
        return False


@contextmanager
def memcached(folder: Path, port: int = 0) -> Iterator[tuple[Child, int]]:
    """Run one server; give its process and port."""
    port = port or free_port()
    as_root = ["-u", "root"] if os.geteuid() == 0 else []
    argv = [program("memcached") or "memcached", "-l", HOST, "-p", str(port), "-U", "0", "-m", "16", *as_root]
    with child("memcached", argv, folder) as server:
        eventually(lambda: _answers(port) or not server.alive, "memcached", 10)
        assert server.alive, server.text()
        yield server, port
