"""Every global parameter: the effect of those that no other test shows, and where the effect of the others is shown."""
from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kit.script import ScriptBook, faults_of

from osip.core.net.endpoint import LocalSocket
from osip.core.net.udp import UdpTransport
from osip.core.run import log
from osip.core.run.config import BY_NAME, SETTINGS, Config
from osip.core.store.sql import Stores
from osip.main import count_workers, new_registry
from osip.script.boot import compile_script
from osip.script.source import Source

TESTS = Path(__file__).resolve().parents[2]


def settings(lines: str) -> Config:
    """Return the parameters of a script."""
    config = Config()
    result = compile_script(Source.from_text(f"{lines}\nroute {{ exit; }}", "x.cfg"), new_registry(), config, need_socket=False)
    assert result.ok, result.errors
    return config


# --- logs ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def syslog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Listen where the system's log would."""
    path = str(tmp_path / "log")
    monkeypatch.setattr(log, "SYSLOG", path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.setblocking(False)
        yield sock


@pytest.mark.parametrize(("lines", "level", "line"), [
    ("syslog_enabled = yes", 30, b"<28>osip: "), ("syslog_enabled = yes syslog_facility = LOG_LOCAL3", 30, b"<156>osip: "),
    ("syslog_enabled = yes log_facility = LOG_LOCAL0", 40, b"<131>osip: "),
    ('syslog_enabled = yes syslog_name = "edge"', 30, b"<28>edge: "), ('syslog_enabled = yes log_name = "edge"', 30, b"<28>edge: "),
    ("log_stderror = no", 30, b"<28>osip: "), ("syslog_enabled = yes", log.NOTICE, b"<29>osip: "),
    ("syslog_enabled = yes", log.ALERT, b"<25>osip: "), ("syslog_enabled = yes log_level = 4", 10, b"<31>osip: "),
    ("syslog_enabled = yes log_level = 4 syslog_level_filter = 1", 10, b""), ("syslog_enabled = yes log_level = 1", 20, b""),
    ("syslog_enabled = yes syslog_level_filter = -1", 30, b""), ("syslog_enabled = no", 30, b""),
    ('syslog_enabled = yes syslog_log_format = "json"', 30, b'<28>osip: {"'),
    ('syslog_enabled = yes syslog_log_format = "json_cee"', 30, b"<28>osip: @cee:"),
])
def test_syslog(lines: str, level: int, line: bytes, syslog: socket.socket) -> None:
    log.set_up(settings(f"stderror_enabled = no {lines}")).log(level, "hello")
    try:
        got = syslog.recv(4096)
    except BlockingIOError:
        got = b""
    assert got.startswith(line) and (b"hello" in got) is bool(line), got


def test_without_a_syslog_lines_go_to_standard_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(log, "SYSLOG", str(tmp_path / "none"))
    log.set_up(settings("log_stderror = no")).error("hello")
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == 2 and "nothing listens" in shown[0] and "hello" in shown[1]


@pytest.mark.parametrize(("lines", "said"), [
    ("", ["x"]), ("xlog_print_level = 3", []), ("xlog_default_level = 4", []), ("xlog_print_level = 3 xlog_level = 3 log_level = 3", ["x"]),
    ("xlog_level = 1", []), ("xlog_print_level = -1 xlog_level = 1", ["x"]),
])
def test_xlog_print_level(lines: str, said: list[str]) -> None:
    ScriptBook(f'{lines} route {{ xlog("x"); }}', "sl").recv("INVITE").says(*said)


def test_old_name_of_log_level() -> None:
    assert settings("debug = 3").log_level == 3 and log.set_up(settings("debug = 3")).level == logging.INFO


# --- sockets and processes -----------------------------------------------------------------------------------------------


def test_maxbuffer_asks_for_more_and_never_for_less() -> None:
    sizes = []
    for line in ("maxbuffer = 1", "maxbuffer = 150000"):
        transport = UdpTransport(settings(line))
        sock = transport.bind(LocalSocket("udp", "127.0.0.1", 0))
        sizes.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF))
        sock.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        usual = plain.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    assert sizes == [usual, max(usual, 300000)]


@pytest.mark.parametrize(("lines", "count"), [
    ("", 1), ("udp_workers = 3", 3), ("children = 2", 2), ("tcp_workers = 5", 1), ("udp_workers = 2 debug_mode = yes", 1)])
def test_workers(lines: str, count: int) -> None:
    assert count_workers(settings(lines), [LocalSocket("udp", "127.0.0.1", 5060)]) == count


@pytest.mark.parametrize(("lines", "count"), [("tcp_workers = 5", 5), ("tcp_children = 4", 4), ("udp_workers = 3", 1)])
def test_workers_of_streams(lines: str, count: int) -> None:
    assert count_workers(settings(lines), [LocalSocket("tcp", "127.0.0.1", 5060)]) == count


# --- databases and files -------------------------------------------------------------------------------------------------


def test_db_max_async_connections() -> None:
    sql = Stores(settings("db_max_async_connections = 3")).sql("postgres://osip@127.0.0.1/osip")
    assert sql._open().pool.size() == 3                     # nothing is connected to yet


def test_restart_persistency_cache_file(tmp_path: Path) -> None:
    script = (f'loadmodule "cachedb_local.so" restart_persistency_cache_file = "{tmp_path}/kept" modparam("cachedb_local", "enable_restart_persistency", 1) '
              "route { exit; }")
    assert ScriptBook(script, "cachedb_local", "sl").modules["cachedb_local"]._file == tmp_path / "kept"


# --- what a parameter cannot be ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("line", "code"), [
    ("tos = IPTOS_LOWDELAY", 0), ("tos = 16", 0), ("tos = 0x10", 0), ("tos = IPTOS_FOO", "E503"), ("tos = 300", "E503"),
    ("syslog_facility = LOG_LOCAL7", 0), ("syslog_facility = LOG_NOPE", "E503"), ('server_header = "Server: x/1"', 0),
    ('server_header = "x"', "E503"), ('server_header = "Server: x\\r\\nX: y"', "E503"), ('user_agent_header = "x"', "E503"),
    ('advertised_address = "a b"', "E503"), ("advertised_address = 192.0.2.1", 0), ("advertised_address = edge-1.example.com", 0),
    ("advertised_port = 70000", "E503"), ("db_max_async_connections = 0", "E503"), ("mcast_ttl = 300", "E503"),
    ("udp_mtu_try_proto = TCP", 0), ('udp_mtu_try_proto = "tls"', 0), ("udp_mtu_try_proto = ws", "E503"),
    ("udp_mtu = -1", "E503"), ("mcast_ttl = -1", 0), ("log_level = 22", "E503"), ("log_level = -3", 0), ('log_level = "3"', "E503"), ("max_while_loops = 0", "E503"),
    ('stderror_log_format = "xml"', "E503"), ("check_via = perhaps", "E503"), ("nosuch = 1", "E502"),
    ("tcp_workers = 4 use_auto_scaling_profile NONE", "E507"), ("log_msg_buf_size = 0", "E503"),
])
def test_values(line: str, code: Any) -> None:
    found = faults_of(f"{line}\nroute {{ exit; }}", "sl")
    assert ([one.code for one in found] or [0]) == [code]


# --- all of them ---------------------------------------------------------------------------------------------------------

SHOWN = {
    "script/test_setting.py": "abort_on_assert enable_asserts disable_dns_blacklist exec_msg_threshold log_event_enabled "
                              "log_event_level_filter server_header server_signature sip_warning user_agent_header reply_to_via "
                              "tcp_no_new_conn_bflag tcp_no_new_conn_rplflag auto_aliases",
    "e2e/test_namespace.py": "advertised_address advertised_port mcast_loopback mcast_ttl mhomed tos",
    "flow/prx/test_prx_response.py": "check_via disable_503_translation disable_stateless_fwd",
    "flow/prx/test_prx_request.py": "loop_detect supported_proxy_tags", "flow/prx/test_prx_forward.py": "udp_mtu udp_mtu_try_proto",
    "unit/modules/sqlops/test_module.py": "db_default_url", "unit/core/run/test_config.py": "debug_mode log_stderror",
    "unit/core/net/test_resolve.py": "disable_dns_failover dns_retr_no dns_retr_time dns_try_ipv6 dns_try_naptr "
                                     "dns_use_search_list exec_dns_threshold",
    "unit/core/run/test_log.py": "log_json_buf_size log_msg_buf_size log_prefix stderror_enabled stderror_level_filter "
                                 "stderror_log_format",
    "script/test_bad_input.py": "max_while_loops", "unit/core/run/test_ctx.py": "max_branches",
    "unit/core/run/test_master.py": "open_files_limit limit_dumps drop_privileges", "unit/script/emit/test_expr.py": "pv_print_buf_size",
    "unit/core/net/test_connections.py": "tcp_accept_aliases tcp_connection_lifetime tcp_max_connections tcp_max_msg_time",
    "modules/test_proto_tcp.py": "tcp_connect_timeout tcp_keepidle", "e2e/test_tls.py": "tcp_socket_backlog",
    "unit/test_main.py": "wdir", "unit/script/emit/test_stmt.py": "xlog_buf_size",
    "unit/script/test_avp_alias.py": "avp_aliases",
    "unit/script/builtins/test_log.py": "xlog_force_color xlog_level", "unit/script/check/test_sockets.py": "port",
}
SAME = {"disable_core_dump": "limit_dumps", "dns_servers_no": "read_servers", "user": "drop_privileges", "group": "drop_privileges"}
HERE = ("syslog_enabled syslog_level_filter syslog_log_format syslog_facility syslog_name log_level xlog_print_level maxbuffer "
        "tcp_workers udp_workers db_max_async_connections restart_persistency_cache_file dns_servers_no").split()
OTHERS = ("tcp_keepalive", "tcp_keepcount", "tcp_keepinterval", "db_version_table", "query_buffer_size", "query_flush_time")
"""Shown with the transports and with the tables of modules."""


def test_every_parameter_has_its_test() -> None:
    shown = {name: file for file, names in SHOWN.items() for name in names.split()}
    for name, file in shown.items():
        assert name in (TESTS / file).read_text(), f"{file} says nothing of {name}"
    lost = [spec.name for spec in SETTINGS if not spec.inert and not spec.name.startswith("tls_")
            and spec.name not in HERE and spec.name not in OTHERS and SAME.get(spec.name, spec.name) not in shown]
    assert lost == []
    assert [name for name in (*HERE, *OTHERS, *SAME) if name not in BY_NAME] == []
