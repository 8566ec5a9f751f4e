"""Streams in the real program: SIPp over TCP and IPv6, 20,000 connects, the silent, and one address that wants all."""
from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import pytest
from kit.peer import HOST, child, eventually, free_port, is_bound, sipp
from kit.server import CHECKOUT, Running, osip_server

sys.path.insert(0, str(CHECKOUT / "scripts"))

from bench.connections import open_connections  # noqa: E402  (found through the line above)
from bench.usage import read_usage  # noqa: E402

pytestmark = pytest.mark.timeout(180)

SCRIPT = """\
log_level = 2
socket = udp:127.0.0.1:5060
socket = tcp:127.0.0.1:5060
tcp_connect_timeout = 1000
loadmodule "proto_udp.so"
loadmodule "proto_tcp.so"
loadmodule "sl.so"
loadmodule "tm.so"
"""
ANSWER = 'route { sl_send_reply(200, "OK"); }\n'
CALLS = 200


def ask_udp(port: int) -> bytes:
    """Ask the server over UDP; it must answer at once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((HOST, port))
        sock.settimeout(5)
        sock.send(f"OPTIONS sip:{HOST} SIP/2.0\r\nVia: SIP/2.0/UDP {HOST};branch=z9hG4bK{time.monotonic_ns()};rport\r\nMax-Forwards: "
                  f"9\r\nFrom: <sip:a@{HOST}>;tag=1\r\nTo: <sip:{HOST}>\r\nCall-ID: {time.monotonic_ns()}\r\nCSeq: 1 OPTIONS\r\n"
                  "Content-Length: 0\r\n\r\n".encode())
        return sock.recv(4096)


def resident(server: Running) -> int:
    return read_usage(server.child.pid).resident


@pytest.mark.peer("sipp")
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_sipp_calls_over_tcp(tmp_path: Path, host: str) -> None:
    """Caller and callee over TCP; one connection on each side carries all calls."""
    callee_port, own = free_port(), free_port()
    bare = host.strip("[]")
    script = (SCRIPT + (f"socket = tcp:{host}:{own}\n" if bare == "::1" else "") + f"""
route {{
    if ($rU == "bob") {{ $du = "sip:{host}:{callee_port};transport=tcp"; t_relay(); exit; }}
    sl_send_reply(200, "OK");
}}
""")
    with osip_server(script, tmp_path / "server") as server:
        eventually(lambda: is_bound(own, bare) or bare != "::1", "the IPv6 socket")
        target = f"{host}:{own}" if bare == "::1" else server.address
        with sipp(tmp_path, "-sn", "uas", "-t", "t1", host=bare, name="uas", port=callee_port) as callee, \
                sipp(tmp_path, target, "-sn", "uac", "-t", "t1", "-s", "bob", "-m", CALLS, "-r", 50, host=bare,
                     name="uac", port=free_port()) as caller:
            made = caller.finish(60)
            assert (made.successful, made.failed) == (CALLS, 0), made
            taken = callee.quit()
        assert (taken.successful, taken.failed) == (CALLS, 0), taken


@pytest.mark.peer("sipp")
@pytest.mark.parametrize("workers", [1, 2])
def test_sipp_calls_over_udp_and_ipv6(tmp_path: Path, workers: int) -> None:
    """Caller and callee on IPv6; with two workers each call stays in its own."""
    own, callee_port = free_port(), free_port()
    script = SCRIPT + f"""udp_workers = {workers}
socket = udp:[::1]:{own}
loadmodule "rr.so"
route {{
    if ($rU == "bob") {{ record_route(); $du = "sip:[::1]:{callee_port}"; t_relay(); exit; }}
    if (loose_route()) {{ t_relay(); exit; }}
    sl_send_reply(200, "OK");
}}
"""
    with osip_server(script, tmp_path / "server"):
        eventually(lambda: is_bound(own, "::1"), "the IPv6 socket")
        with sipp(tmp_path, "-sn", "uas", "-rsa", f"[::1]:{own}", host="::1", name="uas", port=callee_port) as callee, \
                sipp(tmp_path, f"[::1]:{own}", "-sn", "uac", "-s", "bob", "-m", CALLS, "-r", 50, host="::1", name="uac",
                     port=free_port()) as caller:
            made = caller.finish(60)
            assert (made.successful, made.failed) == (CALLS, 0), made
            taken = callee.quit()
        assert (taken.successful, taken.failed) == (CALLS, 0), taken


def has_sctp() -> bool:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET, socket.IPPROTO_SCTP).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(has_sctp(), reason="the kernel has SCTP: tests/unit/core/net/test_sctp.py uses it")
@pytest.mark.parametrize("workers", [1, 2])
def test_sctp_where_the_kernel_has_none(tmp_path: Path, workers: int) -> None:
    """The start ends with one line that says what is missing and what to do, and nothing is left running."""
    script = SCRIPT.replace(":5060", f":{free_port()}") + f"udp_workers = {workers}\nsocket = sctp:{HOST}:{free_port()}\n" \
        'loadmodule "proto_sctp.so"\n' + ANSWER
    (tmp_path / "test.cfg").write_text(script)
    argv = [sys.executable, "-m", "osip", "start", "-f", tmp_path / "test.cfg"]
    with child("osip", argv, tmp_path, {"PYTHONUNBUFFERED": "1"}) as running:
        assert running.wait(20) != 0
        said = [line for line in running.lines if "SCTP" in line]
    assert 1 <= len(said) <= workers, running.lines
    assert "kernel has no SCTP. Load it (modprobe sctp), or remove the socket" in said[-1]
    assert "Traceback" not in running.text()


def test_twenty_thousand_connects(tmp_path: Path) -> None:
    """Most are refused, all are closed by their makers; memory and log stay small and the rest is served."""
    script = SCRIPT + "tcp_max_connections = 300\n" + ANSWER
    with osip_server(script, tmp_path / "server") as server:
        assert ask_udp(server.port).startswith(b"SIP/2.0 200")
        before, lines = resident(server), len(server.child.text().splitlines())
        held: list[socket.socket] = []
        for number in range(20_000):
            sock = socket.socket()
            sock.setblocking(False)
            sock.bind((f"127.0.0.{10 + number % 16}", 0))
            sock.connect_ex((HOST, server.port))
            held.append(sock)
            if len(held) == 500:
                for old in held[:250]:
                    old.close()
                del held[:250]
                if number % 4000 == 1999:
                    assert ask_udp(server.port).startswith(b"SIP/2.0 200")
        for sock in held:
            sock.close()
        [served] = open_connections(server.port, 1)         # there is room again
        served.close()
        assert resident(server) - before < 20 << 20
        assert len(server.child.text().splitlines()) - lines < 30


def test_frames_that_claim_two_gigabytes(tmp_path: Path) -> None:
    """Three hundred WebSockets claim 2 GB each, three hundred more never end a message; each sends a megabyte if it may."""
    port = free_port()
    script = SCRIPT + f'socket = ws:{HOST}:{port}\nloadmodule "proto_ws.so"\n' + ANSWER
    ask = (f"GET / HTTP/1.1\r\nHost: {HOST}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: http://x\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n")
    heads = (b"\x81\xff" + (2 << 30).to_bytes(8, "big"), b"\x01\xff" + (900_000).to_bytes(8, "big"))
    with osip_server(script, tmp_path / "server") as server:
        eventually(lambda: is_bound(port), "the WebSocket")
        before, lines, peak, sockets = resident(server), len(server.child.text().splitlines()), 0, []
        for number in range(600):
            sock = socket.create_connection((HOST, port), 10)
            sockets.append(sock)
            try:
                sock.sendall(ask.encode())
                assert sock.recv(4096).startswith(b"HTTP/1.1 101")
                sock.sendall(heads[number % 2] + bytes(4))
                for _ in range(3):
                    sock.sendall(b"a" * 300_000 + (heads[1] + bytes(4) if number % 2 else b""))
            except OSError:
                pass                                            # refused: what else it says is not read
            if number % 50 == 49:
                peak = max(peak, resident(server))
                assert ask_udp(server.port).startswith(b"SIP/2.0 200")
            if number % 2 and len(sockets) > 40:                # a peer that goes takes what it sent along
                for old in sockets[:20]:
                    old.close()
                del sockets[:20]
        print(f"grown={(peak - before) >> 10} kB")
        assert peak - before < 80 << 20
        assert len(server.child.text().splitlines()) - lines < 30
        for sock in sockets:
            sock.close()


def test_the_silent_make_room(tmp_path: Path) -> None:
    """Who connects and says nothing, or never ends a message, cannot keep the others out."""
    script = SCRIPT + "tcp_max_connections = 50\ntcp_max_msg_time = 1\n" + ANSWER
    with osip_server(script, tmp_path / "server") as server:
        silent = [socket.create_connection((HOST, server.port), 5) for _ in range(50)]
        for sock in silent[:25]:
            sock.sendall(b"OPTIONS sip:a SIP/2.0\r\nX-Slow: ")
        time.sleep(1.2)                                     # a new connection has a second to say something
        good = open_connections(server.port, 20)
        assert len(good) == 20 and ask_udp(server.port).startswith(b"SIP/2.0 200")
        for sock in (*silent, *good):
            sock.close()


def test_one_address_gets_its_share_only(tmp_path: Path) -> None:
    script = SCRIPT + 'modparam("proto_tcp", "max_connections_per_address", 5)\n' + ANSWER
    with osip_server(script, tmp_path / "server") as server:
        mine = [socket.create_connection((HOST, server.port), 5) for _ in range(8)]
        ended = 0
        for sock in mine[5:]:
            sock.settimeout(5)
            try:
                ended += sock.recv(1) == b""
            except ConnectionError:
                ended += 1
        assert ended == 3
        assert len(open_connections(server.port, 16)) == 16     # from other addresses
        mine[0].close()
        for sock in mine:
            sock.close()
        assert server.child.alive
