"""Reload a script that lists other sockets: new ones answer, those that are gone close, a call under way goes on."""
from __future__ import annotations

import json
import re
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit.message import request, response
from kit.peer import free_port
from kit.server import Running, osip_server

pytestmark = pytest.mark.timeout(120)

HOST = "127.0.0.1"
SCRIPT = """
socket = udp:127.0.0.1:5060
socket = udp:127.0.0.1:%(first)d
socket = tcp:127.0.0.1:%(first)d
loadmodule "proto_udp.so" loadmodule "proto_tcp.so" loadmodule "tm.so" loadmodule "sl.so" loadmodule "httpd.so"
loadmodule "mi_http.so" loadmodule "signaling.so"
route { if (is_method("OPTIONS")) { send_reply(200, "OK"); exit; } t_relay(); }
""".replace('if (is_method("OPTIONS"))', 'if ($rm == "OPTIONS")')


def mi(server: Running, method: str) -> dict:
    """Run a management command over HTTP."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": []}).encode()
    asked = urllib.request.Request(f"http://{HOST}:{server.mi_port}/mi", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=20) as got:
        return json.load(got)


def udp() -> socket.socket:
    """Return a peer's socket."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    sock.settimeout(5)
    return sock


def ask(port: int, timeout: float = 5) -> bytes:
    """Return the status line that OPTIONS to a port gets; empty when nothing listens there."""
    with udp() as peer:
        peer.settimeout(timeout)
        via, number = f"{HOST}:{peer.getsockname()[1]}", time.time_ns()
        try:
            peer.connect((HOST, port))
            peer.send(request("OPTIONS", f"sip:{HOST}", via=via, branch=f"z9hG4bK-{number}", call_id=f"o{number}"))
            return peer.recv(65535).split(b"\r\n")[0]
        except (ConnectionRefusedError, TimeoutError):
            return b""


def closed(port: int, timeout: float = 10) -> None:
    """Wait until nothing answers on a port."""
    until = time.monotonic() + timeout
    while ask(port, 0.5):
        assert time.monotonic() < until, "it never closed"


@pytest.fixture(params=[1, 3], ids=["one worker", "three workers"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Running, int]]:
    """Run a server with a socket that a reload takes away."""
    first = free_port()
    with osip_server(SCRIPT % {"first": first}, tmp_path / "server", "-n", str(request.param)) as running:
        yield running, first


def test_sockets_come_and_go(server: tuple[Running, int]) -> None:
    running, first = server
    second = free_port()
    script = running.folder / "test.cfg"
    before = script.read_text()
    with socket.create_connection((HOST, first), timeout=5) as stream:
        script.write_text(re.sub(rf"127\.0\.0\.1:{first}\b", f"127.0.0.1:{second}", before))
        assert mi(running, "reload_routes")["result"] == "OK"
        assert ask(second) == ask(running.port) == b"SIP/2.0 200 OK"
        closed(first)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, first), timeout=5)
        socket.create_connection((HOST, second), timeout=5).close()
        stream.sendall(request("OPTIONS", f"sip:{HOST}", transport="TCP"))
        assert stream.recv(65535).startswith(b"SIP/2.0 200 OK"), "the connection that came by it stays"
    script.write_text(before)
    assert mi(running, "reload_routes")["result"] == "OK"
    for _ in range(5):
        assert ask(first) == b"SIP/2.0 200 OK"
    closed(second)


def test_a_call_under_way_goes_on_over_a_socket_that_leaves(server: tuple[Running, int]) -> None:
    running, first = server
    script = running.folder / "test.cfg"
    with udp() as alice, udp() as bob:
        via = f"{HOST}:{alice.getsockname()[1]}"
        invite = request("INVITE", f"sip:bob@{HOST}:{bob.getsockname()[1]}", via=via, call_id="held")
        alice.sendto(invite, (HOST, first))
        assert alice.recv(65535).startswith(b"SIP/2.0 100")
        got, proxy = bob.recvfrom(65535)
        script.write_text(re.sub(rf"socket = \w+:127\.0\.0\.1:{first}\n", "", script.read_text()))
        assert mi(running, "reload_routes")["result"] == "OK"
        assert ask(first) == b"SIP/2.0 503 Socket Closing"
        alice.sendto(invite, (HOST, first))
        assert alice.recv(65535).startswith(b"SIP/2.0 100"), "a copy of what is known is no new request"
        bob.sendto(response(got, 486), proxy)
        answer, where = alice.recvfrom(65535)
        assert answer.startswith(b"SIP/2.0 486") and where[1] == first
        alice.sendto(request("ACK", f"sip:bob@{HOST}:{bob.getsockname()[1]}", via=via, call_id="held", to_tag="b1"),
                     (HOST, first))
    closed(first, 60)
