"""Management of transactions with several workers: whichever worker has one is found, by HTTP, over real sockets."""
from __future__ import annotations

import json
import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kit import message
from kit.peer import eventually
from kit.server import Running, osip_server

from osip.core.run.steer import owner_of
from osip.core.sip.message import parse

pytestmark = pytest.mark.timeout(60)

WORKERS = 3
SCRIPT = """\
udp_workers = 3
log_level = 3
socket = udp:127.0.0.1:5060
loadmodule "proto_udp.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "sipmsgops.so"
loadmodule "httpd.so"
loadmodule "mi_http.so"
onreply_route[R] { append_hf("X-Id: $T_id\\r\\n"); }
route {
    if (is_method("OPTIONS")) { sl_send_reply(200, "OK"); exit; }
    t_on_reply("R");
    t_relay();
}
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with osip_server(SCRIPT, tmp_path / "server") as running:
        eventually(lambda: len(rpc(running, "t_hash")) == WORKERS, "all workers")
        yield running


def rpc(server: Running, command: str, /, **params: Any) -> Any:
    """Run a management command; return its result, its error when it has one, [] while nobody answers."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": command, "params": params}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{server.mi_port}/mi", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            found = json.load(response)
    except OSError:
        return []
    return found.get("result", found.get("error"))


class Peer:
    """A UDP socket that is both caller and called."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(10)
        self.port = self.socket.getsockname()[1]

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, server: Running, data: bytes) -> None:
        self.socket.sendto(data, ("127.0.0.1", server.port))

    def want(self, what: int | str) -> Any:
        """Return the next message that is this status or method; others are passed over."""
        while True:
            msg: Any = parse(self.socket.recv(65535))
            if (msg.method if msg.is_request else msg.status) == what:
                return msg


def call_id(of: int) -> str:
    """Return a Call-ID that belongs to a worker."""
    return next(text for count in range(99) if owner_of(text := f"call-{count}@test", WORKERS) == of)


def ring(server: Running, peer: Peer, of: int) -> tuple[bytes, str]:
    """Call from the peer to itself through the server; return the INVITE as it arrived and the transaction's id."""
    peer.send(server, message.request("INVITE", f"sip:x@127.0.0.1:{peer.port}", via=f"127.0.0.1:{peer.port}",
                                      call_id=call_id(of), branch=f"z9hG4bK-{of}"))
    asked = peer.want("INVITE")
    peer.send(server, message.response(asked, 180))
    return asked, peer.want(180).get("X-Id")


@pytest.mark.parametrize("of", range(WORKERS))
def test_a_request_is_sent_by_the_worker_that_gets_the_answer(server: Running, of: int) -> None:
    with Peer() as peer:
        threading.Thread(target=lambda: peer.send(server, message.response(peer.want("MESSAGE"), 202))).start()
        found = rpc(server, "t_uac_dlg", method="MESSAGE", ruri=f"sip:x@127.0.0.1:{peer.port}", body="hi",
                    headers=f"From: <sip:a@x>\r\nTo: <sip:b@x>\r\nContent-Type: text/plain\r\nCall-ID: {call_id(of)}\r\n")
    assert found["Status"].startswith("202 "), found


def test_a_request_without_a_call_id_goes_out_once(server: Running) -> None:
    with Peer() as peer:
        rpc(server, "t_uac_dlg", method="ACK", ruri="tel:1", headers="From: <sip:a@x>\r\nTo: <sip:b@x>\r\n")
        threading.Thread(target=lambda: peer.send(server, message.response(peer.want("INFO"), 200))).start()
        found = rpc(server, "t_uac_dlg", method="INFO", ruri=f"sip:x@127.0.0.1:{peer.port}",
                    headers="From: <sip:a@x>\r\nTo: <sip:b@x>\r\n")
        assert found["Status"].startswith("200 "), found
        assert sum(row["Total"] for row in rpc(server, "t_hash")) == 0
        peer.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            peer.want("INFO")


@pytest.mark.parametrize("of", range(WORKERS))
def test_reply_and_cancel_find_their_transaction(server: Running, of: int) -> None:
    with Peer() as peer:
        _, name = ring(server, peer, of)
        assert name == f"{of}:1"
        assert [row["Current"] for row in rpc(server, "t_hash")] == [int(number == of) for number in range(WORKERS)]
        assert rpc(server, "t_reply", code=480, reason="By hand", trans_id=f"{(of + 1) % WORKERS}:1",
                   to_tag="x")["code"] == 404
        assert rpc(server, "t_reply", code=480, reason="By hand", trans_id=name, to_tag="mine") == "OK"
        got = [parse(peer.socket.recv(65535)) for _ in range(2)]
        assert {msg.method if msg.is_request else msg.status for msg in got} == {"CANCEL", 480}


@pytest.mark.parametrize("of", range(WORKERS))
def test_a_call_is_cancelled_by_its_call_id(server: Running, of: int) -> None:
    with Peer() as peer:
        ring(server, peer, of)
        assert rpc(server, "t_uac_cancel", callid="other", cseq="1 INVITE")["code"] == 481
        assert rpc(server, "t_uac_cancel", callid=call_id(of), cseq="1 INVITE") == "OK"
        peer.want("CANCEL")
