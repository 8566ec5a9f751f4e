"""The way home of responses: by connection, by name, and by the next address when a connection fails."""
from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kit.message import request, response
from kit.playbook import FakeProgram, make_worker

from osip.core.net.endpoint import Dest, LocalSocket, Source
from osip.core.run import homing
from osip.core.sip.message import parse
from osip.core.sip.via import parse_via

UDP, TCP = LocalSocket("udp", "10.0.0.9", 5060), LocalSocket("tcp", "10.0.0.9", 5060)
OURS = "SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKours"


def worker_and_net() -> tuple[Any, Any]:
    worker, net, _ = make_worker((), None, [UDP, TCP])
    worker.set_program(FakeProgram())
    net.names = {"pbx.example": ["10.0.0.2", "10.0.0.3", "10.0.0.4"], "slow.example": ["10.0.0.5"]}
    net.slow = {"slow.example"}
    return worker, net


def answer(*vias: str) -> bytes:
    lines = "".join(f"Via: {via}\r\n" for via in vias)
    return response(request(), 200).replace(b"Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-1\r\n", lines.encode())


# --- the connection ------------------------------------------------------------------------------------------------

def test_only_our_own_mark_is_believed() -> None:
    worker, _ = worker_and_net()
    env, source = worker.env, Source(TCP, "10.0.0.1", 40001, 0x1f01)
    assert homing.mark(env, Source(UDP, "10.0.0.1", 5060)) == ""
    mark = homing.mark(env, source)
    theirs = parse_via("SIP/2.0/TCP h.example;received=10.0.0.1")
    assert homing.connection(env, parse_via(f"{OURS}{mark}"), theirs) == 0x1f01
    for bad in ("", ";i", ";i=", ";i=x", ";i=1f01", ";i=1f01.", ";i=1f01.0123456789", mark.replace("1f01", "1f02"),
                mark[:-1], ";i=" + "f" * 500, ";i=-1." + mark[-10:]):
        assert homing.connection(env, parse_via(f"{OURS}{bad}"), theirs) == 0, bad
    assert homing.connection(env, parse_via(f"{OURS}{mark}"), parse_via("SIP/2.0/TCP 10.0.0.1;received=10.0.0.2")) == 0
    other, _ = worker_and_net()
    assert homing.connection(other.env, parse_via(f"{OURS}{mark}"), theirs) == 0, "of another server"


# --- names ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("via", "uri"), [
    ("SIP/2.0/UDP pbx.example", "sip:pbx.example;transport=udp"),
    ("SIP/2.0/UDP pbx.example:5080;branch=x", "sip:pbx.example:5080;transport=udp"),
    ("SIP/2.0/TCP pbx.example", "sip:pbx.example;transport=tcp"),
    ("SIP/2.0/UDP pbx.example;maddr=slow.example", "sip:slow.example;transport=udp")])
def test_what_is_asked_for(via: str, uri: str) -> None:
    """RFC 3263 section 5: a port means addresses, none means SRV records of the Via's protocol."""
    worker, _ = worker_and_net()
    asked: list[str] = []

    def resolve(text: str, hint: Any = None) -> list[Dest]:
        asked.append(text)
        return []
    worker.env.resolve = resolve
    worker.receive(answer(OURS, via), Source(UDP, "10.0.0.7", 5060))
    assert asked == [uri] and worker.dispatch.drop_replies == 1


def test_the_first_address_that_takes_it() -> None:
    worker, net = worker_and_net()
    net.down = {"10.0.0.2:5080"}
    worker.receive(answer(OURS, "SIP/2.0/UDP pbx.example:5080"), Source(UDP, "10.0.0.7", 5060))
    assert [where for where, _ in net.log] == ["10.0.0.3:5080"] and worker.dispatch.fwd_replies == 1
    assert len(parse(net.log[0][1]).vias) == 1


@pytest.mark.parametrize("via", [
    "SIP/2.0/UDP nobody.example", "SIP/2.0/UDP pbx.example;received=nonsense", "SIP/2.0/SCTP pbx.example",
    "SIP/2.0/XMPP pbx.example", "SIP/2.0/UDP 10.0.0.1;rport=99999"])
def test_what_leads_nowhere_is_dropped(via: str) -> None:
    worker, net = worker_and_net()
    worker.receive(answer(OURS, via), Source(UDP, "10.0.0.7", 5060))
    assert not net.log and (worker.dispatch.fwd_replies, worker.dispatch.drop_replies) == (0, 1)


async def test_a_query_is_waited_for_and_waiting_is_bounded() -> None:
    worker, net = worker_and_net()
    gate, asked = asyncio.Event(), []

    async def resolve_wait(text: str, hint: Any = None) -> list[Dest]:
        asked.append(text)
        await gate.wait()
        return await net.resolve_wait(text)
    worker.env.resolve_wait = resolve_wait
    many = homing.MOST_WAITING + 50
    for _ in range(many):
        worker.receive(answer(OURS, "SIP/2.0/UDP slow.example"), Source(UDP, "10.0.0.7", 5060))
    assert worker.env.homing.waiting == homing.MOST_WAITING and worker.dispatch.drop_replies == 50 and not net.log
    gate.set()
    async with asyncio.timeout(5):
        while worker.env.homing.waiting:
            await asyncio.sleep(0)
    assert len(asked) == len(net.log) == homing.MOST_WAITING
    net.names.clear()
    worker.receive(answer(OURS, "SIP/2.0/UDP slow.example"), Source(UDP, "10.0.0.7", 5060))
    async with asyncio.timeout(5):
        while worker.env.homing.waiting:
            await asyncio.sleep(0)
    assert worker.dispatch.drop_replies == 51


# --- connections that fail -----------------------------------------------------------------------------------------

def lost(host: str, name: str = "pbx.example", proto: str = "tcp", tried: int = 0) -> Dest:
    dest = Dest(proto, host, 5060, TCP)
    dest.name, dest.tried = name, tried
    return dest


def test_each_address_once() -> None:
    """RFC 3261 section 18.2.2: the received address first, then what the name in Via leads to."""
    worker, _ = worker_and_net()
    sent: list[Dest] = []
    worker.env.send = lambda data, dest: not sent.append(dest)
    data = answer("SIP/2.0/TCP pbx.example;received=10.0.0.2")
    dest = lost("10.0.0.2")
    for _ in range(20):
        worker.on_unsent(data, dest)
        if sent[-1] is dest:
            break
        dest = sent[-1]
    assert [one.host for one in sent] == ["10.0.0.3", "10.0.0.4"]
    assert {(one.proto, one.name) for one in sent} == {("tcp", "pbx.example")}


@pytest.mark.parametrize("dest", [
    lost("10.0.0.2", name=""), lost("10.0.0.2", name="10.0.0.2"), lost("10.0.0.2", proto="ws"),
    lost("10.0.0.2", name="nobody.example")])
def test_nothing_more_to_try(dest: Dest) -> None:
    worker, net = worker_and_net()
    via = f"SIP/2.0/{dest.proto.upper()} {dest.name or '10.0.0.2'};received=10.0.0.2"
    assert not worker.env.homing.again(answer(via), dest) and not net.log


def test_requests_and_what_may_only_reuse_are_left_alone() -> None:
    worker, net = worker_and_net()
    assert not worker.env.homing.again(request(), lost("10.0.0.2"))
    assert not worker.env.homing.again(b"SIP/2.0 nonsense\r\n\r\n", lost("10.0.0.2"))
    dest = lost("10.0.0.2")
    dest.only_reuse = True
    assert not worker.env.homing.again(answer("SIP/2.0/TCP pbx.example"), dest) and not net.log
