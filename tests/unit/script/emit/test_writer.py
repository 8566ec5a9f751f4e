"""Emitted lines and their places in the script."""

from __future__ import annotations

import ast

from osip.core.exports.diagnostic import Span
from osip.core.run.place import FILES
from osip.script.emit.writer import Writer
from osip.script.runtime import where


def span(line: int, file: str = "a.cfg", col: int = 5) -> Span:
    """Return a span of ten characters."""
    return Span(file, line, col, line, col + 10)


def test_every_node_gets_its_line() -> None:
    writer = Writer(span(10))
    writer.line("def f(ctx):")
    writer.indent()
    writer.at = span(12)
    writer.line(f"if {writer.mark('g(ctx)', span(13))} > 0:")
    writer.indent()
    writer.at = span(14)
    writer.line("return 1")
    tree = writer.tree("a.cfg")
    lines = {ast.unparse(node): node.lineno for node in ast.walk(tree) if isinstance(node, ast.expr | ast.Return)}
    assert lines["g(ctx)"] == 13
    assert lines["0"] == 12
    assert lines["return 1"] == 14


def test_lines_of_other_files_take_the_last_own_one() -> None:
    writer = Writer(span(3))
    writer.line("a = 1")
    writer.at = span(99, "b.cfg")
    writer.line("b = 1")
    assert [node.lineno for node in writer.tree("a.cfg").body] == [3, 3]


def test_lines_of_other_files_of_the_script_say_so() -> None:
    writer = Writer(span(3))
    writer.line("a = where()")
    writer.at = span(99, "b.cfg")
    writer.line("b = where()")
    space: dict[str, object] = {FILES: ("a.cfg", "b.cfg"), "where": where}
    writer.define("a.cfg", space)
    assert (space["a"], space["b"]) == ("a.cfg:3", "b.cfg:99")


def test_a_mark_on_the_same_line_is_nothing() -> None:
    writer = Writer(span(3))
    assert writer.mark("g()", span(3)) == "g()"
    assert writer.mark("g()", span(4, "b.cfg")) == "g()"


def test_places_survive_odd_spans() -> None:
    writer = Writer(Span("a.cfg", 7, 1, 6, 1))
    writer.line("x = [1,\n2]".replace("\n", " "))
    space: dict[str, object] = {}
    writer.define("a.cfg", space)
    assert space["x"] == [1, 2]
