"""Send packets to a capture server, by UDP, TCP or TLS, without ever holding up who sends."""
from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections import deque
from dataclasses import dataclass

from osip.api import Complaint, Dest, TlsDomains, is_for, parse_endpoint

TRANSPORTS = ("udp", "tcp", "tls")
_TEXT = re.compile(r"\s*(?:\[(?P<id>[^\]:]+)\])?\s*(?P<rest>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Server:
    """A capture server, as `hep_id` names it."""
    id: str
    host: str
    port: int
    transport: str = "udp"
    version: int = 3


def parse_server(text: str) -> Server:
    """Read `[id] host:port; transport=tcp; version=3`; ValueError for others. Without id it is called hep."""
    match = _TEXT.fullmatch(text)
    assert match is not None
    where, *params = (match["rest"]).split(";")
    place = parse_endpoint(where)
    values = {"transport": "udp", "version": "3"}
    for param in filter(str.strip, params):
        name, _, value = param.partition("=")
        if name.strip().lower() not in values:
            raise ValueError(f'unknown setting "{name.strip()}": there are transport and version')
        values[name.strip().lower()] = value.strip().lower()
    transport, version = values["transport"], values["version"]
    if transport not in TRANSPORTS or version not in ("1", "2", "3"):
        raise ValueError(f'"{text}" must have transport=udp, tcp or tls, and version=1, 2 or 3')
    if version != "3" and transport != "udp":
        raise ValueError(f"version {version} has no lengths, so it can only go by udp")
    return Server((match["id"] or "hep").strip(), place.host.strip("[]"), place.port or 9060, transport, int(version))


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try: seconds to connect, tries in a row, seconds of rest after them, bytes that may wait."""
    connect: float = 0.1
    tries: int = 5
    rest: float = 3600.0
    queue: int = 1 << 21


class Sender:
    """One way to a server. What cannot be sent is dropped and counted."""
    __slots__ = ("_complain", "_domains", "_patience", "_queue", "_size", "_sock", "_task", "_wake", "dropped", "sent",
                 "server")

    def __init__(self, server: Server, patience: Patience, complain: Complaint, domains: TlsDomains | None = None) -> None:
        self.server, self.sent, self.dropped = server, 0, 0
        self._domains = domains
        self._patience, self._complain = patience, complain
        self._queue: deque[bytes] = deque()
        self._size = 0
        self._wake = asyncio.Event()
        self._sock: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to send; needs a running loop."""
        work = self._run_udp() if self.server.transport == "udp" else self._run_stream()
        self._task = asyncio.get_running_loop().create_task(work)

    async def close(self) -> None:
        """Stop; what waits is dropped."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._sock is not None:
            self._sock.close()

    def send(self, data: bytes) -> bool:
        """Send a packet, or keep it until it can be; False when too much waits."""
        if self._sock is not None:
            return self._send_now(data)
        if self._size + len(data) > self._patience.queue:
            self.dropped += 1
            self._complain("hep_queue_full", "id=%s dropped=%d", self.server.id, self.dropped)
            return False
        self._queue.append(data)
        self._size += len(data)
        self._wake.set()
        return True

    def _send_now(self, data: bytes) -> bool:
        assert self._sock is not None
        try:
            self._sock.send(data)
        except OSError as error:                # nobody listens, or the system's queue is full
            self.dropped += 1
            self._complain("hep_send_failed", "id=%s reason=%s", self.server.id, error)
            return False
        self.sent += 1
        return True

    async def _run_udp(self) -> None:
        """Find the address, then let `send` send at once."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                found = await loop.getaddrinfo(self.server.host, self.server.port, type=socket.SOCK_DGRAM)
                sock = socket.socket(found[0][0], socket.SOCK_DGRAM)
                sock.setblocking(False)
                sock.connect(found[0][4])
                break
            except OSError as error:
                self._complain("hep_connect_failed", "id=%s reason=%s", self.server.id, error)
                await asyncio.sleep(min(self._patience.rest, 30.0))
        self._sock = sock
        while self._queue:
            self._send_now(self._queue.popleft())
        self._size = 0

    async def _run_stream(self) -> None:
        """Keep a connection while there is something to send."""
        failed = 0
        while True:
            await self._wake.wait()
            try:
                writer = await self._connect()
            except (OSError, TimeoutError) as error:
                failed += 1
                self._complain("hep_connect_failed", "id=%s tries=%d reason=%s", self.server.id, failed,
                               str(error) or f"no connection in {self._patience.connect} s")
                if failed >= self._patience.tries:
                    failed = 0
                    self._drop_all()
                    await asyncio.sleep(self._patience.rest)
                    self._drop_all()
                else:
                    await asyncio.sleep(self._patience.connect)
                continue
            failed = 0
            await self._feed(writer)

    def _drop_all(self) -> None:
        self.dropped += len(self._queue)
        self._queue.clear()
        self._size = 0
        self._wake.clear()

    async def _connect(self) -> asyncio.StreamWriter:
        if self.server.transport == "tls":
            return await self._connect_tls()
        async with asyncio.timeout(self._patience.connect):
            _, writer = await asyncio.open_connection(self.server.host, self.server.port)
        return writer

    async def _connect_tls(self) -> asyncio.StreamWriter:
        """Connect with the client domain of tls_mgm that fits; without one with the system's authorities."""
        host, dest = self.server.host, Dest("tls", self.server.host, self.server.port)
        dest.name = host
        domain = self._domains.client(dest) if self._domains is not None else None
        context = domain.context if domain is not None else ssl.create_default_context()
        async with asyncio.timeout(self._patience.connect):
            _, writer = await asyncio.open_connection(host, self.server.port, ssl=context)
        if domain is not None and domain.check_name:
            certificate = writer.get_extra_info("ssl_object").getpeercert() or {}
            if not is_for(certificate, host, domain.wildcards):
                writer.close()
                raise OSError(f'the certificate is not for "{host}"')
        return writer

    async def _feed(self, writer: asyncio.StreamWriter) -> None:
        """Write what waits, until the connection breaks."""
        try:
            while True:
                while self._queue:
                    data = self._queue[0]
                    writer.write(data)
                    await writer.drain()
                    self._queue.popleft()
                    self._size -= len(data)
                    self.sent += 1
                self._wake.clear()
                await self._wake.wait()
                if writer.transport.is_closing():
                    return                      # it is made anew, and nothing was lost
        except OSError as error:
            self._complain("hep_lost", "id=%s reason=%s", self.server.id, error)
        finally:
            writer.close()
