"""Text to nodes: what each construct becomes, in a short notation."""
from __future__ import annotations

import pytest

from osip.script import nodes as n
from osip.script.parse import parse
from osip.script.source import Source


def items(text):
    script, found = parse(Source.from_text(text))
    assert [item for item in found if item.is_error] == []
    return script.items


def statements(text):
    return items("route {\n" + text + "\n}")[0].body


def note(node):
    """Write a node as nested tuples and plain values, without positions."""
    match node:
        case n.Str() | n.Num():
            return node.value
        case n.Null():
            return None
        case n.Word() | n.OldOperand():
            return f"<{node.name}>"
        case n.Net():
            return f"<{node.text}>"
        case n.VarRef():
            return node.text
        case n.Binary() | n.Compare() | n.Arith():
            return (note(node.left), node.op, note(node.right))
        case n.Not():
            return ("not", note(node.operand))
        case n.Invert():
            return ("~", note(node.operand))
        case n.Group():
            return ("[]", note(node.value))
        case n.Call():
            return (node.name, *(note(arg) if arg is not None else "..." for arg in node.args))
        case n.RouteCall():
            return ("route", note(node.target), *map(note, node.args))
        case n.Assign():
            return (note(node.target), node.op, note(node.value))
        case n.Block():
            return [note(item) for item in node.body]
        case n.If():
            return ("if", note(node.cond), note(node.then), *([note(node.orelse)] if node.orelse else []))
    return type(node).__name__


@pytest.mark.parametrize(("text", "expected"), [
    ("$a || $b && $c", (("$a", "or", "$b"), "and", "$c")),
    ("$a && $b || $c and $d", ((("$a", "and", "$b"), "or", "$c"), "and", "$d")),
    ("$a || ($b && $c)", ("$a", "or", ("$b", "and", "$c"))),
    ("!$x == 1", ("not", ("$x", "==", 1))),
    ("!f() && $x", (("not", ("f",)), "and", "$x")),
    ("not not f()", ("not", ("not", ("f",)))),
    ("[$a & 4]", ("[]", ("$a", "&", 4))),
    ("[$a + 1 & 4]", ("[]", (("$a", "+", 1), "&", 4))),
    ("$a = f()", ("$a", "=", ("f",))),
    ("($a = f()) && $a", (("$a", "=", ("f",)), "and", "$a")),
    ("$x == INVITE", ("$x", "==", "<INVITE>")),
    ("$x == a.b-c.d", ("$x", "==", "<a.b-c.d>")),
    ("$x == null", ("$x", "==", None)),
    ("$x == -5", ("$x", "==", -5)),
    ("$x == yes", ("$x", "==", 1)),
    ("$si == 10.0.0.0/8", ("$si", "==", "<10.0.0.0/8>")),
    ("$si == [::1]", ("$si", "==", "<::1>")),
    ("uri == myself", ("<uri>", "==", "<myself>")),
    ("myself != uri", ("<myself>", "!=", "<uri>")),
    ("method==INVITE", ("<method>", "==", "<INVITE>")),
    ("msg:len > max_len", ("<msg:len>", ">", "<max_len>")),
    ("src_port==5060", ("<src_port>", "==", 5060)),
    ("af==INET6", ("<af>", "==", "<INET6>")),
    ("route(X, 1)", ("route", "<X>", 1)),
    ("if (f()) g();", ("if", ("f",), ("g",))),
    ("{ f(); }", [("f",)]),
    ("1", 1),
])
def test_conditions(text, expected):
    assert note(statements(f"if ({text}) x();")[0]) == ("if", expected, ("x",))


@pytest.mark.parametrize(("text", "expected"), [
    ("2 + 3 * 4", ((2, "+", 3), "*", 4)),
    ("1 - 2 - 3", ((1, "-", 2), "-", 3)),
    ("1 + 2 & 3 + 4", ((1, "+", 2), "&", (3, "+", 4))),
    ("1 & 2 | 3 ^ 4 << 5 >> 6", (((((1, "&", 2), "|", 3), "^", 4), "<<", 5), ">>", 6)),
    ("2 * (3 + 4)", (2, "*", (3, "+", 4))),
    ("~1 + 2", (("~", 1), "+", 2)),
    ("~ ~1", ("~", ("~", 1))),
    ("-5 - -6", (-5, "-", -6)),
    ("$a -1", ("$a", "-", 1)),
    ("0x1F + 017", (31, "+", 15)),
    ('"a" + $b', ("a", "+", "$b")),
    ("$a == 5", ("$a", "==", 5)),
    ("f(1) + g()", (("f", 1), "+", ("g",))),
    ("null", None),
])
def test_arithmetic(text, expected):
    assert note(statements(f"$var(x) = {text};")[0]) == ("$var(x)", "=", expected)


@pytest.mark.parametrize("op", ["=", ":=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="])
def test_assignment_operators(op):
    assert note(statements(f"$var(x){op}1;")[0]) == ("$var(x)", op, 1)


@pytest.mark.parametrize(("text", "expected"), [
    ("f();", ("f",)),
    ("f(1, , 'x');", ("f", 1, "...", "x")),
    ("f(,1);", ("f", "...", 1)),
    ("f(1,);", ("f", 1, "...")),
    ("f(,);", ("f", "...", "...")),
    ("f(NAT, on, null);", ("f", "<NAT>", 1, None)),
    ("f(1.2.3.4);", ("f", "<1.2.3.4>")),
    ("f(udp:1.2.3.4:5060);", ("f", "<udp:1.2.3.4:5060>")),
    ("f(tcp:[::1]:5060);", ("f", "<tcp:::1:5060>")),
    ("f(a.b:5060);", ("f", "<a.b:5060>")),
    ("append_branch;", ("append_branch",)),
    ('route("x$rU", $a, null);', ("route", "x$rU", "$a", None)),
])
def test_calls(text, expected):
    assert note(statements(text)[0]) == expected


def test_else_belongs_to_the_nearest_if():
    assert note(statements("if (a()) if (b()) c(); else d();")[0]) == ("if", ("a",), ("if", ("b",), ("c",), ("d",)))


@pytest.mark.parametrize(("text", "code", "values"), [
    ("return;", None, []), ("return();", None, []), ("return 5;", 5, []), ("return -5;", -5, []),
    ("return($a);", "$a", []),
    ("return(1, 'x', null);", 1, ["x", None]),
])
def test_return(text, code, values):
    found = statements(text)[0]
    assert (note(found.code) if found.code else None, [note(item) for item in found.values]) == (code, values)


@pytest.mark.parametrize(("text", "kind"), [
    ("exit;", n.Exit), ("exit();", n.Exit), ("drop;", n.Drop), ("drop();", n.Drop), (";", n.Empty), ("{ }", n.Block),
    ("break;", n.Break),
])
def test_plain_statements(text, kind):
    assert type(statements(text)[0]) is kind


def test_switch_and_loops():
    switch, loop, walk = statements("""switch ($rs) { case 1: case -2: a(); break; case "x": default: b(); }
        while ($i < 5) $i += 1;  for ($x in $(avp(y)[*])) { f($x); }""")
    assert [(None if case.label is None else case.label.value, len(case.body)) for case in switch.cases] == [
        (1, 0), (-2, 2), ("x", 0), (None, 1)]
    assert note(loop.cond) == ("$i", "<", 5) and note(loop.body) == ("$i", "+=", 1)
    assert (walk.target.text, walk.source.index) == ("$x", "*")


def test_own_statements():
    found = statements("""async(f(1), resume, 5); async(f(), "r"); launch(f()); launch(f(), report, "t");
        log("a"); log(-1, "b"); xlog("a"); xlog("L_ERR", "a" "b"); xdbg("c"); error("x", "y");
        assert($a == 1, "m");""")
    assert (note(found[0].call), note(found[0].resume), found[0].timeout.value) == (("f", 1), "<resume>", 5)
    assert (note(found[1].resume), found[1].timeout) == ("r", None)
    assert (found[2].report, found[3].text.value) == (None, "t")
    assert (found[4].level, found[5].level.value, found[5].text.value) == (None, -1, "b")
    assert (found[6].level, found[7].level.value, found[7].text.value) == (None, "L_ERR", "ab")
    assert (found[6].debug, found[8].debug) == (False, True)
    assert (found[9].first.value, found[9].second.value) == ("x", "y")
    assert (note(found[10].cond), found[10].text.value) == (("$a", "==", 1), "m")


@pytest.mark.parametrize(("text", "expected"), [
    ("socket = udp:10.0.0.1:5060", ("socket", "udp", "10.0.0.1", ((5060, 5060),), ())),
    ("socket = udp:*", ("socket", "udp", "*", (), ())),
    ("socket = tls:[::1]:5061", ("socket", "tls", "::1", ((5061, 5061),), ())),
    ("listen = eth0:5060", ("listen", None, "eth0", ((5060, 5060),), ())),
    ("listen = 10.0.0.1", ("listen", None, "10.0.0.1", (), ())),
    ('socket = udp:"eth0":5060, 5062-5070', ("socket", "udp", "eth0", ((5060, 5060), (5062, 5070)), ())),
    ("socket = udp:a.b as c.d:5080 use_children 3 tag x anycast", (
        "socket", "udp", "a.b", (), (("as", ("c.d", 5080)), ("use_workers", 3), ("tag", "x"), ("anycast", True)))),
    ("listen = udp:1.1.1.1 AS 2.2.2.2 tos 5", (
        "listen", "udp", "1.1.1.1", (), (("as", ("2.2.2.2", None)), ("tos", 5)))),
])
def test_sockets(text, expected):
    found = items(text)[0]
    assert (found.keyword, found.proto, found.host, found.ports, found.options) == expected


def test_bond():
    found = items('socket = bond:out { "udp:1.1.1.1:5060", "tcp:1.1.1.1:5060" }')[0]
    assert found.bond == ("out", ("udp:1.1.1.1:5060", "tcp:1.1.1.1:5060"))


@pytest.mark.parametrize(("text", "expected"), [
    ("a.b", (None, "a.b", None, False)), ("udp:a.b:5060", ("udp", "a.b", 5060, False)),
    ("any:a.b:any accept_subdomain", (None, "a.b", None, True)), ("a.b:any", (None, "a.b", None, False)),
    ("host:any", (None, "host", None, False)), ("host:5060", (None, "host", 5060, False)),
    ("tls:host", ("tls", "host", None, False)), ('"x.y"', (None, "x.y", None, False)),
])
def test_aliases(text, expected):
    found = items(f"alias = {text} other")
    assert len(found) == 2 and found[1].host == "other"
    assert (found[0].proto, found[0].host, found[0].port, found[0].accept_subdomain) == expected


def test_blacklist():
    found = items('''dst_blacklist = g/expire,default :
        { (tcp, 10.0.0.0/8, 5060, "INV*"), !10.1.1.1, (any,::1), !(10.2.0.0/16) }''')[0]
    assert (found.name, found.flags) == ("g", ("expire", "default"))
    assert [(rule.negated, rule.net, rule.proto, rule.port, rule.pattern) for rule in found.rules] == [
        (False, "10.0.0.0/8", "tcp", 5060, "INV*"), (True, "10.1.1.1", None, 0, ""), (False, "::1", None, 0, ""),
        (True, "10.2.0.0/16", None, 0, "")]
    assert items("dst_blacklist = g: 10.0.0.0/8")[0].flags == ("readonly",)


def test_other_items():
    found = items("""mem-group = "g": "a" "b"
        mpath = "x":"y"  loadmodule "tm.so"  modparam("tm", "p", "a" 'b')  modparam("tm", "q", -1)
        auto_scaling_profile = P scale up to 6 on 70% for 4 cycles within 9 scale down to 2 on 20% for 10 cycles
        tls_server_domain[10.0.0.1:5061] { a = "x"; b = 1 }
        workers = 4 use_auto_scaling_profile P  host = a.b  net = 10.0.0.1  path = /dev/poll  flag = off""")
    assert (found[0].name, found[0].modules) == ("g", ("a", "b"))
    assert [item.value for item in found[1].paths] == ["x", "y"]
    assert found[2].name.value == "tm.so"
    assert (found[3].value.value, found[4].value.value) == ("ab", -1)
    assert (found[5].up, found[5].down) == ((6, 70, 4, 9), (2, 20, 10))
    assert (found[6].keyword, found[6].host, found[6].port, len(found[6].settings)) == (
        "tls_server_domain", "10.0.0.1", 5061, 2)
    assert [(item.name, note(item.value), item.profile) for item in found[7:]] == [
        ("workers", 4, "P"), ("host", "<a.b>", None), ("net", "<10.0.0.1>", None), ("path", "</dev/poll>", None),
        ("flag", 0, None)]


@pytest.mark.parametrize(("text", "expected"), [
    ("route { ; }", ("route", None, None, None)), ("route[0] { ; }", ("route", "0", None, None)),
    ('route["1"] { ; }', ("route", "1", None, None)), ("route[on] { ; }", ("route", "on", None, None)),
    ("timer_route[t, 30] { ; }", ("timer_route", "t", 30, None)),
    ("event_route[E_X, async] { ; }", ("event_route", "E_X", None, "async")),
    ("startup_route { ; }", ("startup_route", None, None, None)),
])
def test_routes(text, expected):
    found = items(text)[0]
    assert (found.kind, found.name, found.interval, found.mode) == expected


def test_literals_keep_how_they_were_written():
    call = statements(r'''f("a\n", 'b\n', 0x1F, yes, +5);''')[0]
    first, second, *numbers = call.args
    assert (first.value, first.quote, first.raw) == ("a\n", '"', r"a\n")
    assert (second.value, second.quote, second.raw) == (r"b\n", "'", r"b\n")
    assert [(item.value, item.text) for item in numbers] == [(31, "0x1F"), (1, "yes"), (5, "+5")]


def test_spans():
    found = items("log_level = 3\nroute[A] {\n  if (f(1)) {\n    g();\n  }\n}")
    assert (found[0].span.line, found[0].span.col, found[0].span.end_col) == (1, 1, 14)
    route = found[1]
    assert (route.name_span.col, route.name_span.end_col) == (7, 8)
    branch = route.body[0]
    assert (branch.span.line, branch.span.col, branch.span.end_line, branch.span.end_col) == (3, 3, 5, 4)
    assert (branch.cond.name_span.col, branch.cond.span.end_col) == (7, 11)
    assert (branch.then.body[0].span.col, branch.then.body[0].span.end_col) == (5, 8)
