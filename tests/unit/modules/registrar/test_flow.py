"""Contacts that are reached by the flow they registered on: browsers, outbound phones, what other servers say."""
from __future__ import annotations

from typing import Any

import pytest
from kit.playbook import SERVER
from kit.registration import Office, contacts, register

from osip.api import LocalSocket, Source
from osip.modules.registrar.flow import instance_of, source_uri

URN = '"<urn:uuid:0C67446E-F1A1-11D9-94D3-000A95A0E128>"'
JSSIP = f"<sip:x@a1b2.invalid;transport=ws>;+sip.instance={URN};reg-id=1"
OUTBOUND = "Supported: path, gruu, outbound\r\n"
PORTS = {"udp": 5060, "tcp": 5060, "ws": 80}


class Flows(Office):
    """An office with a WebSocket; `sign_in` registers over a protocol from a port."""

    def __init__(self, **params: Any) -> None:
        super().__init__({"registrar": params}, sockets=[LocalSocket(p, SERVER, n) for p, n in PORTS.items()])
        self.held: dict[int, float] = {}
        for socket in self.env.sockets:
            socket.transport = self

    def hold(self, number: int, until: float) -> None:
        self.held[number] = until

    def sign_in(self, contact: str = JSSIP, proto: str = "ws", port: int = 50000, cseq: int = 1, flags: str = "",
                headers: str = OUTBOUND, call_id: str = "r", via: str = "") -> Any:
        raw = register(contact, cseq=cseq, call_id=call_id, headers=headers)
        if via:
            raw = raw.replace(b"From:", f"Via: SIP/2.0/UDP {via};branch=z9hG4bKp\r\nFrom:".encode(), 1)
        ctx = self.ctx(raw, proto)
        ctx.source = Source(ctx.source.socket, "10.0.0.1", port, 0 if proto == "udp" else port)    # type: ignore
        return self.register(ctx=ctx, flags=flags)

    def stored(self) -> list[Any]:
        record = self.usrloc.domain("location").get("bob@example.com")
        return record.contacts if record else []


@pytest.mark.parametrize(("proto", "contact", "headers", "received"), [
    ("ws", JSSIP, OUTBOUND, "sip:10.0.0.1:50000;transport=ws;ob"),
    ("ws", "<sip:x@a1b2.invalid;transport=ws>", "", "sip:10.0.0.1:50000;transport=ws;ob"),
    ("ws", "<sip:x@192.0.2.1>", "", "sip:10.0.0.1:50000;transport=ws;ob"),
    ("tcp", "<sip:x@192.0.2.1;transport=tcp>", OUTBOUND, None),
    ("tcp", f"<sip:x@192.0.2.1>;+sip.instance={URN};reg-id=1", OUTBOUND, "sip:10.0.0.1:50000;transport=tcp;ob"),
    ("tcp", f"<sip:x@192.0.2.1>;+sip.instance={URN};reg-id=1", "", None),
    ("tcp", "<sip:x@a.invalid>", "", "sip:10.0.0.1:50000;transport=tcp;ob"),
    ("udp", f"<sip:x@192.0.2.1>;+sip.instance={URN};reg-id=1", OUTBOUND, None),
    ("udp", "<sip:x@a.invalid>", "", "sip:10.0.0.1:50000"),
    ("udp", '<sip:x@192.0.2.1>;received="sip:192.0.2.9:1024"', "", "sip:192.0.2.9:1024"),
    ("udp", '<sip:x@192.0.2.1>;received="mailto:a@b"', "", None)])
def test_received(proto: str, contact: str, headers: str, received: str | None) -> None:
    office = Flows()
    assert office.sign_in(contact, proto, headers=headers).status == 200
    assert [c.received for c in office.stored()] == [received]


def test_the_avp_of_a_script_comes_first() -> None:
    office = Flows(received_avp="rcv")
    ctx = office.ctx(register(JSSIP), "ws")
    ctx.avp("rcv").append("sip:192.0.2.7:1024")
    office.register(ctx=ctx)
    assert office.stored()[0].received == "sip:192.0.2.7:1024"


def test_lookup_aims_at_the_flow_and_at_nothing_else() -> None:
    office = Flows()
    office.sign_in()
    ctx = office.lookup()
    assert ctx.target.uri == "sip:x@a1b2.invalid;transport=ws"
    assert ctx.target.du == "sip:10.0.0.1:50000;transport=ws;ob" and ctx.target.socket.proto == "ws"
    from osip.api import forward
    [dest] = forward.next_hops(ctx, ctx.target)         # type: ignore[misc]
    assert (dest.proto, dest.host, dest.port, dest.only_reuse) == ("ws", "10.0.0.1", 50000, True)


def test_a_reloaded_page_takes_the_place_of_the_old_one() -> None:
    office = Flows()
    office.sign_in()
    reply = office.sign_in(JSSIP.replace("a1b2", "c3d4"), port=50001, call_id="new")
    assert contacts(reply) == [("sip:x@c3d4.invalid;transport=ws", 3600)]
    assert [c.received for c in office.stored()] == ["sip:10.0.0.1:50001;transport=ws;ob"]
    office.sign_in(JSSIP.replace("a1b2", "c3d4") + ";expires=0", port=50001, call_id="new", cseq=2)
    assert office.stored() == []


def test_two_flows_of_one_phone_ring_once_on_the_newest() -> None:
    office = Flows()
    office.sign_in(port=50000)
    office.clock.advance(1)
    office.sign_in(JSSIP.replace("a1b2", "c3d4").replace("reg-id=1", "reg-id=2"), port=50001, call_id="two")
    other = URN.replace("0C67", "1111")
    office.sign_in(JSSIP.replace("a1b2", "eeee").replace(URN, other), port=50002, call_id="three")
    assert len(office.stored()) == 3
    ctx = office.lookup()
    assert [t.du for t in [ctx.target, *(ctx.targets or [])]] == [
        "sip:10.0.0.1:50001;transport=ws;ob", "sip:10.0.0.1:50002;transport=ws;ob"]


@pytest.mark.parametrize(("params", "contact", "headers", "require", "timer"), [
    ({}, JSSIP, OUTBOUND, "outbound", None), ({"flow_timer": 90}, JSSIP, OUTBOUND, "outbound", "90"),
    ({"outbound_mode": 0}, JSSIP, OUTBOUND, None, None), ({}, JSSIP, "", None, None),
    ({}, JSSIP.replace(";reg-id=1", ""), OUTBOUND, None, None), ({}, JSSIP + "0000000000", OUTBOUND, None, None)])
def test_the_reply_says_whether_it_was_outbound(params: dict[str, int], contact: str, headers: str,
                                                require: str | None, timer: str | None) -> None:
    reply = Flows(**params).sign_in(contact, headers=headers)
    assert (reply.get("Require"), reply.get("Flow-Timer")) == (require, timer)


@pytest.mark.parametrize(("mode", "path", "status", "require"), [
    (1, "<sip:tok@192.0.2.50;lr;ob>", 200, "outbound"), (1, "<sip:192.0.2.50;lr>", 200, None),
    (2, "<sip:192.0.2.51;lr;ob>, <sip:192.0.2.50;lr>", 439, None),
    (2, "<sip:192.0.2.51;lr>, <sip:192.0.2.50;lr;ob>", 200, "outbound")])
def test_behind_an_edge_proxy(mode: int, path: str, status: int, require: str | None) -> None:
    office = Flows(outbound_mode=mode)
    reply = office.sign_in(proto="udp", via="10.0.0.77", flags="path-lazy", headers=OUTBOUND + f"Path: {path}\r\n")
    assert (reply.status, reply.get("Require")) == (status, require)
    assert all(c.received is None for c in office.stored())


def test_the_connection_of_a_browser_is_held() -> None:
    office = Flows()
    office.sign_in()
    assert office.held == {50000: office.env.now + 3600}
    office.sign_in("<sip:x@192.0.2.1>", "tcp", 50009, call_id="t")
    assert 50009 not in office.held


def test_a_contact_is_removed_by_its_instance() -> None:
    office = Flows()
    office.sign_in()
    assert instance_of(office.stored()[0]) == "urn:uuid:0C67446E-F1A1-11D9-94D3-000A95A0E128"
    wanted = "<urn:uuid:0C67446E-F1A1-11D9-94D3-000A95A0E128>"
    assert office.registrar.remove(None, "location", "sip:bob@example.com", None, None, wanted, None) == 1
    assert office.stored() == []


@pytest.mark.parametrize(("proto", "host", "uri"), [
    ("udp", "192.0.2.1", "sip:192.0.2.1:9"), ("wss", "2001:db8::1", "sip:[2001:db8::1]:9;transport=wss")])
def test_source_uri(proto: str, host: str, uri: str) -> None:
    assert source_uri(Source(LocalSocket(proto, SERVER, 1), host, 9)) == uri
