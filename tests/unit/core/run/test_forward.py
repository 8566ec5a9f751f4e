"""Messages on their way: next hop, own Via, edits, responses by their Via (RFC 3261 sections 16.6, 16.7, 16.11)."""
from __future__ import annotations

from typing import Any

import pytest

from kit.message import request, response
from kit.playbook import FakeProgram, make_worker
from osip.core.errors import OsipError, ParseError
from osip.core.net.endpoint import Dest, LocalSocket, Source
from osip.core.run import forward
from osip.core.run.ctx import FORCE_RPORT, LOCAL_RPORT, Ctx, Target
from osip.core.sip.edits import Edits
from osip.core.sip.message import READER, parse

UDP, TCP = LocalSocket("udp", "10.0.0.9", 5060), LocalSocket("tcp", "10.0.0.9", 5060)
OTHER, SIX = LocalSocket("udp", "10.0.1.9", 5080), LocalSocket("udp", "2001:db8::9", 5060)


def context(raw: bytes | None = None, sockets: list[LocalSocket] | None = None, **source: Any) -> tuple[Ctx, Any]:
    worker, net, _ = make_worker((), None, sockets or [UDP, TCP, OTHER, SIX])
    net.names = {"bob.example.com": ["10.0.0.2", "10.0.0.3"], "slow.example.com": ["10.0.0.4"]}
    net.slow = {"slow.example.com"}
    return Ctx(worker.env, parse(raw or request()), Source(source.get("socket", UDP), source.get("host", "10.0.0.1"),
                                                           source.get("port", 5060))), net


def build(ctx: Ctx, target: Target | None = None, edits: Edits | None = None) -> Any:
    return parse(forward.build(ctx, target or ctx.target, Dest("udp", "10.0.0.2", 5060, UDP), "z9hG4bKours", edits))


@pytest.mark.parametrize(("target", "uri"), [
    (Target(), "sip:bob@10.0.0.2"), (Target("sip:new@h"), "sip:new@h"), (Target("sip:new@h", "sip:du@h"), "sip:du@h"),
    (Target("sip:new@h", None, "<sip:p1@h;lr>, <sip:p2@h>"), "sip:p1@h;lr"), (Target("sip:new@h", "sip:du@h",
        "<sip:p1@h>"), "sip:du@h")])
def test_next_uri(target: Target, uri: str) -> None:
    assert forward.next_uri(context()[0], target) == uri


@pytest.mark.parametrize(("uri", "socket", "expected"), [
    ("sip:b@10.0.0.2", None, [("udp:10.0.0.2:5060", UDP)]),
    ("sip:b@10.0.0.2", OTHER, [("udp:10.0.0.2:5060", OTHER)]),
    ("sip:b@10.0.0.2;transport=tcp", None, [("tcp:10.0.0.2:5060", TCP)]),
    ("sip:b@10.0.0.2;transport=tcp", OTHER, [("tcp:10.0.0.2:5060", TCP)]),
    ("sip:b@[2001:db8::2]", None, [("udp:[2001:db8::2]:5060", SIX)]),
    ("sip:b@bob.example.com:5070", None, [("udp:10.0.0.2:5070", UDP), ("udp:10.0.0.3:5070", UDP)]),
    ("sip:b@slow.example.com", None, None),
])
def test_next_hops(uri: str, socket: LocalSocket | None, expected: list[Any] | None) -> None:
    ctx, _ = context()
    found = forward.next_hops(ctx, Target(uri, socket=socket))
    assert (None if found is None else [(repr(dest), dest.socket) for dest in found]) == expected


@pytest.mark.parametrize(("uri", "socket"), [
    (uri, socket) for socket in (None, OTHER) for uri in (
        "sip:bob@10.0.0.2", "sip:10.0.0.2", "sip:bob@10.0.0.2:5070", "sip:b:p@10.0.0.2", "sip:bob@010.0.0.2",
        "sip:bob@10.0.0.2;transport=tcp", "sip:10.0.0.2:5070;transport=udp", "sip:bob@10.0.0.2;transport=tls",
        "sip:bob@10.0.0.256", "sip:bob@bob.example.com", "sip:b@[2001:db8::2]")])
def test_an_address_as_it_stands_needs_no_resolver(uri: str, socket: LocalSocket | None) -> None:
    def hops(ctx: Ctx) -> Any:
        try:
            return [(repr(dest), dest.socket) for dest in forward.next_hops(ctx, Target(socket=socket)) or ()]
        except OsipError as error:
            return str(error)
    ctx, _ = context(request(ruri=uri))
    assert ctx.env.default_proto == ""
    slow = hops(ctx)
    ctx.env.default_proto = "udp"
    assert hops(ctx) == slow


async def test_next_hops_by_query() -> None:
    ctx, _ = context()
    found = await forward.next_hops_wait(ctx, Target("sip:b@slow.example.com"))
    assert [(repr(d), d.socket) for d in found] == [("udp:10.0.0.4:5060", UDP)]


@pytest.mark.parametrize(("uri", "error"), [
    ("nonsense", ParseError), ("sip:b@none.example.com", OsipError), ("tel:123", OsipError),
    ("sip:b@10.0.0.2;transport=tls", OsipError)])
def test_unreachable(uri: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        forward.next_hops(context()[0], Target(uri))


def test_a_forced_socket_without_the_protocol_of_the_target() -> None:
    ctx, _ = context(None, [UDP])
    with pytest.raises(OsipError, match="no socket"):
        forward.next_hops(ctx, Target("sip:b@10.0.0.2;transport=tcp"))


@pytest.mark.parametrize(("via", "flags", "peer"), [
    ("10.0.0.1:5060", 0, "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-1"),
    ("192.168.1.1", 0, "SIP/2.0/UDP 192.168.1.1;branch=z9hG4bK-1;received=10.0.0.1"),
    ("192.168.1.1", FORCE_RPORT, "SIP/2.0/UDP 192.168.1.1;branch=z9hG4bK-1;received=10.0.0.1;rport=5060"),
    ("10.0.0.1:5060", LOCAL_RPORT, "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-1")])
def test_vias(via: str, flags: int, peer: str) -> None:
    ctx, _ = context(request(via=via))
    ctx.via_flags = flags
    own = "SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKours" + (";rport" if flags & LOCAL_RPORT else "")
    assert build(ctx).get_all("Via") == [own, peer]


@pytest.mark.parametrize(("proto", "peer"), [
    ("udp", "SIP/2.0/UDP x.invalid;branch=z9hG4bK-1;received=10.0.0.1"),
    ("wss", "SIP/2.0/UDP x.invalid;branch=z9hG4bK-1;received=10.0.0.1;rport=5060")])
def test_the_port_of_a_browser_is_noted(proto: str, peer: str) -> None:
    ctx, _ = context(request(via="x.invalid"), socket=LocalSocket(proto, "10.0.0.9", 443))
    assert build(ctx).get_all("Via")[1] == peer


@pytest.mark.parametrize(("du", "reuse"), [
    (None, False), ("sip:10.0.0.2;transport=tcp", False), ("sip:10.0.0.2;transport=tcp;ob", True)])
def test_no_connection_is_made_for_a_flow(du: str | None, reuse: bool) -> None:
    [dest] = forward.next_hops(context()[0], Target("sip:b@10.0.0.3;transport=tcp;ob", du)) or []
    assert dest.only_reuse is reuse


@pytest.mark.parametrize(("host", "port", "sent_by"), [
    ("edge.example.com", 0, "edge.example.com:5060"), ("", 7000, "10.0.0.9:7000"), ("edge.example.com", 7000,
        "edge.example.com:7000")])
def test_advertised_in_one_message(host: str, port: int, sent_by: str) -> None:
    ctx, _ = context()
    ctx.adv_host, ctx.adv_port = host, port
    assert build(ctx).get_all("Via")[0] == f"SIP/2.0/UDP {sent_by};branch=z9hG4bKours"
    assert UDP.sent_by == "10.0.0.9:5060"


def test_edits_of_the_request_and_of_the_branch() -> None:
    ctx, _ = context(request(headers="X-A: 1\r\nX-B: 2\r\n"))
    ctx.edit.append_hf("X-All: 1")
    ctx.edit.remove_hf("X-A")
    own = Edits(ctx.msg)
    own.append_hf("X-One: 1")
    own.remove_hf("X-B")
    one, two = build(ctx, Target("sip:one@h"), own), build(ctx, Target("sip:two@h"))
    assert (one.ruri, one.get("X-All"), one.get("X-One"), one.get("X-A"), one.get("X-B")) == ("sip:one@h", "1", "1",
        None, None)
    assert (two.ruri, two.get("X-All"), two.get("X-One"), two.get("X-B")) == ("sip:two@h", "1", None, "2")


def test_path_becomes_the_first_route() -> None:
    ctx, _ = context(request(headers="Route: <sip:r@h;lr>\r\n"))
    assert build(ctx, Target(path="<sip:p1@h;lr>, <sip:p2@h;lr>")).get_all("Route") == ["<sip:p1@h;lr>, <sip:p2@h;lr>",
        "<sip:r@h;lr>"]


def test_late_edits_know_where_the_copy_goes() -> None:
    ctx, _ = context()
    ctx.edit.append_hf(lambda out: " ".join((
        "X-Out:", out.socket_in.text, out.socket_out.text, str(out.dest), str(out.target.uri))).encode() + b"\r\n")
    expected = "udp:10.0.0.9:5060 udp:10.0.0.9:5060 udp:10.0.0.2:5060 sip:n@h"
    assert build(ctx, Target("sip:n@h")).get("X-Out") == expected


@pytest.mark.parametrize(("first", "second", "same"), [
    ({}, {}, True), ({}, {"max_forwards": 9}, True), ({}, {"method": "CANCEL"}, True),
    ({}, {"method": "ACK", "to_tag": "x"}, True), ({}, {"branch": "z9hG4bK-2"}, False), ({}, {"via": "10.0.0.7"},
        False),
    ({}, {"method": "CANCEL", "ruri": "sip:carol@10.0.0.2"}, True),
    ({"branch": "1"}, {"branch": "1", "cseq": 2}, False), ({"branch": ""}, {"branch": ""}, True),
    ({"branch": ""}, {"branch": "", "method": "CANCEL"}, True)])
def test_the_branch_of_a_stateless_copy(first: dict[str, Any], second: dict[str, Any], same: bool) -> None:
    found = [forward.stateless_branch(context(request(**one))[0]) for one in (first, second)]
    assert (found[0] == found[1]) == same and found[0].startswith("z9hG4bK")


def test_stateless_tries_the_next_address() -> None:
    ctx, net = context(request(ruri="sip:b@bob.example.com"))
    net.down = {"10.0.0.2:5060"}
    assert forward.send_stateless(ctx, forward.next_hops(ctx, ctx.target) or [])
    assert [where for where, _ in net.log] == ["10.0.0.3:5060"] and ctx.env.dispatch.fwd_requests == 1
    net.down |= {"10.0.0.3:5060"}
    assert not forward.send_stateless(ctx, forward.next_hops(ctx, ctx.target) or [])


# --- responses ------------------------------------------------------------------------------------------

def answer(*vias: str, status: int = 200) -> bytes:
    raw = response(request(), status)
    lines = "".join(f"Via: {via}\r\n" for via in vias)
    return raw.replace(b"Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-1\r\n", lines.encode())


OURS = "SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKours"


@pytest.mark.parametrize(("via", "expected"), [
    ("SIP/2.0/UDP 10.0.0.1:5070;branch=x", "udp:10.0.0.1:5070"), ("SIP/2.0/UDP 10.0.0.1", "udp:10.0.0.1:5060"),
    ("SIP/2.0/UDP 192.168.1.1:5070;received=10.0.0.1", "udp:10.0.0.1:5070"),
    ("SIP/2.0/UDP 192.168.1.1:5070;received=10.0.0.1;rport=5099", "udp:10.0.0.1:5099"),
    ("SIP/2.0/TCP 10.0.0.1", "tcp:10.0.0.1:5060"), ("SIP/2.0/TLS 10.0.0.1", "tls:10.0.0.1:5061"),
    ("SIP/2.0/UDP [2001:db8::1]", "udp:[2001:db8::1]:5060"),
    ("SIP/2.0/UDP 10.0.0.1:5070;maddr=10.0.0.8", "udp:10.0.0.8:5070"),
    ("SIP/2.0/UDP a.example:5070;maddr=10.0.0.8;received=10.0.0.1;rport=5099", "udp:10.0.0.8:5070"),
    ("SIP/2.0/UDP 10.0.0.1;maddr=224.0.1.75;ttl=1", "udp:10.0.0.1:5060"),
    ("SIP/2.0/UDP 10.0.0.1;maddr=127.0.0.1", "udp:10.0.0.1:5060"),
    ("SIP/2.0/TCP a.example;maddr=10.0.0.8;received=10.0.0.1", "tcp:10.0.0.1:5060"),
    ("SIP/2.0/UDP phone.example.com", None), ("SIP/2.0/UDP phone.example.com;received=10.0.0.1", "udp:10.0.0.1:5060"),
    ("SIP/2.0/UDP 10.0.0.1;rport=99999", None), ("SIP/2.0/UDP 10.0.0.1;received=nonsense", None)])
def test_where_a_response_goes(via: str, expected: str | None) -> None:
    ctx, _ = context()
    found = forward.response_dest(ctx.env, parse(answer(OURS, via)))
    assert (None if found is None else repr(found)) == expected


@pytest.mark.parametrize(("vias", "sent"), [
    ((OURS, "SIP/2.0/UDP 10.0.0.1:5070"), "10.0.0.1:5070"),
    ((f"{OURS}, SIP/2.0/UDP 10.0.0.1:5070",), "10.0.0.1:5070"),
    (("SIP/2.0/UDP 10.9.9.9:5060", "SIP/2.0/UDP 10.0.0.1:5070"), None),
    ((OURS,), None)])
def test_forwarding_a_response(vias: tuple[str, ...], sent: str | None) -> None:
    ctx, net = context()
    worker = ctx.env.dispatch
    worker.program = FakeProgram()
    worker.receive(answer(*vias), Source(UDP, "10.0.0.2", 5060))
    assert [where for where, _ in net.log] == ([sent] if sent else [])
    if sent:
        assert len(parse(net.log[0][1]).vias) == 1
    assert (worker.fwd_replies, worker.drop_replies) == ((1, 0) if sent else (0, 1))


def test_a_response_from_another_socket_of_the_right_kind() -> None:
    ctx, _ = context(answer(OURS, "SIP/2.0/TCP 10.0.0.1"))
    sent: list[Dest] = []
    ctx.env.send = lambda data, dest: not sent.append(dest)
    assert forward.send_response(ctx) and sent[0].socket is TCP and sent[0].conn == 0


@pytest.mark.parametrize(("theirs", "conn"), [
    ("SIP/2.0/TCP 10.0.0.1;branch=x", 0x4d2), ("SIP/2.0/TLS 10.0.0.1:4444", 0x4d2),
    ("SIP/2.0/WS k3v.invalid;received=10.0.0.1;rport=4000", 0x4d2), ("SIP/2.0/TCP 10.0.0.7", 0),
    ("SIP/2.0/UDP 10.0.0.1", 0)])
def test_a_response_goes_home_on_the_connection_of_its_request(theirs: str, conn: int) -> None:
    """RFC 3261 section 18.2.2: whatever port the Via names, and without rport."""
    ctx, _ = context(socket=TCP)
    ctx.source = Source(TCP, "10.0.0.1", 40001, 0x4d2)
    top = build(ctx).get("Via")
    assert top and ";i=4d2." in top
    found = forward.response_dest(ctx.env, parse(answer(top, theirs)))
    assert found is not None and (found.conn, found.host) == (conn, theirs.partition("received=")[2].partition(";")[0]
                                                              or theirs.split()[1].partition(";")[0].partition(":")[0])


@pytest.mark.parametrize("host,ttl,params", [
    ("224.0.1.75", -1, ";maddr=224.0.1.75;ttl=1"), ("239.255.0.1", 0, ";maddr=239.255.0.1;ttl=0"),
    ("232.1.1.1", 16, ";maddr=232.1.1.1;ttl=16"), ("ff02::1", -1, ";maddr=[ff02::1]"), ("240.0.0.1", -1, ""),
    ("223.1.1.1", -1, ""), ("23.1.1.1", -1, ""), ("ffice.example", -1, ""), ("2390.example", -1, "")])
def test_what_the_via_says_of_a_group(host: str, ttl: int, params: str) -> None:
    worker, _, _ = make_worker((), mcast_ttl=ttl)
    assert forward.group_params(worker.env, host) == params


@pytest.mark.parametrize("below", [
    "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK-1", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK-1",
    "SIP/2.0/UDP phone.example:5070;received=10.0.0.3;rport=4000", "SIP/2.0/UDP phone.example;received=10.0.0.3",
    "SIP/2.0/UDP 10.0.0.1;rport=99999", "SIP/2.0/UDP 10.0.0.1:5070;rport", "SIP/2.0/UDP 10.0.0.1;rport=x",
    "SIP/2.0/UDP 10.0.0.1;maddr=10.0.0.4", "SIP/2.0/UDP 10.0.0.1;MADDR=10.0.0.4", "SIP/2.0/UDP 10.0.0.1;maddrx=1",
    "SIP/2.0/UDP 10.0.0.1;received=;maddr=10.0.0.4", "SIP/2.0/UDP a.b;received=10.0.0.1;maddr=10.0.0.4;rport=9",
    "SIP/2.0/UDP 10.0.0.300", "SIP/2.0/UDP 010.0.0.1",
    "SIP/2.0/UDP 10.0.0", "SIP/2.0/UDP 10.0.0.1.", "SIP/2.0/UDP phone.example", "SIP/2.0/UDP [2001:db8::1]:5070",
    "SIP/2.0/TCP 10.0.0.1:5070", "SIP/2.0/UDP 10.0.0.1:0", "SIP/2.0/UDP 10.0.0.1;rport=0;received=10.0.0.5"])
def test_the_short_way_of_a_response_leads_where_the_long_one_does(below: str) -> None:
    if READER is None:
        pytest.skip("the accelerator was not built, or OSIP_PURE=1")
    passing = parse(answer(OURS, below))
    short, where = READER.answer_route(passing), forward.response_dest(context()[0].env, passing)
    if short is not None:
        own = passing.via1
        assert where is not None and short == (own.host, own.port or 0, where.host, where.port, where.name)
        assert where.proto == "udp"
