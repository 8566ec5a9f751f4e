"""PRX-42 to PRX-50 of the requirements: without state, other transports, old peers, bounds (16.11, RFC 4320, 2543)."""
from __future__ import annotations

import gc
import sys
from typing import Any

import pytest

from kit import message
from kit.flows import flow, ringing
from kit.playbook import SERVER, Playbook
from kit.script import ScriptBook
from osip.core.net.endpoint import LocalSocket
from osip.core.sip.message import parse

STATELESS = "route { forward(); }"


def branch_of(play: Any, method: str = "INVITE") -> str:
    return play.sent(method, "bob").got.via1_branch     # type: ignore[no-any-return]


def test_prx_42_the_same_branch_for_copies_cancel_and_ack() -> None:
    play = ScriptBook(STATELESS).recv("INVITE")
    first = branch_of(play)
    play.quiet("alice").again()                         # no 100 of its own, copies go on
    assert branch_of(play) == first
    assert branch_of(play.recv("CANCEL"), "CANCEL") == first
    assert branch_of(play.recv("ACK"), "ACK") == first
    play.advance(5).quiet("bob", "alice")               # and nothing is repeated
    assert not play.modules["tm"].table.servers and not play.modules["tm"].table.clients
    for _ in range(3):                                  # a restart changes nothing
        assert branch_of(ScriptBook(STATELESS).recv("INVITE")) == first
    assert branch_of(ScriptBook(STATELESS).recv("INVITE", branch="z9hG4bK-other")) != first


def test_prx_42_responses_go_back() -> None:
    play = ScriptBook(STATELESS).recv("INVITE").sent("INVITE", "bob").answer("bob", 180).sent(180)
    play.answer("bob", 200).sent(200).answer("bob", 200).sent(200)


def test_prx_43_copies_take_the_same_way() -> None:
    play = ScriptBook(STATELESS)
    for _ in range(5):
        play.recv("INVITE", "sip:x@10.0.0.3").sent("INVITE", "carol")
    play.recv("CANCEL", "sip:x@10.0.0.3").sent("CANCEL", "carol")


def test_prx_44_no_forking_without_state() -> None:
    play = ScriptBook('route { append_branch("sip:c@10.0.0.3"); if (!forward()) sl_send_reply(500, "No"); }')
    play.recv("INVITE").sent(500).quiet("bob", "carol")


SECURED = [LocalSocket("udp", SERVER, 5060), LocalSocket("tls", SERVER, 5061)]


def test_prx_45_sips_goes_by_tls() -> None:
    play = ScriptBook("route { record_route(); t_relay(); }", sockets=SECURED)
    play.recv("INVITE", "sips:bob@10.0.0.2").sent(100).sent("INVITE", "bob")
    play.check(lambda m: m.via1.transport == "TLS" and m.ruri == "sips:bob@10.0.0.2")
    play.check(lambda m: all(uri.startswith("<sips:") for uri in m.get_all("Record-Route")))


def test_prx_45_sips_never_goes_by_anything_else() -> None:
    flow(sockets=SECURED[:1]).recv("INVITE", "sips:bob@10.0.0.2").sent(100).sent(476).quiet("bob")


@pytest.mark.parametrize("ttl,bears", [(-1, "1"), (7, "7")])
def test_prx_46_multicast_bears_ttl(ttl: int, bears: str) -> None:
    play = flow(config={"mcast_ttl": ttl}).recv("OPTIONS", "sip:all@x.example;maddr=224.0.1.75;ttl=1")
    play.sent("OPTIONS", "224.0.1.75").check(lambda m: m.via1.param("ttl") == bears)
    play.check(lambda m: m.via1.param("maddr") == "224.0.1.75" and m.vias[1].param("maddr") is None)


@pytest.mark.parametrize("status", [180, 183])
def test_prx_47_only_100_to_other_requests_than_invite(status: int) -> None:
    play = flow().recv("MESSAGE").sent("MESSAGE", "bob").answer("bob", status, "MESSAGE").quiet("alice")
    play.answer("bob", 200, "MESSAGE").sent(200)


def test_prx_47_no_100_of_our_own_to_other_requests_than_invite() -> None:
    play = flow().recv("MESSAGE")
    for pause in (0.5, 1.0, 2.1, 4.0):
        play.advance(pause).recv("MESSAGE").quiet("alice")
    play.answer("bob", 200, "MESSAGE").sent(200)


def answers(play: Playbook) -> list[bytes]:
    return [raw for _, raw in play.net.log if raw.startswith(b"SIP/2.0")]


@pytest.mark.parametrize("seconds", [2, 30])
def test_prx_47_no_408_of_our_own(seconds: int) -> None:
    play = flow(params={"tm": {"fr_timeout": seconds}}).recv("MESSAGE").sent("MESSAGE", "bob")
    play.advance(seconds + 0.2)
    sent = len(play.net.log)
    play.again().advance(31 - seconds)                  # copies are absorbed, and not sent on once more
    assert len(play.net.log) == sent and not answers(play)
    play.advance(5).gone()


def test_prx_47_no_408_from_downstream() -> None:
    play = flow().recv("MESSAGE").sent("MESSAGE", "bob").answer("bob", 408, "MESSAGE").again().quiet().advance(35)
    assert not answers(play)
    play.gone()
    play = flow("bob", "carol").recv("MESSAGE").answer("bob", 408, "MESSAGE").answer("carol", 480, "MESSAGE").sent(480)
    play = flow().recv("INVITE").sent(100).answer("bob", 408).sent(408)


@pytest.mark.parametrize("reply,status", [("", 0), ('t_reply(408, "Late");', 408), ('t_reply(480, "Asleep");', 480)])
def test_prx_47_the_failure_route_sees_408_and_may_answer(reply: str, status: int) -> None:
    play = ScriptBook('route { t_on_failure("F"); t_relay(); } '
                      'failure_route[F] { xlog("failed $T_reply_code"); ' + reply + " }")
    play.recv("MESSAGE").answer("bob", 408, "MESSAGE")
    assert play.said[-1] == "failed 408"
    if status:
        play.sent(status)
    play.quiet("alice")


def test_prx_47_a_reply_route_makes_it_another() -> None:
    play = ScriptBook('route { t_on_reply("R"); t_relay(); } onreply_route[R] { change_reply_status(480, "Asleep"); }')
    play.recv("MESSAGE").answer("bob", 408, "MESSAGE").sent(480)


def test_prx_48_peers_of_rfc_2543() -> None:
    old: dict[str, Any] = {"branch": "1"}
    play = flow().recv("INVITE", **old).sent(100).again().sent(100).sent("INVITE", "bob").quiet("bob")
    play.answer("bob", 180).sent(180).recv("CANCEL", **old).sent(200).sent("CANCEL", "bob")
    play.answer("bob", 487).sent("ACK", "bob").sent(487).recv("ACK", to_tag="tag-bob", **old).advance(6)
    play.quiet("alice").advance(30).gone()


def test_prx_48_another_call_of_such_a_peer_is_another() -> None:
    play = flow().recv("INVITE", branch="").sent(100).recv("INVITE", branch="", cseq=2).sent(100)
    play.recv("INVITE", branch="", from_tag="zz").sent(100).recv("INVITE", "sip:carol@10.0.0.3", branch="").sent(100)
    assert len(play.modules["tm"].table.servers) == 4


@pytest.mark.parametrize("raw,code", [
    (message.request().replace(b"Content-Length: 0", b"Content-Length: 9999"), 400),
    (message.request().replace(b"CSeq: 1 ", b"CSeq: 36893488147419103232 "), 400),
    (message.request(ruri="<sip:user@example.com>"), 400), (message.request(ruri="name:x"), 416)])
def test_prx_49_torture_is_answered(raw: bytes, code: int) -> None:
    """The messages of RFC 4475 and RFC 5118 one by one are in tests/torture; here that the answer leaves."""
    flow().feed(raw).sent(code)


def test_prx_50_storms_do_not_grow() -> None:
    play = ringing("bob")
    asked = play.received["bob"][0]
    ring = message.response(asked, 180, to_tag="tag-bob")
    invite = message.request()

    def rounds(count: int) -> int:
        for _ in range(count):
            play.feed(ring, "bob").feed(invite, "alice")
        play.net.log.clear()
        play.net.boxes.clear()
        play.received.clear()
        play.__dict__["_seen"] = {}
        gc.collect()
        return sys.getallocatedblocks()
    rounds(500)
    before = rounds(500)
    after = rounds(4500)
    assert after - before < 200, (before, after)
    assert len(play.modules["tm"].table.servers) == 1 and parse(ring).status == 180
