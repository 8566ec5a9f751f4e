"""The ways through the routes: replies before a relay, headers read after an edit."""
from __future__ import annotations

import pytest
from kit.findings import HEAD, RELAY, in_route

from osip.core.exports.registry import Registry
from osip.core.run.config import Config
from osip.script.boot import compile_script
from osip.script.builtins import BUILTINS
from osip.script.lint import lint

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

TWICE = [
    ("W643", 'if ($rU == null)\nsl_send_reply(484, "x");\nsl_send_reply(404, "x");', 3),
    ("W643", 'if (is_method("INVITE")) {\nt_reply(404, "x"); }\nif ($rU == null) { sl_send_reply(484, "x"); exit; }', 3),
    ("W643", 'save("location");\nsl_send_reply(200, "OK");', 2),
    ("W643", 'if ($rU == null) sl_send_reply(484, "x");\nwww_challenge("", "auth");', 2),
    ("W643", 'route(a);\nsl_send_reply(404, "x"); }\nroute[a] { sl_send_reply(484, "x");', 2),
    ("W643", 'switch ($rU) { case "a": sl_send_reply(404, "x"); break; default: exit; }\nsl_send_reply(484, "x");', 2),
    ("W643", 'sl_reply_error();\noptions_reply();', 2),
    ("W642", RELAY + '\nt_relay();\nsl_send_reply(500, "x");', 3),
    ("W642", RELAY + '\nif (is_method("INVITE")) t_relay();\nsend_reply(404, "x");', 3),
    ("W642", RELAY + '\nif (t_relay()) {\nt_reply(500, "x"); }', 3),
]

ONCE = [
    'if (!www_authorize("", "subscriber")) www_challenge("", "auth"); sl_send_reply(403, "x");',
    'if (!is_method("ACK")) { proxy_challenge("dom", "auth"); } sl_send_reply(404, "x");',
    'if (!proxy_challenge("dom", "auth")) sl_send_reply(500, "x");',
    RELAY + ' if (!is_method("ACK")) { proxy_challenge("dom", "auth"); } t_relay();',
    'if ($rU == null) { sl_send_reply(484, "x"); exit; } sl_send_reply(404, "x");',
    'if ($rU == null) sl_send_reply(484, "x"); else sl_send_reply(404, "x");',
    'if (is_method("INVITE")) sl_send_reply(404, "x"); if (is_method("BYE")) sl_send_reply(481, "x");',
    'if (is_method("INVITE")) sl_send_reply(404, "x"); if ($rm == "BYE") sl_send_reply(481, "x");',
    'if ($rU == "a") { sl_send_reply(404, "x"); $var(done) = 1; } if ($var(done) != 1) sl_send_reply(484, "x");',
    'if (!save("location")) sl_reply_error();', 'save("location"); exit;',
    'if (is_method("INVITE")) { if (!save("location")) sl_reply_error(); }',
    'save("location", "no-reply"); sl_send_reply(200, "OK");',
    'if (!t_reply(404, "x")) sl_send_reply(404, "x");',
    't_newtran(); t_reply(183, "x"); t_reply(404, "x");',
    RELAY + ' if (!t_relay()) sl_send_reply(500, "x");',
    RELAY + ' t_relay(); if ($rc < 0) sl_send_reply(500, "x");',
    RELAY + ' if (is_method("INVITE")) { t_relay(); } if (is_method("MESSAGE")) send_reply(405, "x");',
    'switch ($rU) { case "a": sl_send_reply(404, "x"); break; case "b": sl_send_reply(484, "x"); break; }',
    'route(a); if ($rc < 0) exit; sl_send_reply(404, "x"); } route[a] { if ($rU == null) { sl_send_reply(484, "x"); '
    'return(-1); } return(1);',
    '$var(code) = 180; send_reply($var(code), "x"); send_reply(404, "x");',
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


@pytest.mark.parametrize(("code", "body", "line"), TWICE, ids=[f"{code}-{body[:30]}" for code, body, _ in TWICE])
def test_a_second_answer_is_named(code: str, body: str, line: int) -> None:
    assert in_route(body, ignore=("W637",), load=("auth", "auth_db", "options")) == [(code, line)]


@pytest.mark.parametrize("body", ONCE)
def test_one_answer_on_every_way(body: str) -> None:
    assert in_route(body, ignore=("W637",), load=("auth", "auth_db")) == []


def test_one_missing_exit_is_one_finding() -> None:
    body = ('if (!lookup("location")) {\nsl_send_reply(404, "x"); }\nif ($rU == "a") t_relay();\n'
            'if ($rU == "b") sl_send_reply(484, "x");\nt_relay();')
    assert in_route(RELAY + body, ignore=("W637",)) == [("W631", 3), ("W631", 5)]      # the 404, and the 484


def test_the_nearest_cause_is_named() -> None:
    registry = Registry(BUILTINS)
    text = HEAD + ('route {\nif ($rU == null) sl_send_reply(484, "x");\nif (is_method("REGISTER")) {\n'
                   'save("location");\nsl_send_reply(200, "OK"); exit; } }\n')
    found = lint(compile_script(text, registry, Config()), registry)
    line = HEAD.count("\n") + 4
    assert [one.hint for one in found if one.code == "W643" and one.span.line == line + 1] == [
        f'the one at line {line} is not followed by "exit" on every way']


@pytest.mark.parametrize("body", QUIET)
def test_quiet(body: str) -> None:
    assert in_route(body, ignore=("W637",)) == []
