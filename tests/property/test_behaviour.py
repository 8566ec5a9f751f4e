"""Random scripts that run: laid out anew they do the same to the same messages."""
from __future__ import annotations

import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from osip.script.format import format_text
from osip.testing.bench import Bench

HEAD = ("socket=udp:10.0.0.9:5060 ", 'loadmodule "proto_udp.so" ', 'loadmodule "tm.so" ', 'loadmodule "sl.so" ',
        'loadmodule "rr.so" ', 'loadmodule "sipmsgops.so" ', 'loadmodule "signaling.so" ', "xlog_level=4 ",
        "max_while_loops=5 ")
MESSAGES = ("INVITE sip:bob@10.0.0.2", "OPTIONS sip:10.0.0.9", "MESSAGE sip:carol@10.0.0.3:5070", "BYE sip:@10.0.0.4")

WHITE = st.sampled_from([" ", "  ", "\t", "\n", "\n\n\n", " # remark\n", "\n\t# remark\n", " /* in /* side */ */ ",
                         "\n/* two\n  lines */\n", " // remark\n", " \\\n "])
VARIABLE = st.sampled_from(["$var(a)", "$var(b)", "$avp(x)"])
NUMBER = st.sampled_from(["0", "1", "-2", "7", "0x1F", "010"])
TEXT = st.sampled_from(['"text"', "'raw $rU'", '"two\\n lines"', '"TEXT"', '"INVITE"', '"a  b"'])
READ = st.sampled_from(["$rU", "$rm", "$ru", "$(ru{uri.host})", "$(rU{s.len})", "$(avp(x)[1])", "$(avp(x)[*])",
                        "$rc", "$fU"])
SIMPLE = st.sampled_from([
    "; ", 'setflag ( "F" ) ;', "route ( sub ) ;",
    'append_hf ( "X-A: $rU\\r\\n" ) ;', 'send_reply ( 404 , "Not  here" ) ;', "t_relay ( ) ;", "t_newtran ( ) ;",
    '$rU = "dave" ;', '$ru = "sip:eve@10.0.0.5" ;', '$branch = "sip:carol@10.0.0.3" ;', 't_on_branch ( "b" ) ;',
    'xlog ( "L_INFO" , "$var(a) $avp(x) $rc" ) ;', 'remove_hf ( "Contact" ) ;', "record_route ( ) ;",
    "$avp(x) := null ;",
    "return ( -1 ) ;", "return ( 2 , $var(a) ) ;", "exit ;", "drop ;"])
START = "$var(a) = 3 ; $var(b) = \"Text\" ; $avp(x) = 1 ; $avp(x) = 'two' ; t_on_branch ( \"b\" ) ; "
END = (' xlog ( "end $var(a) $var(b) $(avp(x)[*]) $ru $(branch(uri)[*]) $rc" ) ; '
       'if ( is_method ( "OPTIONS" ) || ! t_relay ( ) ) send_reply ( 480 , "No  way" ) ;')
"""What the drawn statements did shows in the end, unless one of them ended the script."""


@st.composite
def operand(draw: st.DrawFn) -> str:
    """Draw what can stand in an expression."""
    return draw(st.one_of(VARIABLE, NUMBER, TEXT, READ))


@st.composite
def condition(draw: st.DrawFn, depth: int = 2) -> str:
    """Draw a condition; what clashes in type is part of the behaviour."""
    kind = draw(st.integers(0, 6 if depth else 2))
    if kind == 0:
        return f"{draw(st.one_of(VARIABLE, READ))} {draw(st.sampled_from(['==', '!=', '<', '>=']))} {draw(operand())}"
    if kind == 1:
        return draw(st.sampled_from(['is_method ( "INVITE|BYE" )', 'isflagset ( "F" )', "route ( sub )",
                                     "has_totag ( )", "$avp(x)", '$ru =~ "^sip:[bc]"', "$si == 10.0.0.0/8"]))
    if kind == 2:
        return f"[ {draw(VARIABLE)} {draw(st.sampled_from(['&', '+', '%', '<<']))} {draw(NUMBER)} ]"
    inner = draw(condition(depth - 1))
    if kind == 3:
        return f"{draw(st.sampled_from(['!', 'not']))} ( {inner} )"
    if kind == 4:
        return f"( {inner} )"
    return f"{inner} {draw(st.sampled_from(['&&', '||', 'and', 'or']))} {draw(condition(depth - 1))}"


@st.composite
def statement(draw: st.DrawFn, depth: int = 3) -> str:
    """Draw a statement; words are parted by blanks, which the test replaces."""
    kind = draw(st.integers(0, 10 if depth else 5))
    if kind <= 3:
        return draw(SIMPLE)
    if kind <= 5:
        sign = draw(st.sampled_from(["=", "+=", ":="]))
        mark = draw(st.sampled_from(["+", "-", "*", "|"]))
        return f"{draw(VARIABLE)} {sign} {draw(operand())} {mark} {draw(operand())} ;"
    body = draw(statement(depth - 1))
    if kind <= 7:
        other = f" else {draw(statement(depth - 1))}" if draw(st.booleans()) else ""
        return f"if ( {draw(condition())} ) {body}{other}"
    if kind == 8:
        return f"while ( {draw(condition())} ) {body}"
    if kind == 9:
        return f"switch ( {draw(st.one_of(VARIABLE, READ))} ) {{ case 1 : {body} case \"invite\" : " \
               f"{draw(statement(depth - 1))} break ; default : {draw(statement(depth - 1))} }}"
    return f"{{ {body} {draw(statement(depth - 1))} }}"


def outcome(text: str) -> tuple[list[tuple[str, bytes]], list[tuple[str, str]], int]:
    """Run a script over all messages, one twice; return what left, what was logged, how many statements ran."""
    with Bench(text=text) as bench:
        for start in (*MESSAGES, MESSAGES[0]):
            bench.send(start)
        bench.advance(3)
        left = [(sent.dest if isinstance(sent.dest, str) else repr(sent.dest), sent.data) for sent in bench.sent]
        said = [(line.level, re.sub(r"(at=|line=)\S+", "", line.text)) for line in bench.logs]
        assert bench.tracer is not None
        return left, said, bench.tracer.hits.total()


@settings(max_examples=60, deadline=None, derandomize=True, database=None,
          suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(statement(), min_size=2, max_size=6), st.lists(statement(1), min_size=1, max_size=2), st.data())
def test_a_script_laid_out_anew_behaves_the_same(main: list[str], sub: list[str], data: st.DataObject) -> None:
    words = ["".join(HEAD), "route", "{", *f"{START}{' '.join(main)}{END}".split(" "), "}", "route", "[", "sub",
             "]", "{", *" ".join(sub).replace("route ( sub ) ", "is_method ( 'BYE' ) ").split(" "), "}",
             "branch_route", "[", "b", "]", "{", 'xlog("branch $ru");', "}"]
    text = "".join(word + (data.draw(WHITE) if not word.count('"') % 2 else " ") for word in _whole(words))
    once = format_text(text)
    assert outcome(once) == outcome(text)


def _whole(words: list[str]) -> list[str]:
    """Put texts together again that the cutting at blanks tore apart."""
    out: list[str] = []
    mark = ""
    for word in words:
        if mark:
            out[-1] += " " + word
        else:
            out.append(word)
        for char in word:
            if mark == char:
                mark = ""
            elif not mark and char in "\"'":
                mark = char
    return out
