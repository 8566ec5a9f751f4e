"""Scripts that no operator would write, by mistake or malice: one clear diagnostic, soon."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kit.script import ScriptBook

from osip.core.run.config import Config
from osip.main import new_registry
from osip.script.boot import compile_script
from osip.script.report import render

HEAD = 'socket = udp:127.0.0.1:5060\nloadmodule "proto_udp.so"\n'
MEGABYTE = 1_000_000
SECONDS = 20.0
"""Bound on a check, far above what it takes: it is there for what grows with the square of the size."""


def folder(path: Path) -> None:
    path.mkdir()


def cycle(path: Path) -> None:
    path.write_text(HEAD + f'include_file "{path}.2"\nroute {{ exit; }}\n')
    Path(f"{path}.2").write_text(f'include_file "{path}"\n')


def bomb(path: Path) -> None:
    for level in range(30):
        further = f'include_file "{path.name}.{level + 1}"\n' * 2
        Path(f"{path}.{level}" if level else path).write_text(further if level < 29 else "# the end\n")


def text(body: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(HEAD + body) and None


CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    "directory": (folder, "E020"),
    "absent": (lambda path: None, "E020"),
    "cyclic include": (cycle, "E022"),
    "NUL byte": (lambda path: path.write_bytes(HEAD.encode() + b"route { exit; \0 }\n"), "E024"),
    "binary": (lambda path: path.write_bytes(bytes(range(1, 256)) * 2000 + b"\0"), "E024"),
    "long line of rubbish": (text("route { " + "@" * MEGABYTE + " }\n"), "E006"),
    "long line of brackets": (text("route { if (" + "(" * MEGABYTE + " }\n"), "E025"),
    "long line of blocks": (text("route { " + "if (1) { " * (MEGABYTE // 9) + " }\n"), "E025"),
    "open string": (text('route {\nxlog("' + "x" * MEGABYTE + ");\nexit;\n}\n"), "E004"),
    "open comment": (text("route { exit; }\n/*" + "x" * MEGABYTE), "E004"),
    "long line of variables in variables": (text('route { xlog("' + "$(avp(" * (MEGABYTE // 6) + '"); }\n'), "E010"),
    "deep variable": (text('route { $var(x) = ' + "$(avp(" * 3000 + "a" + "))" * 3000 + "; }\n"), "E025"),
    "long chain of transformations": (text('route { xlog("$(rm' + "{s.trim}" * 100000 + ')"); }\n'), "E025"),
    "long number": (text("route { $var(x) = " + "9" * MEGABYTE + "; }\n"), "E007"),
    "deep expression": (text('route { if ($rm =~ "' + "(" * 300000 + '") exit; }\n'), "E403"),
    "deep pattern of modules": (text('modparam("' + "(" * 300000 + '", "x", 1)\nroute { exit; }\n'), "E306"),
    "endless device": (lambda path: path.symlink_to("/dev/zero"), "E024"),
    "includes without end": (bomb, "E020"),
    "long name": (text("route { " + "x" * MEGABYTE + "(); }\n"), "E101"),
}


@pytest.mark.parametrize("what", CASES)
def test_one_clear_diagnostic(what: str, tmp_path: Path) -> None:
    make, code = CASES[what]
    path = tmp_path / "bad.cfg"
    make(path)
    started = time.process_time()
    result = compile_script(path, new_registry(), Config())
    assert time.process_time() - started < SECONDS
    assert [one.code for one in result.diagnostics] == [code], result.diagnostics[:5]
    shown = render(result.diagnostics, result.script.files)
    assert "bad.cfg" in shown and shown.count("error[") == 1 and max(map(len, shown.splitlines())) < 1000


@pytest.mark.parametrize("line", ["x" * MEGABYTE, "$rm " * (MEGABYTE // 20), "$$ " * (MEGABYTE // 3)])
def test_a_long_line_that_is_right_is_right(line: str, tmp_path: Path) -> None:
    path = tmp_path / "long.cfg"
    text(f'route {{ xlog("{line}"); }}\n')(path)
    assert compile_script(path, new_registry(), Config()).diagnostics == []


def test_runaway_while_is_one_line_for_each_run() -> None:
    book = ScriptBook('route {\n  while (1) { ; $var(x) = 1; }\n  xlog("after"); }', max_while_loops=50).recv("INVITE")
    book.says("while: more than 50 rounds, going on after the loop at=book.cfg:2", "after")


@pytest.mark.parametrize("call", ["route(a)", 'route("$var(name)")', "route(b)"])
def test_route_recursion_ends_with_one_line(call: str) -> None:
    book = ScriptBook(
        f'route {{ $var(name) = "a"; $var(n) = 0; route(a); xlog("$var(n)"); }}\n'
        f"route[a] {{ $var(n) = $var(n) + 1; {call}; }}\nroute[b] {{ route(a); }}"
    ).recv("INVITE")
    assert len(book.said) == 2 and "deep" in book.said[0] and 50 <= int(book.said[1]) <= 100
    book.said.clear()
    book.recv("INVITE", branch="z9hG4bK-2")
    assert len(book.said) == 2  # the server goes on as before
