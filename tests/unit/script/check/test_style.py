"""The opinionated rules: variables, relaying, passwords, conditions; what each names and what it leaves alone."""
from __future__ import annotations

import pytest
from kit.findings import HOPS, findings, in_route

RR = "if (has_totag() || is_method(\"CANCEL\")) { loose_route(); t_relay(); exit; } record_route();\n"
NAMED = [
    ("W630", "$var(callee) = $rU;\nxlog(\"$var(calee)\\n\");\nexit;", 2),
    ("W630", "if ($var(x) == 1)\nexit;", 1),
    ("W630", "$avp(callee) = $rU;\nxlog(\"$avp(calee)\\n\");\nexit;", 2),
    ("W630", "if ($avp(z) =~ \"x\")\nexit;", 1),
    ("W630", "for ($var(i) in $(avp(lst)[*])) xlog(\"$var(i)\\n\");\nexit;", 1),
    ("W630", "switch ($avp(sw)) { case 1: exit; }", 1),
    ("W630", "xlog(\"$(avp(d)[0])\\n\");\nexit;", 1),
    ("W632", HOPS + "if (is_method(\"CANCEL\")) exit;\nt_relay();", 2),
    ("W633", HOPS + "record_route(); if (is_method(\"CANCEL\")) exit;\nt_relay();", 2),
    ("W634", HOPS + "record_route(); loose_route(); if (!lookup(\"location\")) exit;\nt_relay();", 2),
    ("W640", RR + "if (!lookup(\"location\")) exit;\nt_relay();", 1),
    ("W640", "record_route(); if (is_method(\"CANCEL\")) exit; loose_route();\nforward();", 2),
    ("W638", "if ($rm != \"ACK\" || $rm != \"BYE\")\nexit;", 1),
    ("W638", "if ($rs == 200 && $rs == 180)\nexit;", 1),
    ("W638", "if ($si != 10.0.0.1 || $si != 10.0.0.2)\nexit;", 1),
    ("W638", "if (method != \"ACK\" || method != \"BYE\")\nexit;", 1),
    ("W638", "if (1)\nexit;", 1),
    ("W639", "if ($rU == \"a\" || $rU == \"b\" && $si == 10.0.0.1)\nexit;", 1),
]

QUIET = [
    "loose_route(); t_relay();",
    RR + "if (is_maxfwd_lt(2)) exit; if (!lookup(\"location\")) exit; t_relay();",
    RR + "if ($mf == 0) exit; if (!lookup(\"location\")) exit; t_relay();",
    RR + "if ($(hdr(max-forwards){s.int}) == 0) exit; if (!lookup(\"location\")) exit; t_relay();",
    "$var(x) = 1; if ($var(x) == 1) exit;",
    "for ($var(x) in $(hdr(Via)[*])) xlog(\"$var(x)\\n\");",
    "cache_fetch(\"local\", \"k\", $var(x)); xlog(\"$var(x)\\n\");",
    "pv_printf(\"$var(x)\", \"a\"); xlog(\"$var(x)\\n\");",
    "$var(k) = \"a\"; $avp($var(k)) = 1; xlog(\"$avp(other)\\n\");",
    "xlog(\"$avp(serial_branch)\\n\");", "$avp(z) = 1; if ($avp(z) =~ \"x\") exit;",
    "if ($rm != \"ACK\" && $rm != \"BYE\") exit;", "if ($rm == \"ACK\" || $rm == \"BYE\") exit;",
    "if ($si != 10.0.0.0/8 || $si != 10.1.0.0/16) exit;",
    "if (($rU == \"a\" || $rU == \"b\") && $si == 10.0.0.1) exit;",
    "if ($si == 10.0.0.1 && $rU == \"a\" || $rU == \"b\") exit;",
    "while (1) { break; }",
    "if (is_method(\"INVITE\")) sl_send_reply(302, \"x\");",
]


@pytest.mark.parametrize(("code", "body", "line"), NAMED, ids=[f"{code}-{body[:30]}" for code, body, _ in NAMED])
def test_named(code: str, body: str, line: int) -> None:
    assert in_route(body, ignore=("W637",)) == [(code, line)]


@pytest.mark.parametrize("body", QUIET)
def test_quiet(body: str) -> None:
    assert in_route(body, ignore=("W637",)) == []


SECRETS = [
    ("modparam(\"usrloc\", \"db_url\", \"mysql://u:pw@host/db\")", True),
    ("db_default_url = \"mysql://u:pw@host/db\"", True),
    ("modparam(\"usrloc\", \"db_url\", \"mysql://u:${OSIP_TEST_PW:-x}@host/db\")", False),
    ("modparam(\"usrloc\", \"db_url\", \"mysql://u@host/db\")", False),
    ("modparam(\"usrloc\", \"db_url\", \"sqlite:////var/lib/osip.db\")", False),
]


@pytest.mark.parametrize(("line", "named"), SECRETS)
def test_passwords(line: str, named: bool) -> None:
    assert findings(line + "\nroute {\n\texit;\n}\n") == ([("W636", 1)] if named else [])


@pytest.mark.parametrize("head", [
    'loadmodule "sqlops.so"', 'loadmodule "avpops.so"', 'modparam("registrar", "attr_avp", "$avp(z)")',
    'loadmodule "dispatcher.so"\nmodparam("dispatcher", "attrs_avp", "$avp(z)")',
])
def test_an_avp_that_a_module_may_set(head: str) -> None:
    found = findings(head + '\nroute {\nif ($avp(z) =~ "x") exit;\n}\n')
    assert [code for code, _ in found if code == "W630"] == []
