"""Tokens: contexts decide what a word is; addresses; strings; comments."""
from __future__ import annotations

import pytest

from osip.script.lexer import ADDRESS, Lexer, Reading, Token
from osip.script.parse import grammar
from osip.script.source import Source


def cut(text, *accepts):
    """Return the tokens of a text, each cut with the same accepted types."""
    reading = Reading(Source.from_text(text))
    lexer = Lexer(reading, grammar()[1])
    tokens, at = [], 0
    while (token := lexer.next(at, frozenset((*accepts, ADDRESS)))).type != "$END":
        tokens.append((token.type, token.value))
        at = token.end
    return tokens, [item.code for item in reading.diagnostics]


@pytest.mark.parametrize(("word", "accepts", "kind"), [
    ("socket", ["SOCKET", "PARAM"], "SOCKET"),
    ("socket", ["ID"], "ID"),
    ("yes", ["NUM", "ID"], "NUM"),
    ("yes", ["ID"], "ID"),
    ("on", ["ON", "NUM"], "ON"),
    ("method", ["OLD_OPERAND"], "OLD_OPERAND"),
    ("method", ["ID"], "ID"),
    ("if", ["IF", "ID"], "IF"),
    ("if", ["ID"], "ID"),
    ("else", ["IF", "ID"], "ELSE"),
    ("default", ["ID"], "ID"),
    ("null", ["NULL"], "NULL"),
    ("and", ["AND"], "AND"),
    ("foo", [], "ID"),
    ("foo(", ["F_NAME", "ID"], "F_NAME"),
    ("foo (", ["F_NAME"], "F_NAME"),
    ("foo /* x */ (", ["F_NAME"], "F_NAME"),
    ("foo(", ["ID"], "ID"),
    ("while(", ["F_NAME", "IF"], "WHILE"),
    ("foo =", ["PARAM"], "PARAM"),
    ("foo ==", ["PARAM", "ID"], "ID"),
    ("foo =~", ["PARAM", "ID"], "ID"),
    ("tos =", ["TOS", "PARAM"], "PARAM"),
    ("alias =", ["ALIAS", "PARAM"], "ALIAS"),
    ("mem-group", ["MEM-GROUP"], None),
    ("msg:len", ["OLD_OPERAND"], "OLD_OPERAND"),
])
def test_words(word, accepts, kind):
    tokens, _ = cut(word, *accepts)
    assert tokens[0][0] == kind if kind else tokens == [(tokens[0][0], "mem-group")]


@pytest.mark.parametrize(("text", "accepts", "expected"), [
    ("10.0.0.1", "NET", [("NET", "10.0.0.1")]),
    ("10.0.0.0/8", "NET", [("NET", "10.0.0.0/8")]),
    ("10.0.0.0/255.0.0.0", "NET", [("NET", "10.0.0.0/255.0.0.0")]),
    ("::1", "NET", [("NET", "::1")]),
    ("2001:db8::/32", "NET", [("NET", "2001:db8::/32")]),
    ("10.0.0.1:5060", "NET", [("NET", "10.0.0.1"), ("COLON", ":"), ("NUM", "5060")]),
    ("10.0.0.1.example.com", "NET HOST", [("HOST", "10.0.0.1.example.com")]),
    ("a.b-c.d", "HOST ID", [("HOST", "a.b-c.d")]),
    ("3com.com", "HOST NUM", [("HOST", "3com.com")]),
    ("plain", "HOST ID", [("ID", "plain")]),
    ("5060-5070", "HOST NUM", [("NUM", "5060"), ("MINUS", "-"), ("NUM", "5070")]),
    ("0x1F", "HOST NUM", [("NUM", "0x1F")]),
    ("/dev/poll", "PATH", [("PATH", "/dev/poll")]),
])
def test_addresses(text, accepts, expected):
    assert cut(text, *accepts.split()) == (expected, [])


@pytest.mark.parametrize("text", [
    '"a"', "'a'", '"a\\"b"', "'a\\'", '"over\nlines"', '"# no comment // /*"', '""',
])
def test_strings(text):
    assert cut(text, "STR") == ([("STR", text)], [])


@pytest.mark.parametrize("text", [
    "$ru", "$var(x)", "$(ru{uri.user})", "$(avp(x)[$var(i)])", "$hdr($var(h))", "$err.rcode", "$var(a b;c)",
])
def test_variables_are_one_token(text):
    assert cut(text + ";", "VAR") == ([("VAR", text), ("SEMICOLON", ";")], [])


def test_operators_are_cut_longest_first():
    tokens, _ = cut("<<= << <= < := =~ == = !~ != ! && & || |")
    values = ["<<=", "<<", "<=", "<", ":=", "=~", "==", "=", "!~", "!=", "!", "&&", "&", "||", "|"]
    assert [value for _, value in tokens] == values


@pytest.mark.parametrize("text", [
    "# x\n1", "// x\n1", "/* x */1", "/* a /* b */ c */ 1", "\\\n1", "\\\r\n1", "\xa01", "\b\t\r 1", "/**/1",
    "#\n//\n/**/1",
])
def test_blanks_and_comments(text):
    assert cut(text, "NUM") == ([("NUM", "1")], [])


@pytest.mark.parametrize(("text", "code"), [
    ('"open', "E004"), ("'open", "E004"), ("/* open", "E004"), ("/* a /* b */", "E004"), ("$(open", "E004"),
    ("$var(open", "E004"), ("$ x", "E009"), ("@", "E006"), ("\x01", "E006"), ("`", "E006"),
])
def test_faults(text, code):
    assert cut(text)[1][0] == code


def test_token_knows_its_place():
    token = Token("ID", "b", 2, 3, Reading(Source.from_text("a\nb")))
    assert (token.span.line, token.span.col) == (2, 1)
    assert repr(token) == "ID('b')"
