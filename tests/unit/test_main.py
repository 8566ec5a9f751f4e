"""The composition root: from a script to a server, and what the command line changes."""
from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osip.core.errors import ModuleError, OsipError, ScriptError
from osip.core.net.listen import addresses_of
from osip.core.run.config import Config
from osip.main import Options, build, check, listen_sockets, new_registry

SCRIPT = """\
log_level = 1
socket = udp:127.0.0.1:5060 as edge.example.com:5099 tag main
socket = tcp:127.0.0.1:5070
loadmodule "proto_udp.so"
loadmodule "proto_tcp.so"
loadmodule "sl.so"
loadmodule "tm.so"
modparam("tm", "fr_timeout", 7)
route {
	sl_send_reply(200, "$argv(word) WORD");
}
route[other] { exit; }
"""


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """Give the logger `osip` back as it was."""
    logger = logging.getLogger("osip")
    before = logger.level, logger.propagate, list(logger.handlers)
    yield
    logger.setLevel(before[0])
    logger.propagate, logger.handlers = before[1], before[2]


def options(folder: Path, text: str = SCRIPT, **more: Any) -> Options:
    path = folder / "s.cfg"
    path.write_text(text)
    return Options(str(path), **more)


def test_a_server_from_a_script(tmp_path: Path) -> None:
    server = build(options(tmp_path, argv={"word": "x"}))
    env = server.worker.env
    assert [(s.text, s.sent_by, s.tag) for s in env.sockets] == [
        ("udp:127.0.0.1:5060", "edge.example.com:5099", "main"), ("tcp:127.0.0.1:5070", "127.0.0.1:5070", "")]
    assert env.modules["tm"].fr_timeout == 7 and env.modules["tm"].times.answer == 7.0, "mod_init saw the parameter"
    assert server.worker.registry.loaded == ["proto_udp", "proto_tcp", "sl", "tm"]
    assert env.program is server.worker.dispatch.program and env.program.named("route", "other") is not None
    assert env.config.argv == {"word": "x"} and logging.getLogger("osip").level == logging.WARNING


@pytest.mark.parametrize(("more", "config"), [
    ({"log_level": 3}, {"log_level": 3}), ({"debug": True}, {"log_level": 4, "stderror_enabled": 1}),
    ({"debug": True, "log_level": -1}, {"log_level": -1}), ({"stderr": True}, {"stderror_enabled": 1}), ({},
        {"log_level": 1})])
def test_the_command_line_has_the_last_word(more: dict[str, Any], config: dict[str, int], tmp_path: Path) -> None:
    env = build(options(tmp_path, **more)).worker.env
    assert {name: getattr(env.config, name) for name in config} == config


@pytest.mark.parametrize(("listen", "sockets"), [
    (("udp:127.0.0.1:7000",), ["udp:127.0.0.1:7000"]), (("127.0.0.1",), ["udp:127.0.0.1:5060"]), (("tcp:[::1]",),
        ["tcp:[::1]:5060"]),
    (("udp:127.0.0.1:1", "tcp:127.0.0.1:2"), ["udp:127.0.0.1:1", "tcp:127.0.0.1:2"])])
def test_listening_elsewhere(listen: tuple[str, ...], sockets: list[str], tmp_path: Path) -> None:
    assert [s.text for s in build(options(tmp_path, listen=listen)).worker.env.sockets] == sockets


def test_a_socket_of_its_own_counts_more_than_the_one_of_every_address(tmp_path: Path) -> None:
    text = SCRIPT.replace("socket = tcp:127.0.0.1:5070", "socket = udp:0.0.0.0:5060 as out.example.com")
    sockets = {s.text: (s.sent_by, s.tag) for s in build(options(tmp_path, text)).worker.env.sockets}
    assert sockets.pop("udp:127.0.0.1:5060") == ("edge.example.com:5099", "main")
    assert set(sockets) == {f"udp:{host}:5060" for host in addresses_of("0.0.0.0")} - {"udp:127.0.0.1:5060"}
    assert set(sockets.values()) <= {("out.example.com:5060", "")}


def test_l_stands_in_for_a_missing_socket(tmp_path: Path) -> None:
    text = "\n".join(line for line in SCRIPT.splitlines() if not line.startswith("socket"))
    with pytest.raises(ScriptError):
        build(options(tmp_path, text))
    assert build(options(tmp_path, text, listen=("udp:127.0.0.1:7000",))).worker.env.sockets


@pytest.mark.parametrize("listen", ["udp:", "x:y:z", "udp:127.0.0.1:99999", "tls:[::1"])
def test_a_bad_l(listen: str, tmp_path: Path) -> None:
    with pytest.raises(OsipError, match="-l "):
        build(options(tmp_path, listen=(listen,)))


def test_advertised_everywhere(tmp_path: Path) -> None:
    text = 'advertised_address = "out.example.com"\nadvertised_port = 6000\n' + SCRIPT
    assert {s.sent_by for s in build(options(tmp_path, text)).worker.env.sockets} == {"out.example.com:6000"}


def test_errors_carry_diagnostics_and_the_script(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"s.cfg has 1 error\(s\)") as caught:
        build(options(tmp_path, SCRIPT.replace("sl_send_reply", "nonsense")))
    assert [d.code for d in caught.value.diagnostics if d.is_error] == ["E101"] and caught.value.script.files


def test_a_module_may_refuse(tmp_path: Path) -> None:
    text = SCRIPT.replace("route {", 'loadmodule "httpd.so"\nmodparam("httpd", "ip", "0.0.0.0")\nroute {', 1)
    with pytest.raises(ModuleError, match="may not listen"):
        build(options(tmp_path, text))


def test_words_that_the_command_line_replaces(tmp_path: Path) -> None:
    given = options(tmp_path, SCRIPT.replace("sl_send_reply", "ANSWER"), defines={"ANSWER": "sl_send_reply"})
    assert check(given, new_registry(), Config()).ok
    assert check(options(tmp_path, preprocessor="sed s/7070/5070/"), new_registry(), Config()).ok


def test_two_servers_share_nothing(tmp_path: Path) -> None:
    one, two = build(options(tmp_path)), build(options(tmp_path))
    one.worker.env.vars["x"] = 1
    one.worker.env.message_flags.bit("a")
    assert not two.worker.env.vars and not two.worker.env.message_flags.names
    assert one.worker.registry.instances["tm"] is not two.worker.registry.instances["tm"]


def test_sockets_of_a_result(tmp_path: Path) -> None:
    config = Config()
    given = options(tmp_path)
    result = check(given, new_registry(), config)
    assert len(listen_sockets(given, result, config)) == 2


def test_wdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work").mkdir()
    path = tmp_path / "s.cfg"
    path.write_text(f'wdir = "{tmp_path}/work"\n' + SCRIPT)
    server = build(Options("s.cfg", pid_file="run/osip.pid"))
    assert Path.cwd() == tmp_path / "work" and server.options.pid_file == str(tmp_path / "run/osip.pid")
    assert server.prepare().result.ok, "a reload finds the script where it was"


def test_wdir_that_cannot_be_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OsipError, match="wdir: cannot change to .*/none: No such file"):
        build(options(tmp_path, f'wdir = "{tmp_path}/none"\n' + SCRIPT))
