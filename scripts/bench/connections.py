"""Measure what stream connections cost osip: opening many, one request on each, keeping them idle.

The connections come from several loopback addresses, since one address has ports for fewer than 30,000.
"""

from __future__ import annotations

import resource
import selectors
import socket
import sys
import time
from pathlib import Path
from typing import Any

from bench.server import BenchError, Server, start_server

SOURCES = 16
IDLE_SECONDS = 5.0
SPARE = 300
"""Files that a process has open besides."""
AT_ONCE = 256
"""Connections that are being made at a time."""

OPTIONS = (b"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bK%d;rport\r\nMax-Forwards: 9\r\n"
           b"From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: %d\r\nCSeq: 1 OPTIONS\r\n"
           b"Content-Length: 0\r\n\r\n")


def raise_limit(count: int) -> int:
    """Allow this process (and the server that it starts) the files for `count` connections; return how many can be."""
    wanted = count + SPARE
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    except (ValueError, OSError):                   # only root may raise the hard limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
        count = min(count, hard - SPARE)
        print(f"connections: the system allows {hard} open files: {count} connections", file=sys.stderr)
    return count


def open_connections(port: int, count: int, first: int = 0) -> list[socket.socket]:
    """Open connections, send a request on each, and wait for all the answers."""
    selector = selectors.DefaultSelector()
    done: list[socket.socket] = []
    begun = first
    while len(done) < count:
        while begun - first < count and len(selector.get_map()) < AT_ONCE:
            sock = socket.socket()
            sock.setblocking(False)
            sock.bind((f"127.0.0.{10 + begun % SOURCES}", 0))
            sock.connect_ex(("127.0.0.1", port))
            selector.register(sock, selectors.EVENT_WRITE, begun)
            begun += 1
        ready = selector.select(10)
        if not ready:
            raise BenchError(f"nothing happens any more after {len(done)} of {count} connections")
        for key, events in ready:
            sock: Any = key.fileobj
            if events & selectors.EVENT_WRITE:
                sock.send(OPTIONS % (key.data, key.data))
                selector.modify(sock, selectors.EVENT_READ, key.data)
            elif sock.recv(4096).startswith(b"SIP/2.0 200"):
                selector.unregister(sock)
                done.append(sock)
            else:
                raise BenchError(f"connection {key.data} was closed or got no 200")
    return done


def _answer_time(server: Server) -> float:
    """Return the milliseconds of one request over UDP while the connections are there (median of 20)."""
    times = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", server.port))
        sock.settimeout(5)
        for number in range(20):
            began = time.perf_counter()
            sock.send(OPTIONS.replace(b"/TCP", b"/UDP") % (10**9 + number, 10**9 + number))
            sock.recv(4096)
            times.append(time.perf_counter() - began)
    return sorted(times)[10] * 1000


def measure_connections(folder: Path, cores: set[int], count: int) -> dict[str, float]:
    """Open `count` connections to a fresh server; return what they cost."""
    count = raise_limit(count)
    server = start_server("osip", "connections", folder, cores)
    socks: list[socket.socket] = []
    try:
        warm = open_connections(server.port, 200)
        for sock in warm:
            sock.close()
        before, began = server.usage(), time.monotonic()
        socks = open_connections(server.port, count, 1000)
        took, after = time.monotonic() - began, server.usage()
        time.sleep(IDLE_SECONDS)
        idle = server.usage()
        return {"connections": count, "connections_per_second": count / took,
                "us_connection": (after.cpu - before.cpu) * 1e6 / count,
                "kb_connection": (idle.resident - before.resident) / 1024 / count,
                "idle_cpu_percent": (idle.cpu - after.cpu) / IDLE_SECONDS * 100,
                "udp_answer_ms": _answer_time(server)}
    finally:
        for sock in socks:
            sock.close()
        server.stop()


def as_connections_table(row: dict[str, float]) -> str:
    """Show the figures, one a line."""
    words = {"connections": "connections, one request on each", "connections_per_second": "opened and answered per second",
             "us_connection": "CPU of the server for each, us", "kb_connection": "memory of the server for each, kB",
             "idle_cpu_percent": "CPU while all are idle, % of a core", "udp_answer_ms": "a UDP request meanwhile, ms"}
    return "\n".join(f"{words[key]:<40}{value:>12,.2f}" for key, value in row.items())
