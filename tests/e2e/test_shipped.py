"""Run every script of cfg/ for real: what its first comment promises happens on the wire."""
from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kit import message
from kit.peer import free_port, sipp
from kit.server import CHECKOUT, osip_server
from kit.user import SCENARIOS

pytestmark = pytest.mark.timeout(90)


class Phone:
    """A UDP socket that speaks SIP by hand."""

    def __init__(self, server_port: int) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.settimeout(5)
        self.port = self.sock.getsockname()[1]
        self.server = ("127.0.0.1", server_port)

    def send(self, raw: bytes) -> None:
        self.sock.sendto(raw, self.server)

    def receive(self) -> bytes:
        return self.sock.recv(65535)

    def request(self, method: str, ruri: str, **more: object) -> bytes:
        raw = message.request(method, ruri, via=f"127.0.0.1:{self.port}", branch=f"z9hG4bK-{self.port}", **more)
        return raw.replace(b"10.0.0.1>", b"127.0.0.1:%d>" % self.port)


@contextmanager
def phones(port: int, count: int) -> Iterator[list[Phone]]:
    made = [Phone(port) for _ in range(count)]
    try:
        yield made
    finally:
        for phone in made:
            phone.sock.close()


def status(raw: bytes) -> int:
    assert raw.startswith(b"SIP/2.0 "), raw
    return int(raw[8:11])


def test_redirect(tmp_path: Path) -> None:
    with osip_server(CHECKOUT / "cfg/redirect.cfg", tmp_path / "server") as server, phones(server.port, 2) as (a, b):
        me = f"sip:127.0.0.1:{server.port}"
        aor = f"<sip:bob@127.0.0.1:{server.port}>"
        register = b.request("REGISTER", me).replace(b"<sip:alice@example.com>", aor.encode()).replace(
            b"<sip:bob@example.com>", aor.encode())
        b.send(register)
        assert status(b.receive()) == 200
        a.send(a.request("INVITE", f"sip:bob@127.0.0.1:{server.port}"))
        answer = a.receive()
        assert status(answer) == 302
        assert re.search(rb"\r\nContact: <sip:alice@127.0.0.1:%d>" % b.port, answer)
        tag = re.search(rb"\r\nTo: .*;tag=([^\r;]+)", answer)
        assert tag
        a.send(a.request("INVITE", f"sip:bob@127.0.0.1:{server.port}", to_tag=tag[1].decode()).replace(
            b"INVITE", b"ACK"))
        a.send(a.request("INVITE", f"sip:nobody@127.0.0.1:{server.port}", call_id="other"))
        assert status(a.receive()) == 404


def test_stateless_keeps_its_branch(tmp_path: Path) -> None:
    with osip_server(CHECKOUT / "cfg/stateless.cfg", tmp_path / "server") as server, phones(server.port, 2) as (a, b):
        invite = a.request("INVITE", f"sip:bob@127.0.0.1:{b.port}")
        a.send(invite)
        first = b.receive()
        a.send(invite)
        again = b.receive()
        a.send(a.request("INVITE", f"sip:bob@127.0.0.1:{b.port}").replace(b"INVITE", b"CANCEL"))
        cancel = b.receive()
        branch = [re.search(rb"branch=([^;\r]+)", raw)[1] for raw in (first, again, cancel)]
        assert branch[0] == branch[1] == branch[2] and first == again
        assert first.count(b"\r\nVia:") == 2 and b"\r\nRecord-Route:" in first and b"Max-Forwards: 69" in first
        b.send(message.response(first, 180))
        ringing = a.receive()
        assert status(ringing) == 180 and ringing.count(b"\r\nVia:") == 1
        a.send(a.request("OPTIONS", f"sip:127.0.0.1:{server.port}", max_forwards=0))
        assert status(a.receive()) == 483


@pytest.mark.peer("sipp")
def test_dispatcher_goes_on_with_the_next_gateway(tmp_path: Path) -> None:
    alive, dead = free_port(), free_port()
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "dispatcher.list").write_text(f"1 sip:127.0.0.1:{dead} 0 0\n1 sip:127.0.0.1:{alive} 0 0\n")
    replace = {r'"fr_timeout", 2': '"fr_timeout", 1'}
    with (osip_server(CHECKOUT / "cfg/dispatcher.cfg", folder, replace=replace) as server,
          sipp(tmp_path, "-sf", SCENARIOS / "uas_routed.xml", name="uas", port=alive),
          sipp(tmp_path, server.address, "-sf", SCENARIOS / "uac_routed.xml", "-m", 20, "-r", 10, name="uac",
               port=free_port()) as caller):
        made = caller.finish(60)
    assert (made.successful, made.failed) == (20, 0), made.errors
