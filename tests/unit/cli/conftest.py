"""Run the commands: in this process where nothing starts, and against one small server where something must answer."""
from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from kit.server import Running, osip_server

SCRIPT = """\
log_level = 2
socket = udp:127.0.0.1:5060
loadmodule "proto_udp.so"
loadmodule "sl.so"
loadmodule "httpd.so"
loadmodule "mi_http.so"
loadmodule "mi_fifo.so"
modparam("mi_fifo", "fifo_name", "/x")
route {
	sl_send_reply(200, "OK");
}
"""
BROKEN = SCRIPT.replace("sl_send_reply", "sl_send_rply")

Command = Callable[..., Result]


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """Give the logger `osip` back as it was: a start in this process sets it up anew."""
    logger = logging.getLogger("osip")
    before = logger.level, logger.propagate, list(logger.handlers)
    yield
    logger.setLevel(before[0])
    logger.propagate, logger.handlers = before[1], before[2]


@pytest.fixture
def run() -> Command:
    """Return a runner `run(command, *words)`, with stdout and stderr apart."""
    def invoke(command: click.Command, *words: str | Path) -> Result:
        result = CliRunner().invoke(command, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result
    return invoke


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """Write a good script."""
    path = tmp_path / "good.cfg"
    path.write_text(SCRIPT)
    return path


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Write a script with an error in line 10."""
    path = tmp_path / "broken.cfg"
    path.write_text(BROKEN)
    return path


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Run one server for all tests that ask it something."""
    folder = tmp_path_factory.mktemp("server")
    more = (f'loadmodule "mi_datagram.so"\nmodparam("mi_datagram", "socket_name", "{folder}/sock")\n'
            'loadmodule "mi_xmlrpc.so"\nroute {')
    with osip_server(SCRIPT.replace("route {", more), folder) as running:
        yield running


@pytest.fixture(params=["http", "fifo", "unix", "xmlrpc"])
def url(request: pytest.FixtureRequest, server: Running) -> str:
    """Give the management address, over each transport."""
    return {"http": f"http://127.0.0.1:{server.mi_port}/mi", "fifo": f"fifo:{server.folder}/osip_fifo",
            "unix": f"unix:{server.folder}/sock", "xmlrpc": f"xmlrpc://127.0.0.1:{server.mi_port}/RPC2"}[request.param]
