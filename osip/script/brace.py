"""Find the `{` that lost its end, going by the indentation."""
from __future__ import annotations

from osip.script.lexer import Lexer, Token, begins_line


def indent(text: str, at: int) -> int:
    """Return how far the line of an offset is indented."""
    start = text.rfind("\n", 0, at) + 1
    line = text[start:at].expandtabs(8)
    return len(line) - len(line.lstrip()) if line.strip() else len(line)


def blamed(lexer: Lexer, braces: list[Token], end: int) -> Token:
    """Return the `{` that most likely lost its `}`: the first whose `}` is indented less than its line."""
    at = braces[0].start
    opened: list[Token] = []
    while at < end:
        token = lexer.next(at, frozenset())
        if token.type == "$END":
            break
        if token.type == "LBRACE":
            opened.append(token)
        elif token.type == "RBRACE" and opened:
            brace = opened.pop()
            text = lexer.text
            if begins_line(text, token.start) and indent(text, token.start) < indent(text, brace.start):
                return brace
        at = token.end
    return braces[-1]
