"""Variables and format strings: every form of variables.md section 1, and where faults are put."""
from __future__ import annotations

import pytest

from osip.core.exports.diagnostic import Span
from osip.script.nodes import VarRef
from osip.script.variable import parse_format, parse_variable, unescape, variable_end

HERE = Span("a.cfg", 3, 10, 3, 60)


def shape(var):
    """Return what a variable holds, without positions."""
    if not isinstance(var, VarRef):
        return var
    transforms = [(item.name, *map(shape, item.args)) for item in var.transforms]
    found = {"key": var.key, "index": shape(var.index), "context": var.context, "transforms": transforms or None}
    return (var.name, {name: value for name, value in found.items() if value is not None})


@pytest.mark.parametrize(("text", "name", "rest"), [
    ("$ru", "ru", {}),
    ("$err.rcode", "err.rcode", {}),
    ("$(ru)", "ru", {}),
    ("$( ru )", "ru", {}),
    ("$var(x)", "var", {"key": "x"}),
    ("$avp(i:100)", "avp", {"key": "i:100"}),
    ("$(avp(s:x))", "avp", {"key": "s:x"}),
    ("$json(a/b[0])", "json", {"key": "a/b[0]"}),
    ("$fu()", "fu", {"key": ""}),
    ("$(hdr(X)[0])", "hdr", {"key": "X", "index": 0}),
    ("$(hdr(X)[-1])", "hdr", {"key": "X", "index": -1}),
    ("$(hdr(X) [ * ])", "hdr", {"key": "X", "index": "*"}),
    ("$(avp(x)[append])", "avp", {"key": "x", "index": "append"}),
    ("$(avp(x)[$var(i)])", "avp", {"key": "x", "index": ("var", {"key": "i"})}),
    ("$(tm.branch.uri[0/active])", "tm.branch.uri", {"index": "0/active"}),
    ("$(<request>ru)", "ru", {"context": "request"}),
    ("$( < reply > hdr(To) [1] {s.len} )", "hdr",
     {"key": "To", "index": 1, "context": "reply", "transforms": [("s.len",)]}),
    ("$(ru{uri.host}{s.len})", "ru", {"transforms": [("uri.host",), ("s.len",)]}),
    ("$(var(x){s.substr,0,$var(n)})", "var", {"key": "x", "transforms": [("s.substr", "0", ("var", {"key": "n"}))]}),
    ("$(var(x){s.select,1,,})", "var", {"key": "x", "transforms": [("s.select", "1", ",")]}),
    ("$(var(x){s.select,-1,;})", "var", {"key": "x", "transforms": [("s.select", "-1", ";")]}),
    ("$(var(x){s.fill.left, 0,8})", "var", {"key": "x", "transforms": [("s.fill.left", " 0", "8")]}),
    ("$(var(x){re.subst,/a{2},b/\\1/g}{s.len})", "var",
     {"key": "x", "transforms": [("re.subst", "/a{2},b/\\1/g"), ("s.len",)]}),
    ("$(var(x){re.subst,$var(re)})", "var", {"key": "x", "transforms": [("re.subst", ("var", {"key": "re"}))]}),
    ("$(var(x){param.value,$(avp(a)[1]{s.len})})", "var", {"key": "x", "transforms": [
        ("param.value", ("avp", {"key": "a", "index": 1, "transforms": [("s.len",)]}))]}),
])
def test_variable(text, name, rest):
    faults = []
    assert shape(parse_variable(text, HERE, faults)) == (name, rest)
    assert faults == []


@pytest.mark.parametrize(("text", "key", "inner"), [
    ("$hdr($var(h))", "$var(h)", ("var", {"key": "h"})),
    ("$(hdr( $(avp(h)[0]) ))", " $(avp(h)[0]) ", ("avp", {"key": "h", "index": 0})),
    ("$json(a/$var(k))", "a/$var(k)", None),
])
def test_key_that_is_a_variable(text, key, inner):
    var = parse_variable(text, HERE)
    assert var.key == key
    assert shape(var.key_var) == inner


@pytest.mark.parametrize(("text", "start", "words"), [
    ("$(avp(a)[foo])", 19, "no index"),
    ("$(avp(a){})", 18, "without a name"),
    ("$()", 10, "no name"),
    ("$($var(x))", 10, "no name"),
    ("$(avp(a) foo)", 19, "does not belong"),
    ("$(avp(a){s.len)", 18, "not closed"),
    ("$(avp(a)[0)", 18, "missing"),
])
def test_malformed(text, start, words):
    faults = []
    parse_variable(text, HERE, faults)
    assert [item.code for item in faults] == ["E009"] * len(faults)
    assert words in faults[0].message and faults[0].span.col == start


def test_inner_spans_point_into_the_variable():
    var = parse_variable("$(avp(x)[$var(i)]{s.len})", HERE)
    assert (var.index.span.col, var.index.span.end_col) == (19, 26)
    assert (var.transforms[0].span.col, var.transforms[0].span.end_col) == (27, 34)


@pytest.mark.parametrize(("raw", "value"), [
    (r"a\n\r\t\a\"\\", "a\n\r\t\a\"\\"),
    (r"\x41\x4a\101\012", "AJA\n"),
    (r"\1 \. \d \8 \q", r"\1 \. \d \8 \q"),
    ("a\\\nb\\\r\nc", "abc"),
    (r"\xc3\xa9", "é"),
    (r"\xff", "\udcff"),
    ("é\\xff", "é\udcff"),
    ("plain", "plain"),
])
def test_unescape(raw, value):
    assert unescape(raw) == value


@pytest.mark.parametrize(("text", "end"), [
    ("$ru;", 3), ("$ru.txt", 7), ("$var(a(b)c) x", 11), ("$(ru) ", 5), ("$(a", -1), ("$a(", -1), ("$", -2), ("$5", -2),
])
def test_variable_end(text, end):
    assert variable_end(text, 0) == end


@pytest.mark.parametrize(("text", "parts"), [
    ("", []),
    ("plain", ["plain"]),
    ("$$5 and $$", ["$5 and $"]),
    ("a $ru b", ["a ", "$ru", " b"]),
    ("$(ru).txt", ["$(ru)", ".txt"]),
    ("$ru.txt", ["$ru.txt"]),
    ("from $ru.", ["from ", "$ru", "."]),
    ("$fU-x", ["$fU", "-x"]),
    ("$avp(x)[1]", ["$avp(x)", "[1]"]),
    ("$avp(x)-$fU", ["$avp(x)", "-", "$fU"]),
    ("sip:$rU@$(avp(d)[0]{s.tolower}):5060", ["sip:", "$rU", "@", "$(avp(d)[0]{s.tolower})", ":5060"]),
])
def test_format(text, parts):
    form, faults = parse_format(text, HERE, text)
    assert [part.text if isinstance(part, VarRef) else part for part in form.parts] == parts
    assert faults == []


@pytest.mark.parametrize(("text", "code", "col"), [
    ("cost 5$", "E010", 17), ("$ x", "E010", 11), ("a $(ru", "E010", 13), ("a $5", "E010", 13),
    ("x $(avp(a)[z])", "E009", 22),
])
def test_format_faults_point_into_the_literal(text, code, col):
    _, faults = parse_format(text, HERE, text)
    assert [(item.code, item.span.line, item.span.col) for item in faults] == [(code, 3, col)]


@pytest.mark.parametrize(("raw", "line", "col", "end"), [
    (r"\t\x41 $ru", 3, 18, 21),
    (r"\. $ru", 3, 14, 17),
    ("one\ntwo $ru", 4, 5, 8),
    ("one\\\n$ru", 4, 1, 4),
])
def test_spans_count_escapes_and_lines(raw, line, col, end):
    form, _ = parse_format(unescape(raw), HERE, raw)
    span = next(part for part in form.parts if isinstance(part, VarRef)).span
    assert (span.line, span.col, span.end_col) == (line, col, end)


def test_without_raw_text_the_whole_literal_is_meant():
    form, _ = parse_format("a $ru", HERE)
    assert form.parts[1].span == HERE
    form, _ = parse_format("ab $ru", HERE, 'a" "b $ru')
    assert form.parts[1].span == HERE
