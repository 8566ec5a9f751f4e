"""Pings of contacts: which, how, from where, and what follows when nobody answers."""
from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from kit.natted import Edge

from osip.api import build_reply, parse
from osip.core.store.sql import Stores
from osip.modules.nathelper.ping import CRLFS, DATAGRAM

SIP_PINGS = {"natping_interval": 10, "sipping_from": "sip:ping@example.com", "sipping_bflag": "SIP",
             "remove_on_timeout_bflag": "GO", "sipping_latency_flag": "LATE"}


def turn(edge: Edge) -> list[tuple[str, bytes]]:
    before = len(edge.net.log)
    edge.nathelper.ping_turn()
    return edge.net.log[before:]


def test_datagrams_go_where_the_contact_came_from() -> None:
    edge = Edge({"natping_interval": 10})
    edge.contact(received="sip:192.0.2.7:40000")
    edge.contact("sip:bob@10.0.0.6:5070")
    edge.contact("sip:bob@10.0.0.7", path="<sip:192.0.2.50:5080;lr>")
    assert turn(edge) == [("192.0.2.7:40000", DATAGRAM), ("10.0.0.6:5070", DATAGRAM), ("192.0.2.50:5080", DATAGRAM)]


def test_only_nated_contacts() -> None:
    edge = Edge({"natping_interval": 10, "ping_nated_only": 1}, {"nat_bflag": "NAT"})
    edge.contact("sip:bob@10.0.0.6")
    edge.contact("sip:bob@10.0.0.7", "NAT")
    assert [where for where, _ in turn(edge)] == ["10.0.0.7:5060"]


@pytest.mark.parametrize(("mode", "count"), [("", 2), ("cooperation", 2), ("ownership", 1)])
def test_contacts_of_other_servers(mode: str, count: int) -> None:
    edge = Edge({"natping_interval": 10}, {"pinging_mode": mode})
    edge.contact("sip:bob@10.0.0.6").socket = None
    edge.contact("sip:bob@10.0.0.7").socket = edge.env.sockets[0]
    assert len(turn(edge)) == count


@pytest.mark.parametrize(("on", "sent"), [(0, []), (1, [("192.0.2.7:40000", CRLFS)])])
def test_streams(on: int, sent: list[Any]) -> None:
    edge = Edge({"natping_interval": 10, "natping_tcp": on})
    edge.contact("sip:bob@x.invalid", received="sip:192.0.2.7:40000;transport=ws")
    assert turn(edge) == sent


def test_parts_take_turns() -> None:
    edge = Edge({"natping_interval": 30, "natping_partitions": 3})
    assert edge.nathelper.turn_every == 10
    for number in range(6):
        edge.contact(f"sip:bob@10.0.1.{number}")
    rounds = [{where for where, _ in turn(edge)} for _ in range(4)]
    assert [len(each) for each in rounds] == [2, 2, 2, 2]
    assert len(rounds[0] | rounds[1] | rounds[2]) == 6 and rounds[3] == rounds[0]


def test_expired_contacts_and_bad_uris_are_left_out() -> None:
    edge = Edge({"natping_interval": 10})
    edge.contact("sip:bob@10.0.0.6").expires = edge.env.now - 1
    edge.contact("sip:bob@nowhere.example.com")
    assert turn(edge) == []


def test_sip_ping() -> None:
    edge = Edge(SIP_PINGS)
    edge.contact("sip:bob@10.0.0.5", "SIP", path="<sip:192.0.2.50;lr>")
    [(where, data)] = turn(edge)
    ping: Any = parse(data)
    assert where == "192.0.2.50:5060" and ping.method == "OPTIONS" and ping.ruri == "sip:bob@10.0.0.5"
    assert ping.from_.uri_text == "sip:ping@example.com" and ping.get("Route") == "<sip:192.0.2.50;lr>"
    assert not edge.nathelper.pinger.pending            # nobody asked for a count


def answer(edge: Edge, data: bytes, status: int = 200) -> bool:
    ctx = edge.ctx(build_reply(parse(data), status, "OK", "t"))     # type: ignore[arg-type]
    return bool(edge.nathelper.on_response(ctx))


def test_answer_tells_the_latency() -> None:
    edge = Edge(SIP_PINGS)
    contact = edge.contact("sip:bob@10.0.0.5", "SIP LATE")
    [(_, data)] = turn(edge)
    edge.clock.advance(0.25)
    assert answer(edge, data) and contact.latency == 250_000
    assert answer(edge, data)                           # once more: still ours, no effect
    assert not answer(edge, data.replace(b"tag=nh.", b"tag=xx."))


def lose(edge: Edge, count: int, status: int = 0) -> None:
    for _ in range(count):
        for _, data in turn(edge):
            if status:
                answer(edge, data, status)
        edge.clock.advance(4)
        edge.nathelper.expire_pings()


@pytest.mark.parametrize(("flags", "lost", "status", "left"), [
    ("SIP GO", 2, 0, 1), ("SIP GO", 3, 0, 0), ("SIP", 9, 0, 1), ("SIP GO", 9, 200, 1), ("SIP GO", 9, 486, 1),
    ("SIP GO", 3, 404, 0)])
def test_contact_that_does_not_answer_goes(flags: str, lost: int, status: int, left: int) -> None:
    edge = Edge({**SIP_PINGS, "sipping_ignore_rpl_codes": frozenset({404})})
    edge.contact("sip:bob@10.0.0.5", flags)
    lose(edge, lost, status)
    assert edge.usrloc.domain("location").contacts == left
    assert not edge.nathelper.pinger.pending


def test_an_answer_ends_the_row_and_a_failed_send_counts() -> None:
    edge = Edge(SIP_PINGS)
    edge.contact("sip:bob@10.0.0.5", "SIP GO")
    lose(edge, 2)
    lose(edge, 1, 200)
    edge.net.down.add("10.0.0.5:5060")
    lose(edge, 2)
    assert edge.usrloc.domain("location").contacts == 1
    lose(edge, 1)
    assert edge.usrloc.domain("location").contacts == 0 and not edge.nathelper.pinger.lost


async def test_name_that_must_be_asked_for() -> None:
    edge = Edge({"natping_interval": 10})
    edge.net.names["phone.example.com"], edge.net.slow = ["192.0.2.77"], {"phone.example.com"}
    edge.contact("sip:bob@phone.example.com")
    assert turn(edge) == []
    for task in list(edge.env._tasks):
        await task
    assert edge.net.log == [("192.0.2.77:5060", DATAGRAM)]


async def test_contacts_that_are_in_sql_only(tmp_path: Path) -> None:
    edge = Edge({**SIP_PINGS, "max_pings_lost": 1}, {"working_mode_preset": "sql-only"})
    edge.env.config.db_default_url = ""
    stores = Stores(edge.env.config)
    edge.env.sql = lambda url="": stores.sql(f"sqlite:///{tmp_path}/ul.db")
    usrloc = edge.env.modules["usrloc"]
    usrloc.monotonic = lambda: edge.env.now
    await usrloc.child_init(edge.env)
    for number, socket in enumerate((edge.env.sockets[0], None)):      # the second one registered at another server
        async with usrloc.visit("location", f"u{number}@example.com"):
            usrloc.domain("location").insert(f"u{number}@example.com", usrloc.new_contact(
                f"sip:u@10.0.0.{number}", edge.env.now + 100, socket=socket, cflags=edge.env.branch_flags.bit("SIP") |
                edge.env.branch_flags.bit("GO")))
    assert turn(edge) == []
    async with asyncio.timeout(5):
        while not edge.net.log:
            await asyncio.sleep(0.01)
    [(where, ping)] = edge.net.log
    assert where == "10.0.0.0:5060" and ping.startswith(b"OPTIONS")
    edge.env.now += 60                      # nobody answers: it is removed from the table
    edge.nathelper.pinger.expire()
    async with asyncio.timeout(5):
        while len(await edge.env.sql("").fetch("select * from location")) == 2:
            await asyncio.sleep(0.01)
    [left] = await edge.env.sql("").fetch("select contact from location")
    assert left["contact"] == "sip:u@10.0.0.1"
    await usrloc.destroy()
    await edge.env.finish_tasks()
    await stores.close()
