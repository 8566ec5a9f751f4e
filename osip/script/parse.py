"""Turn a script's text into its AST; never stop at the first fault.

The tables are Lark's, built once per process from `osip.lark` and run by `automaton.py`; the tokens come from
`lexer.py`, the nodes from `tree.py`. At a token that does not fit, `recovery.py` says what is wrong in an operator's
words, mends the parser's stack at the nearest `;` or `}`, and reading goes on.
"""
from __future__ import annotations

import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lark import Lark
from lark.lexer import Lexer as LarkLexer

from osip.core.exports.diagnostic import Diagnostic
from osip.script import nodes, shape
from osip.script.automaton import Automaton, Tables
from osip.script.lexer import Lexer, Reading, Token, Vocabulary, literal_words
from osip.script.recovery import Recovery
from osip.script.source import Source
from osip.script.tree import Builder
from osip.script.variable import parse_format, parse_variable

__all__ = ["parse", "parse_format", "parse_variable"]


class _OwnLexer(LarkLexer):
    """Tell Lark that tokens are fed by hand."""

    def __init__(self, lexer_conf: Any) -> None:
        self.lexer_conf = lexer_conf

    def lex(self, data: Any) -> Any:
        raise NotImplementedError("tokens are fed by parse()")


def kept_tables() -> str | bool:
    """Name the user's file in which Lark keeps the tables it made, which saves a fifth of a second at each start.

    False where there is no place that only this user can write to: Lark would load what others have put there. Lark
    itself notices when the grammar or its own version has changed.
    """
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = home / "osip"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owned = [path.stat() for path in (folder, folder / "grammar") if path.exists()]
    except (OSError, RuntimeError):             # RuntimeError: nobody's home
        return False
    safe = home.is_absolute() and all(state.st_uid == os.geteuid() and not state.st_mode & 0o022 for state in owned)
    return str(folder / "grammar") if safe else False


@cache
def grammar() -> tuple[Tables, Vocabulary]:
    """Return the tables and the vocabulary of the language; built at the first call."""
    text = (files("osip.script") / "osip.lark").read_text("utf-8")
    lark = Lark(text, parser="lalr", lexer=_OwnLexer, start="script", transformer=Builder(), keep_all_tokens=True,
                maybe_placeholders=False, cache=kept_tables())
    return Tables.of(lark, "script"), Vocabulary(literal_words(lark.terminals))


def parse(source: Source, *, lenient: bool | None = None) -> tuple[nodes.Script, list[Diagnostic]]:
    """Return the script's AST and every finding of reading and parsing it.

    The AST holds all that could be understood, also when there are errors. `lenient` overrides the source's.
    """
    lenient = source.lenient if lenient is None else lenient
    tables, vocabulary = grammar()
    reading = Reading(source)
    lexer = Lexer(reading, vocabulary)
    items = _run(Automaton(tables), lexer, Recovery(lexer, lenient))
    items = shape.check_items(items, reading, lenient)
    script = nodes.Script(source.path, tuple(items), dict(source.files))
    return script, _ordered(source.diagnostics + reading.diagnostics)


DEEPEST = 5000
_DEPTH = MappingProxyType({"LPAR": 1, "LSQB": 1, "LBRACE": 1, "RPAR": -1, "RSQB": -1, "RBRACE": -1})


class _Recorder(Automaton):
    """Keep every token that is fed."""

    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self.tokens: list[Token] = []

    def feed(self, token: Token) -> bool:
        """Take a token and remember it; False when it does not fit."""
        fits = super().feed(token)
        if fits:
            self.tokens.append(token)
        return fits


def parse_tokens(source: Source) -> tuple[nodes.Script, list[Token], list[Diagnostic]]:
    """Return what `parse` returns and the tokens that the tree was made of, the last one `$END`."""
    tables, vocabulary = grammar()
    reading = Reading(source)
    lexer = Lexer(reading, vocabulary)
    recorder = _Recorder(tables)
    items = shape.check_items(_run(recorder, lexer, Recovery(lexer, source.lenient)), reading, source.lenient)
    script = nodes.Script(source.path, tuple(items), dict(source.files))
    return script, recorder.tokens, _ordered(source.diagnostics + reading.diagnostics)


def _run(automaton: Automaton, lexer: Lexer, recovery: Recovery) -> list[Any]:
    """Feed tokens until the end; return the items."""
    states, actions, feed, cut = automaton.states, automaton.tables.actions, automaton.feed, lexer.next
    at = depth = 0
    previous: Token | None = None
    while True:
        token = cut(at, actions[states[-1]])
        depth += _DEPTH.get(token.type, 0)
        if depth > DEEPEST:                             # mending would take for ever, and nobody reads it
            recovery.reading.fault("E025", f"more than {DEEPEST} brackets are open", token.span)
            return []
        if token.type == "ID" and recovery.is_junk(token, previous):
            at = recovery.skip_junk(token)
        elif not feed(token):
            at = recovery.mend(automaton, token, previous)
            previous = recovery.previous
        elif token.type == "$END":
            return automaton.values[-1]
        else:
            previous = token
            at = token.end


def _ordered(found: list[Diagnostic]) -> list[Diagnostic]:
    """Return the findings without repetitions; those of one file stand in order of position."""
    unique = list(dict.fromkeys(found))
    order = {file: index for index, file in enumerate(dict.fromkeys(item.span.file for item in unique))}
    return sorted(unique, key=lambda item: (order[item.span.file], item.span.line, item.span.col))
