"""Calculate with floating-point numbers: expressions, reverse Polish notation, rounding."""
from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Final

from osip.api import Ctx, Module, Var, function, param

MAX_TEXT: Final = 4096
MAX_DEPTH: Final = 100
_TOKEN: Final = re.compile(r"\s*(?:((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|([A-Za-z][A-Za-z0-9]*)|([-+*/%^(),]))")
_FUNCTIONS: Final[dict[str, Callable[[float], float]]] = {
    "abs": abs, "acos": math.acos, "asin": math.asin, "atan": math.atan, "ceil": math.ceil, "cos": math.cos,
    "cosh": math.cosh, "exp": math.exp, "floor": math.floor, "ln": math.log, "log": math.log10, "sin": math.sin,
    "sinh": math.sinh, "sqrt": math.sqrt, "tan": math.tan, "tanh": math.tanh}
_UNARY: Final[dict[str, Callable[[float], float]]] = {
    "neg": lambda a: -a, "exp": math.exp, "ln": math.log, "log10": math.log10, "abs": abs, "sqrt": math.sqrt,
    "cbrt": math.cbrt, "floor": math.floor, "ceil": math.ceil, "trunc": math.trunc, "nearbyint": round,
    "round": lambda a: _away(a, 0)}
_BINARY: Final[dict[str, Callable[[float, float], float]]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b,
    "mod": math.fmod, "%": math.fmod, "pow": math.pow, "^": math.pow}
_CONSTANTS: Final = {"e": math.e, "pi": math.pi}
_FAULTS: Final = (ValueError, ArithmeticError, IndexError)


class Evaluation:
    """Evaluate one expression; ValueError says what is wrong with it."""
    __slots__ = ("_at", "_depth", "_tokens")

    def __init__(self, text: str) -> None:
        if len(text) > MAX_TEXT:
            raise ValueError("the expression is too long")
        self._tokens: list[str] = []
        self._at = self._depth = 0
        pos, end = 0, len(text.rstrip())
        while pos < end:
            found = _TOKEN.match(text, pos)
            if found is None:
                raise ValueError(f"unexpected {text[pos:].strip()[:1]!r} at character {pos + 1}")
            self._tokens.append(found[0].strip())
            pos = found.end()

    def result(self) -> float:
        """Return the value of the whole expression."""
        value = self._sum()
        if self._at < len(self._tokens):
            raise ValueError(f"unexpected {self._tokens[self._at]!r}")
        return value

    def _next(self, *wanted: str) -> str:
        token = self._tokens[self._at] if self._at < len(self._tokens) else ""
        if token and (not wanted or token in wanted):
            self._at += 1
            return token
        return ""

    def _chain(self, below: Callable[[], float], *operators: str) -> float:
        value = below()
        while operator := self._next(*operators):
            value = _BINARY[operator](value, below())
        return value

    def _sum(self) -> float:
        return self._chain(self._product, "+", "-")

    def _product(self) -> float:
        return self._chain(self._signed, "*", "/", "%")

    def _signed(self) -> float:
        sign = 1.0
        while operator := self._next("+", "-"):
            sign = -sign if operator == "-" else sign
        return sign * self._chain(self._operand, "^")

    def _operand(self) -> float:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError("nested too deeply")
        token = self._next()
        if not token:
            raise ValueError("the expression ends too early")
        if token == "-":                                # 2^-1
            value = -self._operand()
        elif token == "(":
            value = self._closed()
        elif token in _FUNCTIONS:
            if not self._next("("):
                raise ValueError(f'"(" is missing after {token}')
            value = float(_FUNCTIONS[token](self._closed()))
        elif token in _CONSTANTS:
            value = _CONSTANTS[token]
        elif token[0].isdigit() or token[0] == ".":
            value = float(token)
        else:
            raise ValueError(f"unexpected {token!r}")
        self._depth -= 1
        return value

    def _closed(self) -> float:
        value = self._sum()
        if not self._next(")"):
            raise ValueError('")" is missing')
        return value


def evaluate_rpn(text: str) -> float:
    """Evaluate reverse Polish notation, blank-separated; ValueError says what is wrong with it."""
    if len(text) > MAX_TEXT:
        raise ValueError("the expression is too long")
    stack: list[float] = []
    for word in text.split():
        if word in _BINARY:
            second, first = stack.pop(), stack.pop()
            stack.append(_BINARY[word](first, second))
        elif word in _UNARY:
            stack.append(_UNARY[word](stack.pop()))
        elif word in _CONSTANTS:
            stack.append(_CONSTANTS[word])
        elif word == "dup":
            stack.append(stack[-1])
        elif word == "drop":
            stack.pop()
        elif word == "swap":
            stack[-1], stack[-2] = stack[-2], stack[-1]
        else:
            stack.append(float(word))
    if len(stack) != 1:
        raise ValueError(f"{len(stack)} values are left, not one")
    return stack[0]


def _away(value: float, digits: int) -> float:
    """Round half away from zero."""
    scale = 10.0 ** digits
    return math.copysign(math.floor(abs(value) * scale + 0.5) / scale, value)


class Mathops(Module):
    """Floating-point arithmetic on texts."""

    decimal_digits = param(6, ge=0, le=15, live=True, doc="Digits after the point in results.")

    def _put(self, ctx: Ctx, word: str, result: Var, calculate: Callable[[], float]) -> int:
        try:
            value = float(calculate())
            if not math.isfinite(value):
                raise ValueError("the result is not a finite number")
        except _FAULTS as error:
            self.env.log.error("mathops: %s: %s", word, error if str(error) else type(error).__name__)
            return -1
        text = f"{value:.{self.decimal_digits}f}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        return 1 if result.set(ctx, "0" if text == "-0" else text) is not False else -1

    def _put_integer(self, ctx: Ctx, word: str, result: Var, number: str, shape: Callable[[float], int]) -> int:
        try:
            value = str(shape(float(number)))
        except _FAULTS:
            self.env.log.error("mathops: %s: %r is not a number", word, number)
            return -1
        return 1 if result.set(ctx, value) is not False else -1

    @function()
    def math_eval(self, ctx: Ctx, expression: str, result: Var) -> int:
        """Evaluate an expression with + - * / % ^, parentheses and functions; -1 when it cannot be."""
        return self._put(ctx, "math_eval", result, lambda: Evaluation(expression).result())

    @function()
    def math_rpn(self, ctx: Ctx, expression: str, result: Var) -> int:
        """Evaluate an expression in reverse Polish notation."""
        return self._put(ctx, "math_rpn", result, lambda: evaluate_rpn(expression))

    @function()
    def math_floor(self, ctx: Ctx, number: str, result: Var) -> int:
        """Round towards minus infinity."""
        return self._put_integer(ctx, "math_floor", result, number, math.floor)

    @function()
    def math_ceil(self, ctx: Ctx, number: str, result: Var) -> int:
        """Round towards plus infinity."""
        return self._put_integer(ctx, "math_ceil", result, number, math.ceil)

    @function()
    def math_trunc(self, ctx: Ctx, number: str, result: Var) -> int:
        """Round towards zero."""
        return self._put_integer(ctx, "math_trunc", result, number, math.trunc)

    @function()
    def math_round(self, ctx: Ctx, number: str, result: Var, decimals: int | None = None) -> int:
        """Round half away from zero, to an integer or to so many decimals."""
        return self._put(ctx, "math_round", result, lambda: _away(float(number), max(-300, min(300, decimals or 0))))

    @function()
    def math_round_sf(self, ctx: Ctx, number: str, result: Var, figures: int | None = None) -> int:
        """Round half away from zero to so many significant figures (by default 1)."""
        def shape() -> float:
            value = float(number)
            wanted = 1 if figures is None else figures
            if wanted < 1:
                raise ValueError("there must be a significant figure at least")
            return _away(value, wanted - 1 - math.floor(math.log10(abs(value)))) if value else 0.0
        return self._put(ctx, "math_round_sf", result, shape)

    @function()
    def math_compare(self, ctx: Ctx, number1: str, number2: str, result: Var) -> int:
        """Compare: -1, 0 or 1 into the variable."""
        try:
            first, second = float(number1), float(number2)
        except ValueError:
            self.env.log.error("mathops: math_compare: %r or %r is not a number", number1, number2)
            return -1
        return 1 if result.set(ctx, (first > second) - (first < second)) is not False else -1
