"""`osip mi`: parameters, forms, exit codes."""
from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from kit.peer import free_port
from osip.cli.mi import mi, params_of


@pytest.mark.parametrize(("words", "params"), [
    ((), []), (("a", "b"), ["a", "b"]), (("a=1", "b=2"), {"a": "1", "b": "2"}), (("a=1", "b"), ["a=1", "b"]),
    (('["x", "y"]',), [["x", "y"]]), (('params={"a": 1}', "event=E"), {"params": {"a": 1}, "event": "E"}), (("[bad",),
        ["[bad"]),
    (("sip:a@b;x=y",), ["sip:a@b;x=y"]), (("a=",), {"a": ""})])
def test_params(words: tuple[str, ...], params: Any) -> None:
    assert params_of(words) == params


def test_forms(run, url: str) -> None:       # type: ignore[no-untyped-def]
    assert run(mi, "--url", url, "which", "core:u").stdout == "core:uptime\n"
    assert json.loads(run(mi, "--url", url, "-o", "json", "which", "command=core:u").stdout) == ["core:uptime"]
    rows = list(csv.reader(io.StringIO(run(mi, "--url", url, "-o", "csv", "get_statistics",
        "core:rcv_requests").stdout)))
    assert rows[0] == ["name", "value"] and rows[1][0] == "core:rcv_requests" and int(rows[1][1]) >= 1
    assert run(mi, "--url", url, "log_level", "2").stdout == "New global log level: 2\n"
    assert run(mi, "--url", url, "xlog_level", "-1").exit_code == 0, "a negative number is no option"


@pytest.mark.parametrize(("words", "code", "complaint"), [
    (("no_such_command",), 4, "no_such_command: -32601 Method not found"),
    (("get_statistics", "none"), 4, "get_statistics: 404 Statistics Not Found"),
    (("log_level", "9"), 4, "(a level is"), ((), 2, "Missing argument"), (("-o", "xml", "ps"), 2, "xml")])
def test_failures(words: tuple[str, ...], code: int, complaint: str, run,
        url: str) -> None:      # type: ignore[no-untyped-def]
    found = run(mi, "--url", url, *words)
    assert (found.exit_code, found.stdout) == (code, "") and complaint in found.stderr


def test_nobody_there(run) -> None:      # type: ignore[no-untyped-def]
    found = run(mi, "--url", f"http://127.0.0.1:{free_port()}/mi", "ps")
    assert found.exit_code == 3 and "no osip answers at" in found.stderr and "--url" in found.stderr
