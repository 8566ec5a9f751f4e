"""The unmodified opensips-cli drives osip over FIFO, HTTP and datagrams, by position and by name."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from kit.peer import HOST, child, free_port, program
from kit.server import Running, osip_server

pytestmark = pytest.mark.peer("opensips-cli")

SCRIPT = """
socket = udp:127.0.0.1:5060
mpath = "modules/"
loadmodule "proto_udp.so"
loadmodule "sl.so"
loadmodule "httpd.so"
loadmodule "mi_http.so"
loadmodule "mi_fifo.so"
modparam("mi_fifo", "fifo_name", "FIFO")
modparam("mi_fifo", "reply_dir", "FOLDER")
loadmodule "mi_datagram.so"
modparam("mi_datagram", "socket_name", "udp:127.0.0.1:DATAGRAM")
loadmodule "event_stream.so"
loadmodule "usrloc.so"
modparam("usrloc", "working_mode_preset", "single-instance-no-db")
loadmodule "signaling.so"
loadmodule "registrar.so"
route { save("location"); sl_send_reply(200, "OK"); }
"""


@dataclass(frozen=True)
class Tool:
    """opensips-cli, set up to reach one server in one way."""

    server: Running
    options: tuple[str, ...]

    def command(self) -> list[str]:
        """Give the program and its options."""
        found = program("opensips-cli")
        assert found is not None
        return [found, *(word for option in self.options for word in ("-o", option))]

    def run(self, *words: str, timeout: float = 20.0, typed: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run one command, or its shell on lines that are typed."""
        rest = ["-x", "--", *words] if typed is None else []
        return subprocess.run(
            [*self.command(), *rest],
            input=typed or "",
            capture_output=True,
            text=True,
            timeout=timeout,
            env={"HOME": str(self.server.folder), "PATH": "/usr/bin:/bin", "TERM": "dumb", "PYTHONUNBUFFERED": "1"},
            check=False,
        )

    def mi(self, *words: str) -> Any:
        """Run a management command and return what it printed."""
        done = self.run("mi", *words)
        assert done.returncode == 0 and not done.stderr, f"{words}: {done.stderr}{done.stdout}"
        return json.loads(done.stdout)

    def refused(self, *words: str) -> str:
        """Run a command that must fail; return what it said."""
        done = self.run("mi", *words)
        assert done.returncode != 0, f"{words}: {done.stdout}"
        return done.stderr


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, int]]:
    folder, datagram = tmp_path_factory.mktemp("cli"), free_port()
    text = SCRIPT.replace("FOLDER", str(folder)).replace('"FIFO"', f'"{folder}/osip_fifo"')
    text = text.replace("DATAGRAM", str(datagram))
    with osip_server(text, folder) as running:
        yield running, datagram


@pytest.fixture(params=["fifo", "http", "datagram"])
def tool(server: tuple[Running, int], request: pytest.FixtureRequest) -> Tool:
    running, datagram = server
    ways = {
        "fifo": (f"fifo_file={running.folder}/osip_fifo", f"fifo_reply_dir={running.folder}"),
        "http": (f"url=http://{HOST}:{running.mi_port}/mi",),
        "datagram": (f"datagram_ip={HOST}", f"datagram_port={datagram}", "datagram_timeout=5"),
    }
    return Tool(running, (f"communication_type={request.param}", *ways[request.param]))


def test_commands(tool: Tool) -> None:
    assert re.match(r"OpenSIPS \(4\.1\.0 \(osip ", tool.mi("version")["Server"])
    assert tool.mi("core:uptime")["Up time"].endswith("[sec]")
    assert tool.mi("ps")["Processes"][0]["PID"] == tool.server.child.pid
    listed = tool.mi("which")
    assert {"ul_dump", "usrloc:dump", "get_statistics", "statistics:get", "core:which"} <= set(listed)
    assert "log level" in tool.mi("help", "log_level")["Help"]


def test_positions_and_names(tool: Tool) -> None:
    found = tool.mi("get_statistics", "core:", "load:", "shmem:")
    assert found["core:rcv_requests"] >= 1 and found["shmem:total_size"] > 0
    assert set(tool.mi("get_statistics", "rcv_requests", "core:timestamp")) == {"core:rcv_requests", "core:timestamp"}
    assert tool.mi("log_level", "3") == {"New global log level": 3}
    assert tool.mi("log_level", "level=2") == {"New global log level": 2}
    assert tool.mi("-j", "statistics:get", '["core:fwd_requests"]') == {"core:fwd_requests": 0}


def test_contacts(tool: Tool) -> None:
    aor = f"{tool.options[0].partition('=')[2]}@example.com"
    assert tool.mi("ul_add", "location", aor, "sip:phone@192.0.2.9:5070", "600", "0.5", "0", "0", "5951") == "OK"
    shown = tool.mi("ul_show_contact", "location", aor)
    assert (shown["AOR"], shown["Contacts"][0]["Contact"]) == (aor, "sip:phone@192.0.2.9:5070")
    aors = [entry["AOR"] for table in tool.mi("usrloc:dump")["Domains"] for entry in table["AORs"]]
    assert aor in aors
    assert tool.mi("usrloc:rm", "table_name=location", f"aor={aor}") == "OK"
    assert "404: AOR not found" in tool.refused("ul_rm", "location", aor)


def test_what_is_wrong_is_said(tool: Tool) -> None:
    assert "no command 'nothing' in module 'mi'" in tool.refused("nothing")
    assert "-32602: Invalid params (Too few or too many parameters)" in tool.refused("ul_rm", "location")
    assert "-32602: Invalid params (Named parameters do not match)" in tool.refused("pwd", "where=here")
    assert '"level" must be a number' in tool.refused("log_level", "loud")


def test_output_and_events(tool: Tool) -> None:
    lines = Tool(tool.server, (*tool.options, "output_type=lines")).run("mi", "pwd")
    assert lines.stdout.startswith("WD: /")
    assert tool.mi("event_subscribe", "E_CORE_THRESHOLD", f"tcp:{HOST}:{free_port()}", "10") == "OK"
    assert tool.mi("raise_event", "E_CORE_THRESHOLD", "source", "1", "x") == "OK"


def test_its_shell(tool: Tool) -> None:
    done = tool.run(typed="mi pwd\nmi core:version\nquit\n")
    assert '"WD": "/' in done.stdout and "OpenSIPS (4.1.0" in done.stdout and not done.stderr


@pytest.mark.parametrize(
    ("words", "shown"),
    [((), "Worker Capacity: "), (("memory",), "Shared Memory Status"), (("load",), "OpenSIPS Processing Status")],
)
def test_diagnose(words: tuple[str, ...], shown: str, tool: Tool) -> None:
    """It loops until it is stopped; what it prints first is what it made of our statistics."""
    env = {"HOME": str(tool.server.folder), "TERM": "dumb", "PYTHONUNBUFFERED": "1"}
    with child("opensips-cli", [*tool.command(), "-x", "--", "diagnose", *words], tool.server.folder, env) as running:
        running.wait_for(shown, 30)
        assert "Traceback" not in running.text()
