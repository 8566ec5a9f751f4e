"""Names of functions, variables and transformations."""
from __future__ import annotations

import pytest

CASES = [
    # body of route { } on line 2, which starts at column 9; findings
    ('t_relay();', []),
    ('t_rely();', ['2:9 E101']),
    ('t_rely(); t_rely();', ['2:9 E101']),
    ('frobnicate(); t_rely();', ['2:9 E101', '2:23 E101']),
    ('if (!t_rely("$nope")) exit;', ['2:14 E101']),
    ('xlog("$ru $rU2 $(var(x){s.len})");', ['2:19 E102']),
    ('xlog("$ru.txt");', ['2:15 E102']),
    ('$var(x) = $nope;', ['2:19 E102']),
    ('k_str("a $nope b");', ['2:18 E102']),
    ('k_static("a $nope b");', []),
    ('$var(x) = "a $nope";', []),
    ('$var(x) = $(ru{s.lne});', ['2:23 E103']),
    ('$var(x) = $(ru{s.select,1});', ['2:23 E108']),
    ('$var(x) = $(ru{s.len,1});', ['2:23 E108']),
    ('$var(x) = $(ru{s.select,1,,});', []),
    ('$var(x) = $hdr;', ['2:19 E104']),
    ('$var(x) = $rm(x);', ['2:19 E104']),
    ('$var(x) = $(rm[1]);', ['2:19 E105']),
    ('$var(x) = $(avp(a)[append]);', ['2:19 E105']),
    ('$(avp(a)[append]) = 1;', []),
    ('$var(x) = $(<request>ru);', []),
    ('$var(x) = $(<rekuest>ru);', ['2:19 E107']),
    ('$var(x) = $socket_in(ip);', []),
    ('$var(x) = $socket_in(ipp);', ['2:19 E104']),
    ('$var(x) = $hdr($nope);', ['2:24 E102']),
]


@pytest.mark.parametrize("body, expected", CASES)
def test_names(findings, body, expected):
    assert findings(f"route {{ {body} }}") == expected


def test_suggestion_names_module_and_line(compiled):
    found = compiled('loadmodule "proto_udp.so"\nloadmodule "tm.so"\nsocket=udp:127.0.0.1\n'
                     "route { t_rely(); }").diagnostics
    assert found[0].hint == 'did you mean "t_relay" or "t_reply"?  both: module tm, loaded at line 2'


def test_further_places_are_noted(compiled):
    text = 'loadmodule "proto_udp.so" socket=udp:127.0.0.1\nroute {\nfrob();\nfrob();\nfrob(); }'
    found = compiled(text).diagnostics
    assert [(one.code, one.notes) for one in found] == [("E101", ("also at lines 4, 5",))]


@pytest.mark.parametrize("body, expected", [
    ("t_relay(); k_whatever();", ["1:14 E301"]),        # may be functions of the missing module
    ("setflg(A);", ["1:14 E301", "2:9 E101"]),          # too near to a known one to be of another module
    ("xlog(\"$T_something\");", ["1:14 E301"]),
])
def test_failed_module_does_not_cascade(findings, body, expected):
    head = ' '.join(['  loadmodule "nosuch.so"', 'loadmodule "proto_udp.so"', 'socket=udp:127.0.0.1\n'])
    assert findings(f"route {{ {body} }}", head=head)[:9] == expected
