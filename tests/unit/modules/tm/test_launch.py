"""Which address a branch goes to: next ones, streams for long requests, added headers."""
from __future__ import annotations

from typing import Any

import pytest

from kit.flows import flow, tm
from kit.message import request
from osip.core.net.endpoint import Dest, LocalSocket
from osip.core.run.ctx import Ctx
from osip.core.sip.message import parse
from osip.modules.tm.launch import Fallback, by_stream, with_headers

BIG = "x" * 1400


def protos(play: Any) -> list[str]:
    return [f"{data.split()[0].decode()} {data.split(b'Via: SIP/2.0/')[1][:3].decode()}" for _, data in play.net.log
            if not data.startswith(b"SIP/2.0")]


@pytest.mark.parametrize("limit,body,proto", [(0, BIG, "UDP"), (1300, "", "UDP"), (1300, BIG, "TCP")])
def test_a_long_request_goes_by_stream(limit: int, body: str, proto: str) -> None:
    play = flow(config={"udp_mtu": limit}).recv("MESSAGE", body=body)
    assert protos(play) == [f"MESSAGE {proto}"]


def test_without_a_stream_socket_it_stays() -> None:
    play = flow(config={"udp_mtu": 1300}, sockets=[LocalSocket("udp", "10.0.0.9", 5060)]).recv("MESSAGE", body=BIG)
    assert protos(play) == ["MESSAGE UDP"]


@pytest.mark.parametrize("failover", [None, "no-dns-failover"])
def test_a_refused_connection_falls_back_to_udp(failover: str | None) -> None:
    play = flow(config={"udp_mtu": 1300}, flags=4 if failover else None)
    real = play.net.send
    play.env.send = lambda data, dest: dest.proto == "udp" and real(data, dest)
    play.recv("MESSAGE", body=BIG)
    assert protos(play) == ["MESSAGE UDP"]
    play.sent("MESSAGE", "bob").answer("bob", 200, "MESSAGE").sent(200).advance(6).gone()


def test_a_connection_that_breaks_later_falls_back_to_udp() -> None:
    play = flow(config={"udp_mtu": 1300}).recv("MESSAGE", body=BIG)
    sent = play.net.log[-1][1]
    play.worker.on_unsent(sent, Dest("tcp", "10.0.0.2", 5060))
    assert protos(play) == ["MESSAGE TCP", "MESSAGE UDP"]


def test_the_end_to_end_ack_goes_by_stream_too() -> None:
    def route(ctx: Ctx) -> int:
        return tm(ctx).t_relay(ctx)
    play = flow(route=route, config={"udp_mtu": 1300}).recv("ACK", to_tag="b1", body=BIG)
    assert protos(play) == ["ACK TCP"]


def test_by_stream_puts_the_connection_first() -> None:
    ctx = Ctx(flow().env, parse(request()), None)
    one, two = Dest("udp", "10.0.0.2", 5060), Dest("udp", "10.0.0.3", 5060)
    found = by_stream(ctx, [one, two], 1)
    assert found == [one, Dest("tcp", "10.0.0.3", 5060), two] and isinstance(found[2], Fallback)


def test_headers_are_added_before_the_body() -> None:
    assert with_headers(b"A x\r\nB: 1\r\n\r\nbody\r\n\r\n", b"C: 2\r\n") == b"A x\r\nB: 1\r\nC: 2\r\n\r\nbody\r\n\r\n"
