"""PRX-17 to PRX-26 of the requirements: how the copy leaves (RFC 3261 section 16.6, RFC 3263, RFC 5658)."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kit import message
from kit.flows import flow
from kit.script import ScriptBook
from osip.core.net.endpoint import LocalSocket
from osip.core.sip.message import parse

SAMPLE = Path(__file__).resolve().parents[3] / "cfg/rfc3261_proxy.cfg"
RECORDING = "route { record_route(); t_relay(); }"
TWO = [("udp", "10.0.0.9", 5060), ("tcp", "10.0.0.9", 5060)]


@pytest.mark.parametrize("uri,expected", [
    ("sip:bob@10.0.0.2", ["<sip:10.0.0.9;lr;ftag=a1>"]),
    ("sip:bob@10.0.0.2;transport=tcp", ["<sip:10.0.0.9;transport=tcp;r2=on;lr;ftag=a1>",
                                        "<sip:10.0.0.9;r2=on;lr;ftag=a1>"])])
def test_prx_17_record_route(uri: str, expected: list[str]) -> None:
    play = ScriptBook(RECORDING).recv("INVITE", uri, headers="Record-Route: <sip:10.0.0.8;lr>\r\n")
    play.sent(100).sent("INVITE", "bob").check(lambda m: m.get_all("Record-Route")[:-1] == expected)
    play.check(lambda m: m.get_all("Record-Route")[-1] == "<sip:10.0.0.8;lr>")


def test_prx_17_both_sides_can_follow_it() -> None:
    play = ScriptBook("route { record_route(); loose_route(); t_relay(); }")
    play.recv("INVITE", "sip:bob@10.0.0.2;transport=tcp").sent(100).sent("INVITE", "bob")
    routes = play.got.get_all("Record-Route")
    forth = "".join(f"Route: {value}\r\n" for value in reversed(routes))
    play.recv("BYE", "sip:bob@10.0.0.2;transport=tcp", to_tag="b1", branch="z9hG4bK-b", cseq=2, headers=forth)
    play.sent("BYE", "bob").check(lambda m: m.get("Route") is None and m.via1.transport == "TCP")
    back = "".join(f"Route: {value}\r\n" for value in routes)
    bye = message.request("BYE", "sip:alice@10.0.0.1", to_tag="a1", from_tag="b1", branch="z9hG4bK-c", headers=back,
                          via="10.0.0.2:5060", transport="TCP")
    play.feed(bye, "bob", "tcp").sent("BYE", "alice")
    play.check(lambda m: m.get("Route") is None and m.via1.transport == "UDP")


def test_prx_18_recording_again_within_a_dialog_does_no_harm() -> None:
    play = ScriptBook("route { record_route(); loose_route(); t_relay(); }")
    play.recv("INVITE", to_tag="b1", headers="Route: <sip:10.0.0.9;lr;ftag=a1>\r\n").sent(100).sent("INVITE", "bob")
    play.check(lambda m: m.get("Record-Route") == "<sip:10.0.0.9;lr;ftag=a1>" and m.get("Route") is None)


def test_prx_19_added_headers() -> None:
    play = ScriptBook('route { append_hf("X-Last: 1\\r\\n"); insert_hf("X-First: 2\\r\\n"); t_relay(); }')
    play.recv("INVITE").sent(100).sent("INVITE", "bob")
    names = [play.got.name(at) for at in range(len(play.got.headers))]
    assert names[:2] == ["Via", "X-First"] and names[-1] == "X-Last"


def test_prx_21_the_next_address_is_tried() -> None:
    play = flow(params={"tm": {"fr_timeout": 2}})
    play.net.names["many.example"] = ["10.0.0.66", "10.0.0.2", "10.0.0.3", "10.0.0.4"]
    play.net.down.add("10.0.0.66:5060")
    play.recv("INVITE", "sip:x@many.example").sent(100).sent("INVITE", "bob")               # refused: the second
    play.advance(2.2).sent("INVITE", "bob").sent("INVITE", "bob").sent("INVITE", "carol")   # silent: the third
    play.answer("carol", 503).sent("ACK", "carol").sent("INVITE", "dave").answer("dave", 200).sent(200)


def test_prx_22_via_branches() -> None:
    play = flow("bob", "carol").recv("INVITE").sent(100).sent("INVITE", "bob")
    ours = play.got.vias
    assert ours[0].sent_by == "10.0.0.9:5060" and ours[0].branch.startswith("z9hG4bK") and len(ours) == 2
    play.sent("INVITE", "carol").check(lambda m: m.via1_branch != ours[0].branch)
    play.check(lambda m: m.via1_branch.rpartition(".")[2] == ours[0].branch.rpartition(".")[2])     # the loop part
    play.answer("bob", 180).sent(180).recv("CANCEL").sent("CANCEL", "bob")
    play.check(lambda m: m.via1_branch == ours[0].branch)
    play.answer("bob", 487).sent("ACK", "bob").check(lambda m: m.via1_branch == ours[0].branch)


def test_prx_22_they_are_unique() -> None:
    ids = flow().env.ids
    count = 200_000
    assert len({ids.branch() for _ in range(count)}) == count


@pytest.mark.parametrize("body", ["", "hello"])
def test_prx_23_content_length_on_streams(body: str) -> None:
    raw = message.request("MESSAGE", "sip:bob@10.0.0.2;transport=tcp", body=body)
    raw = raw.replace(b"Content-Length: %d\r\n" % len(body), b"")
    flow().feed(raw).sent("MESSAGE", "bob").check(lambda m: m.content_length == len(body) and m.body == body.encode())


def transports(play: Any) -> list[str]:
    return [parse(raw).via1.transport for where, raw in play.net.log if where.startswith("10.0.0.2:")]


@pytest.mark.parametrize("size,transport", [(200, "UDP"), (3000, "TCP")])
def test_prx_24_long_requests_go_by_tcp(size: int, transport: str) -> None:
    assert transports(ScriptBook(SAMPLE).recv("INVITE", body="x" * size)) == [transport]


def test_prx_24_stateless_too_and_back_to_udp_when_refused() -> None:
    play = ScriptBook("route { forward(); }", udp_mtu=1300)
    assert transports(play.recv("INVITE", body="x" * 3000)) == ["TCP"]
    play = ScriptBook(SAMPLE)
    real = play.net.send
    play.env.send = lambda data, dest: dest.proto == "udp" and real(data, dest)
    assert transports(play.recv("INVITE", body="x" * 3000)) == ["UDP"]


@pytest.mark.parametrize("wished,where", [("TCP", "tcp:10.0.0.2:5060"), ("tls", "tls:10.0.0.2:5061"), ("UDP", ""),
                                          ("sctp", "")])
@pytest.mark.parametrize("route", ["t_relay();", "forward();"])
def test_prx_24_the_protocol_of_long_requests(route: str, wished: str, where: str) -> None:
    sockets = [LocalSocket(proto, "10.0.0.9", 5060) for proto in ("udp", "tcp", "tls")]
    play = ScriptBook(f"route {{ {route} }}", sockets=sockets, udp_mtu=1300, udp_mtu_try_proto=wished)
    real, sent, chosen = play.env.send, [], []
    play.env.send = lambda data, dest: sent.append(repr(dest)) is None and real(data, dest)
    play.env.choose_tls = lambda ctx, dest: chosen.append(dest.proto)
    play.recv("INVITE", body="x" * 3000)
    assert [dest for dest in sent if "10.0.0.2" in dest] == [where or "udp:10.0.0.2:5060"]
    assert chosen == ["tls"] * (wished == "tls")


def test_prx_24_without_tcp_it_stays() -> None:
    play = ScriptBook(SAMPLE, sockets=[LocalSocket("udp", "10.0.0.9", 5060)])
    assert transports(play.recv("INVITE", body="x" * 3000)) == ["UDP"]


def test_prx_25_a_client_transaction_for_each_copy() -> None:
    play = flow("bob", "carol", "dave").recv("INVITE").sent(100)
    module = play.modules["tm"]
    assert sorted(branch.dest.host for branch in module.table.clients.values()) == ["10.0.0.2", "10.0.0.3", "10.0.0.4"]
    play.advance(0.6)
    assert [where for where, raw in play.net.log if raw.startswith(b"INVITE")].count("10.0.0.3:5060") == 2


def test_prx_26_timer_c_ends_a_call_that_rings_for_ever() -> None:
    play = ScriptBook(SAMPLE).recv("INVITE").sent(100).sent("INVITE", "bob").answer("bob", 180).sent(180)
    play.advance(170).answer("bob", 183).sent(183)                  # a sign of life starts it anew
    play.advance(180.5).quiet().advance(1).sent("CANCEL", "bob").sent(408)


def test_prx_26_a_100_is_no_sign_of_life() -> None:
    play = ScriptBook(SAMPLE).recv("INVITE").sent(100).sent("INVITE", "bob").answer("bob", 180).sent(180)
    play.advance(170).answer("bob", 100).advance(11.5).sent("CANCEL", "bob").sent(408)


def test_prx_26_without_a_provisional_it_is_a_408() -> None:
    play = ScriptBook(SAMPLE).recv("INVITE").sent(100).sent("INVITE", "bob").advance(32.5).sent(408)
    assert not [raw for _, raw in play.net.log if raw.startswith(b"CANCEL")]
