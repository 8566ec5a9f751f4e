"""The requests that keep a way open: what they look like, where they leave from, and when there is no way."""
from __future__ import annotations

import pytest
from kit.playbook import SERVER, FakeProgram, make_worker

from osip.api import LocalSocket, parse
from osip.modules.nat_traversal import NatTraversal
from osip.modules.nat_traversal.endpoint import Endpoint
from osip.modules.sl import Sl
from osip.modules.tm import Tm

SECOND = LocalSocket("udp", "10.0.0.8", 5070)
SIX = LocalSocket("udp", "2001:db8::9", 5060)


def module(**params: object) -> NatTraversal:
    sockets = [LocalSocket("udp", SERVER, 5060), SECOND, SIX, LocalSocket("tcp", SERVER, 5060)]
    worker, net, _ = make_worker((Tm, Sl, NatTraversal), {"nat_traversal": {"keepalive_state_file": "", **params}}, sockets)
    worker.set_program(FakeProgram())
    found = worker.registry.instances["nat_traversal"]
    assert isinstance(found, NatTraversal)
    found.net = net                                     # type: ignore[attr-defined]
    return found


def ping(nat: NatTraversal, uri: str, socket: str = "udp:10.0.0.9:5060") -> object:
    endpoint = Endpoint(uri)
    endpoint.socket = socket
    if not nat.keepalive.send(endpoint):
        return None
    where, raw = nat.net.log[-1]                        # type: ignore[attr-defined]
    return where, parse(raw)


def test_what_is_sent() -> None:
    where, msg = ping(module(), "sip:192.0.2.7:40000")              # type: ignore[misc]
    assert where == "192.0.2.7:40000" and (msg.method, msg.ruri, msg.cseq) == ("NOTIFY", "sip:192.0.2.7:40000", 1)
    assert msg.get("Event") == "keep-alive" and msg.from_.uri_text == "sip:keepalive@10.0.0.9"
    assert msg.to.uri_text == msg.ruri and msg.via1.host == SERVER and msg.via1.rport == ""


def test_parameters_show() -> None:
    nat = module(keepalive_method="OPTIONS", keepalive_from="sip:nat@example.com",
                 keepalive_extra_headers="User-Agent: x\\r\\nX-Y: z\r\n")
    _, msg = ping(nat, "sip:192.0.2.7:40000")                       # type: ignore[misc]
    assert (msg.method, msg.from_.uri_text, msg.get("Event")) == ("OPTIONS", "sip:nat@example.com", None)
    assert (msg.get("User-Agent"), msg.get("X-Y")) == ("x", "z")


@pytest.mark.parametrize(("uri", "socket", "via"), [
    ("sip:192.0.2.7:40000", "udp:10.0.0.8:5070", "10.0.0.8:5070"), ("sip:192.0.2.7:40000", "udp:10.0.0.7:5060", "10.0.0.9:5060"),
    ("sip:192.0.2.7:40000", "-", "10.0.0.9:5060"), ("sip:192.0.2.7:40000;transport=tcp", "udp:10.0.0.9:5060", "10.0.0.9:5060"),
    ("sip:[2001:db8::7]:40000", "udp:[2001:db8::9]:5060", "[2001:db8::9]:5060")])
def test_from_which_socket(uri: str, socket: str, via: str) -> None:
    _, msg = ping(module(), uri, socket)                            # type: ignore[misc]
    assert msg.via1.sent_by == via


@pytest.mark.parametrize("uri", ["sip:192.0.2.7:1;transport=sctp", "sip:host.example:5060", "nonsense", ""])
def test_no_way(uri: str) -> None:
    assert ping(module(), uri) is None


def test_streams_are_only_reused() -> None:
    nat, seen = module(), []
    nat.env.send = lambda data, dest: not seen.append(dest.only_reuse)
    for uri in ("sip:192.0.2.7:40000;transport=tcp", "sip:192.0.2.7:40000"):
        nat.keepalive.send(Endpoint(uri))
    assert seen == [True, False]
