"""The few helpers that emitted code calls for values: NULL rules, comparison, arithmetic, text (dsl.md section 9).

A value is str, int or None (NULL). `ERR` stands for "no value": a failed expression. A condition is True, False or -1
(error); it is annotated as Any, for compiled code would make plain numbers of the two. `form` tells what the declared
type of a variable adds to its Python type: `DUAL`, text that also reads as a number (type `si`), and `BARE`, a number
without a text form (type `i` and literals).
"""
from __future__ import annotations

import logging
import operator
import re
import sys
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from osip import script
from osip.core.run.place import place_in

log = logging.getLogger("osip.language")

DUAL, BARE = 1, 2
_INT_MIN, _INT_MAX = -0x80000000, 0x7FFFFFFF
_NUMBER = re.compile(r"[+-]?\d+\Z", re.ASCII)
_OWN = str(script.__path__[0])


class _Err:
    """Be the value of an expression that has none."""
    __slots__ = ()

    def __repr__(self) -> str:
        return "ERR"


ERR = _Err()


def where() -> str:
    """Return the place in the script that is running, as `file:line`."""
    frame: Any = sys._getframe()        # where this is compiled that is already the script's
    while frame is not None:
        name: str = frame.f_code.co_filename
        if not name.startswith(_OWN):
            return place_in(frame.f_globals, name, frame.f_lineno)
        frame = frame.f_back
    return "?"


def clash(what: str) -> int:
    """Log a type error with its place in the script; return the error value of a condition."""
    log.warning("%s at=%s", what, where())
    return -1


# --- numbers and text ------------------------------------------------------------------------------------------------

def text(value: Any) -> str:
    """Print a value in a format string."""
    return value if isinstance(value, str) else "<null>" if value is None else str(value)


def low(value: Any) -> str | None:
    """Return the text of a value folded for comparison; None for NULL."""
    if isinstance(value, str):
        return value.lower()
    return None if value is None else str(value)


def fold(value: Any) -> str | None:
    """Return text folded for `switch`; None for what is no text."""
    return value.lower() if isinstance(value, str) else None


def number(value: Any, form: int = 0) -> int | None:
    """Return the integer form of a value, None when it has none."""
    if isinstance(value, int):
        return None if isinstance(value, bool) else value
    if form & DUAL and value is not None:
        if len(value) <= 20 and value.isascii() and value.isdigit():     # as nearly always, without an expression
            return int(value)
        if _NUMBER.match(value):
            return int(value)
    return None


def wrap(value: int) -> int:
    """Wrap a number to 32 bits, signed."""
    if _INT_MIN <= value <= _INT_MAX:
        return value
    value &= 0xFFFFFFFF
    return value - 0x100000000 if value > _INT_MAX else value


# --- comparison ------------------------------------------------------------------------------------------------------

def with_number(op: Callable[[Any, Any], bool], value: Any, literal: int, form: int = 0) -> Any:
    """Compare a variable with a number literal; -1 when the variable holds text."""
    if isinstance(value, int):
        return op(value, literal)
    if value is None:
        return op is operator.ne
    found = number(value, form)
    if found is None:
        return clash("invalid comparison of a string with an integer")
    return op(found, literal)


def with_text(op: Callable[[Any, Any], bool], value: Any, literal: str) -> bool:
    """Order a variable against a string literal (already folded)."""
    return value is not None and op(low(value), literal)


def both(op: Callable[[Any, Any], bool], left: Any, right: Any, lform: int = 0, rform: int = 0) -> Any:
    """Compare two variables; integers when both have that form, else text, else -1."""
    if left is None or right is None:
        return op is operator.ne if left is not right else op is operator.eq
    a, b = number(left, lform), number(right, rform)
    if a is not None and b is not None:
        return op(a, b)
    if (a is not None and lform & BARE) or (b is not None and rform & BARE):
        return clash("invalid comparison of a string with an integer")
    return op(low(left), low(right))


def matches(search: Callable[[str], Any], value: Any) -> bool:
    """Search a variable with a compiled expression; NULL does not match."""
    if isinstance(value, str):
        return search(value) is not None
    return value is not None and search(str(value)) is not None


class Patterns:
    """Match against expressions held in variables; keep the last compiled ones."""
    __slots__ = ("_compile", "_known")

    def __init__(self, compile_one: Callable[[str], re.Pattern[str]]) -> None:
        self._known: dict[str, re.Pattern[str]] = {}
        self._compile = compile_one

    def get(self, source: str) -> re.Pattern[str] | None:
        """Return the compiled expression; None (and a log line) when it is malformed."""
        known = self._known.get(source)
        if known is None:
            try:
                known = self._compile(source)
            except (re.error, ValueError, OverflowError, RecursionError) as error:
                clash(f"bad regular expression {source!r}: {error}")
                return None
            if len(self._known) >= 64:
                self._known.clear()
            self._known[source] = known
        return known

    def match(self, left: Any, right: Any) -> Any:
        """Search `left` with the expression in `right`; -1 when that is none."""
        if left is None or right is None:
            return left is right
        if not isinstance(right, str):
            return clash("invalid regular expression: an integer")
        found = self.get(right)
        if found is None:                       # not one expression: its type would be that of numbers
            return -1
        return found.search(text(left)) is not None

    def differ(self, left: Any, right: Any) -> Any:
        """Negate `match`; an error stays one."""
        found: Any = self.match(left, right)
        if found is True or found is False:
            return not found
        return found


def differs(search: Callable[[str], Any], value: Any) -> bool:
    """Negate `matches`: NULL differs from every expression."""
    return not matches(search, value)


def truth(value: Any) -> Any:
    """Return the truth of a computed value; -1 when there is none."""
    return -1 if value is ERR else bool(value)


def flag(state: Any) -> Any:
    """Return a comparison's outcome as a number for arithmetic."""
    return ERR if state < 0 else 1 if state else 0


# --- arithmetic ------------------------------------------------------------------------------------------------------

def add(a: Any, b: Any, form: int = 0) -> Any:
    """Add integers or join texts: the left operand decides (dsl.md section 9.3). `form` is that of `b`."""
    if isinstance(a, int) and not isinstance(a, bool):
        return wrap(a + b) if isinstance(b, int) and not isinstance(b, bool) else arith(operator.add, a, b, form)
    if a is ERR or b is ERR:
        return ERR
    if isinstance(b, int) and form & BARE:
        clash("invalid operation: a string and an integer literal")
        return ERR
    left: Any = "" if a is None else a
    return left if b is None else left + b if isinstance(b, str) else left + str(b)


def arith(op: Callable[[int, int], int], a: Any, b: Any, form: int = 0) -> Any:
    """Apply an integer operation; ERR unless the left operand is an integer and the right has that form or is NULL."""
    if a is ERR or b is ERR:
        return ERR
    if not isinstance(a, int) or isinstance(a, bool):
        clash("invalid operation: the left operand is no integer")
        return ERR
    right = 0 if b is None else number(b, form)
    if right is None:
        clash("invalid operation: an integer and a string")
        return ERR
    try:
        return wrap(op(a, right))
    except ZeroDivisionError:
        clash("division by zero")
    except (ValueError, OverflowError, MemoryError):
        clash("invalid operation: bad shift")
    return ERR


def bits(op: Callable[[int, int], int], a: Any, b: Any, form: int = 0) -> Any:
    """Apply `&`, `|` or `^`: to integers, or bytewise to texts of equal length."""
    if isinstance(a, str) and isinstance(b, str):
        left, right = a.encode("utf-8", "surrogateescape"), b.encode("utf-8", "surrogateescape")
        if len(left) != len(right):
            clash("invalid operation: strings of different length")
            return ERR
        return bytes(map(op, left, right)).decode("utf-8", "surrogateescape")
    return arith(op, a, b, form)


def divide(a: int, b: int) -> int:
    """Divide, truncating toward zero."""
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def modulo(a: int, b: int) -> int:
    """Return the remainder with the sign of the left operand."""
    rest = abs(a) % abs(b)
    return -rest if a < 0 else rest


def shift_left(a: int, b: int) -> int:
    """Shift left within 32 bits."""
    return a << (b & 31)


def shift_right(a: int, b: int) -> int:
    """Shift right."""
    return a >> (b & 31)


def invert(a: Any, form: int = 0) -> Any:
    """Return the bitwise complement."""
    found = number(a, form) if a is not ERR else None
    if found is None:
        if a is not ERR:
            clash("invalid operation: ~ of what is no integer")
        return ERR
    return ~found


def compound(function: Callable[..., Any], a: Any, b: Any, form: int = 0) -> Any:
    """Compute a compound assignment: both sides must have a value."""
    if a is None or b is None:
        clash("invalid assignment: an operand is NULL")
        return ERR
    return function(a, b, form)


OPERATIONS: Mapping[str, Callable[..., Any]] = MappingProxyType({
    "+": add, "-": partial(arith, operator.sub), "*": partial(arith, operator.mul), "/": partial(arith, divide),
    "%": partial(arith, modulo), "<<": partial(arith, shift_left), ">>": partial(arith, shift_right),
    "&": partial(bits, operator.and_), "|": partial(bits, operator.or_), "^": partial(bits, operator.xor)})
"""Operator of the language -> function `(a, b, form of b)`."""


# --- values for calls, routes and indexes ----------------------------------------------------------------------------

def code(value: Any) -> int:
    """Return the code that `return(value)` gives: NULL is -1, what is no integer 1."""
    if isinstance(value, int):
        return 1 if isinstance(value, bool) else value
    return -1 if value is None else 1


def bounded(limit: int, value: str) -> str | None:
    """Return a printed format string; None (and a log line) when it exceeds `limit` bytes."""
    if len(value) * 4 > limit and len(value.encode("utf-8", "surrogateescape")) > limit:
        clash(f"format string gives more than {limit} bytes")
        return None
    return value


def integer(value: Any, form: int = 0) -> int | None:
    """Return an int argument's value from a variable; None when it holds none."""
    return number(value, form)


def parsed_int(value: str | None) -> int | None:
    """Return an int argument's value from text: decimal, hex or octal."""
    if value is None:
        return None
    text_ = value.strip().lower()
    try:
        digits = text_.lstrip("+-")
        if digits[:2] == "0x":
            return int(text_, 16)
        return int(text_, 8) if len(digits) > 1 and digits[0] == "0" else int(text_)
    except ValueError:
        return None


def string(value: Any) -> str | None:
    """Return a str argument's value; None for NULL."""
    return value if isinstance(value, str) or value is None else str(value)


def refuse(name: str) -> int:
    """Log that a call was not made because an argument has no value; return its code."""
    log.error("%s: an argument has no usable value, not called at=%s", name, where())
    return -1


def decline(name: str) -> bool:
    """Do as `refuse` for a function that says yes or no."""
    refuse(name)
    return False


def convert(parse: Callable[[str], Any], value: Any) -> Any:
    """Convert an argument at run time; ERR (and a log line) when it does not fit."""
    if value is None:
        return ERR
    try:
        return parse(text(value))
    except (ValueError, re.error) as error:
        clash(f"bad argument {value!r}: {error}")
        return ERR


def transform(function: Callable[..., Any], value: Any, *args: Any) -> Any:
    """Apply a transformation to the printed value: NULL in, NULL out; what fails gives NULL."""
    if value is None:
        return None
    try:
        return function(value if isinstance(value, str) else str(value), *args)
    except Exception as error:          # any fault of a transformation is a NULL, never the end of the script
        log.error("transformation failed name=%s error=%s at=%s", getattr(function, "__name__", function), error,
                  where())
        return None


def transform_in(ctx: Any, function: Callable[..., Any], value: Any, *args: Any) -> Any:
    """Apply a transformation that wants to know the running context."""
    made: Any = partial(function, ctx=ctx)
    made.__name__ = getattr(function, "__name__", "?")
    return transform(made, value, *args)
