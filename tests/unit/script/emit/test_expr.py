"""Values: variables, format strings, arithmetic (dsl.md sections 2 and 9.3, variables.md section 1)."""

from __future__ import annotations

from typing import Any

import pytest
from kit.words import INVITE, RINGING, Stage, run

from osip.core.sip.message import parse as parse_message

KEPT = "kept"

ARITHMETIC: list[tuple[str, Any]] = [
    ("2 + 3 * 4", 20), ("2 * 3 + 4", 10), ("2 + (3 * 4)", 14), ("10 - 2 - 3", 5), ("7 / 2", 3), ("0 - 7 / 2", -3),
    ("-7 / 2", -3), ("-7 % 3", -1), ("7 % -3", 1), ("1 | 2 + 4", 7), ("12 & 10", 8), ("12 ^ 10", 6), ("1 << 4", 16),
    ("256 >> 4", 16), ("~0", -1), ("~5", -6), ("2147483647 + 1", -2147483648), ("65536 * 65536", 0),
    ("-2147483648 - 1", 2147483647), ("1 << 31", -2147483648), ("0x10 + 010", 24), ("yes + 1", 2),
    ("1 / 0", KEPT), ("1 % 0", KEPT), ("$var(none) + 1", KEPT), ("1 + $var(none)", 1), ("5 - $var(none)", 5),
    ("$var(none) - 1", KEPT), ('1 + "a"', KEPT), ('"a" + 1', KEPT), ('"a" + $var(n)', "a5"), ('"a" + "b"', "ab"),
    ('"a" + $var(none)', "a"), ('$var(none) + "a"', "a"), ("$var(none) + $var(n)", "5"), ('"a" - "b"', KEPT),
    ('"a" * 2', KEPT), ("$var(n) + 1", 6), ('$var(n) + "1"', KEPT), ("$var(s) + 1", KEPT), ("1 + $var(s)", KEPT),
    ("1 + $dual", 5061), ("$dual + 1", KEPT), ('"p" + $dual', "p5060"), ("$bare + 1", 8), ('"p" + $bare', KEPT),
    ("$status + 1", 201), ('"p" + $status', "p200"), ('"ab" & "AB"', "AB"), ('"ab" & "abc"', KEPT), ("~$rU", KEPT),
    ("$rU", "bob"), ('"a $rU"', "a $rU"), ("$var(none)", None), ("null", None), ("give(9)", 9), ("fail() + 3", 2),
    ('$rU == "bob"', 1), ('$rU == "eve"', 0), ('$bare == "7"', KEPT), ('($rU == "bob") + 1', 2), ("route(A)", 4),
    ('"a" + "b" + "c" + $rU', "abcbob"), ("1 + $var(s) + 2", KEPT),
]


@pytest.mark.parametrize(("expression", "value"), ARITHMETIC, ids=[case[0] for case in ARITHMETIC])
def test_arithmetic(expression: str, value: Any) -> None:
    seen = run(f'$var(n) = 5; $var(s) = "5"; $var(x) = "kept"; '
               f'if ($var(x) = {expression}) mark("1"); else mark("-1"); '
               "put($var(x), \"\");", "route[A] { return(4); }")[1]
    assert [item for item in seen if item not in ("fail",)] == ["-1" if value == KEPT else "1", value]


def test_arithmetic_with_a_stop() -> None:
    assert run('$var(x) = 3; $var(x) = 1 + stop(); mark("no");') == (0, ["stop"])
    assert run('$avp(x) = 1 + stop(); mark("no");') == (0, ["stop"])


READ: list[tuple[str, Any]] = [
    ("$rU", "bob"), ("$(rU)", "bob"), ("$hdr(X-List)", "one"), ("$(hdr(X-List)[1])", "two"),
    ("$(hdr(X-List)[-1])", "two"), ("$(hdr(X-List)[*])", "one, two"), ("$(hdr(X-List)[9])", None),
    ("$hdr($var(h))", "one"), ("$(hdr($var(h))[$var(i)])", "two"), ("$hdr($var(none))", None),
    ("$(hdr(X-List)[$var(none)])", None), ("$(hdr(X-List)[$var(h)])", None),
    ("$(rU{s.len})", 3), ("$(rU{s.twice})", "bobbob"), ("$(rU{s.twice,3}{s.len})", 9),
    ("$(rU{s.twice,$var(i)})", "bob"),
    ("$(status{s.len})", 3), ("$(hdr(Nope){s.len})", None), ("$(rU{s.twice,x})", None), ("$(rU{s.nothing})", None),
    ("$nothing", None), ("$nothing(key)", None), ("$cfg_line", 3), ("$cfg_file", "test.cfg"), ("$rc", 1),
    ("$avp(a)", "new"), ("$(avp(a)[0])", "new"), ("$(avp(a)[1])", "old"), ("$(avp(a)[-1])", "old"),
    ("$(avp(a)[*])", "new, old"), ("$(avp(a)[2])", None), ("$(avp(a)[$var(i)])", "old"),
    ("$(avp(a)[$var(none)])", None),
    ("$avp(s:a)", "new"), ("$avp($var(name))", "new"), ("$avp(none)", None), ("$var($var(name))", "letter"),
    ("$(<request>rU)", "bob"), ("$(<reply>rs)", None), ("$(<nowhere>rU)", None), ("$(box(k)[*])", "k:*"),
    ("$(rU{s.eval})", "bob"), ("$(var(f){s.eval})", "to bob"),
]


@pytest.mark.parametrize(("variable", "value"), READ, ids=[case[0] for case in READ])
def test_reading_a_variable(variable: str, value: Any) -> None:
    seen = run('$avp(a) = "old"; $avp(a) = "new"; '
               '$var(h) = "X-List"; $var(i) = 1; $var(name) = "a"; $var(a) = "letter"; '
               f'$var(f) = "to $rU";\nput($var(x), "{variable}"); $var(y) = {variable}; put($var(y), "");')[1]
    assert seen[-1] == value


FORMATS = [
    ("plain", "plain"), ("$rU", "bob"), ("$rU@$rd", "bob@example.com"), ("$(rU).txt", "bob.txt"), ("$$5", "$5"),
    ("$var(none)", "<null>"), ("a $var(none) b", "a <null> b"), ("$var(n)", "5"), ("$avp(a)[1]", "<null>[1]"),
    ("$var(n)-$rU", "5-bob"), ("{}'\\\"", "{}'\""), ("\\n", "\n"),
]


@pytest.mark.parametrize(("text", "value"), FORMATS, ids=[case[0] for case in FORMATS])
def test_format_strings(text: str, value: str) -> None:
    assert run(f'$var(n) = 5; mark("{text}");')[1] == [value]


def test_format_string_limit() -> None:
    assert run('$var(l) = "0123456789"; mark("$var(l)-$var(l)"); number(1, "$var(l)$var(l)");',
               pv_print_buf_size=16) == (-1, [])
    assert run('$var(l) = "0123456"; mark("$var(l)-$var(l)");', pv_print_buf_size=16)[1] == ["0123456-0123456"]


def test_views_of_request_and_reply() -> None:
    stage = Stage("onreply_route { tell($(<request>rU)); tell($(<reply>rs)); tell($rU); tell($rs); }"
                  "failure_route[F] { tell($(<reply>rs)); tell($(<reply>rr)); tell($rU); tell($(<request>rU)); }")
    ctx = stage.ctx(RINGING)
    ctx.request = parse_message(INVITE)
    assert stage.program.reply is not None
    stage.program.reply(ctx)
    assert stage.seen == ["bob", 180, 180]      # $rU is NULL: not told
    stage.seen.clear()
    ctx = stage.ctx()
    ctx.request, ctx.reply = ctx.msg, parse_message(RINGING)
    route = stage.program.named("failure_route", "F")
    assert route is not None
    route(ctx)
    assert stage.seen == [180, "Ringing", "bob", "bob"]
