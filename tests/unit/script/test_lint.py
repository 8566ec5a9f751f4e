"""The opinionated rules: each one with scripts that it must name and scripts that it must leave alone."""
from __future__ import annotations

from pathlib import Path

import pytest

from osip.core.exports.diagnostic import Severity
from osip.core.exports.registry import Registry
from osip.core.run.config import Config
from osip.script.boot import compile_script
from osip.script.builtins import BUILTINS
from osip.script.catalogue import CATALOGUE
from osip.script.lint import STYLE_RULES, lint, mend

ROOT = Path(__file__).resolve().parents[3]
HEAD = "socket = udp:127.0.0.1:5060\n" + "".join(f'loadmodule "{name}.so"\n' for name in (
    "proto_udp", "signaling", "sl", "tm", "rr", "maxfwd", "sipmsgops", "textops", "usrloc", "registrar"))
RELAY = 'if (has_totag() || is_method("CANCEL")) { loose_route(); t_relay(); exit; } record_route();'


def found(text: str, head: str = HEAD) -> list[tuple[str, int]]:
    """Return code and line of every finding that is more than a remark; the head does not count."""
    registry = Registry(BUILTINS)
    result = compile_script(head + text, registry, Config())
    assert result.ok, result.errors
    first = head.count("\n")
    return [(one.code, one.span.line - first) for one in lint(result, registry)]


NAMED = [
    ("W630", "$var(callee) = $rU;\nxlog(\"$var(calee)\\n\");\nexit;", 2),
    ("W630", "if ($var(x) == 1)\nexit;", 1),
    ("W630", "$avp(callee) = $rU;\nxlog(\"$avp(calee)\\n\");\nexit;", 2),
    ("W631", RELAY + "\nif ($rU == null)\nsl_send_reply(484, \"x\");\nt_relay();", 4),
    ("W631", RELAY + "\nif ($rU == null) { t_reply(484, \"x\"); }\nelse exit;\nif (!t_relay()) exit;", 4),
    ("W631", RELAY + "\nswitch ($rU) { case \"a\": sl_send_reply(\"404\", \"x\"); break; default: exit; }\nt_relay();", 3),
    ("W631", RELAY + "\nroute(a);\nt_relay(); }\nroute[a] { sl_send_reply(404, \"x\");", 3),
    ("W631", RELAY + "\nif (route(a)) exit;\nt_relay(); }\nroute[a] { sl_send_reply(404, \"x\"); return(-1);", 3),
    ("W631", RELAY + "\nwhile ($var(i) < 2) { $var(i) = 3; sl_send_reply(404, \"x\"); }\nt_relay();", 3),
    ("W632", "if (is_method(\"CANCEL\")) exit;\nt_relay();", 2),
    ("W633", "record_route(); if (is_method(\"CANCEL\")) exit;\nt_relay();", 2),
    ("W634", "record_route(); loose_route(); if (!lookup(\"location\")) exit;\nt_relay();", 2),
    ("W635", "remove_hf(\"X-A\");\nif ($hdr(x-a) != null)\nexit;", 2),
    ("W635", "append_hf(\"X-A: 1\\r\\n\");\nxlog(\"$(hdr(X-A))\\n\");\nexit;", 2),
    ("W635", "remove_hf(\"X-A\"); route(a); }\nroute[a] {\n$avp(x) = $hdr(X-A);\nexit;", 3),
    ("W638", "if ($rm != \"ACK\" || $rm != \"BYE\")\nexit;", 1),
    ("W638", "if ($rs == 200 && $rs == 180)\nexit;", 1),
    ("W638", "if ($si != 10.0.0.1 || $si != 10.0.0.2)\nexit;", 1),
    ("W638", "if (method != \"ACK\" || method != \"BYE\")\nexit;", 1),
    ("W638", "if (1)\nexit;", 1),
    ("W639", "if ($rU == \"a\" || $rU == \"b\" && $si == 10.0.0.1)\nexit;", 1),
]

QUIET = [
    "$var(x) = 1; if ($var(x) == 1) exit;",
    "for ($var(x) in $(hdr(Via)[*])) xlog(\"$var(x)\\n\");",
    "cache_fetch(\"local\", \"k\", $var(x)); xlog(\"$var(x)\\n\");",
    "pv_printf(\"$var(x)\", \"a\"); xlog(\"$var(x)\\n\");",
    "$var(k) = \"a\"; $avp($var(k)) = 1; xlog(\"$avp(other)\\n\");",
    "xlog(\"$avp(set_by_a_module)\\n\");",
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
    "if ($rm != \"ACK\" && $rm != \"BYE\") exit;", "if ($rm == \"ACK\" || $rm == \"BYE\") exit;",
    "if ($si != 10.0.0.0/8 || $si != 10.1.0.0/16) exit;",
    "if (($rU == \"a\" || $rU == \"b\") && $si == 10.0.0.1) exit;",
    "if ($si == 10.0.0.1 && $rU == \"a\" || $rU == \"b\") exit;",
    "while (1) { break; }",
    "if (is_method(\"INVITE\")) sl_send_reply(302, \"x\");",
]


@pytest.mark.parametrize(("code", "body", "line"), NAMED, ids=[f"{code}-{body[:30]}" for code, body, _ in NAMED])
def test_named(code: str, body: str, line: int) -> None:
    body = "$var(i) = 0;" + body if "$var(i)" in body else body
    assert [one for one in found("route {\n" + body + "\n}\n") if one[0] != "W637"] == [(code, line + 1)]
    assert code in CATALOGUE


@pytest.mark.parametrize("body", QUIET)
def test_quiet(body: str) -> None:
    assert [code for code, _ in found("route {\n" + body + "\n}\n") if code != "W637"] == []


SECRETS = [
    ("modparam(\"usrloc\", \"db_url\", \"mysql://u:pw@host/db\")", True),
    ("db_default_url = \"mysql://u:pw@host/db\"", True),
    ("modparam(\"usrloc\", \"db_url\", \"mysql://u:${OSIP_TEST_PW:-x}@host/db\")", False),
    ("modparam(\"usrloc\", \"db_url\", \"mysql://u@host/db\")", False),
    ("modparam(\"usrloc\", \"db_url\", \"sqlite:////var/lib/osip.db\")", False),
]


@pytest.mark.parametrize(("line", "named"), SECRETS)
def test_passwords(line: str, named: bool) -> None:
    assert found(line + "\nroute {\n\texit;\n}\n") == ([("W636", 1)] if named else [])


FIXED = [
    ("route {\n\trewriteuri(\"sip:a@b\"); setflag(1);\n}\n", "route {\n\tseturi(\"sip:a@b\"); setflag(1);\n}\n"),
    ("route {\n\tif (method==INVITE && from_uri=~\"x\") exit;\n}\n",
     "route {\n\tif ($rm==\"INVITE\" && $fu=~\"x\") exit;\n}\n"),
    ("route {\n\tif (src_ip == 10.0.0.0/8 || dst_port == 5060 || msg:len > 10) exit;\n}\n",
     "route {\n\tif ($si == 10.0.0.0/8 || $socket_in(port) == 5060 || $ml > 10) exit;\n}\n"),
    ("route {\n\tif (src_ip == gw.example.com || uri == myself || msg:len > max_len) exit;\n}\n", None),
    ("debug = 3\nlisten = udp:127.0.0.1:5070\nmodparam(\"tm\", \"fr_timer\", 5)\nroute {\n\texit;\n}\n",
     "log_level = 3\nsocket = udp:127.0.0.1:5070\nmodparam(\"tm\", \"fr_timeout\", 5)\nroute {\n\texit;\n}\n"),
    ("route {\n\tappend_branch(); exit;\n}\n", None),
]


@pytest.mark.parametrize(("old", "new"), FIXED)
def test_fix_puts_in_the_new_spelling_and_nothing_is_left(old: str, new: str | None) -> None:
    registry = Registry(BUILTINS)
    result = compile_script(HEAD + old, registry, Config())
    assert result.ok
    files = mend(result.script, registry)
    assert list(files.values()) == ([HEAD + new] if new is not None else [])
    if new is not None:
        assert [code for code, _ in found(new) if code in ("W637", "N706", "N708")] == []


def test_each_rule_has_a_story() -> None:
    assert len(STYLE_RULES) == 7
    for number in range(630, 640):
        assert f"W{number}" in CATALOGUE


@pytest.mark.parametrize("path", sorted([*(ROOT / "cfg").glob("*.cfg"), *(ROOT / "tests/script/sound").glob("*.cfg")]),
                         ids=lambda path: path.stem)
def test_nothing_is_wrong_with_sound_scripts(path: Path) -> None:
    registry = Registry(BUILTINS)
    result = compile_script(path, registry, Config())
    shown = [f"{one.span.line}: {one.code} {one.message}" for one in lint(result, registry)
             if one.severity is not Severity.INFO]
    assert shown == []
