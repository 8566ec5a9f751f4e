"""Find words for a token that does not fit, from what stands around it.

Each rule looks at the scene and either reports or returns False; the first that reports ends the search. The last
rule always reports.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from osip.core.exports.diagnostic import Span
from osip.script.automaton import Automaton
from osip.script.lexer import ITEM_WORDS, WORD_CLASSES, Reading, Token
from osip.script.nodes import Call
from osip.script.report import suggest

KAMAILIO_ROUTES = {"request_route": "route", "reply_route": "onreply_route"}
_VALUE = re.compile(r"[ \t]+[\w\"']")
STATEMENTS = ("if", "while", "switch", "for", "route", "exit", "drop", "return", "break", "xlog", "xdbg", "log",
              "assert", "async", "launch")
"""The words that begin a statement."""
_ALONE = ("exit", "drop", "return", "break")
_BLOCKS = {"if": "IF", "while": "WHILE", "switch": "SWITCH", "for": "FOR"}
ELSE_IFS = frozenset(("elseif", "elif", "elsif", "elsef"))
_ARITHMETIC = frozenset("+-*/%&|^~") | {"<<", ">>"}
_NAMES = {"LPAR": '"("', "RPAR": '")"', "LBRACE": '"{"', "RBRACE": '"}"', "LSQB": '"["', "RSQB": '"]"',
          "SEMICOLON": '";"', "COMMA": '","', "COLON": '":"', "EQUAL": '"="', "STR": "a quoted string",
          "NUM": "a number", "VAR": "a variable", "ID": "a name", "IN": '"in"', "NET": "an address",
          "F_NAME": "a function call", "COMPARE_OP": "a comparison", "HOST": "a host name",
          "CASE": '"case"', "DEFAULT": '"default"'}


class Scene:
    """What is known where a token does not fit: the token, those before it, the open brackets."""
    __slots__ = ("accepts", "callee", "head", "opener", "previous", "reading", "token", "values")

    def __init__(self, reading: Reading, state: Automaton, token: Token, previous: Token | None) -> None:
        self.reading = reading
        self.token = token
        self.previous = previous
        self.accepts = state.expected()
        self.values = state.values
        self.opener, self.head, self.callee = self._bracket()

    def _bracket(self) -> tuple[str, str, str]:
        """Return the innermost open bracket, and type and text of the token before it."""
        for index in open_brackets(self.values):
            before = self.values[index - 1] if index else None
            if type(before) is Token:
                return self.values[index].type, before.type, before.value
            return self.values[index].type, "", ""
        return "", "", ""

    def is_in_condition(self) -> bool:
        """Return whether the token stands in a condition and not in brackets for arithmetic."""
        for index in open_brackets(self.values):
            if self.values[index].type in ("LBRACE", "LSQB"):
                return False
            before = self.values[index - 1] if index else None
            if type(before) is Token:
                return before.type in ("IF", "WHILE", "ASSERT")
        return False

    def report(self, code: str, message: str, hint: str = "", span: Span | None = None) -> bool:
        """Add the diagnostic at the token, or at `span`; always True."""
        self.reading.fault(code, message, span or self.token.span, hint)
        return True

    def after_previous(self) -> Span:
        """Return the column behind the previous token."""
        end = self.previous.end if self.previous is not None else self.token.start
        return self.reading.source.after(end)


def open_brackets(values: list[Any]) -> Iterator[int]:
    """Yield the indices of the brackets still open on a stack of values, innermost first."""
    closed = 0
    for index in range(len(values) - 1, -1, -1):
        item = values[index]
        if type(item) is not Token:
            continue
        if item.type in ("RPAR", "RSQB", "RBRACE"):
            closed += 1
        elif item.type in ("LPAR", "LSQB", "LBRACE"):
            if closed:
                closed -= 1
            else:
                yield index


def describe(token: Token) -> str:
    """Name a token for a message."""
    if token.type == "$END":
        return "the end of the file"
    if token.type == "STR":
        return "a string" if len(token.value) > 24 or "\n" in token.value else token.value
    return f'"{token.value}"'


def complain(scene: Scene) -> None:
    """Report the fault of a scene."""
    for rule in RULES:
        if rule(scene):
            return


def _index_outside(scene: Scene) -> bool:
    previous, token = scene.previous, scene.token
    if previous is None or previous.type != "VAR" or token.start != previous.end:
        return False
    if token.type in ("LSQB", "LBRACE"):
        what = "an index" if token.type == "LSQB" else "a transformation"
        text = scene.reading.source.text
        end = text.find("]" if token.type == "LSQB" else "}", token.start) + 1
        form = f"$({previous.value[1:]}{text[token.start:end]})"
        return scene.report("E009", f"{what} needs the $( ) form of the variable", f"write {form}")
    return False


def _arithmetic_in_condition(scene: Scene) -> bool:
    if scene.token.value not in _ARITHMETIC or not scene.is_in_condition():
        return False
    return scene.report("E015", "arithmetic in a condition stands in square brackets, without a comparison",
                        "write [$var(a) & 4], or compute into a variable first")


def _odd_operator(scene: Scene) -> bool:
    """Explain operators of other languages: `=>`, `=!`, `++`, `--`."""
    previous, token = scene.previous, scene.token
    if previous is None:
        return False
    if previous.type == "EQUAL" and previous.end == token.start and token.value in (">", "<", "!"):
        right = token.value + "="
        return scene.report("E001", f'"={token.value}" is no operator', f'did you mean "{right}"?')
    text = scene.reading.source.text
    if previous.type == "VAR" and token.value in "+-" and text[token.end:token.end + 1] == token.value:
        return scene.report("E001", f'"{token.value * 2}" is no operator', f"write {previous.value} {token.value}= 1")
    return False


def _left_side(scene: Scene) -> bool:
    if scene.token.type != "COMPARE_OP":
        return False
    if scene.opener != "LPAR":
        return scene.report("E001", f'unexpected "{scene.token.value}": a comparison is no statement',
                            '"=" assigns' if scene.token.value == "==" else "")
    return scene.report("E015", "the left side of a comparison is a single variable",
                        "compute into $var(x) first, then compare that")


def _two_conditions(scene: Scene) -> bool:
    """Explain `if (a) && (b)`."""
    if scene.token.type not in ("AND", "OR") or scene.previous is None or scene.previous.type != "RPAR":
        return False
    return scene.report("E001", f'unexpected "{scene.token.value}" behind the condition',
                        "the whole condition needs one pair of brackets around it")


def _no_operand(scene: Scene) -> bool:
    """Ask for what a bracket closes too early."""
    previous = scene.previous
    if scene.token.type != "RPAR" or previous is None:
        return False
    if previous.type in ("AND", "OR", "NOT"):
        return scene.report("E001", f'expected a condition after "{previous.value}"', span=scene.after_previous())
    if previous.type == "LPAR" and scene.head in ("IF", "WHILE"):
        return scene.report("E001", "the condition is empty", span=previous.span)
    if previous.type == "LPAR" and scene.head == "ROUTE":
        return scene.report("E001", "expected the name of a route", span=scene.after_previous())
    return False


def _bare_word_condition(scene: Scene) -> bool:
    if scene.token.type not in ("ID", "HOST") or not scene.is_in_condition() or "VAR" not in scene.accepts:
        return False
    return scene.report("E015", f'"{scene.token.value}" is neither a variable nor a call',
                        "a variable begins with $, a call has brackets")


def _misplaced(scene: Scene) -> bool:
    """Explain a keyword at a place where its construct cannot begin."""
    word = scene.token
    if word.type in ("CASE", "DEFAULT"):
        return scene.report("E001", f'"{word.value}" stands outside of a switch')
    if word.type in ("LOADMODULE", "MODPARAM", "ROUTE_KIND") and scene.opener == "LBRACE":
        return scene.report("E001", f'"{word.value}" belongs outside the routes', 'or a "}" is missing further up')
    if scene.previous is not None and scene.previous.type == "ROUTE" and scene.opener == "LBRACE":
        return scene.report("E001", "a route is called with its name in round brackets", "write route(NAME);")
    if scene.previous is not None and scene.previous.type == "CASE":
        return scene.report("E001", f'unexpected "{word.value}" as a label', "a label is a number or a string")
    return False


def _no_statement(scene: Scene) -> bool:
    """Explain what stands alone where a statement is wanted."""
    previous, token = scene.previous, scene.token
    if scene.opener != "LBRACE" or scene.head == "SWITCH":
        return False
    if token.type in ("NUM", "STR", "NET", "NULL") and "IF" in scene.accepts:
        return scene.report("E001", f"a statement cannot begin with {_shown(token)}")
    if token.type == "SEMICOLON" and previous is not None and previous.type == "VAR" and "EQUAL" in scene.accepts:
        return scene.report("E001", "a variable alone is no statement", "assign to it or call a function",
                            previous.span)
    return False


def _string_condition(scene: Scene) -> bool:
    if scene.token.type not in ("STR", "NULL") or not scene.is_in_condition() or "VAR" not in scene.accepts:
        return False
    return scene.report("E015", f"{scene.token.value} cannot begin a condition",
                        "a comparison has its variable on the left")


def _single_equal(scene: Scene) -> bool:
    if scene.token.type != "EQUAL" or not scene.is_in_condition():
        return False
    return scene.report("E001", 'unexpected "=" in a condition', 'a comparison is written "=="')


def _argument(scene: Scene) -> bool:
    if scene.opener != "LPAR" or scene.head not in ("F_NAME", "ROUTE"):
        return False
    kind = scene.token.type
    keyword = _keyword_for(scene.callee)
    if scene.head == "F_NAME" and keyword and kind != "LBRACE":
        span = next(item.span for item in reversed(scene.values) if type(item) is Token and item.type == "F_NAME")
        return scene.report("E001", f'"{scene.callee}" is no word of the language', keyword, span)
    if kind == "F_NAME" or (kind == "LPAR" and scene.previous is not None and scene.previous.type == "ID"):
        return scene.report("E016", "an argument cannot be a call", "store its result in $var(x) first")
    if scene.token.value in _ARITHMETIC or kind in ("COMPARE_OP", "AND", "OR", "NOT", "LPAR"):
        return scene.report("E016", "an argument is one literal or one variable, not an expression",
                            "compute into $var(x) first")
    return False


def _assignment(scene: Scene) -> bool:
    previous = scene.previous
    if scene.token.type not in ("EQUAL", "ASSIGN_OP") or previous is None or previous.type not in ("ID", "PARAM"):
        return False
    if scene.opener != "LBRACE":
        return False
    return scene.report("E017", f'"{previous.value}" is no variable: only variables are assigned inside a route',
                        f"$var({previous.value}), or a setting outside the routes", previous.span)


def _call_before_block(scene: Scene) -> bool:
    """Explain `elseif (...) {` and the like, which read as a call with a block behind it."""
    if scene.token.type != "LBRACE" or scene.previous is None or scene.previous.type != "RPAR":
        return False
    name = next((item.value if type(item) is Token else item.name for item in reversed(scene.values)
                 if isinstance(item, Call) or (type(item) is Token and item.type == "F_NAME")), "")
    span = next((item.span if type(item) is Token else item.name_span for item in reversed(scene.values)
                 if isinstance(item, Call) or (type(item) is Token and item.type == "F_NAME")), None)
    keyword = _keyword_for(name)
    if keyword:
        return scene.report("E001", f'"{name}" is no word of the language', keyword, span)
    return scene.report("E002", 'expected ";" after the call', "a block cannot follow a call", scene.after_previous())


def _keyword_for(name: str) -> str:
    """Return a hint when a function's name looks like a misspelt keyword."""
    if name.lower() in ELSE_IFS:
        return 'write "else if"'
    near = suggest(name, (*_BLOCKS, "async", "launch", "assert"))
    return _did_you_mean(near[:1]) if near else ""


def statement_near(name: str) -> str:
    """Return the word of the language that a misspelt statement without brackets means, "" for none."""
    return next(iter(suggest(name, _ALONE)), "")


def meant_block(scene: Scene) -> tuple[str, int] | None:
    """Return which of if, while, switch and for a misspelt one means, and its place on the stack; None for none."""
    inside = scene.opener == "LPAR" and scene.head == "F_NAME"
    ahead = scene.token.type == "LBRACE" and scene.previous is not None and scene.previous.type == "RPAR"
    if not inside and not ahead:
        return None
    for index in range(len(scene.values) - 1, -1, -1):
        item = scene.values[index]
        if isinstance(item, Call) or (type(item) is Token and item.type == "F_NAME"):
            name = item.name if isinstance(item, Call) else item.value
            word = "if" if name.lower() in ELSE_IFS else next(iter(suggest(name, _BLOCKS)), "")
            return (_BLOCKS[word], index) if word else None
    return None


def _misspelt_word(scene: Scene) -> bool:
    """Explain a word that no grammar knows: `elseif`, `request_route`, a route kind with a typo."""
    word = scene.previous if scene.previous is not None and scene.previous.type in ("ID", "F_NAME") else scene.token
    if word.type not in ("ID", "F_NAME", "HOST"):
        return False
    if word.value.lower() in ELSE_IFS:
        return scene.report("E001", f'"{word.value}" is no word of the language', 'write "else if"', word.span)
    if word is not scene.token and scene.token.type not in ("LBRACE", "LSQB", "STR"):
        return False
    if word is scene.token and "LOADMODULE" not in scene.accepts:
        return False
    known = ["route", *WORD_CLASSES["ROUTE_KIND"], "loadmodule", "modparam", "if", "else", "while", "switch"]
    near = [KAMAILIO_ROUTES[word.value]] if word.value in KAMAILIO_ROUTES else suggest(word.value, known)
    if not near:
        return False
    return scene.report("E001", f'"{word.value}" is no word of the language', _did_you_mean(near), word.span)


def _setting(scene: Scene) -> bool:
    """Explain a bare word between the items: a setting without `=`."""
    word = scene.token
    if "LOADMODULE" not in scene.accepts:
        word = scene.previous or word
        if word.type not in ("PARAM", "SOCKET", *(name.upper() for name in ITEM_WORDS)):
            return False
        if scene.token.type == "EQUAL" or scene.accepts & {"EQUAL"} == set():
            return False
        return scene.report("E001", f'expected "=" after "{word.value}"', span=scene.after_previous())
    if word.type == "ID" and _VALUE.match(scene.reading.source.text, word.end):
        return scene.report("E001", f'expected "=" after "{word.value}"', span=scene.reading.source.after(word.end))
    if word.type in ("ID", "HOST", "NUM"):
        hint = "a setting is written name = value" if word.type != "NUM" else ""
        return scene.report("E001", f'"{word.value}" begins neither a setting, a module line nor a route', hint)
    return False


def _unquoted(scene: Scene) -> bool:
    """Ask for quotes where only a string may stand."""
    if "STR" not in scene.accepts or scene.accepts - {"STR", "$END"} or scene.token.type == "$END":
        return False
    after = f' after "{scene.previous.value}"' if scene.previous is not None else ""
    return scene.report("E001", f"expected a quoted string{after}")


def _value(scene: Scene) -> bool:
    """Ask for what an assignment or a setting lacks."""
    previous = scene.previous
    if previous is None or previous.type not in ("EQUAL", "ASSIGN_OP", "COMPARE_OP", "COMMA"):
        return False
    if previous.type == "COMMA" and scene.head == "MODPARAM":
        return scene.report("E001", "a parameter's value is a string in quotes or a number")
    if scene.token.type == "$END" or scene.token.type in ("SEMICOLON", "RBRACE", "RPAR", "PARAM"):
        return scene.report("E001", f'expected a value after "{previous.value}"', span=scene.after_previous())
    return False


def _call_brackets(scene: Scene) -> bool:
    previous = scene.previous
    if previous is None or previous.type != "ID" or scene.opener != "LBRACE" or "SEMICOLON" not in scene.accepts:
        return False
    meant = statement_near(previous.value)
    if meant:
        return scene.report("E001", f'"{previous.value}" is no word of the language', _did_you_mean([meant]),
                            previous.span)
    return scene.report("E001", f'expected "(" after "{previous.value}"', "a call needs its brackets",
                        scene.after_previous())


def _fallback(scene: Scene) -> bool:
    wanted = sorted(_NAMES[name] for name in scene.accepts if name in _NAMES)
    odd = len(scene.accepts) != len(wanted) or not 0 < len(wanted) <= 3
    hint = "" if odd else "expected " + " or ".join(wanted)
    token = scene.token
    if token.type == "$END":
        return scene.report("E001", "the file ends in the middle of a construct", hint, scene.after_previous())
    return scene.report("E001", f"unexpected {_shown(token)}".replace("a string", "string"), hint)


def _shown(token: Token) -> str:
    if token.type == "STR":
        return "a string"
    return f'"{token.value}"' if token.type != "NUM" else token.value


def _did_you_mean(near: list[str]) -> str:
    return "did you mean " + " or ".join(f'"{name}"' for name in near) + "?"


RULES: tuple[Callable[[Scene], bool], ...] = (
    _index_outside, _odd_operator, _argument, _arithmetic_in_condition, _left_side, _two_conditions, _no_operand,
    _single_equal, _string_condition, _bare_word_condition, _assignment, _misplaced, _no_statement, _value,
    _call_before_block, _misspelt_word, _setting, _unquoted, _call_brackets, _fallback)
