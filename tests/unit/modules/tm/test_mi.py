"""Management of transactions: counted, cancelled, answered from outside."""
from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kit.flows import flow, ringing
from osip.core.errors import MIError
from osip.core.exports.spec import Scope
from osip.core.run.env import Ids
from osip.core.run.steer import owner_of
from osip.core.sip.message import parse
from osip.modules.tm import Tm
from osip.modules.tm.mi import _split_headers


def test_hash() -> None:
    play = flow().recv("INVITE").recv("INVITE", branch="z9hG4bK-2").advance(0.1)
    assert play.modules["tm"].mi_hash() == [{"index": 0, "Current": 2, "Total": 2}]


def test_each_worker_names_its_own() -> None:
    play = ringing("bob")
    tm: Any = play.modules["tm"]
    play.env.number = 2
    assert tm.mi_hash()[0]["index"] == 2
    with pytest.raises(MIError, match="not found"):
        tm.mi_reply(480, "No", "0:1", "t1")             # the same number in another worker
    with pytest.raises(MIError, match="no status code"):
        tm.mi_reply(99, "No", "2:1", "t1")
    assert tm.mi_reply(480, "No", "2:1", "t1", "X-A: 1\nX-B: 2", "text") == "OK"
    play.sent(480).check(lambda m: (m.get("X-A"), m.get("X-B"), m.body) == ("1", "2", b"text"))
    assert {spec.canonical: spec.scope for spec in Tm.spec.mi} == {
        "tm:hash": Scope.EACH, "tm:uac_cancel": Scope.OWNER, "tm:reply": Scope.OWNER, "tm:uac_dlg": Scope.OWNER}


HEADERS = "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n"


@pytest.mark.parametrize("changes,code", [
    ({"headers": "From: <sip:a@b>\r\n"}, 400), ({"body": "hello"}, 400), ({"socket": "udp:9.9.9.9:5060"}, 400),
    ({"headers": HEADERS + "CSeq: x OPTIONS"}, 400), ({"headers": HEADERS + f"CSeq: {1 << 31} OPTIONS"}, 400),
    ({"ruri": "tel:1"}, 500)])
async def test_requests_that_cannot_be_sent(changes: dict[str, str], code: int) -> None:
    tm: Any = flow().modules["tm"]
    with pytest.raises(MIError) as caught:
        await tm.mi_uac_dlg(**{"method": "OPTIONS", "ruri": "sip:bob@10.0.0.2", "headers": HEADERS, **changes})
    assert caught.value.code == code


async def test_what_goes_on_with_the_dialog() -> None:
    play = flow()
    tm: Any = play.modules["tm"]
    own = HEADERS + "Call-ID: mine\r\nCSeq: 7 INVITE"
    task = asyncio.ensure_future(tm.mi_uac_dlg("INVITE", "sip:bob@10.0.0.2", own))
    await asyncio.sleep(0)
    play.sent("INVITE", "bob").check(lambda m: (m.call_id, m.cseq) == ("mine", 7))
    routes = "Record-Route: <sip:10.0.0.8;lr>, <sip:10.0.0.7;lr>\r\nContact: <sip:b@10.0.0.2:9>\r\n"
    play.answer("bob", 180).answer("bob", 200, headers=routes)
    found = await task
    assert (found["Status"], found["RURI"], found["Next-hop"]) == ("200 OK", "sip:b@10.0.0.2:9", "sip:10.0.0.7;lr")
    assert found["Routes"] == ["<sip:10.0.0.7;lr>", "<sip:10.0.0.8;lr>"] and found["Message"].startswith("SIP/2.0 200")


async def test_a_call_of_another_worker_is_left_to_it() -> None:
    play = flow()
    tm: Any = play.modules["tm"]
    play.env.ids = Ids(b"\x01\x02", 0, 3)
    calls = [f"call{number}" for number in range(6)]
    asked = [asyncio.ensure_future(tm.mi_uac_dlg("OPTIONS", "sip:bob@10.0.0.2", f"{HEADERS}Call-ID: {call}"))
             for call in calls]
    await asyncio.sleep(0)
    sent = {parse(data).call_id for _, data in play.net.log}
    assert sent == {call for call in calls if owner_of(call, 3) == 0} and 0 < len(sent) < 6
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)


def test_cancel() -> None:
    play = ringing("bob")
    tm: Any = play.modules["tm"]
    for callid, cseq in (("other", "1 INVITE"), ("call-1", "2 INVITE"), ("call-1", "")):
        with pytest.raises(MIError):
            tm.mi_uac_cancel(callid, cseq)
    assert tm.mi_uac_cancel("call-1", "1 INVITE") == "OK"
    play.sent("CANCEL", "bob")
    with pytest.raises(MIError):
        tm.mi_uac_cancel("call-1", "1 INVITE")


def test_reply() -> None:
    play = ringing("bob")
    tm: Any = play.modules["tm"]
    tx = next(iter(tm.table.servers.values()))
    with pytest.raises(MIError):
        tm.mi_reply(480, "No", "0:99", "t1")
    assert tm.mi_reply(480, "No", f"0:{tx.label}", "t1", "X-A: 1\r\n") == "OK"
    play.sent(480).check(lambda m: m.to_tag == "t1" and m.get("X-A") == "1").sent("CANCEL", "bob")
    with pytest.raises(MIError):
        tm.mi_reply(480, "No", f"0:{tx.label}", "t1")


@pytest.mark.parametrize("text,own,rest", [
    ("From: <sip:a@b>\r\nX: 1\r\n", {"from": "<sip:a@b>"}, b"X: 1\r\n"),
    ("f: a\nt: b\ni: c\nCSeq: 3 INVITE\n\n", {"from": "a", "to": "b", "call-id": "c", "cseq": "3 INVITE"}, b"")])
def test_headers_are_told_apart(text: str, own: dict[str, str], rest: bytes) -> None:
    assert _split_headers(text) == (own, rest)
