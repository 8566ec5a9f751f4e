"""Cut the flat text of a script into tokens, guided by what the grammar accepts at that place (dsl.md section 2).

A word is a keyword only where the tables accept that keyword; addresses and host names exist only where they may
stand. The tables come in as the set of accepted token types with each call, so the lexer itself has no state but its
text. Faults inside a token (an open string, a stray character) become diagnostics and an `FAULT` token.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Container
from typing import Any

from osip.core.exports.diagnostic import Diagnostic, Severity, Span
from osip.script.source import Source

TRUE_WORDS = frozenset(("yes", "true", "on", "enable"))
FALSE_WORDS = frozenset(("no", "false", "off", "disable"))

WORD_CLASSES: dict[str, tuple[str, ...]] = {
    "NUM": (*TRUE_WORDS, *FALSE_WORDS),
    "NULL": ("null", "NULL"),
    "SOCKET": ("socket", "listen", "bin_listen"),
    "SOCKET_FLAG": ("anycast", "frag", "reuse_port", "accept_subdomain", "allow_proxy_protocol",
                    "send_proxy_protocol", "proxy_protocol"),
    "AS": ("as", "AS"),
    "USE_WORKERS": ("use_workers", "USE_WORKERS", "use_children", "USE_CHILDREN"),
    "TOS": ("tos",),
    "TLS_DOMAIN": ("tls_server_domain", "tls_client_domain", "tls_domain"),
    "ROUTE_KIND": ("onreply_route", "failure_route", "branch_route", "error_route", "local_route", "startup_route",
                   "timer_route", "event_route"),
    "OLD_OPERAND": ("uri", "from_uri", "to_uri", "method", "status", "src_ip", "dst_ip", "src_port", "dst_port",
                    "proto", "af"),
    "AND": ("and",), "OR": ("or",), "NOT": ("not",),
}
MARK_CLASSES: dict[str, tuple[str, ...]] = {
    "AND": ("&&",), "OR": ("||",), "NOT": ("!",),
    "COMPARE_OP": ("==", "!=", "<", ">", "<=", ">=", "=~", "!~"),
    "DOT": (".",),          # only inside host names: no rule takes it alone
    "ASSIGN_OP": (":=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="),
}
# Words that open an item and are followed by "=": they win over PARAM. Any other word before "=" is a setting's name.
ITEM_WORDS = frozenset((*WORD_CLASSES["SOCKET"], "alias", "dst_blacklist", "mpath", "auto_scaling_profile"))
# Words that never name a function or begin a bare call, so that a misplaced one is a syntax error.
RESERVED_WORDS = frozenset(("if", "else", "while", "for", "switch", "case", "default", "break", "return", "exit",
                            "drop", "route", "loadmodule", "modparam", *WORD_CLASSES["ROUTE_KIND"]))

OPEN_COMMENT = "comment is not closed"
_BLANK = re.compile(r"(?:[ \t\r\n\b\f\v\xa0\ufeff]+|\\\r?\n|\#[^\n]*|//[^\n]*)+")
_MAYBE_ADDRESS = frozenset(("word", "num", "mark"))
ADDRESS = "@address"        # among the accepted types: an address, host name or path may stand here
_COMMENT_MARK = re.compile(r"/\*|\*/")
_TOKEN = re.compile(
    r"""[ \t\r\n]*+(?:(?P<var>\$)|(?P<str>"[^"\\]*+(?:\\.[^"\\]*+)*+")|(?P<raw>'[^']*')"""
    r"""|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<num>0[xX][0-9A-Fa-f]+|[0-9]+)"""
    r"""|(?P<mark>/(?![/*=])|<<=|>>=|:=|\+=|-=|\*=|/=|%=|&=|\|=|\^=|==|!=|<=|>=|=~|!~|&&|\|\||<<|>>"""
    r"""|[=<>!+\-*%&|^~(){}\[\];,:.])"""
    r"""|(?P<slow>["'\#\\]|[^ -~]|/[/*]))""", re.DOTALL)
_IP4 = r"\d+\.\d+\.\d+\.\d+"
_NET = re.compile(
    rf"{_IP4}(?:/(?:{_IP4}|\d+))?(?!\.?[\w])"
    r"|(?!:[^:])(?=[0-9A-Fa-f]*:[0-9A-Fa-f]*:)[0-9A-Fa-f:]+(?:/(?:\d+|[0-9A-Fa-f:]+))?(?![\w])")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*")
_PATH = re.compile(r"/[A-Za-z_][\w./-]*")
_VAR_NAME = re.compile(r"[A-Za-z_][\w.]*")
_BRACKETS = re.compile(r"[()]")


class Token:
    """One token: its type in the grammar, its text, its flat offsets, and the reading it belongs to."""
    __slots__ = ("end", "reading", "start", "type", "value")

    def __init__(self, type: str, value: str, start: int, end: int, reading: Reading) -> None:
        self.type = type
        self.value = value
        self.start = start
        self.end = end
        self.reading = reading

    @property
    def span(self) -> Span:
        """Return where the token stands in the operator's file."""
        return self.reading.source.span(self.start, self.end)

    def __repr__(self) -> str:
        return f"{self.type}({self.value!r})"


class Reading:
    """One parse under way: the source and what has been found in it so far."""
    __slots__ = ("diagnostics", "source")

    def __init__(self, source: Source) -> None:
        self.source = source
        self.diagnostics: list[Diagnostic] = []

    def fault(self, code: str, message: str, span: Span, hint: str = "", *notes: str,
              severity: Severity = Severity.ERROR) -> None:
        """Add a diagnostic; the lines that included its file follow as notes."""
        notes += self.source.trail(span.file)
        found = Diagnostic(code, message, span, severity, hint, notes)
        if found not in self.diagnostics[-8:]:          # a place may be read twice while a repair is tried
            self.diagnostics.append(found)


class Vocabulary:
    """The words and marks of the grammar and the token types that each may have."""
    __slots__ = ("marks", "words")

    def __init__(self, literals: dict[str, str]) -> None:
        self.words: dict[str, tuple[str, ...]] = {}
        self.marks: dict[str, tuple[str, ...]] = {}
        for text, name in literals.items():
            table = self.words if text[0].isalpha() else self.marks
            table[text] = (name,)
        for classes, table in ((WORD_CLASSES, self.words), (MARK_CLASSES, self.marks)):
            for name, texts in classes.items():
                for text in texts:
                    table[text] = (*table.get(text, ()), name)


class Lexer:
    """Cut tokens out of one text; `next` is asked for each with the token types that fit."""
    __slots__ = ("_cutters", "is_quiet", "marks", "reading", "text", "words")

    def __init__(self, reading: Reading, vocabulary: Vocabulary) -> None:
        self.reading = reading
        self.text = reading.source.text
        self.words = vocabulary.words
        self.marks = vocabulary.marks
        self.is_quiet = False           # set while skipping: foreign characters there are nobody's fault
        self._cutters: dict[str, Callable[[int, int, Container[str]], Token]] = {
            "var": self._variable, "word": self._word, "num": self._number}

    def next(self, at: int, accepts: Container[str]) -> Token:
        """Return the first token at or after offset `at`; `$END` when there is none."""
        match = _TOKEN.match(self.text, at)
        if match is None or match.lastgroup == "slow":
            at = self.skip_blanks(at)
            if at >= len(self.text):
                return Token("$END", "", at, at, self.reading)
            match = _TOKEN.match(self.text, at)
            if match is None or match.lastgroup == "slow":
                return self._faulty(at)
        kind: str = match.lastgroup         # type: ignore[assignment]
        end = match.end()
        text: str = match[kind]
        at = end - len(text)
        if ADDRESS in accepts and kind in _MAYBE_ADDRESS:
            token = self._address(at, accepts)
            if token is not None:
                return token
        if kind == "mark":
            types = self.marks.get(text)
            if types is None:
                return self._faulty(at)
            if len(types) == 1 or types[0] in accepts:
                return Token(types[0], text, at, end, self.reading)
            return Token(types[1] if types[1] in accepts else types[0], text, at, end, self.reading)
        if kind == "str" or kind == "raw":
            return Token("STR", text, at, end, self.reading)
        return self._cutters[kind](at, end, accepts)

    def skip_blanks(self, at: int) -> int:
        """Return the offset of the next character that is neither blank nor comment."""
        text = self.text
        while True:
            match = _BLANK.match(text, at)
            if match is not None:
                at = match.end()
            if not text.startswith("/*", at):
                return at
            at = self._skip_comment(at)

    def _skip_comment(self, start: int) -> int:
        depth = 0
        for mark in _COMMENT_MARK.finditer(self.text, start):
            depth += 1 if mark.group() == "/*" else -1
            if depth == 0:
                return mark.end()
        source = self.reading.source
        self.reading.fault("E004", OPEN_COMMENT, source.span(start, start + 2),
                           'its "*/" is missing (comments nest: each "/*" needs its own)')
        return len(self.text)

    def _address(self, at: int, accepts: Container[str]) -> Token | None:
        first = self.text[at]
        if not (first.isalnum() or first in ":/_"):
            return None
        if "NET" in accepts:
            match = _NET.match(self.text, at)
            if match is not None:
                return Token("NET", match.group(), at, match.end(), self.reading)
        if "HOST" in accepts:
            match = _HOST.match(self.text, at)
            if match is not None:
                word = match.group()
                if ("." in word or "-" in word or first.isdigit()) and not _plain_number(word):
                    return Token("HOST", word, at, match.end(), self.reading)
        if "PATH" in accepts and first == "/":
            match = _PATH.match(self.text, at)
            if match is not None:
                return Token("PATH", match.group(), at, match.end(), self.reading)
        return None

    def _word(self, at: int, end: int, accepts: Container[str]) -> Token:
        text = self.text
        word = text[at:end]
        if text.startswith(("em-group", "sg:len"), at + 1):
            if text.startswith("mem-group", at):
                return Token(self.words["mem-group"][0], "mem-group", at, at + 9, self.reading)
            if text.startswith("msg:len", at) and "OLD_OPERAND" in accepts:
                return Token("OLD_OPERAND", "msg:len", at, at + 7, self.reading)
        types = self.words.get(word, ())
        if "PARAM" in accepts and word not in ITEM_WORDS and self.is_followed(end, "="):
            return Token("PARAM", word, at, end, self.reading)
        for name in types:
            if name in accepts:
                return Token(name, word, at, end, self.reading)
        if "PATH" in accepts and self.is_followed(end, "=") and self._begins_line(at):
            return Token("PARAM", word, at, end, self.reading)      # the setting before it lacks its value
        if word in RESERVED_WORDS:
            is_name = "ID" in accepts and "IF" not in accepts
            return Token("ID" if is_name else types[0], word, at, end, self.reading)
        if ("F_NAME" in accepts or not types and "ID" not in accepts) and self.is_followed(end, "("):
            return Token("F_NAME", word, at, end, self.reading)
        return Token("ID" if "ID" in accepts or not types else types[0], word, at, end, self.reading)

    def _begins_line(self, at: int) -> bool:
        return begins_line(self.text, at)

    def is_followed(self, end: int, mark: str) -> bool:
        """Return whether the next thing after `end` is `mark`; `=` does not count when it begins `==` or `=~`."""
        text = self.text
        at = end if text.startswith(mark, end) else self.skip_blanks(end)
        return text.startswith(mark, at) and not (mark == "=" and text[at + 1:at + 2] in ("=", "~"))

    def _number(self, at: int, end: int, accepts: Container[str]) -> Token:
        match = _NET.match(self.text, at)               # an address at a wrong place is still one thing to name
        if match is not None and "." in match.group():
            return Token("NET", match.group(), at, match.end(), self.reading)
        return Token("NUM", self.text[at:end], at, end, self.reading)

    def _variable(self, at: int, end: int, accepts: Container[str]) -> Token:
        stop = variable_end(self.text, at)
        if stop > at:
            return Token("VAR", self.text[at:stop], at, stop, self.reading)
        source = self.reading.source
        line_end = self.text.find("\n", at)
        line_end = len(self.text) if line_end < 0 else line_end
        if stop == UNCLOSED:
            self.reading.fault("E004", "variable is not closed", source.span(at, at + 2), 'its ")" is missing')
            return Token("FAULT", self.text[at:line_end], at, line_end, self.reading)
        self.reading.fault("E009", '"$" begins a variable, but no name follows', source.span(at, at + 1))
        return Token("FAULT", "$", at, at + 1, self.reading)

    def _faulty(self, at: int) -> Token:
        """Report what begins no token: a string without its end, or a character without meaning."""
        if self.text[at] not in "\"'":
            return self._foreign(at)
        line_end = self.text.find("\n", at)
        line_end = len(self.text) if line_end < 0 else line_end
        self.reading.fault("E004", "string is not closed", self.reading.source.span(at, at + 1),
                           f"the closing {self.text[at]} is missing")
        return Token("FAULT", self.text[at:line_end], at, line_end, self.reading)

    def _foreign(self, at: int) -> Token:
        char = self.text[at]
        shown = f'"{char}"' if char.isprintable() else f"character U+{ord(char):04X}"
        if not self.is_quiet:
            self.reading.fault("E006", f"{shown} has no meaning here", self.reading.source.span(at, at + 1))
        return Token("FAULT", char, at, at + 1, self.reading)


def begins_line(text: str, at: int) -> bool:
    """Return whether only blanks stand before an offset on its line; a line may be a megabyte long."""
    while at and text[at - 1] in " \t\r\f\v\b":
        at -= 1
    return not at or text[at - 1] == "\n"


UNCLOSED = -1
NAMELESS = -2


def variable_end(text: str, at: int) -> int:
    """Return the offset behind the variable whose `$` stands at `at`; `UNCLOSED` or `NAMELESS` when it is none."""
    if text.startswith("(", at + 1):
        return _closing(text, at + 1)
    match = _VAR_NAME.match(text, at + 1)
    if match is None:
        return NAMELESS
    end = match.end()
    if text.startswith("(", end):
        return _closing(text, end)
    return end


def _closing(text: str, at: int) -> int:
    depth = 0
    for bracket in _BRACKETS.finditer(text, at):
        depth += 1 if bracket.group() == "(" else -1
        if depth == 0:
            return bracket.end()
    return UNCLOSED


def _plain_number(word: str) -> bool:
    """Return whether a host-like word is only a number or a port range, which other rules want."""
    return not any(char.isalpha() for char in word) or (word[:2] in ("0x", "0X") and word.isalnum())


def literal_words(terminals: list[Any]) -> dict[str, str]:
    """Return text -> token type of the quoted literals of a Lark grammar."""
    return {term.pattern.value: term.name for term in terminals if getattr(term.pattern, "type", "") == "str"}
