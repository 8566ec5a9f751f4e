"""Numbers, addresses and ports at their limits."""
from __future__ import annotations

import pytest

from osip.script.leaf import is_network, number, port_number, text_of
from osip.script.lexer import Reading, Token
from osip.script.source import Source


def token(text, kind="NUM"):
    return Token(kind, text, 0, len(text), Reading(Source.from_text(text)))


@pytest.mark.parametrize(("text", "sign", "value", "codes"), [
    ("0", "", 0, []), ("10", "-", -10, []), ("0x7fffffff", "", 2 ** 31 - 1, []), ("017", "", 15, []),
    ("2147483648", "-", -2 ** 31, []), ("2147483648", "", 2 ** 31 - 1, ["E007"]),
    ("2147483649", "-", -2 ** 31, ["E007"]), ("0xffffffff", "", 2 ** 31 - 1, ["E007"]),
    ("08", "", 8, ["E007"]), ("yes", "", 1, []), ("disable", "", 0, []), ("true", "-", 1, []), ("off", "", 0, []),
])
def test_number(text, sign, value, codes):
    given = token(text)
    assert number(given, sign) == value
    assert [item.code for item in given.reading.diagnostics] == codes


@pytest.mark.parametrize(("text", "good"), [("0", True), ("65535", True), ("65536", False)])
def test_port(text, good):
    given = token(text)
    port_number(given)
    assert [item.code for item in given.reading.diagnostics] == ([] if good else ["E018"])


@pytest.mark.parametrize(("text", "good"), [
    ("10.0.0.1", True), ("10.0.0.1/8", True), ("10.0.0.0/255.0.0.0", True), ("::1", True), ("2001:db8::/32", True),
    ("2001:db8::/ffff::", True), ("10.0.0.256", False), ("10.0.0.0/33", False), ("10.0.0.0/255.0.1.0", False),
    ("1::2::3", False), (":::", False),
])
def test_network(text, good):
    assert is_network(text) is good


def test_names_lose_their_quotes():
    assert (text_of(token('"a b"', "STR")), text_of(token("ab", "ID"))) == ("a b", "ab")
