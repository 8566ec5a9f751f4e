"""A name server on loopback, by UDP and TCP, whose zone a test changes while it runs."""
from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
from kit.peer import free_port


class NameServer(asyncio.DatagramProtocol):
    """Answer from `zone`: (kind, name) -> records; CNAMEs are followed. Names in `silent` get no answer, in `broken` a
    SERVFAIL, in `long` a truncated one by UDP. `asked` lists the questions as "udp A name".
    """

    def __init__(self) -> None:
        self.zone: dict[tuple[str, str], list[str]] = {}
        self.ttl = 30
        self.silent: set[str] = set()
        self.broken: set[str] = set()
        self.long: set[str] = set()
        self.asked: list[str] = []
        self.port = 0
        self._transport: Any = None

    @property
    def address(self) -> str:
        """Give address:port as the resolver takes it."""
        return f"127.0.0.1:{self.port}"

    def put(self, text: str) -> None:
        """Set records, a line each: `name KIND content`; what stood under that name and kind is replaced."""
        fresh: dict[tuple[str, str], list[str]] = {}
        for line in filter(str.strip, text.splitlines()):
            name, kind, content = line.split(None, 2)
            fresh.setdefault((kind, name), []).append(content.strip())
        self.zone.update(fresh)

    def connection_made(self, transport: Any) -> None:
        """Remember how to answer."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Answer one datagram."""
        reply = self.answer(data, "udp")
        if reply is not None:
            self._transport.sendto(reply, addr)

    async def on_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the questions of one connection."""
        try:
            while True:
                size, = struct.unpack("!H", await reader.readexactly(2))
                reply = self.answer(await reader.readexactly(size), "tcp")
                if reply is not None:
                    writer.write(struct.pack("!H", len(reply)) + reply)
        except asyncio.IncompleteReadError:
            writer.close()

    def answer(self, data: bytes, by: str) -> bytes | None:
        """Return the answer to a query, None for silence."""
        query = dns.message.from_wire(data)
        name, kind = query.question[0].name.to_text(True).lower(), dns.rdatatype.to_text(query.question[0].rdtype)
        self.asked.append(f"{by} {kind} {name}")
        if name in self.silent:
            return None
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if name in self.broken:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif name in self.long and by == "udp":
            reply.flags |= dns.flags.TC
        else:
            self._fill(reply, name, kind)
        return reply.to_wire()

    def _fill(self, reply: Any, name: str, kind: str) -> None:
        if not any(known == name for _, known in self.zone):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        for content in self.zone.get((kind, name), ()):
            reply.answer.append(dns.rrset.from_text(f"{name}.", self.ttl, "IN", kind, content))
        for content in self.zone.get(("CNAME", name), ()):
            reply.answer.append(dns.rrset.from_text(f"{name}.", self.ttl, "IN", "CNAME", content))
            self._fill(reply, content.rstrip("."), kind)


@asynccontextmanager
async def name_server(zone: str = "") -> AsyncIterator[NameServer]:
    """Run a name server with these records."""
    server, loop = NameServer(), asyncio.get_running_loop()
    server.put(zone)
    server.port = free_port()
    transport, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", server.port))
    stream = await asyncio.start_server(server.on_stream, "127.0.0.1", server.port)
    try:
        yield server
    finally:
        transport.close()
        stream.close()
