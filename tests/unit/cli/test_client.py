"""Calling a server over HTTP and the pipe, and saying so when there is none."""
from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.peer import free_port
from osip.cli.client import Unreachable, call
from osip.core.errors import MIError


def test_a_call(url: str) -> None:
    assert call("version", url=url)["Server"].startswith("osip (")
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
    ("fifo:/no/such/fifo", "no osip reads the pipe"), ("http://127.0.0.1:PORT/mi",
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
        self.send_response(404 if self.path == "/404" else 200)
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
