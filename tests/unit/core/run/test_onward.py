"""Forwarding without state: what is refused, where copies go, what waits (the word is in script/builtins/test_net.py)."""
from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kit.message import request, response
from kit.playbook import make_worker
from osip.core.net.endpoint import Endpoint, LocalSocket, Source
from osip.core.run import onward
from osip.core.run.ctx import Ctx, Target
from osip.core.sip.message import parse

UDP = LocalSocket("udp", "10.0.0.9", 5060)


def context(raw: bytes) -> tuple[Ctx, Any]:
    worker, net, _ = make_worker((), None, [UDP])
    net.names, net.slow = {"slow.example.com": ["10.0.0.4"]}, {"slow.example.com"}
    return Ctx(worker.env, parse(raw), Source(UDP, "10.0.0.1", 5060)), net


@pytest.mark.parametrize(("endpoint", "uri"), [
    (Endpoint("", "10.0.0.2", 0), "sip:10.0.0.2"), (Endpoint("tcp", "h", 5070), "sip:h:5070;transport=tcp"),
    (Endpoint("", "2001:db8::2", 5060), "sip:[2001:db8::2]:5060")])
def test_uri_of_an_endpoint(endpoint: Endpoint, uri: str) -> None:
    assert onward.uri_of(endpoint) == uri


def test_to_the_request_uri_and_elsewhere() -> None:
    ctx, net = context(request(ruri="sip:bob@10.0.0.2"))
    own = ctx.target
    assert onward.forward(ctx) is True and onward.forward(ctx, Endpoint("", "10.0.0.3", 5070)) is True
    assert [where for where, _ in net.log] == ["10.0.0.2:5060", "10.0.0.3:5070"]
    assert ctx.target is own and ctx.env.dispatch.fwd_requests == 2


@pytest.mark.parametrize(("more", "status"), [({"max_forwards": 0}, 483), ({"headers": "Proxy-Require: x\r\n"}, 420)])
def test_refused(more: dict[str, Any], status: int) -> None:
    ctx, net = context(request(**more))
    assert onward.forward(ctx) is True
    assert [parse(data).status for _, data in net.log] == [status]
    ctx, net = context(request("ACK", max_forwards=0))
    assert onward.forward(ctx) is True and net.log == []


def test_neither_responses_nor_forks() -> None:
    ctx, net = context(response(request(), 200))
    assert onward.forward(ctx) is False
    ctx, net = context(request())
    ctx.add_target(Target("sip:b@10.0.0.3"))
    assert onward.forward(ctx) is False and net.log == []


async def test_a_name_is_asked_for_beside_the_script() -> None:
    ctx, net = context(request(ruri="sip:bob@slow.example.com"))
    assert onward.forward(ctx) is True and net.log == []
    for _ in range(5):
        await asyncio.sleep(0)
    assert [where for where, _ in net.log] == ["10.0.0.4:5060"]
