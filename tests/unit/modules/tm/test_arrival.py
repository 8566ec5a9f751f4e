"""Requests that arrive: made once, copies answered, ACKs told apart."""
from __future__ import annotations

from typing import Any

import pytest

from kit import message
from kit.flows import flow
from kit.playbook import Playbook
from osip.core.net.endpoint import Source
from osip.core.run.ctx import Ctx
from osip.core.sip.message import parse
from osip.modules.tm import arrival


def make(play: Playbook, raw: bytes) -> Ctx:
    return Ctx(play.env, parse(raw), Source(play.env.sockets[0], "10.0.0.1", 5060))


@pytest.mark.parametrize("method,sent", [("INVITE", [100, 100]), ("MESSAGE", [])])
def test_made_once(method: str, sent: list[int]) -> None:
    play = flow()
    tm: Any = play.modules["tm"]
    ctx = make(play, message.request(method))
    tx, made = arrival.take(tm.layer, ctx)
    assert tx is ctx.tx is not None and made == 1
    assert arrival.take(tm.layer, ctx) == (tx, 0)
    assert arrival.take(tm.layer, make(play, message.request(method))) == (None, 0)       # a copy
    assert [parse(raw).status for _, raw in play.net.log] == sent and tm.uas_transactions == 1


def test_acks() -> None:
    play = flow()
    tm: Any = play.modules["tm"]
    assert arrival.take(tm.layer, make(play, message.request("ACK"))) == (None, -1)
    play.recv("INVITE").answer("bob", 404)
    assert arrival.take(tm.layer, make(play, message.request("ACK", to_tag="tag-bob"))) == (None, 0)
    play.advance(1)
    assert sum(raw.startswith(b"SIP/2.0 404") for _, raw in play.net.log) == 1


def test_echo() -> None:
    play = flow()
    tm: Any = play.modules["tm"]
    assert not arrival.echo(tm.layer, "key")
    tm.echoes.add("key", b"answer", play.env.resolve("sip:10.0.0.1")[0])
    tm.echoes.add("silent", None, None)
    assert arrival.echo(tm.layer, "key") and arrival.echo(tm.layer, "silent")
    assert [raw for _, raw in play.net.log] == [b"answer"]
