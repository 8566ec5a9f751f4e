"""Requests of our own: outcome told once, next address, local_route, management."""
from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kit import message
from kit.flows import flow
from kit.playbook import Playbook
from osip.core.errors import MIError
from osip.core.run.ctx import Ctx
from osip.modules.tm import Tm
from osip.modules.uac_auth import Credential, UacAuth


def ask(play: Playbook, ruri: str = "sip:bob@10.0.0.2", method: str = "OPTIONS", **more: Any) -> list[Any]:
    told: list[Any] = []
    tm: Tm = play.modules["tm"]                         # type: ignore[assignment]
    tm.request(method, ruri, "sip:me@10.0.0.9", "sip:bob@10.0.0.2",
               callback=lambda status, msg: told.append((status, msg and msg.status)), **more)
    return told


def test_answered() -> None:
    play = flow()
    told = ask(play, headers=b"X-One: 1\r\n")
    play.sent("OPTIONS", "bob").check(lambda m: m.from_tag and m.max_forwards == 70 and m.get("X-One") == "1")
    play.check(lambda m: len(m.vias) == 1 and m.via1.host == "10.0.0.9").advance(0.7).resent("OPTIONS", "bob")
    play.answer("bob", 100, "OPTIONS").answer("bob", 200, "OPTIONS").answer("bob", 200, "OPTIONS")
    assert told == [(200, 200)]
    play.advance(6).gone()


def test_timeout() -> None:
    play = flow(params={"tm": {"fr_timeout": 2}})
    told = ask(play)
    play.advance(2.2).gone()
    assert told == [(408, None)]


@pytest.mark.parametrize("ruri", ["sip:bob@nowhere.example", "tel:123", "sip:bob@10.0.0.66"])
def test_not_sent(ruri: str) -> None:
    play = flow()
    play.net.down.add("10.0.0.66:5060")
    assert ask(play, ruri) == [(477, None)]
    play.gone()


def test_next_address() -> None:
    play = flow(params={"tm": {"fr_timeout": 2}})
    play.net.names["many.example"] = ["10.0.0.2", "10.0.0.3", "10.0.0.4"]
    told = ask(play, "sip:x@many.example")
    play.sent("OPTIONS", "bob").advance(2.2).sent("OPTIONS", "carol").answer("carol", 503, "OPTIONS")
    play.sent("OPTIONS", "dave").answer("dave", 404, "OPTIONS")
    assert told == [(404, 404)]
    play.advance(6).gone()


def test_invite_of_our_own() -> None:
    play = flow()
    told = ask(play, method="INVITE", provisional=True)
    play.sent("INVITE", "bob").answer("bob", 180).answer("bob", 486).sent("ACK", "bob")
    assert told == [(180, 180), (486, 486)]
    play.advance(6).gone()


def test_a_phone_that_rings_too_long_is_cancelled() -> None:
    play = flow(params={"tm": {"fr_inv_timeout": 5}})
    told = ask(play, method="INVITE")
    play.sent("INVITE", "bob").answer("bob", 180).advance(5.2).sent("CANCEL", "bob").answer("bob", 200, "CANCEL")
    assert told == [(408, None)]
    play.answer("bob", 487).sent("ACK", "bob").advance(70).quiet().gone()
    assert told == [(408, None)]


def test_a_phone_that_first_rings_when_all_is_over_is_cancelled() -> None:
    play = flow(params={"tm": {"fr_timeout": 5}})
    ask(play, method="INVITE")
    play.advance(6)
    play.received.clear()
    play.net.log.clear()
    first = play.net.boxes["10.0.0.2:5060"][0]
    play.feed(message.response(first, 180, to_tag="b"), "bob")
    assert play.net.log[-1][1].startswith(b"CANCEL ")


def test_next_hop_and_local_route() -> None:
    seen: list[str] = []

    def local(ctx: Ctx) -> int:
        seen.append(ctx.msg.method)
        ctx.edit.append_hf("X-Local: 1")
        return 1
    play = flow(local=local)
    ask(play, next_hop="sip:10.0.0.4:5070")
    play.sent("OPTIONS", "dave").check(lambda m: m.get("X-Local") == "1" and m.ruri == "sip:bob@10.0.0.2")
    assert seen == ["OPTIONS"]


def test_a_named_route_in_place_of_local_route() -> None:
    seen: list[str] = []

    def mine(ctx: Ctx) -> int:
        seen.append("mine")
        ctx.edit.append_hf("X-Local: 2")
        return 1
    play = flow(local=lambda ctx: seen.append("local") or 1, MINE=mine, params={"tm": {"local_request_route": "MINE"}})
    ask(play)
    play.sent("OPTIONS", "bob").check(lambda m: m.get("X-Local") == "2")
    assert seen == ["mine"]


@pytest.mark.parametrize("t1,t2,copies", [(500, 4000, 4), (500, 1000, 9), (2000, 4000, 2)])
def test_timers_of_retransmission(t1: int, t2: int, copies: int) -> None:
    play = flow(params={"tm": {"t1_timer": t1, "t2_timer": t2, "fr_timeout": 30}})
    ask(play)
    play.advance(10)
    assert len(play.net.log) in (1 + copies, copies), "the first, and one after T1, 2*T1 ... up to T2"


CHALLENGE = 'WWW-Authenticate: Digest realm="there", nonce="n%d"%s\r\n'


def with_credentials(**more: Any) -> Playbook:
    return Playbook((Tm, UacAuth), lambda ctx: 1, params={"uac_auth": {"credential": [Credential("me", "there", "pw")]},
                                                          **more})


@pytest.mark.parametrize("method", ["OPTIONS", "INVITE"])
def test_a_challenge_is_answered_once(method: str) -> None:
    play = with_credentials()
    told = ask(play, method=method)
    play.sent(method, "bob").answer("bob", 401, method, headers=CHALLENGE % (1, ""))
    if method == "INVITE":
        play.sent("ACK", "bob")
    play.sent(method, "bob").check(lambda m: m.cseq == 11 and 'nonce="n1"' in m.get("Authorization"))
    play.check(lambda m: m.via1_branch != play.received["bob"][0].via1_branch)
    play.answer("bob", 401, method, headers=CHALLENGE % (2, ""))
    assert told == [(401, 401)]
    play.advance(6).gone()


def test_a_stale_nonce_is_answered_again() -> None:
    play = with_credentials()
    told = ask(play)
    play.sent("OPTIONS", "bob").answer("bob", 401, "OPTIONS", headers=CHALLENGE % (1, ""))
    play.sent("OPTIONS", "bob").answer("bob", 401, "OPTIONS", headers=CHALLENGE % (2, ", stale=true"))
    play.sent("OPTIONS", "bob").check(lambda m: m.cseq == 12 and len(m.get_all("Authorization")) == 1)
    play.check(lambda m: 'nonce="n2"' in m.get("Authorization")).answer("bob", 200, "OPTIONS")
    assert told == [(200, 200)]
    play.advance(6).gone()


def test_t_new_request() -> None:
    seen: list[Any] = []
    play = flow(local=lambda ctx: seen.append(ctx.avps) or 1)
    tm: Tm = play.modules["tm"]                         # type: ignore[assignment]
    code = tm.t_new_request(None, "MESSAGE", "sip:bob@10.0.0.2", "Me sip:me@here", "sip:bob@there",    # type: ignore
                            "text/plain Hello you", "mine")
    play.sent("MESSAGE", "bob").check(lambda m: m.body == b"Hello you" and m.content_type == "text/plain")
    play.check(lambda m: m.get("From").startswith('"Me" <sip:me@here>;tag='))
    assert code == 1 and seen == [{"uac_ctx": ["mine"]}]


async def test_slow_name() -> None:
    play = flow()
    play.net.names["many.example"] = ["10.0.0.2"]
    play.net.slow.add("many.example")
    told = ask(play, "sip:x@many.example")
    await asyncio.gather(*play.env._tasks)
    play.sent("OPTIONS", "bob").answer("bob", 200, "OPTIONS")
    assert told == [(200, 200)]


async def test_mi_uac_dlg() -> None:
    play = flow()
    tm: Tm = play.modules["tm"]                         # type: ignore[assignment]
    task = asyncio.ensure_future(tm.mi_uac_dlg("OPTIONS", "sip:bob@10.0.0.2",
                                               "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nX-A: 1\r\n"))
    await asyncio.sleep(0)
    play.sent("OPTIONS", "bob").check(lambda m: m.get("X-A") == "1" and m.from_tag == "1")
    play.answer("bob", 200, "OPTIONS")
    assert (await task)["Status"] == "200 OK"
    with pytest.raises(MIError):
        await tm.mi_uac_dlg("OPTIONS", "sip:bob@10.0.0.2", "From: <sip:a@b>\r\n")
