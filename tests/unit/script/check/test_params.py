"""`modparam` lines: module, name, type, range."""
from __future__ import annotations

import pytest

from osip.core.exports.registry import Registry
from osip.core.run.config import Config

CASES = [
    ('modparam("tm", "fr_timeout", 5)', []),
    ('modparam("tm", "fr_timeot", 5)', ['2:16 E303']),
    ('modparam("tm", "fr_timeout", "5")', ['2:30 E304']),
    ('modparam("tm", "fr_timeout", 0)', ['2:30 E304']),
    ('modparam("tm", "fr_timeout", 601)', ['2:30 E304']),
    ('modparam("tm", "prefix", "y")', []),
    ('modparam("tm", "prefix", "z")', ['2:26 E304']),
    ('modparam("tm", "prefix", 5)', ['2:26 E304']),
    ('modparam("tm", "old_prefix", "y")', ['2:16 N708']),
    ('modparam("tm", "both", "7")', []),
    ('modparam("tm", "both", 7)', []),
    ('modparam("tm", "both", "seven")', ['2:24 E304']),
    ('modparam("tm", "gone", "anything")', ['2:16 N707']),
    ('modparam("tm|kinds", "mode", 0)', []),
    ('modparam("tm|kinds", "nope", 0)', ['2:22 E303']),
    ('modparam("t", "fr_timeout", 5)', ['2:10 E305']),
    ('modparam("t(m", "fr_timeout", 5)', ['2:10 E306']),
    ('modparam("kinds", "mode", 1)', ['1:57 E307']),
]


@pytest.mark.parametrize("line, expected", CASES)
def test_params(findings, line, expected):
    assert findings(f"{line}\nroute {{ exit; }}") == expected


def test_before_loadmodule(compiled):
    found = compiled('loadmodule "proto_udp" socket=udp:127.0.0.1\nmodparam("tm", "fr_timeout", 5)\n'
                     'loadmodule "tm"\nroute { exit; }').diagnostics
    assert [(one.span.line, one.code, one.hint) for one in found] == [
        (2, "E305", "loaded at line 3; move this line below it")]


def test_failed_module_does_not_cascade(findings):
    head = 'loadmodule "proto_udp" loadmodule "broken" socket=udp:127.0.0.1\n'
    assert findings('modparam("broken", "x", 1)\nroute { exit; }', head=head) == ["1:35 E302"]


def test_values_reach_the_instance(compiled):
    registry = Registry()
    compiled('loadmodule "tm" modparam("tm", "fr_timeout", 5) modparam("tm", "fr_timeout", 7)\n'
             'modparam("tm", "both", "9") modparam("tm", "gone", 4)', Config(), registry)
    registry.create()
    tm = registry.instances["tm"]
    assert (tm.fr_timeout, tm.both, tm.gone) == (7, 9, 0)
