"""Broken scripts: each fault at its place, none hidden by another, and what is sound survives."""
from __future__ import annotations

import random
import re

import pytest

from osip.script import nodes as n
from osip.script.parse import parse
from osip.script.source import Source


def found(text, **options):
    script, diagnostics = parse(Source.from_text(text, "x.cfg"), **options)
    return [f"{item.span.line}:{item.span.col} {item.code}" for item in diagnostics], script


@pytest.mark.parametrize(("text", "expected"), [
    ("f()", "2:4 E002"),
    ("f()\n g();", "2:4 E002"),
    ("f() g();", "2:4 E002"),
    ("exit\n g();", "2:5 E002"),
    ("return\n $var(x) = 1;", "2:7 E002"),
    ("$var(x) = 1\n $var(y) = 2;", "2:12 E002"),
    ("f(;", "2:3 E003"),
    ('f("a"', "2:6 E003"),
    ('f("a"\n g();', "2:6 E003"),
    ("if ($x == 1 { f(); }", "2:12 E003"),
    ("if (($x == 1) { f(); }", "2:14 E003"),
    ("if $x == 1) { f(); }", "2:3 E003"),
    ("if $x == 1 { f(); }", "2:3 E003"),
    ("if ($x == 1)) { f(); }", "2:13 E005"),
    ("f(1));", "2:5 E005"),
    ('f("a" "b");', "2:6 E001"),
    ("f(1 2);", "2:4 E001"),
    ("else { f(); }", "2:1 E001"),
    ("if (f()) { g(); }; else { h(); }", "2:20 E001"),
    ("if (f()) { g(); } elseif (h()) { i(); } else { j(); }", "2:19 E001"),
    ('xlog("hello);\n xlog("world");', "2:6 E004"),
    ("xlog('hello);\n xlog('world');\n f();", "2:6 E004"),
    ("$var(x) = $(avp(a);", "2:11 E004"),
    ("foo bar;", "2:4 E001"),
    ("foo\nbar();", "2:4 E001"),
    ("case 1: f();", "2:1 E001"),
    ("switch (f()) { case 1: g(); }", "2:9 E001"),
    ("for ($x in foo) { g(); }", "2:12 E001"),
    ('  loadmodule "x.so"', "2:3 E001"),
    ("route[X];", "2:6 E001"),
    ("$var(x){s.len} = 3;", "2:8 E009"),
    ("$var(x) = \"a\" . \"b\";", "2:15 E001"),
])
def test_single_fault_in_a_route(text, expected):
    # the last line shows that reading goes on behind the fault
    places, script = found("route {\n" + text + "\n}\nroute[LATER] { ok(); }")
    assert places == [expected]
    assert len(script.routes()) == 2
    assert script.routes()[1].body[0].name == "ok"


def test_faults_do_not_hide_each_other():
    places, script = found("""route {
    t_relay()
    if ($a + 1) { f() } else { g(; }
    $var(x) = ;
    h();
}
loadmodule tm
route[B] { i() }""")
    assert places == ["2:14 E002", "3:12 E015", "3:22 E002", "3:34 E003", "4:14 E001", "7:12 E001", "8:15 E002"]
    assert [type(item) for item in script.routes()[0].body] == [n.Call, n.If, n.Empty, n.Call]


@pytest.mark.parametrize(("text", "place", "line"), [
    ("route {\n  if (f()) {\n    g();\n  h();\n}\n\nroute[B] { i(); }", "5:2 E003", 2),
    ("route {\n  f();\n\nroute[B] { i(); }", "2:7 E003", 1),
    ("route {\n  f();\n  if (g()) {\n    h();\n  }\n", "5:4 E003", 1),
    ("route {\n  while (f()) {\n    g();\n\nloadmodule \"x\"", "3:9 E003", 2),
    ("route {\n  switch ($x) {\n    case 1: f();\n}\ntimer_route[a, 5] { ; }", "4:2 E003", 2),
])
def test_missing_brace_names_the_block(text, place, line):
    script, diagnostics = parse(Source.from_text(text))
    assert [f"{item.span.line}:{item.span.col} {item.code}" for item in diagnostics] == [place]
    assert diagnostics[0].message == f'"}}" missing: block opened at line {line}'
    assert script.routes()[0].body


@pytest.mark.parametrize(("text", "expected"), [
    ("route { f(); }\n}\nroute[B] { g(); }", ["2:1 E005"]),
    ("port 5060\nlog_level=3", ["1:5 E001"]),
    ("log_level=\nport=5060", ["1:11 E001"]),
    ("socket=udp\nlog_level=3", []),
    ("socket=udp:;\nlog_level=3", ["1:12 E001"]),
    ("loadmodule tm.so\nloadmodule \"sl\"", ["1:12 E001"]),
    ("loadmodule \"tm.so\nloadmodule \"sl.so\"\nlog_level=3", ["1:12 E004"]),
    ("modparam(\"a\",\"b\" 3)\nlog_level=3", ["1:17 E001"]),
    ("failure_rout[1] { f(); }\nlog_level=3", ["1:1 E001"]),
    ("request_route {\n f();\n g(;\n}\nlog_level=3", ["1:1 E001"]),
    ("}", ["1:1 E005"]),
    ("", []),
    (";;", []),
    ("/* open", ["1:1 E004"]),
    ("@", ["1:1 E006"]),
])
def test_items(text, expected):
    places, script = found(text)
    assert places == expected
    if "log_level=3" in text:
        assert isinstance(script.items[-1], n.Setting) and script.items[-1].name == "log_level"


@pytest.mark.parametrize(("text", "expected"), [
    ("f(); lost words\n g();", ["2:6 N702"]),
    ("f();  it's a remark, with 2 marks.\n g();", ["2:7 N702"]),
    ("if (f()) { g(); } lost words\n g();", ["2:19 N702"]),
    ("f(); lost words # and more\n g();", ["2:6 N702"]),
    ("f(); words " + "- , " * 200 + "!(\n g();", ["2:11 E001"]),
    ("f(); g();", []),
    ("f(); append_branch;", []),
])
def test_words_that_lost_their_comment_mark(text, expected):
    assert found("route {\n" + text + "\n}")[0] == expected
    if expected:
        assert all("N" not in place for place in found("route {\n" + text + "\n}", lenient=False)[0])


PIECES = ['{', '}', '(', ')', ';', '"', "'", '$', '$(', '/*', '*/', '[', ']', 'if', 'else', 'route', 'case', '=', '==',
          '&&', '\n', ',', '\0', '@', 'loadmodule', '::1', '1.2.3.4', '#', 'switch', 'return', '\\', 'é', 'on', '.']
SOUND = re.findall(r"\S+", """log_level = 3 socket = udp:127.0.0.1:5060 loadmodule "tm.so" modparam ( "tm" , "x" , 5 )
tls_server_domain [ 10.0.0.1 : 5061 ] { a = 1 } dst_blacklist = g : { ( tcp , 10.0.0.1 ) }
route { if ( ! f ( 70 ) ) { g ( 483 , "x" ) ; exit ; } else if ( $rm == "a" && method == ACK ) h ( ) ;
while ( $var(i) < 5 ) { $var(i) += 1 ; break ; } switch ( $rm ) { case "x" : f ( ) ; default : g ( ) ; }
for ( $var(a) in $(avp(b)[*]) ) { route ( X , 1 ) ; } async ( f ( ) , r , 5 ) ; xlog ( "a" "b" ) ; return ( 1 ) ; }
route [ X ] { $var(x) = ( 1 + 2 ) * 3 ; t_relay ( ) ; }""")


@pytest.mark.parametrize("seed", range(150))
def test_no_text_breaks_the_parser(seed):
    rnd = random.Random(seed)
    words = list(SOUND)
    for _ in range(rnd.randint(1, 8)):
        at = rnd.randrange(len(words))
        words[at:at + rnd.randint(0, 2)] = [rnd.choice(PIECES)] if rnd.random() < 0.7 else []
    text = " ".join(words)
    script, diagnostics = parse(Source.from_text(text))
    lines = text.count("\n") + 1
    assert all(1 <= item.span.line <= lines for item in diagnostics)
    assert len(diagnostics) < 40
    assert isinstance(script, n.Script)
