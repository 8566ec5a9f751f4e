"""Counts and kinds of arguments, constants, assignments."""
from __future__ import annotations

import pytest

CASES = [
    ('t_relay("a", "b");', ['2:22 E401']),
    ('t_reply(404);', ['2:9 E401']),
    ('t_reply(, "x");', ['2:9 E401']),
    ('t_reply("404", "x");', []),
    ('t_reply($var(c), "x");', []),
    ('t_reply("$var(c)", "x");', []),
    ('t_reply("4o4", "x");', ['2:17 E402']),
    ('t_reply("99999999999", "x");', ['2:17 E402']),
    ('t_reply(404, 5);', ['2:22 E402']),
    ('k_many(1, , 3);', []),
    ('k_many(1, "x");', ['2:9 E401']),
    ('k_all();', []),
    ('k_all("a", "b", "c");', []),
    ('k_all("a", 5);', ['2:20 E402']),
    ('seturi("sip:$rU9@x");', ['2:21 E102']),
    ('setflag(NAT); setflag("NAT"); setflag(5);', []),
    ('setflag($var(x));', ['2:17 E402']),
    ('k_static($var(x));', ['2:18 E402']),
    ('k_raw($var(x)); k_raw("$nope");', []),
    ('k_re("^a(b");', ['2:17 E403']),
    ('k_re("^sip:[[:digit:]]+$");', []),
    ('k_re("^sip:1$$");', []),
    ('k_re("^$var(x)(");', []),
    ('k_var($var(x)); k_var("$avp(x)");', []),
    ('k_var("x");', ['2:15 E404']),
    ('k_var($rm);', ['2:15 E404']),
    ('k_var($(var(x){s.len}));', ['2:15 E404']),
    ('k_parsed("50"); k_parsed("$var(x)");', []),
    ('k_parsed("500");', ['2:18 E402']),
    ('k_parsed(50);', []),
    ('k_parsed(500);', ['2:18 E402']),
    ('k_any("a $rm", 5, $var(x));', []),
    ('k_any("a $nope");', ['2:18 E102']),
    ('k_re("^a(b$");', ['2:17 E403']),
    ('if ($ru =~ "^sip:(") exit;', ['2:26 E403']),
    ('$rm = "X";', ['2:9 E106']),
    ('if ($rm = "X") exit;', ['2:13 E106']),
    ('$ru = null;', ['2:15 E405']),
    ('$(var(x){s.len}) = 1;', ['2:9 E106']),
    ('for ($rm in $(avp(x)[*])) { xlog("a"); }', ['2:14 E106']),
    ('xlog("L_XYZ", "a");', ['2:14 E406']),
    ('xlog("L_ERR", "a"); xlog("$var(l)", "b");', []),
    ('$var(x) = "a" + 1;', ['2:19 W607']),
    ('$var(x) = 4 / 0;', ['2:23 W608']),
]


@pytest.mark.parametrize("body, expected", CASES)
def test_types(findings, body, expected):
    assert findings(f"route {{ {body} }}") == expected


def test_hints(compiled):
    found = compiled('loadmodule "proto_udp" loadmodule "tm"\nsocket=udp:127.0.0.1\n'
                     'route { t_reply(404); if ($rm = "X") exit; t_reply(404, 5); }').diagnostics
    assert [one.hint for one in found] == ["t_reply(code, reason)", 'did you mean "=="?', 'write "5"']
