"""A module of one's own, as the README shows it: used from a script by a real server, documented, checked."""
from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit.message import request
from kit.peer import HOST, free_port
from kit.server import CHECKOUT, Running, osip_server

from osip.core.sip.message import Message, parse

README = (CHECKOUT / "README.md").read_text()
BLOCK = re.compile(r"<!-- custom-module -->\s*```python\n(.*?)```", re.DOTALL)
SCRIPT = """\
socket = udp:127.0.0.1:5060
mpath = "{mpath}"
loadmodule "proto_udp.so"
loadmodule "sl.so"
loadmodule "httpd.so"
loadmodule "mi_http.so"
loadmodule "greet.py"
modparam("greet", "word", "Welcome")

route {{
	if ($rU == "someone") {{
		if (greet("$fU"))
			forward("udp:127.0.0.1:{peer}");
		exit;
	}}
	if (!greet(""))
		sl_send_reply(404, "$greeting nobody");
}}
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """Write the README's module into a folder of its own."""
    found = BLOCK.search(README)
    assert found, "README.md has no block behind <!-- custom-module -->"
    assert found[1].count("\n") <= 30, "the promise is a module of at most 30 lines"
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "greet.py").write_text(found[1])
    return folder


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, free_port()))
        sock.settimeout(10)
        yield sock


@pytest.fixture
def server(module: Path, peer: socket.socket, tmp_path: Path) -> Iterator[Running]:
    with osip_server(SCRIPT.format(mpath=module, peer=peer.getsockname()[1]), tmp_path / "server") as running:
        yield running


def osip(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "osip", *map(str, words)], capture_output=True, text=True, timeout=60)


def send(peer: socket.socket, server: Running, user: str) -> Message:
    own = peer.getsockname()[1]
    peer.sendto(request("MESSAGE", f"sip:{user}@{server.address}", via=f"{HOST}:{own}", branch=f"z9hG4bK{user}"),
        (HOST, server.port))
    return parse(peer.recv(65535))


def test_function_parameter_variable_command_and_statistic(server: Running, peer: socket.socket) -> None:
    relayed = send(peer, server, "someone")
    assert relayed.is_request and relayed.get("X-Greeting") == "Welcome alice"
    answer = send(peer, server, "nobody")
    assert (answer.status, answer.reason) == (404, "Welcome nobody")                # type: ignore[attr-defined]
    url = f"http://{HOST}:{server.mi_port}/mi"
    for command in ("greet:count", "count"):
        assert json.loads(osip("mi", "--url", url, "-o", "json", command).stdout) == {"greeted": 1}
    told = json.loads(osip("mi", "--url", url, "-o", "json", "get_statistics", "greet:").stdout)
    assert told == {"greet:greetings": 1}


def test_it_is_documented(module: Path) -> None:
    text = osip("modules", "show", "greet", "--mpath", module).stdout
    for words in ("greet(name:str) Q", "word (str, 'Hello')  The greeting.", "$greeting", "greet:count",
            "greet:greetings"):
        assert words in text


@pytest.mark.parametrize(("old", "new", "told"), [
    ('greet("$fU")', "greet()", r"test.cfg:12:\d+: error\[E\d+\]"), ('greet("$fU")', "gret()",
        r"did you mean \"greet\""),
    ('"word", "Welcome"', '"wrod", "Welcome"', r"test.cfg:8:\d+: error.*wrod"), ('"word", "Welcome"', '"word", 5',
        r"test.cfg:8:\d+: error"),
    ("$greeting nobody", "$greting nobody", r"test.cfg:17:\d+: error.*greting")])
def test_mistakes_are_found_before_anything_runs(old: str, new: str, told: str, module: Path, tmp_path: Path) -> None:
    text = SCRIPT.format(mpath=module, peer=5070)
    path = tmp_path / "test.cfg"
    path.write_text(text)
    good = osip("check", path)
    assert good.returncode == 0, good.stdout
    path.write_text(text.replace(old, new, 1))
    bad = osip("check", path)
    assert bad.returncode == 1 and re.search(told, bad.stdout), bad.stdout
