"""Values take environment variables and files, say what is missing, and stay out of the logs."""
from __future__ import annotations

import logging
from pathlib import Path

import pytest

from osip.core.run.config import Config
from osip.core.run.log import Lines
from osip.main import new_registry
from osip.script.boot import compile_script

HEAD = 'socket = udp:127.0.0.1:5060\nloadmodule "proto_udp.so"\nloadmodule "httpd.so"\n'


def check(text: str, monkeypatch: pytest.MonkeyPatch, **environ: str):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    config, registry = Config(), new_registry()
    result = compile_script(HEAD + text + "\nroute { drop; }\n", registry, config)
    registry.create()
    return result, config, registry.instances["httpd"]


@pytest.mark.parametrize(("text", "environ", "attr", "value"), [
    ('modparam("httpd", "ip", "${OSIP_T_IP}")', {"OSIP_T_IP": "::1"}, "ip", "::1"),
    ('modparam("httpd", "ip", "${OSIP_T_NO:-127.0.0.2}")', {}, "ip", "127.0.0.2"),
    ('modparam("httpd", "port", "${OSIP_T_PORT:-9000}")', {}, "port", 9000),
    ('modparam("httpd", "port", "${OSIP_T_PORT:-9000}")', {"OSIP_T_PORT": "9001"}, "port", 9001),
    ('modparam("httpd", "auth_realm", "a ${OSIP_T_A} b ${OSIP_T_B}")', {"OSIP_T_A": "1", "OSIP_T_B": "2"},
     "auth_realm", "a 1 b 2")])
def test_filled(text, environ, attr, value, monkeypatch) -> None:
    result, _, httpd = check(text, monkeypatch, **environ)
    assert result.ok and getattr(httpd, attr) == value


def test_global_parameters_are_filled(monkeypatch) -> None:
    result, config, _ = check('db_default_url = "mysql://u:${OSIP_T_DB_PASSWORD}@h/d"', monkeypatch,
                              OSIP_T_DB_PASSWORD="hunter22")
    assert result.ok and config.db_default_url == "mysql://u:hunter22@h/d" and config.secrets == {"hunter22"}


def test_files(monkeypatch, tmp_path: Path) -> None:
    secret = tmp_path / "pw"
    secret.write_text("s3cret-word\n")
    result, config, httpd = check(f'modparam("httpd", "auth_password", "file:{secret}")', monkeypatch)
    assert result.ok and httpd.auth_password == "s3cret-word"
    line = Lines("", config.secrets).format(logging.LogRecord("x", 20, "", 1, "got s3cret-word here", (), None))
    assert "s3cret" not in line and "***" in line


@pytest.mark.parametrize(("value", "code"), [("${OSIP_T_NOT_SET}", "E309"), ("file:/nonexistent/file", "E310"),
                                             ("file:/", "E310")])
def test_what_is_missing_is_said_once_at_the_value(value, code, monkeypatch) -> None:
    result, _, _ = check(f'modparam("httpd", "auth_realm", "{value}")', monkeypatch)
    assert [(d.code, d.span.line, d.span.col) for d in result.errors] == [(code, 4, 33)]


def test_route_bodies_are_left_alone(monkeypatch) -> None:
    result, _, _ = check('route[a] { xlog("${HOME}\\n"); }\nroute[b] { route(a); }', monkeypatch)
    assert not [d for d in result.diagnostics if d.code in ("E309", "E310")]


@pytest.mark.parametrize(("text", "name", "value"), [
    ('log_level = "${OSIP_T_N}"', "log_level", 4), ('log_level = "${OSIP_T_M:--1}"', "log_level", -1),
    ('auto_aliases = "${OSIP_T_B:-yes}"', "auto_aliases", True), ('auto_aliases = "${OSIP_T_N2:-off}"', "auto_aliases", False)])
def test_numbers_and_booleans_are_filled(text, name, value, monkeypatch) -> None:
    result, config, _ = check(text, monkeypatch, OSIP_T_N="4")
    assert result.ok and getattr(config, name) == value


@pytest.mark.parametrize(("value", "code"), [("${OSIP_T_N}", "E503"), ("${OSIP_T_M:-99}", "E503"), ("3", "E503")])
def test_a_number_is_checked_when_it_is_filled(value, code, monkeypatch) -> None:
    result, _, _ = check(f'log_level = "{value}"', monkeypatch, OSIP_T_N="many")
    assert [d.code for d in result.errors] == [code]


@pytest.mark.parametrize(("text", "place"), [
    ('"udp:${OSIP_T_H}:${OSIP_T_P:-5070}"', ("udp", "10.0.0.2", 5070)), ('"udp:10.0.0.3:5080"', ("udp", "10.0.0.3", 5080)),
    ('"${OSIP_T_H}:5081"', ("udp", "10.0.0.2", 5081)), ('udp:"${OSIP_T_H}":5082', ("udp", "10.0.0.2", 5082)),
    ('"udp:[::1]:5083"', ("udp", "::1", 5083)), ('"10.0.0.4"', ("udp", "10.0.0.4", 5060)),
    ('"UDP:${OSIP_T_V}"', ("udp", "::1", 5060))])
def test_sockets_are_filled(text, place, monkeypatch) -> None:
    result, _, _ = check(f"socket = {text} use_workers 2", monkeypatch, OSIP_T_H="10.0.0.2", OSIP_T_V="[::1]")
    found = [(one.proto or "udp", one.host.strip("[]"), one.port or 5060) for one in result.sockets]
    assert result.ok and place in found, found


def test_a_socket_without_its_variable_is_said_once(monkeypatch) -> None:
    result, _, _ = check('socket = "udp:${OSIP_T_NOT_SET}:5060"', monkeypatch)
    assert [d.code for d in result.errors] == ["E309"]
