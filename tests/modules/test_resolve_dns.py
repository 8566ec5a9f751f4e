"""The resolver with the real DNS library against a name server on loopback."""
from __future__ import annotations

import asyncio
import time
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
import uvloop

from osip.core.net.resolve import Resolver
from osip.core.run.config import Config

ZONE = [
    "sip.example. 30 IN NAPTR 10 10 \"s\" \"SIP+D2U\" \"\" _sip._udp.sip.example.",
    "_sip._udp.sip.example. 30 IN SRV 20 0 5080 two.sip.example.",
    "_sip._udp.sip.example. 30 IN SRV 10 0 5070 one.sip.example.",
    "one.sip.example. 30 IN A 192.0.2.1",
    "two.sip.example. 30 IN CNAME three.sip.example.",
    "three.sip.example. 30 IN A 192.0.2.3",
    "six.example. 30 IN AAAA 2001:db8::6",
]


class NameServer(asyncio.DatagramProtocol):
    """Answer from `ZONE`, follow CNAMEs, refuse `refused.example`, be silent about `silent.example`."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append(f"{kind} {name}")
        if name.startswith("silent"):
            return
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if name.startswith("refused"):
            reply.set_rcode(dns.rcode.SERVFAIL)
        else:
            self._fill(reply, name, kind)
        self.transport.sendto(reply.to_wire(), addr)

    def _fill(self, reply: Any, name: str, kind: str) -> None:
        known = False
        for line in ZONE:
            owner, ttl, _, own_kind, content = line.split(None, 4)
            known = known or owner == name
            if owner == name and own_kind in (kind, "CNAME"):
                reply.answer.append(dns.rrset.from_text(owner, int(ttl), "IN", own_kind, content))
                if own_kind == "CNAME" and kind != "CNAME":
                    self._fill(reply, content, kind)
        if not known:
            reply.set_rcode(dns.rcode.NXDOMAIN)


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_procedure_against_a_name_server(loop_factory: Any) -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        transport, server = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
        port = transport.get_extra_info("sockname")[1]
        config = Config()
        config.dns_retr_no, config.dns_try_ipv6 = 1, 1      # type: ignore[attr-defined]
        config.dns_retr_time = 0.2                          # type: ignore[attr-defined]
        resolver = Resolver(config, {"udp", "tcp"}, servers=[f"127.0.0.1:{port}"], deadline=2)
        try:
            hops = await resolver.ask("sip:bob@sip.example")
            assert " ".join(map(repr, hops)) == "udp:192.0.2.1:5070 udp:192.0.2.3:5080"
            assert resolver.now("sip:alice@sip.example") == hops
            assert repr(await resolver.ask("sip:six.example:5060")) == "[udp:[2001:db8::6]:5060]"
            assert await resolver.ask("sip:nothing.example") == []
            failures = resolver.failures
            assert await resolver.ask("sip:refused.example:5060") == [] and resolver.failures > failures
            start = time.monotonic()
            assert await resolver.ask("sip:silent.example:5060") == []
            assert time.monotonic() - start < 2.5
            assert "A silent.example." in server.asked and server.asked.count("NAPTR sip.example.") == 1
        finally:
            await resolver.close()
            transport.close()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(work())
