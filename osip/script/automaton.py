"""Run the LALR tables that Lark made from the grammar.

Lark's own loop hashes a rule object for each reduction and raises at a token that does not fit. Here the tables are
turned once into plain tuples, unit reductions carry their value along, and a misfit is a return value, which the
recovery needs anyway.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from sys import intern
from typing import Any

from lark import Lark
from lark.parsers.lalr_analysis import Shift

from osip.script.lexer import ADDRESS, Token

# A state to go to, or (number of values, rule name, callback or None when the one value stays as it is).
Action = int | tuple[int, str, Callable[[list[Any]], Any] | None]


class Tables:
    """The parse tables of one grammar; immutable once made."""
    __slots__ = ("actions", "end", "start")

    def __init__(self, start: int, end: int, actions: dict[int, dict[str, Action]]) -> None:
        self.start = start
        self.end = end
        self.actions = actions

    @classmethod
    def of(cls, lark: Lark, start: str) -> Tables:
        """Take the tables out of a Lark parser."""
        conf = lark.parse_interactive(start=start).parser_state.parse_conf
        actions: dict[int, dict[str, Action]] = {}
        for state, table in conf.states.items():
            row: dict[str, Action] = {}
            for name, (kind, target) in table.items():
                name = intern(str(name))        # Lark's own str subclass compares slowly
                if kind is Shift:
                    row[name] = target
                else:
                    size = len(target.expansion)
                    passes = size == 1 and target.options.expand1 and target.alias is None
                    row[name] = (size, intern(str(target.origin.name)), None if passes else conf.callbacks[target])
            if not row.keys().isdisjoint(("NET", "HOST", "PATH")):
                row[ADDRESS] = 0            # saves the lexer three look-ups for each token
            actions[state] = row
        return cls(conf.start_state, conf.end_state, actions)

    def simulate(self, states: list[int], kinds: Sequence[str]) -> list[int] | None:
        """Feed token types to a stack of states, which is changed; None when one does not fit."""
        for kind in kinds:
            while True:
                action = self.actions[states[-1]].get(kind)
                if action is None:
                    return None
                if type(action) is int:
                    states.append(action)
                    break
                if action[0]:
                    del states[-action[0]:]
                states.append(self.actions[states[-1]][action[1]])          # type: ignore[arg-type]
                if kind == "$END" and states[-1] == self.end:
                    return states
        return states


class Automaton:
    """One run of the tables: the stack of states and, beside it, that of values."""
    __slots__ = ("states", "tables", "values")

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.states: list[int] = [tables.start]
        self.values: list[Any] = []

    @property
    def accepts(self) -> dict[str, Action]:
        """Return what the current state knows, by token type and rule name."""
        return self.tables.actions[self.states[-1]]

    def fits(self, *kinds: str) -> bool:
        """Return whether tokens of these types could follow, one after the other."""
        return self.tables.simulate(list(self.states), kinds) is not None

    def expected(self) -> set[str]:
        """Return the token types that truly fit; `accepts` also holds some that would fail later."""
        return {kind for kind in self.accepts if kind.isupper()
                and self.fits(kind)}

    def feed(self, token: Token) -> bool:
        """Take a token; False when it does not fit. After `$END` the result is `values[-1]`."""
        actions, states, values = self.tables.actions, self.states, self.values
        kind = token.type
        while True:
            action = actions[states[-1]].get(kind)
            if type(action) is int:
                states.append(action)
                values.append(token)
                return True
            if action is None:
                return False
            size, name, callback = action               # type: ignore[misc]
            if callback is None:
                states[-1] = actions[states[-2]][name]  # type: ignore[assignment]
            elif size:
                matched = values[-size:]
                del values[-size:]
                del states[-size:]
                values.append(callback(matched))
                states.append(actions[states[-1]][name])    # type: ignore[arg-type]
            else:
                values.append(callback([]))
                states.append(actions[states[-1]][name])    # type: ignore[arg-type]
            if kind == "$END" and states[-1] == self.tables.end:
                return True

    def cut(self, length: int) -> None:
        """Drop all values above the first `length`, and their states."""
        del self.values[length:]
        del self.states[length + 1:]
