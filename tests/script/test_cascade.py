"""One slip of the pen is one finding: nothing behind it is blamed for it, and the hint says what was meant."""
from __future__ import annotations

import pytest
from kit.findings import HEAD

from osip.core.exports.registry import Registry
from osip.core.run.config import Config
from osip.script.boot import compile_script
from osip.script.builtins import BUILTINS

SLIPS = [
    ("exi;", "E001", 'did you mean "exit"?'),
    ("retrun;", "E001", 'did you mean "return"?'),
    ("retrun 1;", "E001", 'did you mean "return"?'),
    ("retrun(1);", "E101", 'did you mean "return"?'),
    ("while (1) { brake; }", "E001", 'did you mean "break"?'),
    ("while (1) { brake(); }", "E101", 'did you mean "break"?'),
    ("drpo();", "E101", 'did you mean "drop"?'),
    ("rout(A);", "E101", 'did you mean "route"?'),
    ('xlgo("x");', "E101", 'did you mean "xlog"?'),
    ("nofn();", "E101", ""),
    ('t_realy();', "E101", 'did you mean "t_relay" or "t_reply"?  both: module tm, loaded at line 5'),
    ('whlie (1) { exit; } xlog("x");', "E001", 'did you mean "while"?'),
    ('whlie ($rU == "x") { exit; } xlog("x");', "E001", 'did you mean "while"?'),
    ('fi ($rU == "x") { exit; } else { drop; }', "E001", 'did you mean "if"?'),
    ('if ($rU == "x") { exit; } elsif (is_method("ACK")) { exit; } else { drop; }', "E001", 'write "else if"'),
    ('swich ($rU) { case 1: exit; default: drop; } xlog("b");', "E001", 'did you mean "switch"?'),
    ('fro ($var(i) in $(avp(x)[*])) { exit; } xlog("b");', "E001", 'did you mean "for"?'),
    ('for ($var(i) in "abc") exit;', "E001", "expected a variable"),
    ('while ($var(x) + 1 == 2) { xlog("x"); }', "E015", "write [$var(a) & 4], or compute into a variable first"),
    ("sl_reply_error;", "E001", "a call needs its brackets, also without arguments"),
]


@pytest.mark.parametrize(("body", "code", "hint"), SLIPS, ids=[body for body, _, _ in SLIPS])
def test_one_slip_is_one_finding(body: str, code: str, hint: str) -> None:
    found = compile_script(f"{HEAD}route {{ {body} }}\n", Registry(BUILTINS), Config()).diagnostics
    assert [(one.code, one.hint) for one in found] == [(code, hint)], found
