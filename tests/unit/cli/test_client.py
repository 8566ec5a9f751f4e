"""Calling a server over HTTP and the pipe, and saying so when there is none."""
from __future__ import annotations

import http.server
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.certificates import Authority
from kit.peer import free_port
from kit.server import Running
from osip.cli import client
from osip.cli.client import NoAnswer, Unreachable, call
from osip.core.errors import MIError


def test_a_call(url: str) -> None:
    assert call("version", url=url)["Server"].startswith("OpenSIPS (4.1.0 (osip ")
    assert call("which", {"command": "core:u"}, url=url) == ["core:uptime"]
    assert call("which", ["core:u"], url=url) == ["core:uptime"]


def test_an_error_of_the_command(url: str) -> None:
    with pytest.raises(MIError) as caught:
        call("get_statistics", ["none"], url=url)
    assert caught.value.code == 404


def test_the_address_of_the_environment(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSIP_MI", url)
    assert call("pwd")["WD"]


@pytest.mark.parametrize(("address", "words"), [
    ("ftp://127.0.0.1/mi", "is no MI address"), ("nonsense", "is no MI address"), ("http:///mi", "is no MI address"),
    ("fifo:/no/such/fifo", "no osip reads the pipe"), ("unix:/no/such/sock", "no osip answers at unix:/no/such/sock"),
    ("udp:127.0.0.1:PORT", "no osip answers at udp:"), ("udp:nonsense", "is no MI address"), ("http://h:x/", "is no MI address"),
    ("xmlrpc://127.0.0.1:PORT/RPC2", "no osip answers XML-RPC"), ("http://127.0.0.1:99999/mi", "is no MI address"), ("http://127.0.0.1:PORT/mi",
        "no osip answers at http://127.0.0.1:PORT/mi.*--url")])
def test_nobody_there(address: str, words: str) -> None:
    port = str(free_port())
    with pytest.raises(Unreachable, match=words.replace("PORT", port)):
        call("pwd", url=address.replace("PORT", port))


def test_a_pipe_that_nobody_reads(tmp_path: Path) -> None:
    import os
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(Unreachable, match="no osip reads"):
        call("pwd", url=f"fifo:{tmp_path}/fifo")
    hold = os.open(tmp_path / "fifo", os.O_RDWR)
    with pytest.raises(Unreachable, match="no answer through the pipe"):
        call("pwd", url=f"fifo:{tmp_path}/fifo", timeout=0.05)
    os.close(hold)


class Stranger(http.server.BaseHTTPRequestHandler):
    """Answers what osip never would; /404 with that status."""

    def do_POST(self) -> None:      # noqa: N802  (the name is the library's)
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response({"/404": 404, "/401": 401}.get(self.path, 200))
        self.end_headers()
        self.wfile.write((self.headers.get("Authorization") or "hello").encode())

    def log_message(self, format: str, *args: object) -> None:      # noqa: A002
        pass


@pytest.fixture
def stranger() -> Iterator[str]:
    httpd = http.server.HTTPServer(("127.0.0.1", 0), Stranger)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.mark.parametrize(("path", "words"), [("/mi", "does not speak JSON-RPC; it answered b'hello'"), ("/404",
    "answered 404")])
def test_somebody_else_answers(path: str, words: str, stranger: str) -> None:
    with pytest.raises(Unreachable, match=words):
        call("pwd", url=f"http://{stranger}{path}")


def test_a_password_goes_along_and_is_not_shown(stranger: str) -> None:
    with pytest.raises(Unreachable, match="it answered b'Basic bWU6c2VjcmV0'"):
        call("pwd", url=f"http://me:secret@{stranger}/mi")
    with pytest.raises(Unreachable) as caught:
        call("pwd", url=f"http://me:secret@{stranger}/404")
    assert "secret" not in str(caught.value)


def test_where_a_user_has_to_log_in(stranger: str) -> None:
    with pytest.raises(Unreachable, match="OSIP_MI_TOKEN"):
        call("pwd", url=f"http://{stranger}/401")
    with pytest.raises(Unreachable, match="is the path right"):
        call("pwd", url=f"http://{stranger}/404")


def test_a_token_goes_along(stranger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSIP_MI_TOKEN", "t0ken")
    with pytest.raises(Unreachable, match="it answered b'Bearer t0ken'"):
        call("pwd", url=f"http://{stranger}/mi")


def test_signs_in_a_password(stranger: str) -> None:
    with pytest.raises(Unreachable, match="it answered b'Basic bWU6cEAvOg=='"):
        call("pwd", url=f"http://me:p%40%2F%3A@{stranger}/mi")


@pytest.fixture
def deaf() -> Iterator[int]:
    """Give a port where TCP is accepted and UDP is taken, and nothing answered."""
    port = free_port()
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind(("127.0.0.1", port))
        udp.bind(("127.0.0.1", port))
        tcp.listen(5)
        yield port


@pytest.mark.parametrize("url", ["http://127.0.0.1:PORT/mi", "udp:127.0.0.1:PORT", "xmlrpc://127.0.0.1:PORT/RPC2"])
def test_nobody_answers(url: str, deaf: int) -> None:
    with pytest.raises(NoAnswer, match="within 0.1 seconds") as caught:
        call("pwd", url=url.replace("PORT", str(deaf)), timeout=0.1)
    assert caught.value.code == 124


@pytest.mark.parametrize("scheme", ["http", "xmlrpc"])
def test_another_protocol_answers(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"SSH-2.0-nonsense\r\n\r\n")
        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(Unreachable):
            call("pwd", url=f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/mi")
        thread.join()


def test_datagrams() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            request, peer = server.recvfrom(65535)
            server.sendto(b'{"jsonrpc":"2.0","id":1,"result":' + str(len(request)).encode() + b"}", peer)
        thread = threading.Thread(target=serve)
        thread.start()
        assert call("pwd", url=f"udp:127.0.0.1:{server.getsockname()[1]}") > 20
        thread.join()


def test_a_long_request_through_the_pipe(server: Running) -> None:
    with pytest.raises(MIError) as caught:
        call("get_statistics", {"statistics": ["x" * 100] * 2000}, url=f"fifo:{server.folder}/osip_fifo")
    assert caught.value.code == 404


def test_a_pipe_beside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "fifo").touch()
    monkeypatch.setattr(client, "DEFAULT_FIFO", str(tmp_path / "fifo"))
    with pytest.raises(Unreachable, match=f"--url fifo:{tmp_path}/fifo"):
        call("pwd", url=f"http://127.0.0.1:{free_port()}/mi")


@pytest.mark.parametrize(("url", "text"), [("http://a:b@h:1/x", "http://h:1/x"), ("fifo:/x", "fifo:/x"), ("http://[::1]:1/", "http://[::1]:1/")])
def test_addresses_are_shown_without_passwords(url: str, text: str) -> None:
    assert client.shown(url) == text


def test_https_with_an_authority_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    files = authority.issue("server", hosts=("127.0.0.1",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)
    httpd = http.server.HTTPServer(("127.0.0.1", 0), Stranger)
    httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    url = f"https://me:secret@127.0.0.1:{httpd.server_port}/mi"
    try:
        with pytest.raises(Unreachable, match="SSL_CERT_FILE"):
            call("pwd", url=url)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.files.cert))
        with pytest.raises(Unreachable, match="it answered b'Basic bWU6c2VjcmV0'"):
            call("pwd", url=url)
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()
