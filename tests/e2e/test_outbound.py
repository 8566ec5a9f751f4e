"""JsSIP behind an edge proxy: it registers by Path with a flow token, is called by it, and 430 tells when it is gone."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kit.jssip import jssip
from kit.peer import free_port
from kit.server import Running, osip_server
from kit.udp_phone import SDP, UdpPhone

FOLDER = Path(__file__).parent / "outbound"


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Running]:
    """Run the registrar."""
    with osip_server(FOLDER / "registrar.cfg", tmp_path / "registrar") as running:
        yield running


@pytest.fixture(params=[1, 3])
def edge(registrar: Running, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[int]:
    """Run the edge proxy with one worker and with several; yield its WebSocket port."""
    port, workers = free_port(), request.param
    replace = {r"\b8080\b": str(port), r"\b5090\b": str(registrar.port),
               "log_level = 2": f"log_level = 2\nudp_workers = {workers}\ntcp_workers = {workers}"}
    with osip_server(FOLDER / "edge.cfg", tmp_path / "edge", replace=replace):
        yield port


@pytest.mark.peer("node")
def test_calls_through_the_edge(registrar: Running, edge: int, tmp_path: Path) -> None:
    with UdpPhone("carol", registrar.port) as phone, jssip(tmp_path, edge, "bob") as bob:
        phone.register()
        invite = phone.request("INVITE", "sip:bob@localhost", body=SDP)
        answer = phone.expect(200)
        assert any(";flow=" in value for value in answer.get_all("Record-Route"))
        phone.within("ACK", invite, answer, 1)
        bob.wait_for("^confirmed$")
        phone.within("BYE", invite, answer, 2)
        assert phone.expect(200).cseq_method == "BYE"
        bob.wait_for("^ended Terminated")
        with jssip(tmp_path, edge, "alice", call="sip:carol@localhost") as alice:
            invite = phone.expect("INVITE")
            phone.reply(invite, 200, body=SDP)
            ack = phone.expect("ACK")
            alice.wait_for("^confirmed$")
            # The phone hangs up: the browser is found by the flow that the edge recorded.
            routes = "".join(f"Route: {value}\r\n" for value in invite.get_all("Record-Route"))
            phone.request("BYE", invite.contacts[0].uri_text, invite.get("From"), cseq=9, call_id=ack.call_id,
                          headers=routes, from_=ack.get("To"))
            phone.expect(200)
            alice.wait_for("^ended Terminated")


@pytest.mark.peer("node")
def test_a_flow_that_is_gone(registrar: Running, edge: int, tmp_path: Path) -> None:
    with jssip(tmp_path, edge, "bob") as bob:
        bob.popen.kill()
        bob.wait(5)
    with UdpPhone("carol", registrar.port) as phone:
        phone.request("INVITE", "sip:bob@localhost", body=SDP)
        phone.expect(480, timeout=5)
        # The registrar has forgotten the contact.
        phone.request("INVITE", "sip:bob@localhost", call_id="again", body=SDP)
        phone.expect(404, timeout=5)
