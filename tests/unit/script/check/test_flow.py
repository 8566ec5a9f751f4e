"""Course of statements, and the settings that a statement depends on."""
from __future__ import annotations

import pytest

CASES = [
    ('exit; xlog("a");', ['2:15 W602']),
    ('exit; xlog("a"); xlog("b");', ['2:15 W602']),
    ('exit;;', []),
    ('if ($rm == "X") { exit; } xlog("a");', []),
    ('if ($rm == "X") { exit; } else { drop; } xlog("a");', ['2:50 W602']),
    ('if ($rm == "X") { return(1); xlog("a"); }', ['2:38 W602']),
    ('switch ($rm) { case "A": exit; break; default: xlog("a"); }', []),
    ('switch ($rm) { case "A": xlog("a"); break; case "a": exit; }', ['2:57 W605']),
    ('break;', ['2:9 E204']),
    ('while ($var(x) < 3) { break; }', []),
    ('if ($var(x) = 5) exit;', ['2:13 W601']),
    ('if ($var(x) = 5 && $rm == "X") exit;', ['2:13 W601']),
    ('if ($var(x) == 5) exit;', []),
    ('for ($var(i) in $avp(x)) { xlog("a"); }', ['2:25 W606']),
    ('for ($var(i) in $(avp(x)[*])) { xlog("a"); }', []),
    (';', []),
    ('', ['2:1 W604']),
]


@pytest.mark.parametrize("body, expected", CASES)
def test_flow(findings, body, expected):
    assert findings(f"route {{ {body} }}") == expected


def test_forward_against_disable_stateless_fwd(findings):
    assert findings("disable_stateless_fwd = yes\nroute { forward(); }") == ["3:9 E506"]
    assert findings("disable_stateless_fwd = no\nroute { forward(); }") == []
