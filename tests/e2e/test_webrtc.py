"""Browsers' stack (JsSIP) and browsers (Chromium) against cfg/webrtc.cfg: they register and call, also a UDP phone."""
from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from kit.certificates import Authority
from kit.jssip import MODULES, SCRIPTS, jssip
from kit.peer import HOST, Child, PeerError, child, free_port, program
from kit.server import CHECKOUT, Running, osip_server
from kit.udp_phone import SDP, UdpPhone


@contextmanager
def webrtc_server(folder: Path, workers: int = 1) -> Iterator[tuple[Running, int]]:
    """Run the shipped script; yield it and its WebSocket port."""
    port = free_port()
    replace = {r"\b8080\b(?=;|\s+#)": str(port),
               r"(?m)^log_level = 2": f"log_level = 2\nudp_workers = {workers}\ntcp_workers = {workers}"}
    with osip_server(CHECKOUT / "cfg/webrtc.cfg", folder, replace=replace) as running:
        yield running, port


@contextmanager
def wss_server(folder: Path) -> Iterator[tuple[Running, int]]:
    """Run the shipped script with the lines about wss taken in; yield it and its wss port."""
    port = free_port()
    folder.mkdir(parents=True)
    files = Authority(folder).issue("server", hosts=(HOST,))
    replace = {r"\b8080\b(?=;|\s+#)": str(free_port()), r"(?m)^# (?=.*(?:wss:|proto_wss|tls_mgm))": "",
               r"\b8443\b": str(port), "/etc/osip/cert.pem": str(files.cert), "/etc/osip/key.pem": str(files.key)}
    with osip_server(CHECKOUT / "cfg/webrtc.cfg", folder, replace=replace) as running:
        yield running, port


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Running, int]]:
    """Run the shipped script with one worker."""
    with webrtc_server(tmp_path / "server") as both:
        yield both


@pytest.mark.peer("node")
def test_browser_stacks_call_each_other(server: tuple[Running, int], tmp_path: Path) -> None:
    _, port = server
    with jssip(tmp_path, port, "bob") as bob:
        with jssip(tmp_path, port, "alice", call="sip:bob@localhost", hangUp=200) as alice:
            bob.wait_for("^incoming$")
            alice.wait_for("^ringing$")
            alice.wait_for("^confirmed$")
            bob.wait_for("^confirmed$")
            alice.wait_for("^ended Terminated")
            bob.wait_for("^ended Terminated")


@pytest.mark.peer("node")
def test_the_called_browser_hangs_up(server: tuple[Running, int], tmp_path: Path) -> None:
    _, port = server
    with jssip(tmp_path, port, "bob", hangUp=200) as bob:
        with jssip(tmp_path, port, "alice", call="sip:bob@localhost") as alice:
            bob.wait_for("^ended Terminated")
            alice.wait_for("^ended Terminated")


@pytest.mark.peer("node")
def test_a_browser_calls_a_phone(server: tuple[Running, int], tmp_path: Path) -> None:
    running, port = server
    with UdpPhone("carol", running.port) as phone:
        phone.register()
        with jssip(tmp_path, port, "alice", call="sip:carol@localhost", hangUp=200) as alice:
            invite = phone.expect("INVITE")
            assert invite.contacts[0].uri.host == HOST and invite.contacts[0].uri.param("transport") == "ws"
            phone.reply(invite, 180, "Ringing")
            alice.wait_for("^ringing$")
            phone.reply(invite, 200, body=SDP)
            phone.expect("ACK")
            alice.wait_for("^confirmed$")
            phone.reply(phone.expect("BYE"), 200)
            alice.wait_for("^ended Terminated")


@pytest.mark.peer("node")
def test_a_phone_calls_a_browser(server: tuple[Running, int], tmp_path: Path) -> None:
    running, port = server
    with UdpPhone("carol", running.port) as phone, jssip(tmp_path, port, "bob") as bob:
        invite = phone.request("INVITE", "sip:bob@localhost", body=SDP)
        answer = phone.expect(200)
        phone.within("ACK", invite, answer, 1)
        bob.wait_for("^confirmed$")
        phone.within("BYE", invite, answer, 2)
        assert phone.expect(200).cseq_method == "BYE"
        bob.wait_for("^ended Terminated")


@pytest.mark.peer("node")
def test_a_browser_that_went_away_is_answered_for_at_once(server: tuple[Running, int], tmp_path: Path) -> None:
    running, port = server
    with jssip(tmp_path, port, "bob") as bob:
        bob.popen.kill()
        bob.wait(5)
    with UdpPhone("carol", running.port) as phone:
        phone.request("INVITE", "sip:bob@localhost", body=SDP)
        phone.expect(480, timeout=3)


@pytest.mark.peer("node")
def test_browsers_of_different_workers(tmp_path: Path) -> None:
    with webrtc_server(tmp_path / "server", 3) as (_, port), ExitStack() as stack:
        # Enough of them that no worker has them all.
        for user in ("b1", "b2", "b3", "b4"):
            bob = stack.enter_context(jssip(tmp_path, port, user))
            with jssip(tmp_path, port, "a" + user, call=f"sip:{user}@localhost", hangUp=100) as alice:
                alice.wait_for("^confirmed$")
                bob.wait_for("^confirmed$")
                alice.wait_for("^ended Terminated")
                bob.wait_for("^ended Terminated")


@pytest.mark.peer("node")
def test_secure_websockets(tmp_path: Path) -> None:
    with wss_server(tmp_path / "server") as (running, port), UdpPhone("carol", running.port) as phone:
        phone.register()
        with jssip(tmp_path, port, "bob", "wss") as bob:
            with jssip(tmp_path, port, "alice", "wss", call="sip:bob@localhost", hangUp=100) as alice:
                alice.wait_for("^ended Terminated")
                bob.wait_for("^ended Terminated")
            with jssip(tmp_path, port, "dave", "wss", call="sip:carol@localhost") as dave:
                invite = phone.expect("INVITE")
                phone.reply(invite, 200, body=SDP)
                phone.expect("ACK")
                dave.wait_for("^confirmed$")


HELLO = (b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: http://x\r\n"
         b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n")
HOSTILE = [
    b"\x16\x03\x01\x02\x00" + b"\0" * 500,                           # TLS where none is
    b"INVITE sip:bob@localhost SIP/2.0\r\n\r\n",                      # SIP without a WebSocket
    b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000,                         # a head that never ends
    b"GET /",                                                          # a handshake that stops
    HELLO + b"\x81\xff" + (2 << 30).to_bytes(8, "big") + b"\0" * 4 + b"x" * 50_000,     # 2 GB are announced
    HELLO + b"\x01\x81\0\0\0\0x" + b"\x00\x81\0\0\0\0x" * 50_000,    # fragments without end
    HELLO + b"\x81\xff" + (1 << 20).to_bytes(8, "big") + b"\0" * 4 + b"x" * 1000,       # a frame that stops
    HELLO + b"\x89\x80\0\0\0\0" * 50_000,                              # pings
    HELLO + (b"\x82\x84\0\0\0\0junk") * 5_000,                         # frames that are no SIP
]


def resident(pid: int) -> int:
    """Return the memory of a process in kB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4


@pytest.mark.peer("node")
def test_hostile_peers_cost_little_and_calls_go_on(server: tuple[Running, int], tmp_path: Path) -> None:
    running, port = server
    with jssip(tmp_path, port, "bob") as bob, ExitStack() as stack:
        before = resident(running.child.pid)
        for data in HOSTILE * 20:
            peer = stack.enter_context(socket.create_connection((HOST, port), 5))
            peer.settimeout(0.5)
            try:
                peer.sendall(data)
            except OSError:
                continue                        # closed already, or not read any more: both are right
        with jssip(tmp_path, port, "alice", call="sip:bob@localhost", hangUp=100) as alice:
            alice.wait_for("^ended Terminated")
            bob.wait_for("^ended Terminated")
        assert resident(running.child.pid) - before < 40_000
        assert len(running.child.lines) < 60, "log lines are bounded"


# ---- Chromium -----------------------------------------------------------------------------------------------------

class Web:
    """A web server on loopback: the page, JsSIP's files, and what pages report, by user."""

    def __init__(self) -> None:
        self.heard: dict[str, list[str]] = {}
        self._news = threading.Condition()
        web = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                file = MODULES / path.removeprefix("/modules/") if path.startswith("/modules/") else SCRIPTS / path[1:]
                if not file.is_file():
                    self.send_error(404)
                    return
                body = file.read_bytes()
                self.send_response(200)
                self.send_header("Content-Type", "text/html" if file.suffix == ".html" else "text/javascript")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                word = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self.send_response(204)
                self.end_headers()
                with web._news:
                    web.heard.setdefault(self.path.rpartition("/")[2], []).append(word)
                    web._news.notify_all()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer((HOST, 0), Answer)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, options: dict[str, Any]) -> str:
        """Give the address of a page that is this phone."""
        return f"http://{HOST}:{self.server.server_port}/page.html#{quote(json.dumps(options))}"

    def wait_for(self, user: str, word: str, browser: Child, timeout: float = 30.0) -> None:
        """Wait until a page has reported something that begins so."""
        with self._news:
            if not self._news.wait_for(lambda: any(w.startswith(word) for w in self.heard.get(user, ())), timeout):
                raise PeerError(f"{user} never reported {word}: {self.heard}\n{browser.last_words()}")


@contextmanager
def web_server() -> Iterator[Web]:
    """Serve pages for the length of a block."""
    web = Web()
    try:
        yield web
    finally:
        web.server.shutdown()
        web.server.server_close()


@contextmanager
def chromium(folder: Path, name: str, url: str, *args: str) -> Iterator[Child]:
    """Run Chromium without a window on one page, with a profile of its own."""
    profile = folder / f"profile-{name}"
    argv = [program("chromium") or "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--log-level=3", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
            "--remote-debugging-port=0", f"--user-data-dir={profile}", *args, url]
    with child(f"chromium-{name}", argv, folder) as running:
        yield running


@pytest.mark.peer("node")
@pytest.mark.peer("chromium")
def test_a_page_in_chromium_calls_and_is_called(server: tuple[Running, int], tmp_path: Path) -> None:
    running, port = server
    url = f"ws://{HOST}:{port}/"
    with web_server() as web, UdpPhone("carol", running.port) as phone:
        phone.register()
        page = web.url({"url": url, "user": "dora", "domain": "localhost", "call": "sip:carol@localhost",
                        "hangUp": 200})
        with chromium(tmp_path, "dora", page) as browser:
            web.wait_for("dora", "registered", browser)
            invite = phone.expect("INVITE", 30)
            phone.reply(invite, 180, "Ringing")
            phone.reply(invite, 200, body=SDP)
            phone.expect("ACK")
            web.wait_for("dora", "confirmed", browser)
            phone.reply(phone.expect("BYE"), 200)
            web.wait_for("dora", "ended Terminated", browser)
            with jssip(tmp_path, port, "bob", call="sip:dora@localhost") as bob:
                web.wait_for("dora", "incoming", browser)
                bob.wait_for("^confirmed$")
                bob.wait_for("^ended Terminated")


@pytest.mark.peer("node")
@pytest.mark.peer("chromium")
def test_a_page_registers_over_wss(tmp_path: Path) -> None:
    with wss_server(tmp_path / "server") as (running, port), web_server() as web:
        page = web.url({"url": f"wss://{HOST}:{port}/", "user": "gina", "domain": "localhost", "hangUp": -1})
        with chromium(tmp_path, "gina", page, "--ignore-certificate-errors") as browser:
            web.wait_for("gina", "registered", browser)
            with UdpPhone("carol", running.port) as phone:
                invite = phone.request("INVITE", "sip:gina@localhost", body=SDP)
                phone.within("ACK", invite, phone.expect(200), 1)
                web.wait_for("gina", "confirmed", browser)


@pytest.mark.peer("node")
@pytest.mark.peer("chromium")
def test_two_pages_talk_with_real_media(server: tuple[Running, int], tmp_path: Path) -> None:
    _, port = server
    common = {"url": f"ws://{HOST}:{port}/", "domain": "localhost", "media": True}
    with web_server() as web:
        with chromium(tmp_path, "emma", web.url({**common, "user": "emma", "hangUp": -1})) as emma:
            web.wait_for("emma", "registered", emma)
            page = web.url({**common, "user": "fred", "call": "sip:emma@localhost", "hangUp": 500})
            with chromium(tmp_path, "fred", page) as fred:
                web.wait_for("fred", "confirmed", fred)
                web.wait_for("emma", "confirmed", emma)
                web.wait_for("fred", "ended Terminated", fred)
                web.wait_for("emma", "ended Terminated", emma)
