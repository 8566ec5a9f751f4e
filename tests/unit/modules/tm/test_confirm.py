"""INVITEs of our own that are answered: the ACK, its way, and the end of a call that nobody waits for."""
from __future__ import annotations

from typing import Any

from kit.flows import flow
from kit.playbook import Playbook


def ask(play: Playbook, **more: Any) -> list[Any]:
    told: list[Any] = []
    play.modules["tm"].request("INVITE", "sip:bob@10.0.0.2", "sip:me@10.0.0.9", "sip:bob@10.0.0.2",
                               callback=lambda status, msg: told.append((status, msg and msg.status)), **more)
    return told


def test_every_2xx_to_an_invite_is_acknowledged() -> None:
    play = flow()
    told = ask(play, headers=b"X-A: 1\r\nAuthorization: Digest x\r\n")
    routes = "Record-Route: <sip:10.0.0.4;lr;a=1>, <sip:10.0.0.3;lr>\r\nContact: <sip:b@10.0.0.2:9;x=1>\r\n"
    play.sent("INVITE", "bob").answer("bob", 200, headers=routes).sent("ACK", "carol")
    invite, ack = play.received["bob"][0], play.got
    assert (ack.ruri, ack.cseq, ack.call_id) == ("sip:b@10.0.0.2:9;x=1", invite.cseq, invite.call_id)
    assert (ack.from_tag, ack.to_tag) == (invite.from_tag, "tag-bob") and ack.via1_branch != invite.via1_branch
    assert ack.get_all("Route") == ["<sip:10.0.0.3;lr>", "<sip:10.0.0.4;lr;a=1>"]
    assert ack.get("Authorization") == "Digest x" and ack.get("X-A") is None and ack.max_forwards == 70
    play.answer("bob", 200, headers=routes).sent("ACK", "carol")
    assert told == [(200, 200), (200, 200)]
    play.advance(40).quiet().gone()


def test_the_ack_without_routes_goes_to_the_contact() -> None:
    play = flow()
    ask(play)
    play.sent("INVITE", "bob").answer("bob", 200, headers="Contact: <sip:c@10.0.0.3>\r\n").sent("ACK", "carol")
    play.check(lambda m: m.ruri == "sip:c@10.0.0.3" and len(m.vias) == 1)


def test_the_ack_of_a_2xx_without_a_good_contact_goes_where_the_invite_went() -> None:
    play = flow()
    ask(play)
    play.sent("INVITE", "bob").answer("bob", 200).sent("ACK", "bob").check(lambda m: m.ruri == "sip:bob@10.0.0.2")


def test_a_strict_router_is_the_first_of_the_route_set() -> None:
    play = flow()
    ask(play)
    routes = "Record-Route: <sip:10.0.0.4;lr>, <sip:10.0.0.3>\r\nContact: <sip:b@10.0.0.2>\r\n"
    play.sent("INVITE", "bob").answer("bob", 200, headers=routes).sent("ACK", "carol")
    assert play.got.ruri == "sip:10.0.0.3"
    assert play.got.get_all("Route") == ["<sip:10.0.0.4;lr>", "<sip:b@10.0.0.2>"]


def test_a_caller_may_acknowledge_by_itself() -> None:
    play = flow()
    ask(play, ack=False)
    play.sent("INVITE", "bob").answer("bob", 200).quiet()


def test_a_phone_that_answers_when_all_is_over_hears_bye() -> None:
    play = flow(params={"tm": {"fr_inv_timeout": 5}})
    told = ask(play)
    play.sent("INVITE", "bob").answer("bob", 180).advance(5.2).sent("CANCEL", "bob")
    contact = "Contact: <sip:b@10.0.0.2>\r\n"
    play.answer("bob", 200, headers=contact).sent("ACK", "bob").sent("BYE", "bob")
    play.check(lambda m: m.cseq == 11 and m.to_tag == "tag-bob" and m.ruri == "sip:b@10.0.0.2")
    play.answer("bob", 200, "BYE").answer("bob", 200, headers=contact).sent("ACK", "bob").quiet("bob")
    assert told == [(408, None)]
    play.advance(70).gone()
