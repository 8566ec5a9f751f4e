"""Whole scripts as they were written for 1.4 to 3.4: they load, check clean, and do with a call what they did then."""
from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from kit.message import request
from kit.script import ScriptBook

from osip.core.exports.diagnostic import Severity
from osip.core.net.endpoint import LocalSocket
from osip.core.run.config import Config
from osip.main import new_registry
from osip.script.boot import compile_script
from osip.script.lint import lint

FOLDER = Path(__file__).parent / "eras"
NAMES = sorted(path.stem for path in FOLDER.glob("*.cfg"))


def book(name: str, **config: Any) -> ScriptBook:
    return ScriptBook(FOLDER / f"{name}.cfg", **config)


async def started(name: str) -> ScriptBook:
    """Bring a server up to where its startup route has run."""
    flow = book(name)
    for instance in flow.worker.registry.start_order():
        await instance.child_init(flow.env)
    flow.worker.run_startup_route()
    return await settled(flow)


def registration(domain: str, user: str = "bob", **more: Any) -> bytes:
    return request("REGISTER", f"sip:{domain}", **more).replace(b"<sip:bob@example.com>", f"<sip:{user}@{domain}>".encode())


async def settled(flow: ScriptBook) -> ScriptBook:
    """Wait until nothing waits any more."""
    while flow.env._tasks:
        await asyncio.gather(*flow.env._tasks)
    return flow


@pytest.mark.parametrize("name", NAMES)
def test_checks_clean(name: str) -> None:
    registry = new_registry()
    result = compile_script(FOLDER / f"{name}.cfg", registry, Config())
    found = lint(result, registry)
    assert [f"{one.span.line} {one.code} {one.message}" for one in found if one.severity is not Severity.INFO] == []


def test_there_are_six() -> None:
    assert len(NAMES) >= 6


# --- 1.4 -------------------------------------------------------------------------------------------------------------


def test_1_4_an_outside_line_with_a_second_gateway() -> None:
    flow = book("gateway_1_4").recv("INVITE", "sip:0301234@10.0.0.9").sent(100)
    flow.sent("INVITE", "bob").check(lambda msg: msg.ruri == "sip:+49301234@10.0.0.2:5070" and "Record-Route" in msg.raw.decode())
    flow.answer("bob", 503).sent("INVITE", "carol")
    flow.check(lambda msg: msg.ruri == "sip:+49301234@10.0.0.3:5070" and msg.get("P-hint") == "second gateway")
    assert any("first gateway failed for +49301234" in line for line in flow.said)
    flow.answer("carol", 200).sent(200).quiet("alice")


@pytest.mark.parametrize(("status", "goes_on"), [(486, False), (603, False), (408, True)])
def test_1_4_busy_is_busy(status: int, goes_on: bool) -> None:
    flow = book("gateway_1_4").recv("INVITE", "sip:0301234@10.0.0.9").sent(100).sent("INVITE", "bob").answer("bob", status)
    if goes_on:
        flow.sent("INVITE", "carol")
    else:
        flow.sent(status).quiet("carol")


def test_1_4_registers_and_finds() -> None:
    flow = book("gateway_1_4").feed(registration("office.example.com")).sent(200)
    flow.recv("INVITE", "sip:bob@office.example.com", branch="z9hG4bK-2", call_id="2").sent(100).sent("INVITE", "alice")
    flow.check(lambda msg: msg.ruri == "sip:alice@10.0.0.1")


@pytest.mark.parametrize(("method", "ruri", "more", "status"), [
    ("INVITE", "sip:nobody@10.0.0.9", {}, 404), ("INVITE", "sip:x@elsewhere.example", {}, 403),
    ("INVITE", "sip:x@10.0.0.9", {"max_forwards": 0}, 483), ("MESSAGE", "sip:x@10.0.0.9", {"body": "x" * 4100}, 513)])
def test_1_4_refuses(method: str, ruri: str, more: dict[str, Any], status: int) -> None:
    flow = book("gateway_1_4").recv(method, ruri, **more).sent(status)
    assert flow.got.get("Server") == "office"


# --- 1.8 -------------------------------------------------------------------------------------------------------------


def test_1_8_a_phone_behind_nat() -> None:
    flow = book("nat_1_8")
    flow.feed(registration("nat.example.com", via="192.168.1.9:5060"), "dave", port=40001)
    flow.sent(200, "dave").check(lambda msg: "rport=40001" in msg.raw.decode())
    flow.recv("INVITE", "sip:bob@nat.example.com", branch="z9hG4bK-2", call_id="2").sent(100)
    flow.sent("INVITE", "dave").check(lambda msg: "nat=yes" in msg.get("Record-Route"))
    assert flow.net.log[-1][0] == "10.0.0.4:40001"
    flow.answer("dave", 200, headers="Contact: <sip:bob@192.168.1.9>\r\n").sent(200)
    flow.check(lambda msg: msg.get("Contact") == "<sip:bob@10.0.0.4:40001>" or "5060" in str(msg.get("Contact")))


def test_1_8_refuses() -> None:
    flow = book("nat_1_8").recv("INVITE", "sip:bob@nat.example.com").sent(100).sent(404)
    flow.recv("INVITE", "sip:bob@elsewhere.example", branch="z9hG4bK-2", call_id="2").sent(403)


# --- 2.1 -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def in_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files named in the scripts are found beside them."""
    monkeypatch.chdir(FOLDER)


@pytest.mark.usefixtures("in_folder")
async def test_2_1_the_next_carrier_takes_the_call() -> None:
    flow = await started("trunk_2_1")
    await settled(flow.recv("INVITE", "sip:+4930123@trunk.example.net"))
    flow.sent(100)
    flow._collect()
    first, second = ("bob", "carol") if flow.received.get("bob") else ("carol", "bob")
    flow.sent("INVITE", first).check(lambda msg: msg.get("X-Branch").startswith("0 10.0.0."))
    await settled(flow.answer(first, 500))
    flow.sent("INVITE", second).check(lambda msg: msg.get("X-Branch").startswith("1 10.0.0."))
    await settled(flow.answer(second, 503))
    flow.sent(480).check(lambda msg: msg.reason == "All carriers are busy")


@pytest.mark.usefixtures("in_folder")
async def test_2_1_limits_and_refusals() -> None:
    flow = await started("trunk_2_1")
    for number in range(3):
        await settled(flow.recv("INVITE", "sip:+4930@trunk.example.net", branch=f"z9hG4bK-{number}", call_id=str(number)))
        flow.sent(100)
    await settled(flow.recv("INVITE", "sip:+4930@trunk.example.net", branch="z9hG4bK-x", call_id="x"))
    flow.sent(503)
    assert any("call number 4" in line for line in flow.said)
    await settled(flow.recv("OPTIONS", "sip:trunk.example.net", branch="z9hG4bK-o"))
    flow.sent(200)
    await settled(flow.recv("SUBSCRIBE", "sip:x@trunk.example.net", branch="z9hG4bK-s"))
    flow.sent(405).check(lambda msg: (msg.get("Allow") or "").startswith("INVITE"))


# --- 2.4 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ruri", "status"), [
    ("sip:100@unknown.example", 404), ("sip:1000@one.example", 484), ("sip:100@two.example", 484)])
async def test_2_4_refuses(ruri: str, status: int) -> None:
    flow = await started("pbx_2_4")
    await settled(flow.recv("MESSAGE", ruri))
    flow.sent(status)


async def test_2_4_one_phone_after_the_other() -> None:
    flow = await started("pbx_2_4")
    for number, (peer, q) in enumerate((("10.0.0.2", "0.9"), ("10.0.0.3", "0.4"))):
        raw = registration("one.example", "100", call_id=f"r{number}", branch=f"z9hG4bK-r{number}").replace(
            b"<sip:alice@10.0.0.1>", f"<sip:100@{peer}>;q={q}".encode())
        await settled(flow.feed(raw))
        flow.sent(200)
    await settled(flow.recv("INVITE", "sip:100@one.example", branch="z9hG4bK-i", call_id="i", headers="User-Agent: x\r\n"))
    flow.sent(100).advance(0.1)
    await settled(flow)
    flow.sent("INVITE", "bob").check(lambda msg: msg.get("User-Agent") == "pbx" and "203.0.113.5" not in msg.ruri).quiet("carol")
    assert any("send: call from alice" in line for line in flow.said)
    flow.answer("bob", 480).sent("INVITE", "carol").answer("carol", 486).sent(486)


# --- 3.1 -------------------------------------------------------------------------------------------------------------

EDGE = [LocalSocket("udp", "10.0.0.9", 5060, tag="out"), LocalSocket("udp", "10.0.0.9", 5062, tag="in")]


@pytest.mark.parametrize(("ruri", "peer", "port"), [("sip:100@h", "bob", 5062), ("sip:alice@h", "carol", 5060)])
def test_3_1_inside_and_outside(ruri: str, peer: str, port: int) -> None:
    flow = ScriptBook(FOLDER / "edge_3_1.cfg", sockets=[LocalSocket(s.proto, s.host, s.port, tag=s.tag) for s in EDGE])
    flow.recv("INVITE", ruri).sent(100).sent("INVITE", peer)
    flow.check(lambda msg: f"10.0.0.9:{port}" in msg.get_all("Via")[0] and "EDGE" not in msg.raw.decode())
    flow.answer(peer, 486, headers="X-Internal: secret\r\n").sent(486).check(lambda msg: msg.get("X-Internal") is None)
    assert any(f"{ruri[4:-2]} failed with 486" in line for line in flow.said)


def test_3_1_limits_and_broken_messages() -> None:
    flow = ScriptBook(FOLDER / "edge_3_1.cfg", sockets=[LocalSocket(s.proto, s.host, s.port, tag=s.tag) for s in EDGE])
    for number in range(40):
        flow.recv("INVITE", "sip:100@h", branch=f"z9hG4bK-{number}", call_id=str(number))
    flow._collect()
    assert 503 in [msg.status for msg in flow.received["alice"] if not msg.is_request]
    assert flow.env.stats.get("edge_rejected") and flow.env.stats.get("edge_calls") >= 2
    flow.recv("OPTIONS", "sip:h", branch="z9hG4bK-o", call_id="o")
    flow._collect()
    assert flow.received["alice"][-1].status == 200
    flow.recv("BYE", "sip:h", branch="z9hG4bK-b", call_id="b")
    assert any("a BYE without a dialog (500)" in line for line in flow.said)


# --- 3.4 -------------------------------------------------------------------------------------------------------------


def test_3_4_asks_for_credentials() -> None:
    flow = book("cloud_3_4").recv("MESSAGE", "sip:bob@elsewhere.example").sent(403)
    raw = request("REGISTER", "sip:sip.example.cloud", branch="z9hG4bK-2").replace(b"alice@example.com", b"alice@sip.example.cloud")
    flow.feed(raw).sent(401).check(lambda msg: 'realm="sip.example.cloud"' in msg.get("WWW-Authenticate"))
    raw = request("INVITE", "sip:bob@sip.example.cloud", branch="z9hG4bK-3").replace(b"alice@example.com", b"alice@sip.example.cloud")
    flow.feed(raw).sent(407)


SDP = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


def test_3_4_a_service_number_rings_in_two_places() -> None:
    flow = book("cloud_3_4")
    flow.recv("INVITE", "sip:100@sip.example.cloud", headers="Content-Type: application/sdp\r\n", body=SDP).sent(100)
    flow.sent("INVITE", "bob").check(lambda msg: "sip:service@example.com" in msg.get("From"))
    flow.sent("INVITE", "carol").check(lambda msg: msg.ruri == "sip:100@10.0.0.3")
    assert f"class=service first=m=audio media={len(SDP) - SDP.index('m=')}" in flow.said
    flow.answer("bob", 486).answer("carol", 486).sent("INVITE", "dave").check(lambda msg: msg.ruri == "sip:voicemail@10.0.0.4")
    flow.answer("dave", 200).sent(200)


@pytest.mark.parametrize(("ruri", "status"), [("sip:sip.example.cloud", 484), ("sip:bob@sip.example.cloud", 480)])
def test_3_4_refuses(ruri: str, status: int) -> None:
    book("cloud_3_4").recv("MESSAGE", ruri).sent(status)
