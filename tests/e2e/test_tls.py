"""TLS in the real program: mutual TLS, names, reload under live connections, relaying to TLS, workers, PROXY headers."""
from __future__ import annotations

import json
import os
import re
import socket
import ssl
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kit.certificates import Authority, Files
from kit.peer import HOST, eventually, free_port
from kit.server import CHECKOUT, Running, osip_server

sys.path.insert(0, str(CHECKOUT / "scripts"))

from bench.usage import read_usage  # noqa: E402  (found through the line above)

pytestmark = pytest.mark.timeout(120)

MODULES = """\
log_level = 3
tcp_connect_timeout = 2000
socket = udp:127.0.0.1:5060
loadmodule "proto_udp.so"
loadmodule "proto_tls.so"
loadmodule "tls_mgm.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "httpd.so"
loadmodule "mi_http.so"
"""


def request(proto: str = "TLS", user: str = "a", call: str = "1", uri: str = "") -> bytes:
    uri = uri or f"sip:{user}@{HOST}"
    return (f"OPTIONS {uri} SIP/2.0\r\nVia: SIP/2.0/{proto} {HOST}:5999;branch=z9hG4bK{call}\r\nMax-Forwards: 9\r\n"
            f"From: <sip:x@{HOST}>;tag=1\r\nTo: <{uri}>\r\nCall-ID: {call}\r\nCSeq: 1 OPTIONS\r\n"
            "Content-Length: 0\r\n\r\n").encode()


def read(sock: Any) -> str:
    """Read one message without a body."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65535)
        if not more:
            return ""
        data += more
    return data.decode()


@contextmanager
def secure(port: int, authority: Authority, files: Files | None = None, name: str | None = None) -> Iterator[ssl.SSLSocket]:
    """Connect as a client that trusts the authority."""
    context = ssl.create_default_context(cafile=str(authority.files.cert))
    context.check_hostname = False
    if files is not None:
        context.load_cert_chain(files.cert, files.key)
    with socket.create_connection((HOST, port), 10) as raw, context.wrap_socket(raw, server_hostname=name) as sock:
        yield sock


def talk(port: int, authority: Authority, files: Files | None = None, name: str | None = None, call: str = "1") -> str:
    """Return the start line of the answer to one request, or how the connection was refused."""
    try:
        with secure(port, authority, files, name) as sock:
            sock.sendall(request(call=call))
            return read(sock).partition("\r\n")[0] or "closed"
    except (ssl.SSLError, OSError) as error:
        return type(error).__name__


def mi(server: Running, method: str) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method}).encode()
    asked = urllib.request.Request(f"http://{HOST}:{server.mi_port}/mi", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return json.load(answer)["result"]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.mark.parametrize("workers", [1, 3])
def test_clients_and_what_the_script_sees(authority: Authority, tmp_path: Path, workers: int) -> None:
    """With several workers most requests are handled by another one than the connection's."""
    port = free_port()
    one, other = authority.issue("one.org"), authority.issue("two.org")
    script = f"""udp_workers = {workers}
{MODULES}socket = tls:{HOST}:{port}
modparam("tls_mgm", "server_domain", "one")
modparam("tls_mgm", "match_sip_domain", "[one]*")
modparam("tls_mgm", "certificate", "[one]{one.cert}")
modparam("tls_mgm", "private_key", "[one]{one.key}")
modparam("tls_mgm", "ca_list", "[one]{authority.files.cert}")
modparam("tls_mgm", "server_domain", "two")
modparam("tls_mgm", "match_sip_domain", "[two]two.org, *.two.org")
modparam("tls_mgm", "certificate", "[two]{other.cert}")
modparam("tls_mgm", "private_key", "[two]{other.key}")
modparam("tls_mgm", "verify_cert", "[two]0")
route {{
    $var(ok) = 0;
    if (is_peer_verified()) $var(ok) = 1;
    sl_send_reply(200, "$tls_version $tls_my_subject_cn $tls_peer_subject_cn $tls_peer_verified $var(ok)");
}}
"""
    with osip_server(script, tmp_path / "server") as server:
        eventually(lambda: talk(port, authority, None, "two.org") != "ConnectionRefusedError", "the TLS socket")
        good, late = authority.issue("alice"), authority.issue("bob", days=-1)
        for call in range(3 * workers):
            assert talk(port, authority, good, "one.org", f"c{call}") == "SIP/2.0 200 TLSv1.3 one.org alice 1 1"
        assert talk(port, authority, None, "two.org") == "SIP/2.0 200 TLSv1.3 two.org <null> 0 0"
        assert talk(port, authority, None, "sip.two.org").startswith("SIP/2.0 200 TLSv1.3 two.org")
        for files in (None, late):
            assert not talk(port, authority, files, "one.org").startswith("SIP")
        assert "PRIVATE" not in server.child.text() and str(one.key) not in server.child.text()
        names = [domain["name"] for domain in mi(server, "tls_list")["Domains"]]
        assert names == ["two", "one"]


def test_certificates_are_reloaded_under_live_connections(authority: Authority, tmp_path: Path) -> None:
    port = free_port()
    files = authority.issue("before", label="own")
    script = f"""{MODULES}socket = tls:{HOST}:{port}
modparam("tls_mgm", "certificate", "{files.cert}")
modparam("tls_mgm", "private_key", "{files.key}")
modparam("tls_mgm", "verify_cert", "0")
route {{ sl_send_reply(200, "$tls_my_subject_cn"); }}
"""
    with osip_server(script, tmp_path / "server") as server:
        eventually(lambda: talk(port, authority) == "SIP/2.0 200 before", "the TLS socket")
        with secure(port, authority) as live:
            for name in ("first", "second"):
                authority.issue(name, label="own")
                assert mi(server, "tls_reload") == "OK"
                assert talk(port, authority, call=name) == f"SIP/2.0 200 {name}"
                live.sendall(request(call=f"live{name}"))
                assert read(live).startswith("SIP/2.0 200 before")      # its own session goes on as it began


class SecurePeer:
    """A SIP server over TLS that answers each request with 200."""

    def __init__(self, files: Files) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.cert, files.key)
        self._sock = socket.create_server((HOST, 0))
        self.port = self._sock.getsockname()[1]
        self.got: list[str] = []
        self._context = context
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                raw, _ = self._sock.accept()
            except OSError:
                return
            try:
                with self._context.wrap_socket(raw, server_side=True) as sock:
                    while text := read(sock):
                        self.got.append(text)
                        kept = [line for line in text.split("\r\n") if re.match(r"(Via|From|To|Call-ID|CSeq):", line)]
                        sock.sendall(("\r\n".join(["SIP/2.0 200 Fine", *kept, "Content-Length: 0"]) + "\r\n\r\n").encode())
            except OSError:
                continue

    def close(self) -> None:
        self._sock.close()


def test_relaying_to_servers_that_show_their_name(authority: Authority, tmp_path: Path) -> None:
    """`localhost` has a certificate, `127.0.0.1` is not in it: nothing of a request leaves to a peer of another name."""
    peers = [SecurePeer(authority.issue(name, hosts=(name,))) for name in ("localhost", "other.org")]
    script = f"""{MODULES}socket = tls:{HOST}:{free_port()}
modparam("tls_mgm", "client_domain", "out")
modparam("tls_mgm", "ca_list", "[out]{authority.files.cert}")
route {{
    if ($rd == "{HOST}") {{ sl_send_reply(200, "OK"); exit; }}
    t_relay();
}}
"""
    with osip_server(script, tmp_path / "server") as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind((HOST, 0))
        phone.settimeout(10)
        answers = []
        for number, peer in enumerate(peers):
            uri = f"sip:bob@localhost:{peer.port};transport=tls"
            phone.sendto(request("UDP", call=f"r{number}", uri=uri).replace(b":5999", f":{phone.getsockname()[1]}".encode()),
                         (HOST, server.port))
            answer = phone.recv(65535).decode()
            while answer.startswith("SIP/2.0 1"):
                answer = phone.recv(65535).decode()
            answers.append(answer.partition("\r\n")[0])
        assert answers[0] == "SIP/2.0 200 Fine" and answers[1].startswith(("SIP/2.0 4", "SIP/2.0 5")), answers
        assert len(peers[0].got) == 1 and not peers[1].got
        server.child.wait_for("the certificate is for other.org")
        assert "SIP/2.0/TLS" in peers[0].got[0]
    for peer in peers:
        peer.close()


def test_proxy_headers_name_the_peer(tmp_path: Path) -> None:
    script = """\
socket = udp:127.0.0.1:5060
socket = tcp:127.0.0.1:5060
loadmodule "proto_udp.so"
loadmodule "proto_tcp.so"
loadmodule "sl.so"
modparam("proto_tcp", "proxy_protocol_from", "127.0.0.0/8")
route { sl_send_reply(200, "From $si $sp"); }
"""
    with osip_server(script, tmp_path / "server") as server:
        for head, seen in ((b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 5060\r\n", "192.0.2.7 4711"),
                           (b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x08\x7f\x00\x00\x01\x12\x67\x13\xc4",
                            "192.0.2.8 4711")):
            with socket.create_connection((HOST, server.port), 10) as sock:
                sock.sendall(head + request("TCP"))
                answer = read(sock)
                assert answer.startswith(f"SIP/2.0 200 From {seen}\r\n") and "received=192.0.2." in answer
        with socket.create_connection((HOST, server.port), 10) as sock:
            sock.sendall(request("TCP"))
            assert read_end(sock) == b""


def read_end(sock: socket.socket) -> bytes:
    try:
        return sock.recv(100)
    except ConnectionError:
        return b""


def hello() -> bytes:
    """Return a ClientHello of OpenSSL's."""
    context, out = ssl.create_default_context(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="a.b").do_handshake()
    return out.read()


def test_a_flood_of_handshakes(authority: Authority, tmp_path: Path) -> None:
    """Ten thousand begin a handshake and never end it; phones over UDP and others over TLS are served meanwhile.

    Memory and log stay small (OSIP_FLOOD: how many instead).
    """
    flood = int(os.environ.get("OSIP_FLOOD", "10000"))
    port = free_port()
    files = authority.issue("srv")
    script = f"""{MODULES}socket = tls:{HOST}:{port}
tcp_socket_backlog = 512
modparam("proto_tls", "tls_max_handshakes", 100)
modparam("proto_tls", "tls_handshake_timeout", 500)
modparam("tls_mgm", "certificate", "{files.cert}")
modparam("tls_mgm", "private_key", "{files.key}")
modparam("tls_mgm", "verify_cert", "0")
route {{ sl_send_reply(200, "OK"); }}
"""
    first, held = hello(), []
    with osip_server(script, tmp_path / "server") as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind((HOST, 0))
        phone.settimeout(2)
        eventually(lambda: talk(port, authority) == "SIP/2.0 200 OK", "the TLS socket")
        lines, before = len(server.child.text().splitlines()), read_usage(server.child.pid).resident
        for number in range(flood):
            sock = socket.create_connection((HOST, port), 10)
            try:
                sock.sendall(first[:100] if number % 2 else first)
            except ConnectionError:
                pass                                            # refused at once
            held.append(sock)
            if len(held) == 600:
                for old in held[:300]:
                    old.close()
                del held[:300]
            if number % 500 == 499:
                phone.sendto(request("UDP", call=f"u{number}").replace(b":5999", f":{phone.getsockname()[1]}".encode()),
                             (HOST, server.port))
                assert phone.recv(65535).startswith(b"SIP/2.0 200")
        eventually(lambda: talk(port, authority, call="after") == "SIP/2.0 200 OK", "room for a good client")
        stats = mi_stats(server, "proto_tls:")
        assert stats["proto_tls:handshakes_refused"] > flood / 4 and stats["proto_tls:handshakes_done"] >= 2
        assert len(server.child.text().splitlines()) - lines < 20
        grown = read_usage(server.child.pid).resident - before
        print(f"flood={flood} grown={grown >> 10} kB refused={stats['proto_tls:handshakes_refused']}")
        assert grown < 30 << 20
        for sock in held:
            sock.close()


def mi_stats(server: Running, group: str) -> dict[str, int]:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "get_statistics", "params": {"statistics": [group]}}).encode()
    asked = urllib.request.Request(f"http://{HOST}:{server.mi_port}/mi", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return {name: int(value) for name, value in json.load(answer)["result"].items()}


def test_a_script_of_1x_runs_unchanged(authority: Authority, tmp_path: Path) -> None:
    """TLS and the transports were part of the core then: no modules, global parameters, a block for one address."""
    port, second, far = free_port(), free_port(), free_port()
    one = authority.issue("one", hosts=("one.example", HOST))
    two = authority.issue("two", hosts=("two.example",))
    server = tmp_path / "server"
    script = f"""
debug=3
log_stderror=yes
fork=no
children=1
disable_tls = no
listen = udp:127.0.0.1:5060
listen = tls:127.0.0.1:{port}
listen = tls:127.0.0.1:{second}
tls_method = TLSv1
tls_verify_server = 1
tls_verify_client = 1
tls_require_client_certificate = 0
tls_certificate = "{one.cert}"
tls_private_key = "{one.key}"
tls_ca_list = "{authority.files.cert}"
tls_handshake_timeout=10
tls_send_timeout=5
tls_server_domain[127.0.0.1:{second}] {{
    tls_certificate = "{two.cert}"
    tls_private_key = "{two.key}"
    tls_require_client_certificate = 1
}}
loadmodule "sl.so"
loadmodule "tm.so"
route {{
    if (uri =~ "far") {{ t_relay("tls:127.0.0.1:{far}"); exit; }}
    sl_send_reply("200", "OK");
}}
"""
    with osip_server(script, server):
        eventually(lambda: talk(port, authority) == "SIP/2.0 200 OK", "the default domain")
        with secure(port, authority) as sock:
            assert sock.version() in ("TLSv1.2", "TLSv1.3") and ("DNS", "one.example") in sock.getpeercert()["subjectAltName"]  # type: ignore[index]
        with secure(second, authority, one) as sock:
            assert ("DNS", "two.example") in sock.getpeercert()["subjectAltName"]       # type: ignore[index]
        assert talk(second, authority, one) == "SIP/2.0 200 OK"
        assert not talk(second, authority).startswith("SIP"), "the block wants a certificate of its clients"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(one.cert, one.key)
        context.load_verify_locations(authority.files.cert)
        context.verify_mode = ssl.CERT_REQUIRED
        with socket.create_server((HOST, far)) as listening:
            listening.settimeout(10)
            with secure(port, authority) as sock:
                sock.sendall(request(user="far"))
                with context.wrap_socket(listening.accept()[0], server_side=True) as peer:
                    assert read(peer).startswith("OPTIONS sip:far@")
                    assert peer.getpeercert(), "we show the default certificate"
