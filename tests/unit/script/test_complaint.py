"""The words for faults: an operator reads what is wrong and what to write instead."""
from __future__ import annotations

import pytest

from osip.script.parse import parse
from osip.script.source import Source


def first(text):
    _, found = parse(Source.from_text(text))
    return found[0].code, f"{found[0].message} | {found[0].hint}"


@pytest.mark.parametrize(("text", "code", "words"), [
    ("f()", "E002", 'expected ";" after the call'),
    ("break", "E002", 'expected ";" after "break"'),
    ("$avp(x)[1] = 5;", "E009", "write $(avp(x)[1])"),
    ("if ($var(a){s.len} == 1) f();", "E009", "write $(var(a){s.len})"),
    ("if ($var(a) + 1 == 5) f();", "E015", "square brackets"),
    ("if (f() == 1) g();", "E015", "left side of a comparison"),
    ('if ("x") g();', "E015", "cannot begin a condition"),
    ('if ("x" == $y) g();', "E015", "variable on the left"),
    ("if (a) g();", "E015", "neither a variable nor a call"),
    ("if () g();", "E001", "condition is empty"),
    ("if ($x && ) g();", "E001", 'expected a condition after "&&"'),
    ("if ($x == ) g();", "E001", 'expected a value after "=="'),
    ("if (f()) && (g()) { h(); }", "E001", "one pair of brackets"),
    ("if ($x => 1) g();", "E001", '">="'),
    ("if ($x =! 1) g();", "E001", '"!="'),
    ("$var(x)++;", "E001", "$var(x) += 1"),
    ("f(1 + 2);", "E016", "one literal or one variable"),
    ("f(g());", "E016", "cannot be a call"),
    ("f($x == 1);", "E016", "not an expression"),
    ("x = 5;", "E017", "$var(x)"),
    ("$var(x) = ;", "E001", 'expected a value after "="'),
    ("elsif ($x) { f(); }", "E001", 'write "else if"'),
    ("exi;", "E001", 'did you mean "exit"?'),
    ("retrun 1;", "E001", 'did you mean "return"?'),
    ("append;", "E001", "a call needs its brackets"),
    ("asynk(f(1), R);", "E001", 'did you mean "async"?'),
    ("whle ($x) { f(); }", "E001", 'did you mean "while"?'),
    ("f($x) { g(); }", "E002", "a block cannot follow a call"),
    ("$x == 5;", "E001", "no statement"),
    ("$x;", "E001", "variable alone"),
    ("5;", "E001", "cannot begin with"),
    ("route RELAY;", "E001", "write route(NAME);"),
    ("route();", "E001", "name of a route"),
    ("case 1: f();", "E001", "outside of a switch"),
    ("switch ($x) { case foo: f(); }", "E001", "a number or a string"),
    ("switch ($x) { f(); }", "E001", '"case" or "default"'),
    ("foo;", "E001", 'expected "(" after "foo"'),
    ("  loadmodule \"tm\"", "E001", "outside the routes"),
    ("for ($x $y) f();", "E001", 'expected "in"'),
    ("drop(1);", "E001", 'expected ")"'),
])
def test_words_inside_routes(text, code, words):
    found = first("route {\n  " + text + "\n}")
    assert found[0] == code and words in found[1], found


@pytest.mark.parametrize(("text", "code", "words"), [
    ("loadmodule tm.so", "E001", 'quoted string after "loadmodule"'),
    ("port 5060", "E001", 'expected "=" after "port"'),
    ("word", "E001", "begins neither"),
    ("5", "E001", "begins neither"),
    ("request_route { ; }", "E001", 'did you mean "route"?'),
    ("failure_rout[1] { ; }", "E001", 'did you mean "failure_route"?'),
    ("route a { ; }", "E001", '"["'),
    ('modparam("a", "b", c)', "E001", "string in quotes or a number"),
    ("mpath = /usr/lib", "E001", "quoted string"),
    ("loadmodule", "E001", "file ends"),
])
def test_words_between_items(text, code, words):
    found = first(text)
    assert found[0] == code and words in found[1], found
