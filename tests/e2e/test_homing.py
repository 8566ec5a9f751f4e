"""Replies go back on the connection of their request (RFC 3261 section 18.2.2): over TCP, TLS and WebSocket, without rport.

The peers' Via names a port at which somebody else listens, who must hear nothing.
"""
from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kit.certificates import Authority
from kit.peer import HOST, free_port
from kit.server import osip_server
from websockets.sync.client import connect

pytestmark = pytest.mark.timeout(120)

CALLS = 12


def script(folder: Path, ports: dict[str, int], phone: int, workers: int, relay: str) -> str:
    authority = Authority(folder)
    files = authority.issue("server", hosts=(HOST,))
    return f"""
log_level = 3
udp_workers = {workers}
socket = udp:{HOST}:5060
socket = tcp:{HOST}:{ports['tcp']}
socket = tls:{HOST}:{ports['tls']}
socket = ws:{HOST}:{ports['ws']}
loadmodule "proto_udp.so"
loadmodule "proto_tcp.so"
loadmodule "proto_tls.so"
loadmodule "proto_ws.so"
loadmodule "tls_mgm.so"
loadmodule "sl.so"
loadmodule "tm.so"
modparam("tls_mgm", "server_domain", "d")
modparam("tls_mgm", "certificate", "[d]{files.cert}")
modparam("tls_mgm", "private_key", "[d]{files.key}")
modparam("tls_mgm", "verify_cert", "[d]0")
route {{
    if ($rU == "far") {{ $du = "sip:{HOST}:{phone}"; {relay} exit; }}
    sl_send_reply(200, "Near");
}}
"""


def request(proto: str, call: str, user: str, port: int) -> bytes:
    return (f"OPTIONS sip:{user}@{HOST} SIP/2.0\r\nVia: SIP/2.0/{proto.upper()} {HOST}:{port};branch=z9hG4bK{call}\r\n"
            f"Max-Forwards: 9\r\nFrom: <sip:x@{HOST}>;tag=1\r\nTo: <sip:{user}@{HOST}>\r\nCall-ID: {call}\r\n"
            "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n").encode()


@contextmanager
def talker(proto: str, port: int) -> Iterator[tuple[Callable[[bytes], Any], Callable[[], bytes]]]:
    """Connect, and give what sends and what reads one message."""
    if proto == "ws":
        with connect(f"ws://{HOST}:{port}/", subprotocols=["sip"], origin=f"http://{HOST}") as web:  # type: ignore[arg-type,list-item]
            def read_frame() -> bytes:
                got = web.recv(timeout=10)
                return got.encode() if isinstance(got, str) else got
            yield lambda data: web.send(data.decode()), read_frame
        return
    with socket.create_connection((HOST, port), 10) as sock:
        end: Any = sock
        if proto == "tls":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            end = context.wrap_socket(sock)
        rest = [b""]

        def read() -> bytes:
            while b"\r\n\r\n" not in rest[0]:
                more = end.recv(65535)
                assert more, "closed"
                rest[0] += more
            one, _, rest[0] = rest[0].partition(b"\r\n\r\n")
            return one
        yield end.sendall, read
        end.close()


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("relay", ["forward();", "t_relay();"], ids=["stateless", "stateful"])
def test_replies_come_home(tmp_path: Path, workers: int, relay: str) -> None:
    ports = {proto: free_port() for proto in ("tcp", "tls", "ws")}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone, socket.create_server((HOST, 0)) as stranger:
        phone.bind((HOST, 0))
        phone.settimeout(10)
        wrong = stranger.getsockname()[1]
        with osip_server(script(tmp_path, ports, phone.getsockname()[1], workers, relay), tmp_path / "server"):
            for proto, port in ports.items():
                with talker(proto, port) as (send, read):
                    for number in range(CALLS):
                        near, far = f"{proto}{number}near", f"{proto}{number}far"
                        send(request(proto, near, "near", wrong))
                        got = read()
                        assert got.startswith(b"SIP/2.0 200 Near") and near.encode() in got
                        send(request(proto, far, "far", wrong))
                        asked, where = phone.recvfrom(65535)
                        head = asked.partition(b"\r\n")[2].replace(b"Max-Forwards: 8\r\n", b"")
                        phone.sendto(b"SIP/2.0 200 Far\r\n" + head, where)
                        got = read()
                        assert got.startswith(b"SIP/2.0 200 Far") and got.count(b"Via:") == 1, got
                        assert f"Call-ID: {far}".encode() in got
        stranger.setblocking(False)
        with pytest.raises(BlockingIOError):
            stranger.accept()


def test_without_the_connection_by_the_name_in_via(tmp_path: Path) -> None:
    """The connection is gone and the received address refuses: the sent-by name is looked up (18.2.2)."""
    ports = {proto: free_port() for proto in ("tcp", "tls", "ws")}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone, socket.create_server((HOST, 0)) as there:
        phone.bind((HOST, 0))
        phone.settimeout(10)
        there.settimeout(10)
        via = there.getsockname()[1]
        with osip_server(script(tmp_path, ports, phone.getsockname()[1], 1, "forward();"), tmp_path / "server"):
            with socket.socket() as sock:
                sock.bind(("127.0.0.3", 0))
                sock.connect((HOST, ports["tcp"]))
                sock.sendall(request("tcp", "gone", "far", via).replace(f" {HOST}:{via}".encode(),
                                                                        f" localhost:{via}".encode()))
                asked, where = phone.recvfrom(65535)
                assert b"received=127.0.0.3" in asked
                sock.settimeout(10)
                sock.shutdown(socket.SHUT_WR)
                assert sock.recv(1) == b"", "the server has seen that it is gone"
            phone.sendto(b"SIP/2.0 200 Far\r\n" + asked.partition(b"\r\n")[2].replace(b"Max-Forwards: 8\r\n", b""), where)
            back, _ = there.accept()
            with back:
                back.settimeout(10)
                assert back.recv(65535).startswith(b"SIP/2.0 200 Far")
