"""Names as they are in bad times: weights, dead targets, flapping answers, truncation, silence; with the DNS library."""
from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import pytest
from kit import message
from kit.names import NameServer, name_server
from kit.script import ScriptBook

from osip.core.net.endpoint import LocalSocket
from osip.core.net.resolve import Resolver
from osip.core.run.config import Config

WEIGHTED = """_sip._udp.w.example SRV 10 60 5060 a.w.example.
_sip._udp.w.example SRV 10 30 5060 b.w.example.
_sip._udp.w.example SRV 10 10 5060 c.w.example.
_sip._udp.w.example SRV 20 0 5060 d.w.example.
a.w.example A 192.0.2.1
b.w.example A 192.0.2.2
c.w.example A 192.0.2.3
d.w.example A 192.0.2.4
"""
PAIR = """_sip._udp.p.example SRV 10 0 5060 one.p.example.
_sip._udp.p.example SRV 20 0 5060 two.p.example.
one.p.example A 10.0.0.2
two.p.example A 10.0.0.3
"""


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def resolver_for(server: NameServer, clock: Any = None, seed: int = 1, **settings: Any) -> Resolver:
    config = Config()
    for name, value in {"dns_retr_no": 1, "dns_try_naptr": 0, **settings}.items():
        config.set(name, value)
    config.dns_retr_time = settings.get("dns_retr_time", 0.2)       # type: ignore[attr-defined]
    return Resolver(config, {"udp", "tcp"}, servers=[server.address], clock=clock or Clock(), hosts={},
                    random=random.Random(seed), deadline=1.5)


async def test_weights_share_the_first_place() -> None:
    async with name_server(WEIGHTED) as server:
        resolver, first, last = resolver_for(server), Counter[str](), set()
        for _ in range(2000):
            hops = await resolver.ask("sip:w.example;transport=udp")
            first[hops[0].host] += 1
            last.add(hops[-1].host)
            assert len({hop.host for hop in hops}) == 4
        await resolver.close()
        shares = [first[f"192.0.2.{number}"] / 2000 for number in (1, 2, 3, 4)]
        assert shares == pytest.approx([0.6, 0.3, 0.1, 0.0], abs=0.04) and last == {"192.0.2.4"}
        assert len(server.asked) == 5                               # all others came from the cache


async def test_flapping_answers_hold_for_their_time() -> None:
    async with name_server("f.example A 192.0.2.1") as server:
        clock = Clock()
        resolver = resolver_for(server, clock)
        seen = []
        for second in range(0, 100, 10):
            clock.now = float(second)
            server.put(f"f.example A 192.0.2.{second // 10 + 1}")
            await resolver._dns.close()         # the library has a cache of its own, which goes by the real clock
            seen.append((await resolver.ask("sip:f.example:5060"))[0].host[-1])
        await resolver.close()
        assert "".join(seen) == "1114447770" and len(server.asked) == 4


async def test_nothing_there_is_remembered_and_comes_back() -> None:
    async with name_server("other.example A 192.0.2.1") as server:
        clock = Clock()
        resolver = resolver_for(server, clock)
        for _ in range(3):
            assert await resolver.ask("sip:n.example:5060") == []
        assert server.asked == ["udp A n.example"] and resolver.failures == 0
        server.put("n.example A 192.0.2.9")
        assert resolver.now("sip:n.example:5060") == []
        clock.now = 61.0
        assert [hop.host for hop in await resolver.ask("sip:n.example:5060")] == ["192.0.2.9"]
        await resolver.close()


async def test_truncated_answers_are_asked_by_tcp() -> None:
    async with name_server("\n".join(f"t.example A 192.0.2.{number}" for number in range(1, 60))) as server:
        server.long.add("t.example")
        resolver = resolver_for(server, dns_retr_time=1.4)
        assert len(await resolver.ask("sip:t.example:5060")) == 59
        await resolver.close()
        assert server.asked == ["udp A t.example", "tcp A t.example"]


@pytest.mark.parametrize("trouble", ["silent", "broken"])
async def test_a_server_in_trouble_costs_a_bounded_time_and_few_questions(trouble: str) -> None:
    async with name_server("x.example A 192.0.2.1") as server:
        getattr(server, trouble).add("x.example")
        clock = Clock()
        resolver = resolver_for(server, clock)
        async with asyncio.timeout(3):
            found = await asyncio.gather(*(resolver.ask("sip:x.example:5060") for _ in range(50)))
        assert found == [[]] * 50 and resolver.queries == 1
        assert await resolver.ask("sip:x.example:5060") == [] and resolver.queries == 1
        getattr(server, trouble).clear()
        clock.now = 3.1
        assert len(await resolver.ask("sip:x.example:5060")) == 1
        await resolver.close()


async def test_naptr_chooses_and_both_families_are_tried() -> None:
    zone = '''n.example NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp.n.example.
n.example NAPTR 20 10 "s" "SIP+D2U" "" _sip._udp.n.example.
_sip._tcp.n.example SRV 1 1 5070 h.n.example.
_sip._udp.n.example SRV 1 1 5080 h.n.example.
h.n.example A 192.0.2.1
h.n.example AAAA 2001:db8::1
'''
    async with name_server(zone) as server:
        resolver = resolver_for(server, dns_try_naptr=1, dns_try_ipv6=1)
        assert " ".join(map(repr, await resolver.ask("sip:n.example"))) == \
            "tcp:192.0.2.1:5070 tcp:[2001:db8::1]:5070 udp:192.0.2.1:5080 udp:[2001:db8::1]:5080"
        await resolver.close()


async def settle(book: ScriptBook, count: int) -> None:
    async with asyncio.timeout(5):
        while len(book.net.log) < count:
            await asyncio.sleep(0.01)


async def test_a_dead_first_target_is_left_for_the_next() -> None:
    async with name_server(PAIR) as server:
        book = ScriptBook('route { $ru = "sip:bob@p.example;transport=udp"; t_relay(); }')
        resolver = resolver_for(server, lambda: book.env.now)
        book.env.resolve, book.env.resolve_wait = resolver.now, resolver.ask
        book.net.down.add("10.0.0.2:5060")                          # refuses at once
        book.recv("OPTIONS", call_id="refused")
        await settle(book, 1)
        assert [where for where, _ in book.net.log if where != "10.0.0.1:5060"] == ["10.0.0.3:5060"]
        book.net.down.clear()
        book.net.log.clear()
        book.recv("OPTIONS", call_id="silent", branch="z9hG4bK-2")  # takes it and never answers
        await settle(book, 1)
        for _ in range(70):
            book.clock.advance(0.5)
        targets = [where for where, _ in book.net.log if where != "10.0.0.1:5060"]
        assert targets[0] == "10.0.0.2:5060" and targets[-1] == "10.0.0.3:5060"
        await resolver.close()


async def test_a_lost_target_is_avoided_for_a_while() -> None:
    async with name_server(PAIR) as server:
        book = ScriptBook('disable_dns_blacklist = no route { $ru = "sip:bob@p.example;transport=udp"; t_relay(); }')
        resolver = resolver_for(server, lambda: book.env.now)
        book.env.resolve, book.env.resolve_wait = resolver.now, resolver.ask
        book.net.down.add("10.0.0.2:5060")
        book.recv("OPTIONS", call_id="one")
        await settle(book, 1)
        book.net.down.clear()
        book.net.log.clear()

        def first(call_id: str) -> str:
            book.net.log.clear()
            book.recv("OPTIONS", call_id=call_id, branch=f"z9hG4bK-{call_id}")
            return next(where for where, _ in book.net.log if where != "10.0.0.1:5060")
        assert first("two") == "10.0.0.3:5060"
        book.clock.advance(241)
        await resolver.ask("sip:bob@p.example;transport=udp")
        assert first("three") == "10.0.0.2:5060"
        await resolver.close()


async def test_forget_forgets_everywhere() -> None:
    async with name_server("g.example A 192.0.2.1") as server:
        resolver = resolver_for(server)
        await resolver.ask("sip:g.example:5060")
        server.put("g.example A 192.0.2.2")
        resolver.forget()
        assert [hop.host for hop in await resolver.ask("sip:g.example:5060")] == ["192.0.2.2"]
        await resolver.close()


@pytest.mark.parametrize("status,final", [(503, 200), (500, 500), (404, 404), (603, 603)])
async def test_a_503_leads_to_the_next_target_and_nothing_else_does(status: int, final: int) -> None:
    """RFC 3263 section 4.3: by a CANCEL-less new branch; what other answers mean is not for the next server to say."""
    async with name_server(PAIR) as server:
        book = ScriptBook('route { $ru = "sip:bob@p.example;transport=udp"; t_relay(); }')
        resolver = resolver_for(server, lambda: book.env.now)
        book.env.resolve, book.env.resolve_wait = resolver.now, resolver.ask
        book.recv("INVITE")
        await settle(book, 2)
        book.sent(100).sent("INVITE", "bob").check(lambda m: m.get("Via"))
        first = book.got.via1_branch
        book.answer("bob", status).sent("ACK", "bob")
        if final == 200:
            book.sent("INVITE", "carol").check(lambda m: m.via1_branch != first)
            book.answer("carol", 200)
        book.sent(final).quiet()
        await resolver.close()


async def test_all_targets_dead_is_one_answer() -> None:
    async with name_server(PAIR) as server:
        book = ScriptBook('route { $ru = "sip:bob@p.example;transport=udp"; t_relay(); }')
        resolver = resolver_for(server, lambda: book.env.now)
        book.env.resolve, book.env.resolve_wait = resolver.now, resolver.ask
        book.recv("INVITE")
        await settle(book, 2)
        book.sent(100).sent("INVITE", "bob").answer("bob", 503).sent("ACK", "bob").sent("INVITE", "carol")
        book.answer("carol", 503).sent("ACK", "carol").sent(500).quiet()
        assert len(server.asked) == 3, server.asked
        await resolver.close()


async def test_the_other_family_of_a_host_is_tried() -> None:
    """RFC 7984 section 4: a host with both families, one of which does not get through."""
    zone = """_sip._udp.p.example SRV 10 0 5060 one.p.example.
one.p.example A 10.0.0.2
one.p.example AAAA 2001:db8::2
"""
    async with name_server(zone) as server:
        sockets = [LocalSocket("udp", "10.0.0.9", 5060), LocalSocket("udp", "2001:db8::9", 5060)]
        book = ScriptBook('route { $ru = "sip:bob@p.example;transport=udp"; t_relay(); }', sockets=sockets)
        resolver = resolver_for(server, lambda: book.env.now, dns_try_ipv6=1)
        book.env.resolve, book.env.resolve_wait = resolver.now, resolver.ask
        book.net.down.add("10.0.0.2:5060")
        book.recv("OPTIONS")
        await settle(book, 1)
        [(where, data)] = book.net.log
        assert where == "2001:db8::2:5060" and b"Via: SIP/2.0/UDP [2001:db8::9]:5060;" in data
        await resolver.close()


async def test_a_response_by_the_records_of_its_via() -> None:
    """RFC 3263 section 5: SRV of the Via's protocol when it has no port, address records when it has one."""
    async with name_server(PAIR + "p.example A 10.0.0.4\n") as server:
        book = ScriptBook("route { exit; }")
        resolver = resolver_for(server, lambda: book.env.now)
        book.env.resolve, book.env.resolve_wait = resolver.now, resolver.ask
        for number, (sent_by, expected) in enumerate((
                ("p.example", "10.0.0.2:5060"), ("p.example:5070", "10.0.0.4:5070"), ("p.example", "10.0.0.3:5060"))):
            if number == 2:
                book.net.down.add("10.0.0.2:5060")
            asked = message.request(via=sent_by).replace(
                b"Via:", b"Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKours\r\nVia:", 1)
            book.net.log.clear()
            book.feed(message.response(asked, 200), "bob")
            await settle(book, 1)
            assert [where for where, _ in book.net.log] == [expected]
        assert "udp SRV _sip._udp.p.example" in server.asked and not [one for one in server.asked if "NAPTR" in one]
        await resolver.close()
