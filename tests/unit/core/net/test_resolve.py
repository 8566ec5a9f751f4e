"""RFC 3263 over a table of records: which questions are asked, and which hops come out in which order."""
from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from osip.core.errors import ParseError
from osip.core.net import resolve
from osip.core.net.dns import Answer, DnsError, Naptr, Srv
from osip.core.net.endpoint import Dest, LocalSocket
from osip.core.net.resolve import Resolver, read_hosts, read_search, read_servers
from osip.core.run.config import Config

ZONE: dict[tuple[str, str], list[Any]] = {
    ("A", "plain.example"): ["192.0.2.1", "192.0.2.2"],
    ("AAAA", "plain.example"): ["2001:db8::1"],
    ("AAAA", "six.example"): ["2001:db8::6"],
    ("NAPTR", "full.example"): [Naptr(50, 50, "s", "sips+d2t", "_sips._tcp.full.example"),
                                Naptr(90, 50, "s", "sip+d2t", "_sip._tcp.full.example"),
                                Naptr(100, 50, "s", "sip+d2u", "_sip._udp.full.example"),
                                Naptr(10, 50, "u", "e2u+sip", ""), Naptr(20, 50, "s", "sip+d2s", "x.full.example")],
    ("SRV", "_sips._tcp.full.example"): [Srv(1, 0, 5081, "a.full.example")],
    ("SRV", "_sip._tcp.full.example"): [Srv(2, 0, 5062, "b.full.example"), Srv(1, 0, 5061, "a.full.example")],
    ("SRV", "_sip._udp.full.example"): [Srv(1, 0, 5060, "a.full.example")],
    ("A", "a.full.example"): ["192.0.2.10"],
    ("A", "b.full.example"): ["192.0.2.11"],
    ("SRV", "_sip._tcp.srv.example"): [Srv(0, 0, 5090, "a.full.example")],
    ("A", "srv.example"): ["192.0.2.99"],
    ("SRV", "_sip._udp.closed.example"): [Srv(0, 0, 0, "")],
    ("A", "closed.example"): ["192.0.2.98"],
    ("SRV", "_sip._udp.half.example"): [Srv(0, 0, 0, "")],
    ("SRV", "_sip._tcp.half.example"): [Srv(0, 0, 5091, "a.full.example")],
    ("SRV", "_sip._udp.number.example"): [Srv(0, 0, 5092, "192.0.2.55")],
}


class World:
    """A resolver over `ZONE` with a clock and a log of questions."""

    def __init__(self, protos: str = "udp tcp", seed: int = 1, search: tuple[str, ...] = (), **settings: Any) -> None:
        config = Config()
        for name, value in settings.items():
            config.set(name, value)
        self.asked: list[tuple[str, str]] = []
        self.zone = dict(ZONE)
        self.broken: set[tuple[str, str]] = set()
        self.gate: asyncio.Event | None = None
        self.time, self.ttl = 100.0, 30.0
        self.resolver = Resolver(config, protos.split(), query=self.query, clock=lambda: self.time,
                                 random=random.Random(seed), hosts={"localhost": ("127.0.0.1", "::1")}, search=search)

    async def query(self, kind: str, name: str) -> Answer:
        self.asked.append((kind, name))
        if self.gate is not None:
            await self.gate.wait()
        if (kind, name) in self.broken:
            raise DnsError("no answer")
        return Answer(tuple(self.zone.get((kind, name), ())), self.ttl)


def shown(dests: list[Dest] | None) -> str | None:
    return None if dests is None else " ".join(map(repr, dests))


AT_ONCE = [
    ("sip:192.0.2.5", "udp:192.0.2.5:5060"), ("sip:u@192.0.2.5:5070", "udp:192.0.2.5:5070"),
    ("sip:192.0.2.5;transport=TCP", "tcp:192.0.2.5:5060"), ("sips:192.0.2.5", "tls:192.0.2.5:5061"),
    ("sips:192.0.2.5;transport=tcp", "tls:192.0.2.5:5061"), ("sips:192.0.2.5:7;transport=ws", "wss:192.0.2.5:7"),
    ("sip:192.0.2.5;transport=tls", "tls:192.0.2.5:5061"), ("sip:[2001:db8::1]:7", "udp:[2001:db8::1]:7"),
    ("sip:plain.example;maddr=192.0.2.6", "udp:192.0.2.6:5060"), ("sip:x@localhost", "udp:127.0.0.1:5060"),
    ("sip:x@localhost:5099;transport=tcp", "tcp:127.0.0.1:5099"),
    ("sip:LOCALHOST;transport=tcp", "tcp:127.0.0.1:5060"),
    ("sip:plain.example", None), ("sip:plain.example:5070", None), ("sip:1.2.3.4.5", None),
]


@pytest.mark.parametrize("uri, expected", AT_ONCE)
def test_now_needs_no_query_for_addresses(uri: str, expected: str | None) -> None:
    world = World()
    assert shown(world.resolver.now(uri)) == expected
    assert shown(world.resolver.now(uri)) == expected      # from the table of literals
    assert world.asked == []


ASKED = [
    ("udp tcp", {}, "sip:plain.example:5070", "udp:192.0.2.1:5070 udp:192.0.2.2:5070"),
    ("udp tcp", {}, "sip:plain.example", "udp:192.0.2.1:5060 udp:192.0.2.2:5060"),
    ("udp tcp", {}, "sip:plain.example.", "udp:192.0.2.1:5060 udp:192.0.2.2:5060"),
    ("tcp", {}, "sip:plain.example", "tcp:192.0.2.1:5060 tcp:192.0.2.2:5060"),
    ("udp tcp", {"disable_dns_failover": 1}, "sip:plain.example", "udp:192.0.2.1:5060"),
    ("udp", {}, "sip:six.example", ""),
    ("udp", {"dns_try_ipv6": 1}, "sip:six.example", "udp:[2001:db8::6]:5060"),
    ("udp", {"dns_try_ipv6": 1}, "sip:plain.example", "udp:192.0.2.1:5060 udp:192.0.2.2:5060 "
     "udp:[2001:db8::1]:5060"),
    ("udp tcp", {}, "sip:full.example", "tcp:192.0.2.10:5061 tcp:192.0.2.11:5062 udp:192.0.2.10:5060"),
    ("udp tcp tls", {}, "sip:full.example",
     "tls:192.0.2.10:5081 tcp:192.0.2.10:5061 tcp:192.0.2.11:5062 udp:192.0.2.10:5060"),
    ("udp tcp tls", {}, "sips:full.example", "tls:192.0.2.10:5081"),
    ("udp", {}, "sip:full.example", "udp:192.0.2.10:5060"),
    ("udp tcp", {"dns_try_naptr": 0}, "sip:full.example", "udp:192.0.2.10:5060"),
    ("udp tcp", {}, "sip:full.example;transport=tcp", "tcp:192.0.2.10:5061 tcp:192.0.2.11:5062"),
    ("udp tcp", {}, "sip:srv.example", "tcp:192.0.2.10:5090"),
    ("udp tcp", {}, "sip:srv.example;transport=udp", "udp:192.0.2.99:5060"),
    ("udp tcp", {}, "sip:srv.example:5060", "udp:192.0.2.99:5060"),
    ("udp tcp", {}, "sip:ignored.example;maddr=srv.example", "tcp:192.0.2.10:5090"),
    ("udp", {}, "sip:closed.example", ""),                  # SRV says no: the A record must not be used
    ("udp tcp", {}, "sip:half.example", "tcp:192.0.2.10:5091"),
    ("udp", {}, "sip:number.example", "udp:192.0.2.55:5092"),
    ("udp", {}, "sip:nothing.example", ""),
]


@pytest.mark.parametrize("protos, settings, uri, expected", ASKED)
async def test_ask(protos: str, settings: dict[str, Any], uri: str, expected: str) -> None:
    world = World(protos, **settings)
    assert shown(await world.resolver.ask(uri)) == expected
    asked = len(world.asked)
    assert shown(world.resolver.now(uri)) == expected       # all of it was remembered, also what does not exist
    assert len(world.asked) == asked


@pytest.mark.parametrize("hint, uri, expected", [
    ("tcp", "sip:full.example", "tcp:192.0.2.10:5061 tcp:192.0.2.11:5062"),
    ("tcp", "sip:full.example;transport=udp", "udp:192.0.2.10:5060"),
    ("tcp", "sip:192.0.2.5", "tcp:192.0.2.5:5060"),
    ("udp", "sips:192.0.2.5", "tls:192.0.2.5:5061"),
    (LocalSocket("udp", "2001:db8::9", 5060), "sip:plain.example:5060", "udp:[2001:db8::1]:5060"),
    (LocalSocket("tcp", "192.0.2.9", 5060), "sip:plain.example:5060", "tcp:192.0.2.1:5060 tcp:192.0.2.2:5060"),
])
async def test_a_hint_decides_what_the_uri_leaves_open(hint: Any, uri: str, expected: str) -> None:
    world = World("udp tcp tls", dns_try_ipv6=1)
    world.resolver.now(uri)                                 # an answer without the hint must not be taken for this
    assert shown(await world.resolver.ask(uri, hint)) == expected


@pytest.mark.parametrize("uri, code", [("tel:+4912345", 416), ("mailto:a@b", 416), ("sip:", 400), ("x", 400),
                                       ("sip:192.0.2.5;transport=pigeon", 400)])
def test_uris_that_lead_nowhere(uri: str, code: int) -> None:
    with pytest.raises(ParseError) as caught:
        World().resolver.now(uri)
    assert caught.value.code == code


async def test_answers_expire_and_are_asked_again() -> None:
    world = World()
    await world.resolver.ask("sip:plain.example:5060")
    world.zone["A", "plain.example"] = ["192.0.2.3"]
    world.time += 29
    assert shown(world.resolver.now("sip:plain.example:5060")) == "udp:192.0.2.1:5060 udp:192.0.2.2:5060"
    world.time += 2
    assert world.resolver.now("sip:plain.example:5060") is None
    assert shown(await world.resolver.ask("sip:plain.example:5060")) == "udp:192.0.2.3:5060"


async def test_a_failure_is_remembered_only_shortly() -> None:
    world = World()
    world.broken.add(("A", "plain.example"))
    assert await world.resolver.ask("sip:plain.example:5060") == []
    assert world.resolver.now("sip:plain.example:5060") == [] and world.resolver.failures == 1
    world.broken.clear()
    world.time += resolve.FAILED_TTL
    assert len(await world.resolver.ask("sip:plain.example:5060")) == 2


async def test_concurrent_questions_are_one_and_giving_up_does_not_stop_the_others() -> None:
    world = World()
    world.gate = asyncio.Event()
    asks = [asyncio.ensure_future(world.resolver.ask(f"sip:u{n}@plain.example:5060")) for n in range(5)]
    while not world.asked:
        await asyncio.sleep(0)
    asks[0].cancel()
    world.gate.set()
    results = await asyncio.gather(*asks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert [len(found) for found in results[1:]] == [2] * 4     # type: ignore[arg-type]
    assert world.asked == [("A", "plain.example")]


async def test_the_deadline_holds() -> None:
    world = World(dns_retr_no=1, dns_retr_time=1)
    world.resolver._deadline = 0.01
    world.gate = asyncio.Event()
    assert await world.resolver.ask("sip:plain.example:5060") == []
    await world.resolver.close()
    assert not world.resolver._running


async def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "CACHE", 8)
    monkeypatch.setattr(resolve, "LITERALS", 8)
    world = World()
    for number in range(50):
        await world.resolver.ask(f"sip:h{number}.example:5060")
        world.resolver.now(f"sip:u{number}@192.0.2.1")
    assert len(world.resolver._cache) <= 8 and len(world.resolver.literals) <= 8
    assert world.resolver.now("sip:h49.example:5060") == []     # the newest stays


def test_srv_order_follows_priority_and_weight() -> None:
    resolver = World(seed=7).resolver
    records = [Srv(2, 10, 1, "late"), Srv(1, 75, 1, "heavy"), Srv(1, 25, 1, "light"), Srv(1, 0, 1, "rare")]
    first = {"heavy": 0, "light": 0, "rare": 0}
    for _ in range(4000):
        order = [record.target for record in resolver.ordered(records)]
        assert order[3] == "late" and sorted(order[:3]) == ["heavy", "light", "rare"]
        first[order[0]] += 1
    assert 2850 < first["heavy"] < 3150 and 850 < first["light"] < 1150 and 0 < first["rare"] < 150


def test_results_are_not_shared() -> None:
    resolver = World().resolver
    one, two = resolver.now("sip:192.0.2.5"), resolver.now("sip:192.0.2.5")
    assert one and two and one[0] is not two[0]             # callers put their socket into it


def test_hosts_file(tmp_path: Any) -> None:
    path = tmp_path / "hosts"
    path.write_text("# all\n192.0.2.1 One.example uno # first\n2001:db8::1\tone.example\nbad line\n")
    assert read_hosts(str(path)) == {"one.example": ("192.0.2.1", "2001:db8::1"), "uno": ("192.0.2.1",),
                                     "localhost": ("127.0.0.1", "::1")}
    assert read_hosts(str(tmp_path / "none")) == {"localhost": ("127.0.0.1", "::1")}


@pytest.mark.parametrize(("settings", "uri", "hops", "asked"), [
    ({}, "sip:full:5060", "udp:192.0.2.9:5060", ["full.none.example", "full.lab.example"]),
    ({}, "sip:alone:5060", "udp:192.0.2.8:5060", ["alone.none.example", "alone.lab.example", "alone"]),
    ({}, "sip:plain.example:5060", "udp:192.0.2.1:5060 udp:192.0.2.2:5060", ["plain.example"]),
    ({}, "sip:localhost:5060", "udp:127.0.0.1:5060", []),
    ({"dns_use_search_list": 0}, "sip:alone:5060", "udp:192.0.2.8:5060", ["alone"]),
    ({"dns_use_search_list": 0}, "sip:full:5060", "", ["full"])])
async def test_dns_use_search_list(settings: dict[str, int], uri: str, hops: str, asked: list[str]) -> None:
    world = World(search=("none.example", "lab.example"), **settings)
    world.zone["A", "full.lab.example"], world.zone["A", "alone"] = ["192.0.2.9"], ["192.0.2.8"]
    assert shown(await world.resolver.ask(uri)) == hops
    assert [name for _, name in world.asked] == asked


@pytest.mark.parametrize(("text", "domains"), [
    ("search a.example B.example.\nnameserver 192.0.2.53\n", ("a.example", "b.example")),
    ("domain one.example\nsearch two.example # three.example\n", ("two.example",)), ("search .\n", ()), ("", ()),
    ("search " + " ".join(f"d{n}.example" for n in range(9)), tuple(f"d{n}.example" for n in range(6)))])
def test_read_search(text: str, domains: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text(text)
    assert read_search(str(tmp_path / "resolv.conf")) == domains
    assert read_search(str(tmp_path / "none")) == ()


@pytest.mark.parametrize(("limit", "took", "told"), [(1000, 0.002, ["A plain.example"]), (1000, 0.0005, []),
                                                     (0, 2.0, [])])
async def test_exec_dns_threshold(limit: int, took: float, told: list[str], caplog: pytest.LogCaptureFixture) -> None:
    world, slow = World(exec_dns_threshold=limit), []
    world.resolver.on_slow = lambda question, microseconds: slow.append((question, microseconds))

    async def query(kind: str, name: str) -> Answer:
        world.time += took
        return Answer(("192.0.2.1",), 30.0)
    world.resolver._query = query
    await world.resolver.ask("sip:plain.example:5060")
    assert [question for question, _ in slow] == told and world.resolver.slow_queries == len(told)
    assert all(abs(microseconds - took * 1e6) < 2 for _, microseconds in slow)
    assert ("dns_slow" in caplog.text) is bool(told)


@pytest.mark.parametrize(("limit", "servers"), [(None, ()), (1, ("192.0.2.53",)), (5, ("192.0.2.53", "2001:db8::53"))])
def test_dns_servers_no(limit: int | None, servers: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("# nameserver 9.9.9.9\nnameserver 192.0.2.53\nnameserver\nnameserver 2001:db8::53\nsearch x\n")
    assert read_servers(limit, str(path)) == servers
    assert read_servers(1, str(tmp_path / "none")) == ()
