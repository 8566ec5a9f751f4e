"""Local replies: how they look and where they go (RFC 3261 section 18.2.2, RFC 3581)."""
from __future__ import annotations

from typing import Any

import pytest

from kit.message import request
from kit.playbook import make_worker
from osip.core.net.endpoint import Dest, LocalSocket, Source
from osip.core.run import reply
from osip.core.run.ctx import FORCE_RPORT, REPLY_TO_VIA, Ctx, Target
from osip.core.run.quick import SERVER
from osip.core.sip.message import parse

UDP, TCP = LocalSocket("udp", "10.0.0.9", 5060), LocalSocket("tcp", "10.0.0.9", 5060)
SIX, GROUP = LocalSocket("udp", "2001:db8::9", 5060), LocalSocket("udp", "224.0.1.75", 5060)


def context(raw: bytes | None = None, source: Source | None = None, flags: int = 0, **config: Any) -> Ctx:
    worker, _, _ = make_worker((), None, [UDP, TCP, SIX], **config)
    ctx = Ctx(worker.env, parse(raw or request()), source or Source(UDP, "10.0.0.1", 5099))
    ctx.via_flags = flags
    return ctx


@pytest.mark.parametrize(("via", "params", "socket", "source", "flags", "expected"), [
    ("10.0.0.1:5070", "", UDP, ("10.0.0.1", 5099), 0, "udp:10.0.0.1:5070"),
    ("10.0.0.1", "", UDP, ("10.0.0.1", 5099), 0, "udp:10.0.0.1:5060"),
    ("192.168.1.1:5070", "", UDP, ("10.0.0.1", 5099), 0, "udp:10.0.0.1:5070"),
    ("phone.example.com:5070", "", UDP, ("10.0.0.1", 5099), 0, "udp:10.0.0.1:5070"),
    ("192.168.1.1:5070", ";rport", UDP, ("10.0.0.1", 5099), 0, "udp:10.0.0.1:5099"),
    ("192.168.1.1:5070", ";rport=1;received=1.1.1.1", UDP, ("10.0.0.1", 5099), 0, "udp:10.0.0.1:5099"),
    ("192.168.1.1:5070", "", UDP, ("10.0.0.1", 5099), FORCE_RPORT, "udp:10.0.0.1:5099"),
    ("192.168.1.1:5070", "", UDP, ("10.0.0.1", 5099), REPLY_TO_VIA, "udp:192.168.1.1:5070"),
    ("phone.example.com:5070", "", UDP, ("10.0.0.1", 5099), REPLY_TO_VIA, "udp:10.0.0.1:5070"),
    ("10.0.0.1:5070", "", TCP, ("10.0.0.1", 40000), 0, "tcp:10.0.0.1:5070"),
    ("10.0.0.1", "", TCP, ("10.0.0.1", 40000), 0, "tcp:10.0.0.1:5060"),
    ("[2001:db8::1]:5070", "", SIX, ("2001:db8::1", 5099), 0, "udp:[2001:db8::1]:5070"),
    ("[2001:db8::5]:5070", "", SIX, ("2001:db8::1", 5099), REPLY_TO_VIA, "udp:[2001:db8::5]:5070"),
    ("10.0.0.1:5070", ";maddr=10.0.0.8", UDP, ("10.0.0.1", 5099), 0, "udp:10.0.0.8:5070"),
    ("10.0.0.1", ";maddr=10.0.0.8;rport", UDP, ("10.0.0.1", 5099), 0, "udp:10.0.0.8:5060"),
    ("phone.example.com", ";received=10.0.0.1;MADDR=10.0.0.8", UDP, ("10.0.0.1", 5099), 0, "udp:10.0.0.8:5060"),
    ("10.0.0.1:5070", ";maddr=10.0.0.8", UDP, ("10.0.0.1", 5099), REPLY_TO_VIA, "udp:10.0.0.8:5070"),
    ("10.0.0.1:5070", ";maddr=10.0.0.8", UDP, ("10.0.0.1", 5099), FORCE_RPORT, "udp:10.0.0.1:5099"),
    ("10.0.0.1:5070", ";maddr=10.0.0.8", TCP, ("10.0.0.1", 40000), 0, "tcp:10.0.0.1:5070"),
    ("[2001:db8::1]", ";maddr=[2001:db8::8]", SIX, ("2001:db8::1", 5099), 0, "udp:[2001:db8::8]:5060"),
    ("10.0.0.1:5070", ";maddr=phone.example.com", UDP, ("10.0.0.1", 5099), 0, "udp:10.0.0.1:5070"),
    ("10.0.0.1:5070", ";maddr", UDP, ("10.0.0.1", 5099), 0, "udp:10.0.0.1:5070"),
    ("10.0.0.1:5070", ";maddr=0.0.0.0", UDP, ("10.0.0.1", 5099), 0, "udp:10.0.0.1:5070"),
    ("10.0.0.1:5070", ";maddr=255.255.255.255", UDP, ("10.0.0.1", 5099), 0, "udp:10.0.0.1:5070"),
    ("10.0.0.1:5070", ";maddr=127.0.0.1", UDP, ("10.0.0.1", 5099), 0, "udp:10.0.0.1:5070"),
    ("127.0.0.1:5070", ";maddr=127.0.0.2", UDP, ("127.0.0.1", 5099), 0, "udp:127.0.0.2:5070"),
    ("10.0.0.1:5070", ";maddr=224.0.1.75;ttl=9", UDP, ("10.0.0.1", 5099), 0, "udp:10.0.0.1:5070"),
    ("10.0.0.1", ";maddr=224.0.1.75;ttl=9", GROUP, ("10.0.0.1", 5099), 0, "udp:224.0.1.75:5060"),
    ("10.0.0.1", ";maddr=224.0.1.76;ttl=9", GROUP, ("10.0.0.1", 5099), 0, "udp:10.0.0.1:5060"),
])
def test_where_a_reply_goes(via: str, params: str, socket: LocalSocket, source: tuple[str, int], flags: int,
                            expected: str) -> None:
    ctx = context(request(via=via, via_params=params, transport=socket.proto.upper()), Source(socket, *source, 7),
        flags)
    found = reply.dest(ctx.env, ctx.msg, ctx.source, flags)
    assert repr(found) == expected and found.socket is socket
    assert found.conn == (7 if socket.reliable else 0)


def test_a_maddr_of_the_other_family_leaves_by_a_socket_of_that() -> None:
    ctx = context(request(via_params=";maddr=[2001:db8::8]"))
    found = reply.dest(ctx.env, ctx.msg, ctx.source)
    assert (repr(found), found.socket) == ("udp:[2001:db8::8]:5060", SIX)
    ctx.env.sockets.remove(SIX)
    found = reply.dest(ctx.env, ctx.msg, ctx.source)
    assert (repr(found), found.socket) == ("udp:10.0.0.1:5060", UDP)


@pytest.mark.parametrize(("via", "flags", "line"), [
    ("10.0.0.1:5060", 0, "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-1"),
    ("192.168.1.1", 0, "SIP/2.0/UDP 192.168.1.1;branch=z9hG4bK-1;received=10.0.0.1"),
    ("192.168.1.1", FORCE_RPORT, "SIP/2.0/UDP 192.168.1.1;branch=z9hG4bK-1;received=10.0.0.1;rport=5099"),
])
def test_the_via_of_a_reply(via: str, flags: int, line: str) -> None:
    found = parse(reply.build(context(request(via=via), flags=flags), 404, "Not Found", "tag1"))
    assert found.get_all("Via") == [line]


@pytest.mark.parametrize(("config", "server"), [
    ({}, SERVER.decode()), ({"server_signature": 0}, None), ({"server_header": "Server: mine 1.0"}, "mine 1.0")])
def test_the_server_header(config: dict[str, Any], server: str | None) -> None:
    assert parse(reply.build(context(**config), 200, "OK")).get("Server") == server


def test_what_a_reply_is_made_of() -> None:
    ctx = context()
    ctx.reply_edits, ctx.reply_body = [b"X-A: 1\r\n", b"", b"X-B: 2\r\n"], b"hello"
    found = parse(reply.build(ctx, 486, "", "tag1", b"Contact: <sip:x>\r\n"))
    assert (found.status, found.reason, found.to_tag) == (486, "Busy Here", "tag1")
    assert (found.get("X-A"), found.get("X-B"), found.get("Contact"), found.body) == ("1", "2", "<sip:x>", b"hello")
    assert (found.call_id, found.cseq, found.from_tag) == ("call-1", 1, "a1")


@pytest.mark.parametrize(("status", "warned"), [(200, False), (404, True)])
def test_warning(status: int, warned: bool) -> None:
    found = parse(reply.build(context(sip_warning=1), status, "X"))
    assert (found.get("Warning") is not None) == warned


@pytest.mark.parametrize(("change", "same"), [
    ({}, True), ({"max_forwards": 3}, True), ({"call_id": "other"}, False), ({"from_tag": "other"}, False),
    ({"cseq": 2}, False), ({"branch": "z9hG4bK-2"}, False), ({"method": "ACK", "cseq_method": "ACK"}, True)])
def test_the_tag_of_a_stateless_reply(change: dict[str, Any], same: bool) -> None:
    env = context().env
    first, second = parse(request()), parse(request(**change))
    assert (reply.totag(env, first) == reply.totag(env, second)) == same
    assert reply.totag(env, first) != reply.totag(context().env, first), "each server has a secret of its own"


@pytest.mark.parametrize(("status", "tagged"), [(100, False), (180, True), (404, True)])
def test_sending_without_state(status: int, tagged: bool) -> None:
    ctx, sent = context(), []
    ctx.env.send = lambda data, dest: not sent.append((parse(data), dest))
    assert reply.send_stateless(ctx, status, "X") == 1
    (msg, where), = sent
    assert bool(msg.to_tag) == tagged and where == Dest("udp", "10.0.0.1", 5060)
    ctx.env.send = lambda data, dest: False
    assert reply.send_stateless(ctx, status, "X") == -1
    ctx.source = None
    assert reply.send_stateless(ctx, status, "X") == -1


def test_contacts_of_a_redirect() -> None:
    ctx = context()
    assert reply.contact_lines(ctx) == b""
    ctx.add_target(Target("sip:b@2", q=500))
    assert reply.contact_lines(ctx) == b"Contact: <sip:b@2>;q=0.5\r\n", "the R-URI as received is no target"
    ctx.target.uri, ctx.target.q = "sip:a@1", 1000
    assert reply.contact_lines(ctx) == b"Contact: <sip:a@1>;q=1, <sip:b@2>;q=0.5\r\n"
    ctx.reply_edits = [b"contact: <sip:mine>\r\n"]
    assert reply.contact_lines(ctx) == b""
