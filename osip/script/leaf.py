"""Build the bottom of the AST: literals, variables, names and addresses, from tokens.

The methods of `Leaves` are called by the parser, one a rule of `osip.lark`, with the list of what the rule matched.
"""
from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from osip.core.exports.diagnostic import Span
from osip.script import nodes as n
from osip.script.lexer import FALSE_WORDS, TRUE_WORDS, Token
from osip.script.variable import read_variable, unescape

INT_MIN, INT_MAX = -2 ** 31, 2 ** 31 - 1


@dataclass(frozen=True, slots=True)
class Part:
    """Something that is not a node yet: a port list, an option, the head of a route."""
    span: Span
    value: Any


@dataclass(frozen=True, slots=True)
class Place:
    """`[proto:]host[:ports]` as sockets and aliases write it."""
    span: Span
    proto: str | None
    host: str
    ports: tuple[tuple[int, int], ...] = ()


def stretch(items: list[Any]) -> Span:
    """Return the span from the first to the last of some tokens and nodes."""
    head, tail = items[0], items[-1]
    if type(head) is Token and type(tail) is Token:
        return head.reading.source.span(head.start, tail.end)
    first: Span = head.span
    if head is tail:
        return first
    last: Span = tail.span
    if first.file != last.file:                     # a statement that runs over the edge of an included file
        return first
    return Span(first.file, first.line, first.col, last.end_line, last.end_col)


MAX_DIGITS = 40
"""Longer numbers are not read: none of them fits, and that takes time."""


def number(token: Token, sign: str = "") -> int:
    """Return the value of a NUM token: decimal, hex, octal or a boolean word; faults when it exceeds 32 bits."""
    text = token.value
    if text in TRUE_WORDS or text in FALSE_WORDS:
        return 1 if text in TRUE_WORDS else 0
    try:
        if len(text) > MAX_DIGITS:
            value, text = INT_MAX + 1, f"{text[:MAX_DIGITS]}..."
        elif text[:2] in ("0x", "0X"):
            value = int(text, 16)
        else:
            value = int(text, 8) if text[0] == "0" and len(text) > 1 else int(text)
    except ValueError:
        token.reading.fault("E007", f'"{text}" is no octal number', token.span,
                            "a leading 0 makes a number octal: digits 0 to 7 only")
        return int(text, 10)
    value = -value if sign == "-" else value
    if not INT_MIN <= value <= INT_MAX:
        token.reading.fault("E007", f"{sign}{text} does not fit into 32 bits", token.span,
                            f"numbers reach from {INT_MIN} to {INT_MAX}")
        return INT_MAX if value > 0 else INT_MIN
    return value


def string(token: Token) -> n.Str:
    """Return the literal of a STR token."""
    raw = token.value[1:-1]
    quote = token.value[0]
    return n.Str(token.span, unescape(raw) if quote == '"' else raw, quote, raw)


def joined(tokens: list[Token]) -> n.Str:
    """Return adjacent literals as one; `raw` then holds the inner quotes too, as a sign that it is several."""
    first = string(tokens[0])
    if len(tokens) == 1:
        return first
    parts = [string(token) for token in tokens]
    return n.Str(stretch(tokens), "".join(part.value for part in parts), first.quote,
                 f"{first.quote} {first.quote}".join(part.raw for part in parts))


def is_network(text: str) -> bool:
    """Return whether an address or network is one; `ip/bits` and `ip/mask` are networks."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        address, slash, mask = text.partition("/")
        try:        # an IPv6 mask written as an address is unknown to the library
            ipaddress.IPv6Address(address)
            if slash:
                ipaddress.IPv6Address(mask)
        except ValueError:
            return False
    return True


def of_type(items: list[Any], *types: str) -> list[Token]:
    """Return the tokens of the given types, in order."""
    return [item for item in items if type(item) is Token and item.type in types]


def text_of(token: Token) -> str:
    """Return the words of a name, without quotes."""
    return string(token).value if token.type == "STR" else token.value


def port_number(token: Token) -> int:
    """Return the port a NUM token writes; faults when it is out of range."""
    value = number(token)
    if not 0 <= value <= 65535:
        token.reading.fault("E018", f"port {token.value} is out of range", token.span, "ports are 0 to 65535")
        return 0
    return value


class Leaves:
    """Build literals, variables and what they form: the bottom of the grammar."""

    def snum(self, c: list[Token]) -> n.Num:
        sign = c[0].value if len(c) == 2 else ""
        return n.Num(stretch(c), number(c[-1], sign), sign + c[-1].value)

    def str(self, c: list[Token]) -> n.Str:
        return string(c[0])

    def var(self, c: list[Token]) -> n.VarRef:
        return read_variable(c[0].value, c[0].span, c[0].reading.fault)

    def null(self, c: list[Token]) -> n.Null:
        return n.Null(c[0].span)

    def word(self, c: list[Token]) -> n.Word:
        return n.Word(c[0].span, c[0].value)

    path = word

    def net(self, c: list[Token]) -> n.Net:
        token = c[len(c) // 2]
        if not is_network(token.value):
            token.reading.fault("E008", f'"{token.value}" is no valid IP address or network', token.span)
        return n.Net(stretch(c), token.value)

    def addr(self, c: list[Token]) -> n.Word:
        token = c[len(c) // 2]
        if token.type == "NET":
            return n.Word(stretch(c), self.net(c).text)
        return n.Word(token.span, text_of(token))

    def host(self, c: list[Any]) -> n.Word:
        return n.Word(c[0].span, c[0].value) if type(c[0]) is Token else c[0]

    def host_port(self, c: list[Any]) -> n.Word:
        words = [item.name if isinstance(item, n.Word) else item.value for item in c]
        return n.Word(stretch(c), "".join(words))

    def port_range(self, c: list[Token]) -> Part:
        return Part(stretch(c), (port_number(c[0]), port_number(c[-1])))

    def ports(self, c: list[Any]) -> Part:
        return Part(stretch(c), tuple(item.value for item in c if isinstance(item, Part)))
