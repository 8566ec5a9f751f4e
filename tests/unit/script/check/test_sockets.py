"""Sockets and aliases."""
from __future__ import annotations

import pytest

from osip.core.exports.registry import Registry
from osip.core.run.config import Config
from osip.script.boot import compile_script

CASES = [
    ('socket = udp:127.0.0.1:5061', []),
    ('socket = tcp:127.0.0.1:5061', ['2:1 E504']),
    ('socket = upd:127.0.0.1:5061', ['2:1 E504']),
    ('socket = udp:127.0.0.1:5060', ['2:1 E501']),
    ('socket = udp:127.0.0.1:70000', ['2:24 E018']),
    ('socket = udp:127.0.0.1:0', ['2:1 E501']),
    ('listen = udp:127.0.0.2', []),
    ('listen = 127.0.0.3:5062', []),
    ('socket = udp:*:5061', []),
    ('socket = udp:0.0.0.0:5061', ['2:1 N710']),
    ('socket = udp:[::]:5061-5063', ['2:1 N710']),
    ('alias = sip.example.com', []),
    ('alias = udp:sip.example.com:5060', []),
    ('alias = upd:sip.example.com:5060', ['2:9 E501']),
]


@pytest.mark.parametrize("line, expected", CASES)
def test_sockets(findings, line, expected):
    assert [one for one in findings(f"{line}\nroute {{ exit; }}")] == expected


@pytest.mark.parametrize("line, expected", [
    ("socket = udp:127.0.0.1", ["udp:127.0.0.1:5060"]),
    ("socket = udp:[::1]:5070", ["udp:[::1]:5070"]),
    ("socket = udp:lo:5070-5072", ["udp:lo:5070", "udp:lo:5071", "udp:lo:5072"]),
    ("socket = udp:*:5070,5080", ["udp:*:5070", "udp:*:5080"]),
    ("port = 5090 socket = udp:127.0.0.1", ["udp:127.0.0.1:5090"]),
    ("listen = 127.0.0.1", ["udp:127.0.0.1:5060"]),
])
def test_ports(compiled, line, expected):
    result = compiled(f'loadmodule "proto_udp"\n{line}\nroute {{ exit; }}')
    assert [one.text for one in result.sockets] == expected


def test_options(compiled):
    result = compiled('loadmodule "proto_udp"\nsocket = udp:127.0.0.1:5060 as 1.2.3.4:5070 tag edge use_workers 4\n'
                      'route { exit; }')
    (one,) = result.sockets
    assert (one.adv_host, one.adv_port, one.tag, one.options) == ("1.2.3.4", 5070, "edge", {"use_workers": 4})


@pytest.mark.parametrize("head, hint", [
    ("", 'add socket = udp:127.0.0.1:5060 and loadmodule "proto_udp.so"'),
    ('loadmodule "proto_udp.so"', "add socket = udp:127.0.0.1:5060"),
])
def test_no_socket(compiled, head, hint):
    found = compiled(f"{head}\nroute {{ exit; }}").diagnostics
    assert [(one.code, one.hint) for one in found] == [("E505", hint)]


def test_missing_transport_names_the_line_and_does_not_cascade(compiled):
    found = compiled("socket = udp:127.0.0.1:5060\nroute { exit; }").diagnostics
    assert [(one.code, one.hint) for one in found] == [("E504", 'add loadmodule "proto_udp.so"')]


@pytest.mark.parametrize("line, expected", [
    ("socket = ws:127.0.0.1", "ws:127.0.0.1:80"),
    ('modparam("proto_ws", "ws_port", 8080) port = 5090 socket = ws:127.0.0.1', "ws:127.0.0.1:8080"),
    ('modparam("proto_udp", "udp_port", 5099) port = 5090 socket = udp:127.0.0.1', "udp:127.0.0.1:5099"),
])
def test_the_port_that_a_module_sets(line, expected):
    text = f'loadmodule "proto_udp"\nloadmodule "proto_ws"\n{line}\nroute {{ exit; }}'
    assert [one.text for one in compile_script(text, Registry(), Config()).sockets] == [expected]
