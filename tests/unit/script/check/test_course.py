"""The ways through the routes: replies before a relay, headers read after an edit."""
from __future__ import annotations

import pytest
from kit.findings import RELAY, in_route

NAMED = [
    ("W631", RELAY + "\nif ($rU == null)\nsl_send_reply(484, \"x\");\nt_relay();", 4),
    ("W631", RELAY + "\nif ($rU == null) { t_reply(484, \"x\"); }\nelse exit;\nif (!t_relay()) exit;", 4),
    ("W631", RELAY + "\nswitch ($rU) { case \"a\": sl_send_reply(\"404\", \"x\"); break; default: exit; }\nt_relay();", 3),
    ("W631", RELAY + "\nroute(a);\nt_relay(); }\nroute[a] { sl_send_reply(404, \"x\");", 3),
    ("W631", RELAY + "\nif (route(a)) exit;\nt_relay(); }\nroute[a] { sl_send_reply(404, \"x\"); return(-1);", 3),
    ("W631", RELAY + " $var(i) = 0;\nwhile ($var(i) < 2) { $var(i) = 3; sl_send_reply(404, \"x\"); }\nt_relay();", 3),
    ("W635", "remove_hf(\"X-A\");\nif ($hdr(x-a) != null)\nexit;", 2),
    ("W635", "append_hf(\"X-A: 1\\r\\n\");\nxlog(\"$(hdr(X-A))\\n\");\nexit;", 2),
    ("W635", "remove_hf(\"X-A\"); route(a); }\nroute[a] {\n$avp(x) = $hdr(X-A);\nexit;", 3),
]

QUIET = [
    RELAY + " if ($rU == null) { sl_send_reply(484, \"x\"); exit; } t_relay();",
    RELAY + " if (!t_relay()) sl_send_reply(500, \"x\");",
    RELAY + " t_newtran(); t_reply(100, \"x\"); t_relay();",
    RELAY + " if (!route(a)) exit; t_relay(); } route[a] { if ($rU == null) { sl_send_reply(484, \"x\"); "
            "return(-1); } return(1);",
    RELAY + " if (!route(a) || $rU == \"x\") exit; t_relay(); } route[a] { if ($rU == null) { sl_send_reply(484, "
            "\"x\"); return(-1); } return(1);",
    RELAY + " route(a); if ($rc < 0) exit; t_relay(); } route[a] { if ($rU == null) { sl_send_reply(484, \"x\"); "
            "return(-1); } return(1);",
    RELAY + " route(a); t_relay(); } route[a] { if ($rU == null) { sl_send_reply(484, \"x\"); return(0); } return(1);",
    RELAY + " switch ($rU) { case \"a\": sl_send_reply(404, \"x\"); exit; } t_relay();",
    "$avp(x) = $hdr(X-A); remove_hf(\"X-A\"); append_hf(\"X-B: $hdr(X-C)\\r\\n\");",
    "if (is_present_hf(\"X-A\")) remove_hf(\"X-A\"); append_hf(\"X-A: 1\\r\\n\");",
]


@pytest.mark.parametrize(("code", "body", "line"), NAMED, ids=[f"{code}-{body[:30]}" for code, body, _ in NAMED])
def test_named(code: str, body: str, line: int) -> None:
    assert in_route(body, ignore=("W637",)) == [(code, line)]


@pytest.mark.parametrize("body", QUIET)
def test_quiet(body: str) -> None:
    assert in_route(body, ignore=("W637",)) == []
