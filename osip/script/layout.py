"""Say where the lines of a script begin, how far in they stand, and which tokens keep a blank between them.

`Layout` is told every token in turn. A frame is open for each block, for each switch, and for each `if`, `else` or
loop whose body is a single statement; brackets inside a statement are only counted.
"""
from __future__ import annotations

from dataclasses import dataclass

from osip.script.gaps import Gap
from osip.script.lexer import Token

HEADERS = {"IF": "if", "WHILE": "while", "FOR": "for", "SWITCH": "switch"}
_ITEMS = frozenset(("alias", "dst_blacklist", "mem-group", "mpath", "auto_scaling_profile", "loadmodule", "modparam",
                    "route"))
_ITEM_TYPES = frozenset(("PARAM", "SOCKET", "TLS_DOMAIN", "ROUTE_KIND", "IF", "WHILE", "FOR", "SWITCH", "$END"))
_WORD_TYPES = frozenset(("STR", "VAR", "NET", "HOST", "PATH", "ID", "NUM", "F_NAME", "PARAM"))
_CALLS = frozenset(("log", "xlog", "xdbg", "error", "assert", "async", "launch", "route", "modparam", "return", "exit",
                    "drop"))
_BEFORE_SIGN = frozenset(("(", "[", ",", "=", "{", ":", "return", "case"))
_SIGNED_TYPES = frozenset(("ASSIGN_OP", "COMPARE_OP", "AND", "OR", "NOT"))


def mark_of(token: Token | None) -> str:
    """Return a mark, or nothing for words, literals and variables."""
    if token is None or token.type in _WORD_TYPES or token.value[:1].isalpha():
        return ""
    return token.value


@dataclass(slots=True)
class Frame:
    """An open block (`block`, `switch`, `list`) or statement body without braces (`hang`), and whose it is."""
    kind: str
    owner: str


class Layout:
    """The state between two tokens: what is open, and whether the last token ended its line."""
    __slots__ = (
        "_brackets",
        "_header",
        "_item",
        "_joins",
        "_label",
        "_last",
        "_sign",
        "_waiting",
        "closed_route",
        "ended",
        "frames",
        "opened",
    )

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.ended = False              # the last token ended a line
        self.opened = False             # ... by opening a block: no blank line after it
        self.closed_route = False       # ... by closing a route: one blank line after it
        self._joins = False             # the block just closed and the else that follows are of one if
        self._brackets = 0
        self._header = ""               # the if, while, for or switch whose condition is being read
        self._waiting = ""              # whose body the next brace opens
        self._item = ""                 # the word that began the item
        self._label = False             # between case and its colon
        self._sign = False              # the last token is the sign of a number
        self._last: Token | None = None

    # --- asked before a token ---------------------------------------------------------------------------------------

    def begins_line(self, token: Token) -> bool:
        """Say whether the token begins a line of its own: a statement, a label, an item, a closing brace."""
        if self._last is None or self.ended:
            return True
        if self._brackets or token.type == "ID":
            return token.type == "$END"
        if token.value == "}" and mark_of(token):
            return True
        if self.frames:
            return self.frames[-1].owner == "tls" and token.type == "PARAM"
        if self._item == "auto_scaling_profile" and token.type == "FOR":
            return False
        return token.type in _ITEM_TYPES or (token.value in _ITEMS and token.type not in _WORD_TYPES)

    def clings(self, token: Token, gap: Gap) -> bool:
        """Say whether the token stays on the line that was ended: `} else`, `};`."""
        if gap.notes or self._last is None or self._last.value != "}" or self._last.type == "VAR":
            return False
        return token.type == "ELSE" and self._joins or token.type == "SEMICOLON"

    def depth_of(self, token: Token) -> int:
        """Return the tabs before a token that begins a line."""
        depth = self.depth
        if token.type in ("CASE", "DEFAULT") and self._in_switch:
            return depth - 1
        if token.value == "}" and mark_of(token) and self.frames and not self._brackets:
            return depth - self._width(self.frames[-1])
        return depth

    def depth_inside(self, token: Token) -> int:
        """Return the tabs before a remark that stands on the lines before a token."""
        return self.depth_of(token) if token.type in ("CASE", "DEFAULT") else self.depth

    @property
    def depth(self) -> int:
        """Return the tabs before a statement."""
        return sum(self._width(frame) for frame in self.frames)

    @property
    def continued(self) -> int:
        """Return the tabs before a line that goes on with the statement begun."""
        return self.depth + (2 if self._header else 1)

    @property
    def _in_switch(self) -> bool:
        return bool(self.frames) and self.frames[-1].kind == "switch"

    @staticmethod
    def _width(frame: Frame) -> int:
        return 2 if frame.kind == "switch" else 1

    def wants_blank(self, token: Token, newlines: int) -> bool:
        """Say whether a blank line comes before a token that begins a line."""
        return mark_of(token) != "}" and not self.opened and (newlines > 1 or self.closed_route)

    def may_break(self, token: Token) -> bool:
        """Say whether a line end inside a statement is kept before this token."""
        last = self._last
        if last is None or token.value in (")", "]", ";", ",") and mark_of(token):
            return False
        if token.value == "{" and not self._brackets and mark_of(token):
            return False
        if last.type in HEADERS or last.type in ("ELSE", "F_NAME", "PARAM") or last.value in ("route", "loadmodule"):
            return False
        return mark_of(last) not in ("!", "~") and not self._sign

    # --- blanks -----------------------------------------------------------------------------------------------------

    def space(self, token: Token) -> str:
        """Return what stands between the last token and this one on one line."""
        last, mark = self._last, mark_of(token)
        before = mark_of(last)
        if last is None or self._sign or before in ("(", "[", "~", "!"):
            return ""
        if mark == ",":
            return " " if before == "," else ""
        if mark in (")", "]", ";"):
            return ""
        if mark == "(":
            return "" if last.type == "F_NAME" or last.value in _CALLS and last.type not in _WORD_TYPES else " "
        if mark == "[":
            return "" if last.type in ("ROUTE", "ROUTE_KIND", "TLS_DOMAIN") or before == ":" else " "
        return self._punctuation(mark, before)

    def _punctuation(self, mark: str, before: str) -> str:
        item = self._item
        if mark == ":" or before == ":":
            return " " if item == "mem-group" or item == "dst_blacklist" and before == ":" or mark == "{" else ""
        if item in ("socket", "alias", "tls") and (
                before == "-" or mark == "-" or before == "," and not self._brackets):
            return ""
        if item == "dst_blacklist" and not self._brackets and "/" in (mark, before):
            return ""
        if item == "dst_blacklist" and not self._brackets and before == ",":
            return ""
        return "" if mark == "%" and item == "auto_scaling_profile" else " "

    # --- told after a token -----------------------------------------------------------------------------------------

    def noted(self) -> None:
        """Take note that a remark has been written on a line of its own."""
        self.opened = self.closed_route = False

    def take(self, token: Token, following: Token) -> None:
        """Go over a token; `following` is the next one."""
        if not self.frames and not self._brackets and self.begins_line(token):
            self._item = {"SOCKET": "socket", "TLS_DOMAIN": "tls"}.get(token.type, token.value)
        mark = mark_of(token)
        self._sign = mark in ("+", "-") and following.type == "NUM" and self._before_sign()
        self.ended = self.opened = self.closed_route = False
        if mark in ("(", "["):
            self._brackets += 1
        elif mark in (")", "]"):
            self._brackets -= 1
            if not self._brackets and self._header and mark == ")":
                self._end_header(following)
        elif mark == "{":
            self._open()
        elif mark == "}":
            self._close(following)
        elif not self._brackets:
            self._word(token, mark, following)
        self._last = token

    def _before_sign(self) -> bool:
        last = self._last
        if last is None or last.type in _SIGNED_TYPES or last.value in _BEFORE_SIGN and last.type not in _WORD_TYPES:
            return True
        return mark_of(last) in ("+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", "~")

    def _word(self, token: Token, mark: str, following: Token) -> None:
        """Go over a token outside of brackets that is no bracket itself."""
        if mark == ";":
            self._end_statement(following)
        elif mark == ":" and self._label:
            self._label = False
            self.ended = self.opened = True
        elif token.type in ("CASE", "DEFAULT"):
            self._label = True
        elif token.type in HEADERS:
            self._header = HEADERS[token.type]
        elif token.type == "ELSE":
            self._header = "else"
            if following.type == "IF":
                self._header = ""
            else:
                self._end_header(following)

    def _end_header(self, following: Token) -> None:
        owner, self._header = self._header, ""
        if mark_of(following) == "{":
            self._waiting = owner
        elif mark_of(following) != ";":
            self.frames.append(Frame("hang", owner))
            self.ended = self.opened = True

    def _open(self) -> None:
        if self._brackets or self._item in ("socket", "dst_blacklist") and not self.frames:
            self._brackets += 1
            return
        owner = self._waiting or ("tls" if self._item == "tls" and not self.frames else "")
        self._waiting = ""
        self.frames.append(Frame("switch" if owner == "switch" else "block", owner))
        self.ended = self.opened = True

    def _close(self, following: Token) -> None:
        if self._brackets:
            self._brackets -= 1
            return
        frame = self.frames.pop() if self.frames else Frame("block", "")
        self.ended = True
        self._joins = frame.owner == "if" and following.type == "ELSE"
        if not self._joins:
            self._fold(following)
        self.closed_route = not self.frames and following.type != "SEMICOLON"

    def _end_statement(self, following: Token) -> None:
        self.ended = True
        was_route = self._last is not None and self._last.value == "}" and not self.frames
        self._fold(following)
        self.closed_route = was_route and not self.frames

    def _fold(self, following: Token) -> None:
        """Close the bodies without braces that end with a statement; an `else` binds to the nearest `if`."""
        while self.frames and self.frames[-1].kind == "hang":
            owner = self.frames.pop().owner
            if owner == "if" and following.type == "ELSE":
                return
