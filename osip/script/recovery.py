"""Mend the parser at a token that does not fit: say why, and find the place from which reading can go on.

Three ways, tried in turn: put in the one mark that is missing, take out the one that is too many, or drop the broken
construct and go on behind the next `;` or before the next `}`. Every way leaves the parser in a sound state, so the
faults behind the first are found too, and only they.
"""
from __future__ import annotations

import re
from collections.abc import Container

from osip.core.exports.diagnostic import Severity
from osip.script.automaton import Automaton
from osip.script.brace import blamed, indent
from osip.script.complaint import Scene, complain, describe, meant_block, open_brackets
from osip.script.lexer import OPEN_COMMENT, Lexer, Token, begins_line
from osip.script.tree import BARE_CALLS

# What may be missing, likeliest first. A repair counts only when the token at hand fits behind it.
REPAIRS = (("SEMICOLON",), ("RPAR",), ("RPAR", "RPAR"), ("RPAR", "SEMICOLON"), ("RPAR", "RPAR", "SEMICOLON"),
           ("RSQB",), ("COMMA",), ("LPAR",))
MARKS = {"SEMICOLON": ";", "RPAR": ")", "RSQB": "]", "COMMA": ",", "LPAR": "(", "RBRACE": "}"}
# What stands in for a broken condition, so that the statement itself survives.
_DUMMY = ("VAR", "$var(error)")
DUMMIES = {"IF": (("NUM", "1"),), "WHILE": (("NUM", "1"),), "SWITCH": (_DUMMY,),
           "FOR": (_DUMMY, ("IN", "in"), ("VAR", "$(avp(error)[*])"))}
_RESUMING = frozenset(("IF", "WHILE", "FOR", "SWITCH", "ROUTE", "RETURN", "EXIT", "DROP", "XLOG", "F_NAME", "VAR",
                       "CASE", "DEFAULT", "BREAK", "LOADMODULE", "MODPARAM",
                       "ROUTE_KIND"))
_JUNK = re.compile(r"[A-Za-z][\w']*+(?:[ \t,.:]++[\w'/-]++)*+[ \t,.:!?]*+(?=\r?\n|\Z|#|//)")
_ITEM_WORD = re.compile(
    r"(?:onreply_route|failure_route|branch_route|error_route|local_route|startup_route|timer_route|event_route)\b"
    r"|loadmodule\s*[\"']|modparam\s*\(|route\s*(?:\[[^\]\n]*\]\s*)?\{|(?:socket|listen|mpath|alias)\s*=(?!=)")
NOTHING: Container[str] = frozenset()


class Recovery:
    """Mend one parse; `previous` is the last token that fitted, after each mending."""
    __slots__ = ("_last_at", "_lost_if", "_open_paren_told", "lenient", "lexer", "previous", "reading", "text")

    def __init__(self, lexer: Lexer, lenient: bool) -> None:
        self.lexer = lexer
        self.reading = lexer.reading
        self.text = lexer.text
        self.lenient = lenient
        self.previous: Token | None = None
        self._last_at = -1
        self._open_paren_told = -1
        self._lost_if = False           # an `if` was dropped: its `else` may still come

    # --- words that lost their comment mark (dsl.md section 14) ------------------------------------------------------

    def is_junk(self, token: Token, previous: Token | None) -> bool:
        """Return whether the words from `token` to the line's end are a remark behind a finished statement."""
        if not self.lenient or previous is None or previous.type not in ("SEMICOLON", "RBRACE"):
            return False
        if "\n" in self.text[previous.end:token.start]:
            return False
        return _JUNK.match(self.text, token.start) is not None

    def skip_junk(self, token: Token) -> int:
        """Tell that the words are skipped; return the offset behind them."""
        match = _JUNK.match(self.text, token.start)
        end = match.end() if match is not None else token.end
        self.reading.fault("N702", f'words "{self.text[token.start:end].strip()}" are skipped',
                           self.reading.source.span(token.start, end), 'a remark begins with "#"',
                           severity=Severity.WARNING)
        return end

    # --- mending -----------------------------------------------------------------------------------------------------

    def mend(self, state: Automaton, token: Token, previous: Token | None) -> int:
        """Report why `token` does not fit, mend the stacks; return the offset to go on from."""
        self.previous = previous
        stuck, self._last_at = token.start == self._last_at, token.start
        if token.type == "FAULT":
            return self._panic(state, token.end)
        ways = (self._broken_string, self._unclosed_block, self._return_value, self._insert, self._remove)
        for way in ways[1:2] if stuck else ways:
            at = way(state, token)
            if at is not None:
                return at
        return self._drop(state, token, stuck)

    def _drop(self, state: Automaton, token: Token, stuck: bool) -> int:
        """Report a construct that cannot be mended and drop it."""
        if not stuck or token.type != "$END":
            scene = Scene(self.reading, state, token, self.previous)
            complain(scene)
            at = self._as_meant(state, scene)
            if at is not None:
                return at
        if token.type == "$END":
            while state.values and not (state.fits("$END") if stuck else self._is_statement(state)):
                state.cut(len(state.values) - 1)
            return token.start
        self._lost_if = True
        at = token.end if stuck else token.start
        previous = self.previous
        if token.type == "LBRACE" and previous is not None and previous.type == "VAR" and previous.end == token.start:
            at = self.text.find("}", at) + 1 or token.end       # $var(x){s.len}: not a block
        return self._panic(state, at)

    def _broken_string(self, state: Automaton, token: Token) -> int | None:
        """Blame a string that runs over lines when what follows it makes no sense."""
        string = self.previous
        if string is None or string.type != "STR" or "\n" not in string.value:
            return None
        self.reading.fault("E004", "string is not closed on its line", self.reading.source.span(
            string.start, string.start + 1), f"the closing {string.value[0]} is missing")
        line_end = string.start + string.value.index("\n")
        return self._panic(state, line_end, skip=False)

    def _unclosed_block(self, state: Automaton, token: Token) -> int | None:
        """Close the open blocks when an item begins on its own line, or the text ends, inside of one."""
        braces = self._open_braces(state)
        if not braces:
            return None
        start = token
        if token.type in ("LSQB", "LBRACE") and self.previous is not None and self.previous.type == "ROUTE":
            start = self.previous
        is_item = (self._begins_line(start) and _ITEM_WORD.match(self.text, start.start) is not None
                   and indent(self.text, start.start) <= indent(self.text, braces[0].start))
        if token.type != "$END" and not is_item:
            return None
        blame = blamed(self.lexer, braces, start.start)
        source = self.reading.source
        if not any(found.message == OPEN_COMMENT for found in self.reading.diagnostics):
            self.reading.fault("E003", f'"}}" missing: block opened at line {blame.span.line}',
                               source.after(self._end_before(start)))
        self._to_statement(state)
        while self._open_braces(state):
            if not state.fits("RBRACE") and state.fits("SEMICOLON", "RBRACE"):
                self._feed(state, "SEMICOLON", start.start)
            if not self._feed(state, "RBRACE", start.start):
                state.cut(len(state.values) - 1)        # a block of no statements, such as a broken list of rules
                self._to_statement(state)
        return start.start

    @staticmethod
    def _open_braces(state: Automaton) -> list[Token]:
        """Return the `{` that are not closed; a closed block may stand on the stack until it is reduced."""
        braces: list[Token] = []
        for item in state.values:
            if type(item) is Token and item.type == "LBRACE":
                braces.append(item)
            elif type(item) is Token and item.type == "RBRACE":
                braces.pop()
        return braces

    def _return_value(self, state: Automaton, token: Token) -> int | None:
        """Split `return` from an assignment on the next line, which reads as its value at first."""
        value = self.previous
        head = state.values[-2] if len(state.values) > 1 else None
        if value is None or value.type != "VAR" or type(head) is not Token or head.type != "RETURN":
            return None
        if token.type not in ("EQUAL", "ASSIGN_OP") or not self._begins_line(value):
            return None
        state.cut(len(state.values) - 1)
        self.reading.fault("E002", 'expected ";" after "return"', self.reading.source.after(head.end))
        self._feed(state, "SEMICOLON", value.start)
        return value.start

    def _insert(self, state: Automaton, token: Token) -> int | None:
        """Put in the missing mark when exactly that makes the token fit."""
        for marks in REPAIRS:
            stack = state.tables.simulate(list(state.states), marks)
            if stack is None:
                continue
            following = self.lexer.next(token.start, state.tables.actions[stack[-1]])
            if state.tables.simulate(stack, (following.type,)) is None or not self._is_likely(marks, token):
                continue
            self._tell_missing(marks, token)
            for mark in marks:
                self._feed(state, mark, token.start)
            return token.start
        return None

    def _is_likely(self, marks: tuple[str, ...], token: Token) -> bool:
        """Return whether a repair is believable: a bracket missing in the middle of an expression is not."""
        if marks == ("LPAR",):
            return self.previous is not None and self.previous.type in ("IF", "WHILE", "SWITCH", "FOR")
        previous = self.previous
        if (previous is not None and previous.type == "VAR" and token.type in ("LBRACE", "LSQB")
                and previous.end == token.start):
            return False                    # $avp(x)[1] and $var(x){s.len}
        if marks == ("COMMA",):
            return token.type in ("STR", "VAR", "NUM", "ID", "HOST")
        if marks[-1] == "SEMICOLON":
            if token.type == "LBRACE":      # f(x) { is a misspelt keyword rather than a call
                return False
            if previous is not None and previous.type == "ID" and previous.value not in BARE_CALLS:
                return False
            if len(marks) > 1 and token.type not in ("RBRACE", "$END") and not self._begins_line(token):
                return False
        return token.type not in ("EQUAL", "ASSIGN_OP", "FAULT")

    def _tell_missing(self, marks: tuple[str, ...], token: Token) -> None:
        where = self.reading.source.after(self.previous.end if self.previous is not None else token.start)
        if marks == ("LPAR",):
            self._open_paren_told = where.line
            self.reading.fault("E003", 'expected "(" before the condition', where)
        elif marks == ("SEMICOLON",):
            self.reading.fault("E002", f'expected ";" after {self._statement_noun()}', where)
        elif marks == ("COMMA",):
            self.reading.fault("E001", 'expected "," between the arguments', where)
        elif self._open_paren_told != where.line:
            words = " and ".join(f'"{MARKS[mark]}"' for mark in dict.fromkeys(marks))
            self.reading.fault("E003", f"expected {words} before {describe(token)}", where)

    def _statement_noun(self) -> str:
        previous = self.previous
        if previous is not None and previous.type == "RPAR":
            return "the call"
        if previous is not None and previous.type in ("BREAK", "EXIT", "DROP", "RETURN"):
            return f'"{previous.value}"'
        return "the statement"

    def _remove(self, state: Automaton, token: Token) -> int | None:
        """Take out a closing bracket that nothing opened, or an `else` that no `if` precedes."""
        source = self.reading.source
        if token.type == "RBRACE" and state.fits("LOADMODULE"):
            self.reading.fault("E005", 'unmatched "}": no block is open here', token.span,
                               'one "}" too many, perhaps further up')
        elif token.type in ("RPAR", "RSQB") and not self._lacks_operand():
            following = self.lexer.next(token.end, state.accepts)
            if not state.fits(following.type):
                return None
            self.reading.fault("E005", f'unmatched "{token.value}"', token.span)
        elif token.type == "ELSE" and self._is_statement(state):
            if not self._lost_if:
                self.reading.fault("E001", '"else" without an "if" before it', source.span(token.start, token.end),
                                   'no ";" may stand between "}" and "else"')
            self._lost_if = False
        else:
            return None
        return token.end

    def _lacks_operand(self) -> bool:
        return self.previous is not None and self.previous.type in (
            "LPAR", "AND", "OR", "NOT", "COMPARE_OP", "EQUAL", "ASSIGN_OP")

    # --- dropping a broken construct ---------------------------------------------------------------------------------

    def _panic(self, state: Automaton, at: int, skip: bool = True) -> int:
        """Drop the construct at hand; return the offset behind it, with the stacks ready to go on."""
        head = self._condition(state)
        if head is not None and skip:
            self.lexer.is_quiet = True
            inner = sum(1 for index in open_brackets(state.values) if index > head)
            end = self._skip_condition(at, inner)
            self.lexer.is_quiet = False
            if end is not None:
                return self._replace_condition(state, head, end)
        self._to_statement(state)
        is_item = state.fits("LOADMODULE")
        if skip:
            self.lexer.is_quiet = True
            if not (is_item and self._is_fresh_item(state, at)):
                at = self._skip_item(at) if is_item else self._skip_statement(at)
            self.lexer.is_quiet = False
        token = self.lexer.next(at, NOTHING)
        self.previous = None
        if is_item:
            return at
        if token.type == "SEMICOLON" and state.fits("SEMICOLON"):
            self._feed(state, "SEMICOLON", token.start)
            return token.end
        if token.type == "RBRACE" and not state.fits("RBRACE") and state.fits("SEMICOLON"):
            self._feed(state, "SEMICOLON", at)
        return token.end if token.type == "SEMICOLON" else at

    def _as_meant(self, state: Automaton, scene: Scene) -> int | None:
        """Read `whlie (...) {` as the statement it means, so that its block stays one; return the block's offset."""
        found = meant_block(scene)
        if found is None:
            return None
        head, place = found
        at: int | None = scene.token.start
        if scene.token.type != "LBRACE":
            self.lexer.is_quiet = True
            at = self._skip_condition(scene.token.start, sum(1 for index in open_brackets(state.values) if index > place) - 1)
            self.lexer.is_quiet = False
        if at is None or not self._opens_block(at):
            return None
        state.cut(place)
        self._to_statement(state)
        self._feed(state, head, at)
        self._feed(state, "LPAR", at)
        return self._replace_condition(state, len(state.values) - 1, at)

    def _condition(self, state: Automaton) -> int | None:
        """Return the stack index of the bracket that opened a broken condition, or None outside of one."""
        values = state.values
        for index in open_brackets(values):
            if values[index].type == "LBRACE":
                return None
            head = values[index - 1]
            if values[index].type == "LPAR" and type(head) is Token and head.type in DUMMIES:
                return index
        return None

    def _skip_condition(self, at: int, inner: int) -> int | None:
        """Return the offset of the bracket that closes the condition (`inner` are open in it) or of the block behind."""
        depth = inner
        while True:
            token = self.lexer.next(at, NOTHING)
            if token.type in ("$END", "SEMICOLON", "RBRACE"):
                return None
            if token.type == "LBRACE":
                return token.start
            if token.type in ("LPAR", "LSQB"):
                depth += 1
            elif token.type in ("RPAR", "RSQB"):
                depth -= 1
                if depth < 0 or (depth <= inner and self._opens_block(token.end)):
                    return token.end
            at = token.end

    def _opens_block(self, at: int) -> bool:
        return self.lexer.next(at, NOTHING).type == "LBRACE"

    def _replace_condition(self, state: Automaton, index: int, end: int) -> int:
        head = state.values[index - 1].type
        state.cut(index + 1)
        for kind, text in DUMMIES[head]:
            self._feed(state, kind, end, text)
        self._feed(state, "RPAR", end)
        self.previous = None
        return end

    def _to_statement(self, state: Automaton) -> None:
        """Cut the stacks back to the nearest place where a statement, a label or an item may begin."""
        while state.values and not self._is_statement(state):
            state.cut(len(state.values) - 1)

    @staticmethod
    def _is_statement(state: Automaton) -> bool:
        return (state.fits("SEMICOLON") and state.fits("IF")) or state.fits("CASE") or state.fits("LOADMODULE")

    def _skip_statement(self, at: int) -> int:
        """Return the offset of the `;`, `}`, `{` or next statement at which reading can go on."""
        depth = 0
        first = True
        while True:
            token = self.lexer.next(at, NOTHING)
            if token.type in ("$END", "SEMICOLON", "RBRACE"):
                return token.start
            begins = not first and self._begins_line(token)
            if token.type == "LBRACE" or (begins and self._resumes(token, depth)):
                return token.start
            depth += (token.type in ("LPAR", "LSQB")) - (token.type in ("RPAR", "RSQB"))
            first = False
            at = token.end

    def _is_fresh_item(self, state: Automaton, at: int) -> bool:
        """Return whether a sound item begins right here, on its own line: what came before it was broken."""
        token = self.lexer.next(at, state.accepts)
        return self._begins_line(token) and state.fits(token.type)

    def _skip_item(self, at: int) -> int:
        """Return the offset of the next item: a block in braces is skipped as a whole."""
        depth = 0
        first = True
        while True:
            token = self.lexer.next(at, NOTHING)
            if token.type == "$END":
                return token.start
            begins = not first and self._begins_line(token)
            if begins and (depth <= 0 or _ITEM_WORD.match(self.text, token.start)):
                return token.start
            depth += (token.type == "LBRACE") - (token.type == "RBRACE")
            if depth <= 0 and token.type in ("SEMICOLON", "RBRACE"):
                return token.end
            first = False
            at = token.end

    def _resumes(self, token: Token, depth: int) -> bool:
        if token.type in _RESUMING and (depth <= 0 or token.type not in ("VAR", "F_NAME")):
            return True
        return token.type == "ID" and self.lexer.is_followed(token.end, "=")

    # --- stacks ------------------------------------------------------------------------------------------------------

    def _feed(self, state: Automaton, kind: str, at: int, text: str | None = None) -> bool:
        value = MARKS.get(kind, "") if text is None else text
        token = Token(kind, value, at, at, self.reading)
        self.previous = token
        return state.feed(token)

    # --- the look of the text ----------------------------------------------------------------------------------------

    def _begins_line(self, token: Token) -> bool:
        return begins_line(self.text, token.start)

    def _end_before(self, token: Token) -> int:
        if self.previous is not None and self.previous is not token and self.previous.end <= token.start:
            return self.previous.end
        return len(self.text[:token.start].rstrip())
