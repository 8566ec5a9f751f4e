"""Check addresses, sockets and stateless sending."""
from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from kit.builtin import INVITE, RINGING, Words

from osip.api import Dest, OsipError, parse_endpoint
from osip.core.run.ctx import FORCE_ALIAS, FORCE_RPORT, LOCAL_RPORT, REPLY_TO_VIA


def sending(words: Words, answer: list[Dest] | None = None) -> list[str]:
    """Let the environment resolve; return the list of what was asked."""
    asked: list[str] = []

    def resolve(uri: str, socket: Any = None) -> list[Dest] | None:
        asked.append(uri)
        return answer
    words.env.resolve = resolve
    words.env.pick_socket = lambda proto, v6, near=None: words.socket if proto == "udp" else words.other
    return asked


@pytest.mark.parametrize(("name", "key", "value"), [
    ("si", None, "192.0.2.1"), ("src_ip", None, "192.0.2.1"), ("sp", None, 5066),
    ("socket_in", None, "udp:10.0.0.1:5060"), ("socket_in", "ip", "10.0.0.1"), ("socket_in", "port", 5060),
    ("socket_in", "proto", "UDP"), ("socket_in", "advertised_ip", "edge.example.com"),
    ("socket_in", "advertised_port", 5060), ("socket_in", "tag", "main"), ("socket_in", "anycast", 0),
    ("socket_in", "af", "INET"), ("Ri", None, "10.0.0.1"), ("Rp", None, 5060), ("pr", None, "UDP"),
    ("proto", None, "UDP"), ("af", None, "INET"), ("fs", None, "udp:10.0.0.1:5060"),
    ("socket_out", None, "udp:10.0.0.1:5060"), ("socket_out", "forced", None), ("socket_out", "port", 5060),
    ("dis", None, None),
])
def test_read(name: str, key: str | None, value: object) -> None:
    words = Words()
    assert words.get(words.ctx(), name, key) == value


@pytest.mark.parametrize("text", ["tcp:10.0.0.1:5080", "tcp:10.0.0.1", "10.0.0.1:5080"])
def test_force_send_socket(text: str) -> None:
    words = Words()
    ctx = words.ctx()
    assert words.call(ctx, "force_send_socket", text) == 1
    assert words.get(ctx, "socket_out") == words.get(ctx, "socket_out", "forced") == "tcp:10.0.0.1:5080"
    assert words.get(ctx, "socket_in") == "udp:10.0.0.1:5060"


def test_socket_out_refuses_what_is_not_ours() -> None:
    words = Words()
    ctx = words.ctx()
    assert words.set(ctx, "socket_out", "main") and ctx.target.socket is words.socket
    assert not words.set(ctx, "socket_out", "udp:9.9.9.9:5060") and not words.set(ctx, "fs", "nonsense:::")
    assert ctx.target.socket is words.socket
    assert not words.set(ctx, "socket_out", "main", "ip")
    assert words.set(ctx, "fs", None) and ctx.target.socket is None


def test_via_handling() -> None:
    words = Words()
    ctx = words.ctx()
    parse = words.registry.function("set_via_handling").args[0].parse       # type: ignore[union-attr]
    assert parse is not None and parse("reply-to-via, force-rport") == REPLY_TO_VIA | FORCE_RPORT
    with pytest.raises(ValueError, match="nonsense"):
        parse("nonsense")
    words.call(ctx, "set_via_handling", parse("reply-to-via"))
    words.call(ctx, "add_local_rport")
    words.call(ctx, "force_rport")
    assert ctx.via_flags == REPLY_TO_VIA | LOCAL_RPORT | FORCE_RPORT
    assert words.call(ctx, "force_tcp_alias") == -1 and not ctx.via_flags & FORCE_ALIAS


def test_advertised() -> None:
    words = Words()
    ctx = words.ctx()
    assert words.call(ctx, "set_advertised_address", "1.2.3.4") == 1 and ctx.adv_host == "1.2.3.4"
    assert words.call(ctx, "set_advertised_port", "5099") == 1 and ctx.adv_port == 5099
    assert words.call(ctx, "set_advertised_port", "x") == -1 and words.call(ctx, "set_advertised_address", "") == -1


def test_tcp_alias_and_close() -> None:
    words = Words()
    calls: list[tuple[Any, ...]] = []
    connections = SimpleNamespace(find=lambda dest: SimpleNamespace(id=3) if dest.port == 5066 else None)
    words.other.transport = SimpleNamespace(alias=lambda *a: not calls.append(a), connections=connections,
                                            disconnect=lambda number: number == 3)
    ctx = words.ctx()
    ctx.source.socket, ctx.source.conn = words.other, 3              # type: ignore[union-attr]
    assert words.call(ctx, "force_tcp_alias") == 1 and words.call(ctx, "add_tcp_alias", 9) == 1
    assert calls == [(3, 5066), (3, 9)] and ctx.via_flags & FORCE_ALIAS
    asked = ("tcp:192.0.2.1:5066", "192.0.2.1:5066", "3", "4", "udp:192.0.2.1:5066", "tcp:192.0.2.1:7", "a:b:c")
    assert [words.call(ctx, "tcp_close_conn", text) for text in asked] == [1, 1, 1, -1, -1, -1, -1]


def test_bond() -> None:
    words = Words()
    words.env.config.bonds = {"pair": ("udp:10.0.0.1:5060", "tcp:10.0.0.1:5080")}
    ctx = words.ctx()
    assert words.call(ctx, "socket_belongs_to_bond", "udp:10.0.0.1:5060", "pair") == 1
    assert words.call(ctx, "socket_belongs_to_bond", "udp:10.0.0.1:5060", "none") == -1
    assert words.call(ctx, "socket_belongs_to_bond", "udp:9.9.9.9:5060", "pair") == -1


@pytest.mark.parametrize(("dest", "du", "uri"), [
    (None, None, "sip:bob:pw@example.com:5070;transport=tcp;maddr=10.9.9.9"), (None, "sip:hop", "sip:hop"),
    ("192.0.2.50", "sip:hop", "sip:192.0.2.50"), ("tcp:192.0.2.50:5090", None, "sip:192.0.2.50:5090;transport=tcp"),
    ("[2001:db8::1]:5090", None, "sip:[2001:db8::1]:5090"),
])
def test_forward_asks_for_the_right_hop(dest: str | None, du: str | None, uri: str) -> None:
    words = Words()
    asked = sending(words, [Dest("udp", "192.0.2.50", 5090)])
    ctx = words.ctx()
    ctx.target.du = du
    assert words.call(ctx, "forward", parse_endpoint(dest) if dest else None) == 1
    assert asked == [uri] and ctx.target.du == du
    data, hop = words.sent[0]
    assert hop == Dest("udp", "192.0.2.50", 5090)
    lines = data.split(b"\r\n")
    assert lines[1].startswith(b"Via: SIP/2.0/UDP edge.example.com:5060;branch=z9hG4bK")
    assert b"received=192.0.2.1" in lines[2] or b"rport=5066" in lines[2]


def test_forward_is_the_same_for_a_retransmission() -> None:
    words = Words()
    sending(words, [Dest("udp", "192.0.2.50", 5090)])
    words.call(words.ctx(), "forward", None)
    words.call(words.ctx(), "forward", None)
    words.call(words.ctx(INVITE.replace("z9hG4bKabc", "z9hG4bKother")), "forward", None)
    first, second, third = [data for data, _ in words.sent]
    assert first == second and first.split(b"\r\n")[1] != third.split(b"\r\n")[1]


def test_forward_failures() -> None:
    words = Words()

    def resolve(uri: str, socket: Any = None) -> list[Dest]:
        raise OsipError("no")
    words.env.resolve = resolve
    assert words.call(words.ctx(), "forward", None) == -1
    assert words.call(words.ctx(RINGING), "forward", None) == -1
    sending(words, [Dest("udp", "192.0.2.50", 5090)])
    words.env.send = lambda data, dest: False
    assert words.call(words.ctx(), "forward", None) == -1


async def test_forward_waits_for_a_name_beside_the_script() -> None:
    words = Words()
    sending(words, None)
    asked = asyncio.Event()

    async def resolve_wait(uri: str, socket: Any = None) -> list[Dest]:
        await asked.wait()
        return [Dest("udp", "192.0.2.51", 5060)]
    words.env.resolve_wait = resolve_wait
    ctx = words.ctx()
    ctx.edit.append_hf("X-Before: 1\r\n")
    assert words.call(ctx, "forward", None) == 1 and not words.sent
    ctx.edit.append_hf("X-After: 1\r\n")
    asked.set()
    await asyncio.gather(*words.env._tasks)
    data, hop = words.sent[0]
    assert hop.host == "192.0.2.51" and b"X-Before" in data and b"X-After" not in data


def test_send_leaves_the_bytes_alone() -> None:
    words = Words()
    ctx = words.ctx()
    assert words.call(ctx, "send", parse_endpoint("192.0.2.60:5070"), None) == 1
    assert words.call(ctx, "send", parse_endpoint("tcp:192.0.2.60"), "X-A: 1\r\nX-B: 2") == 1
    (plain, first), (more, second) = words.sent
    assert plain == ctx.msg.raw and first == Dest("udp", "192.0.2.60", 5070)
    start = ctx.msg.head_start
    assert more == ctx.msg.raw[:start] + b"X-A: 1\r\nX-B: 2\r\n" + ctx.msg.raw[start:]
    assert second == Dest("tcp", "192.0.2.60", 5060)


def test_send_to_a_name() -> None:
    words = Words()
    asked = sending(words, [Dest("udp", "192.0.2.61", 5060)])
    assert words.call(words.ctx(), "send", parse_endpoint("udp:h.example"), None) == 1
    assert asked == ["sip:h.example;transport=udp"] and words.sent[0][1].host == "192.0.2.61"
