"""Bytes, and words of the language in any order: the checker, lint and the formatter answer with findings, never a fault.

What once brought one of them down stands in CORPUS.
"""
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from osip.core.errors import OsipError
from osip.core.exports.registry import Registry
from osip.core.run.config import Config
from osip.script.boot import compile_script
from osip.script.builtins import BUILTINS
from osip.script.format import format_text
from osip.script.lint import lint
from osip.script.report import render, render_json
from osip.script.sarif import render_sarif

CORPUS = [
    b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbfroute{}", b"route", b"route{", b"route{if", b"route{if(", b"}", b"\"", b"'",
    b"/*", b"#", b"$", b"$(", b"route{$(", b"route{$(x", b"route{$(avp(", b"route{\"$(\"", b"\\", b"route{switch($rm){",
    b"include_file", b"include_file \"", b"import_file \"\0\"\n", b"modparam(", b"loadmodule", b"loadmodule \"\"",
    b"loadmodule \"../../x\"", b"loadmodule \"" + b"a" * 5000 + b"\"", b"socket=", b"socket=udp:", b"alias=:::", b"mpath=\"\0\"",
    b"route{" * 300, b"route{" + b"if(1)" * 300, b"route{if(" + b"(" * 3000, b"route{$var(x)=" + b"-" * 3000,
    b"route{xlog(\"" + b"$" * 3000 + b"\");}", b"route{xlog(\"" + b"$(" * 2000 + b"\");}", b"dst_blacklist=x:{",
    b"timer_route[x,", b"route[", b"route[\xc3]{}", b"route{async(", b"route{launch(", b"while\nxlog\n]\nis_method\n/\n$(hdr(X)[*])", b"route{\xe2\x80\x9cx\xe2\x80\x9d}",
]
WORDS = st.sampled_from([
    "route", "failure_route", "onreply_route", "timer_route", "event_route", "[", "]", "{", "}", "(", ")", ";", ",", ":",
    "if", "else", "while", "for", "in", "switch", "case", "default", "break", "exit", "drop", "return", "async", "launch",
    "=", "==", "=~", "!=", ":=", "+=", "&&", "||", "!", "+", "-", "*", "/", "$var(x)", "$avp(i:1)", "$(hdr(X)[*])",
    "$(ru{uri.user}{s.len})", "$", "$(", "null", "5", "0x", "-1", "99999999999", '"text $ru"', '"', "'", "10.0.0.1",
    "10.0.0.0/8", "udp:127.0.0.1:5060", "socket", "listen", "alias", "loadmodule", '"tm.so"', '"sl.so"', "modparam",
    '"fr_timeout"', "t_relay", "t_on_failure", "sl_send_reply", "is_method", "xlog", "log_level", "mpath", "include_file",
    "myself", "uri", "method", "#", "/*", "*/", "//", "\n", "\\", "\x00", "\ud800", "\u201c", "dst_blacklist", "assert",
    "udp_workers", "use_auto_scaling_profile", "auto_scaling_profile", "mem-group"])


def chew(raw: bytes, folder: Path) -> None:
    """Check, lint and format a script; every rendering of what was found must work."""
    path = folder / "fuzz.cfg"
    path.write_bytes(raw)
    registry = Registry(BUILTINS)
    result = compile_script(path, registry, Config())
    found = lint(result, registry)
    assert result.ok == (not any(one.is_error for one in result.diagnostics))
    assert bool(render(found, result.script.files)) == bool(found)
    render_json(found)
    render_sarif(found, "1")
    try:
        format_text(raw.decode("utf-8", "surrogateescape"))
    except OsipError:
        pass                    # a script with faults is not laid out


@pytest.mark.parametrize("raw", CORPUS, ids=range(len(CORPUS)))
def test_what_was_chewed_before(raw: bytes, tmp_path: Path) -> None:
    chew(raw, tmp_path)


@settings(max_examples=150, deadline=None, derandomize=True, database=None,
          suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes(tmp_path: Path, raw: bytes) -> None:
    chew(raw, tmp_path)


@settings(max_examples=150, deadline=None, derandomize=True, database=None,
          suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.lists(WORDS, max_size=60), st.sampled_from([" ", "", "\n"]))
def test_any_words(tmp_path: Path, words: list[str], between: str) -> None:
    chew(between.join(words).encode("utf-8", "surrogatepass"), tmp_path)
