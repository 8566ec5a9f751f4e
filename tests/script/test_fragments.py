"""Every construct of the language in small scripts: the good ones parse, the broken ones fail where they say.

A good fragment may begin with `# finds: CODE ...`, the notices it raises; without that it raises none. A broken one
begins with `# expect: line:col CODE, ...`.
"""
from __future__ import annotations

import os
from pathlib import Path

import pytest

from osip.script import nodes
from osip.script.catalogue import CATALOGUE
from osip.script.parse import parse
from osip.script.report import render
from osip.script.source import Source

FOLDER = Path(__file__).parent / "fragments"
GOOD = sorted(path.stem for path in FOLDER.glob("*.cfg"))
BROKEN = sorted(path.stem for path in (FOLDER / "broken").glob("*.cfg"))


def header(path: Path, word: str) -> str:
    first = path.read_bytes().split(b"\n")[0].decode("utf-8", "replace")
    return first.removeprefix(f"# {word}:").strip() if first.startswith(f"# {word}:") else ""


def spans(node: object):
    """Yield the spans of a node and all below it."""
    if isinstance(node, nodes.Node):
        yield node.span
    if isinstance(node, tuple | list):
        for item in node:
            yield from spans(item)
    elif hasattr(node, "__dataclass_fields__"):
        for name in node.__dataclass_fields__:
            if name != "files":
                yield from spans(getattr(node, name))


@pytest.mark.parametrize("name", GOOD)
def test_fragment_parses(name):
    path = FOLDER / f"{name}.cfg"
    script, found = parse(Source.load(path))
    assert not [item for item in found if item.is_error], render(found, script.files)
    assert [item.code for item in found] == header(path, "finds").split()
    assert script.items


@pytest.mark.parametrize("name", GOOD)
def test_spans_stand_in_the_operators_files(name):
    script, _ = parse(Source.load(FOLDER / f"{name}.cfg"))
    for span in spans(script.items):
        lines = script.files[span.file].split("\n")
        assert 1 <= span.line <= span.end_line <= len(lines)
        assert 1 <= span.col <= len(lines[span.line - 1]) + 1
        assert 1 <= span.end_col <= len(lines[span.end_line - 1]) + 2
        assert (span.line, span.col) < (span.end_line, span.end_col)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_fragment(name, monkeypatch):
    monkeypatch.chdir(FOLDER / "broken")
    path = Path(f"{name}.cfg")
    script, found = parse(Source.load(path))
    assert ", ".join(f"{item.span.line}:{item.span.col} {item.code}" for item in found) == header(path, "expect"), \
        render(found, script.files)
    assert all(item.code in CATALOGUE and item.span.file == os.fspath(path) for item in found)


def test_five_thousand_lines():
    body = "".join(f"""
route[R{number}] {{
    if (!mf_process_maxfwd_header(70)) {{ sl_send_reply(483, "Too Many Hops"); exit; }}
    if ($rm == "INVITE" && $(hdr(X)[0]{{s.len}}) > {number}) {{
        $var(x) = 1 + 2 * {number};
        route(R{number}, "x", $var(y));
    }} else if (method==ACK) {{
        t_relay();
    }}
}}""" for number in range(600))
    script, found = parse(Source.from_text(body))
    assert body.count("\n") >= 5000 and found == []
    assert len(script.routes()) == 600
    assert script.routes()[-1].span.line == body.count("\n") - 7
