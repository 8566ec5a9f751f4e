"""Map Python annotations of exported functions to the script's parameter kinds (dsl.md section 7)."""
from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntFlag
from typing import TYPE_CHECKING, Annotated, Any, Protocol

if TYPE_CHECKING:
    from osip.core.run.ctx import Ctx

Value = str | int | None
"""What a script variable can hold; None is NULL."""


class Route(IntFlag):
    """Kinds of route, as a mask; the letters are those of the reference (`QFRBELSTV`)."""
    REQUEST = 1
    FAILURE = 2
    ONREPLY = 4
    BRANCH = 8
    ERROR = 16
    LOCAL = 32
    STARTUP = 64
    TIMER = 128
    EVENT = 256
    ANY = 511

    @classmethod
    def of(cls, routes: Route | str) -> Route:
        """Return the mask for `routes`: a mask, letters such as `"QFB"`, or `"*"`."""
        if isinstance(routes, Route):
            return routes
        mask = cls(0)
        for letter in routes:
            mask |= cls.ANY if letter == "*" else cls(1 << "QFRBELSTV".index(letter))
        return mask


ROUTE_KINDS = {
    "route": Route.REQUEST, "failure_route": Route.FAILURE, "onreply_route": Route.ONREPLY,
    "branch_route": Route.BRANCH, "error_route": Route.ERROR, "local_route": Route.LOCAL,
    "startup_route": Route.STARTUP, "timer_route": Route.TIMER, "event_route": Route.EVENT,
}
"""Route keyword -> the bit of the mask."""


class Var(Protocol):
    """A variable handed to a function by reference."""
    name: str

    def get(self, ctx: Ctx) -> Value:
        """Return the value now."""

    def set(self, ctx: Ctx, value: Value) -> bool:
        """Assign; False when the variable refuses."""


@dataclass(frozen=True, slots=True)
class Marker:
    """A parameter kind that plain types cannot express."""
    kind: str


@dataclass(frozen=True, slots=True)
class Parse:
    """Convert a text argument by `parse` (raises ValueError with words for the operator); constants once, at load."""
    parse: Callable[[str], Any]
    static: bool = False


@dataclass(frozen=True, slots=True)
class RouteOf:
    """Name a route of this keyword; it must exist when the argument is constant ("" disarms)."""
    kind: str


Static = Annotated[str, Marker("static")]
"""`str!`: the literal as it is, no variables."""
Raw = Annotated[str, Marker("raw")]
"""`str~`: taken unexpanded; the function parses it."""
FlagName = Annotated[str, Marker("flag")]
"""A flag: quoted, bare word or number."""
FailureRoute = Annotated[str, RouteOf("failure_route")]
ReplyRoute = Annotated[str, RouteOf("onreply_route")]
BranchRoute = Annotated[str, RouteOf("branch_route")]
RequestRoute = Annotated[str, RouteOf("route")]


@dataclass(frozen=True, slots=True)
class Arg:
    """One declared parameter of a function, MI command or pseudo-variable."""
    label: str
    kind: str                       # int str static raw flag re var route parsed list any
    optional: bool = False
    default: Any = None
    parse: Callable[[str], Any] | None = None
    route_kind: str = ""


def regex(text: str) -> re.Pattern[str]:
    """Compile a function's `re` argument: POSIX extended as near as Python has it, ignoring case, `.` and brackets do
    not cross line ends, `^` and `$` match at them (dsl.md section 7)."""
    return compile_pattern(one_line(posix(text)), re.IGNORECASE | re.MULTILINE)


def compile_pattern(text: str, flags: int = 0) -> re.Pattern[str]:
    """Compile a pattern; what is too large or nested too deep for that is an `re.error` like any other fault."""
    try:
        return re.compile(text, flags)
    except (RecursionError, OverflowError) as error:
        raise re.error(f"too large ({error})", text[:80]) from None


_CLASSES = {"alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z", "space": r"\s",
            "blank": r" \t", "punct": r"!-/:-@\[-`{-~", "xdigit": "0-9A-Fa-f", "print": r"\x20-\x7e",
            "graph": r"\x21-\x7e", "cntrl": r"\x00-\x1f\x7f"}


def posix(text: str) -> str:
    """Translate what POSIX extended writes differently: `[[:alpha:]]` classes, and `\\<` `\\>` word bounds."""
    text = re.sub(r"\[:(\w+):\]", lambda m: _CLASSES.get(m.group(1), m.group(0)), text)
    return text.replace(r"\<", r"\b").replace(r"\>", r"\b")


def one_line(pattern: str) -> str:
    """Keep the negated brackets of a pattern from crossing line ends, as POSIX has it when `.` may not either."""
    return re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]",
                  lambda m: m[0][:-1] + "\\n]" if m[0].startswith("[^") else m[0], pattern, flags=re.DOTALL)


def args_of(func: Callable[..., Any], skip: int) -> tuple[tuple[Arg, ...], str]:
    """Read the parameters of `func` after the first `skip`, and its result kind (`int`, `bool` or `none`)."""
    hints = typing.get_type_hints(func, globalns=_namespace(func), include_extras=True)
    params = list(inspect.signature(func).parameters.values())[skip:]
    result = hints.get("return", int)
    returns = "bool" if result is bool else "none" if result is type(None) else "int"
    return tuple(_arg(p, hints.get(p.name, str)) for p in params), returns


def _namespace(func: Callable[..., Any]) -> dict[str, Any]:
    # `Ctx` and `Env` are imported for type checkers only; a stand-in lets the hints resolve.
    space = dict(getattr(func, "__globals__", {}))
    for name in ("Ctx", "Env"):
        space.setdefault(name, object)
    return space


def _arg(param: inspect.Parameter, hint: Any) -> Arg:
    hint, nullable = _without_none(hint)
    optional = nullable or param.default is not inspect.Parameter.empty
    default = None if param.default is inspect.Parameter.empty else param.default
    kind, parse, route_kind = _kind(hint)
    return Arg(param.name, kind, optional, default, parse, route_kind)


def _without_none(hint: Any) -> tuple[Any, bool]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        rest = [part for part in typing.get_args(hint) if part is not type(None)]
        if len(rest) == 1:
            return rest[0], True
        return typing.Union[tuple(rest)], len(rest) < len(typing.get_args(hint))
    return hint, False


def _kind(hint: Any) -> tuple[str, Callable[[str], Any] | None, str]:
    if typing.get_origin(hint) is Annotated:
        for mark in hint.__metadata__:
            if isinstance(mark, Marker):
                return mark.kind, None, ""
            if isinstance(mark, Parse):
                return "parsed", mark.parse, ""
            if isinstance(mark, RouteOf):
                return "route", None, mark.kind
        hint = hint.__origin__
    if typing.get_origin(hint) is typing.Literal:
        choices = typing.get_args(hint)
        return "parsed", _one_of(choices), ""
    if hint is int:
        return "int", None, ""
    if hint is Var:
        return "var", None, ""
    if hint is re.Pattern or typing.get_origin(hint) is re.Pattern:
        return "re", regex, ""
    if hint is list or typing.get_origin(hint) is list:
        return "list", None, ""
    return ("str", None, "") if hint is str else ("any", None, "")


def _one_of(choices: tuple[Any, ...]) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        if text in choices:
            return text
        raise ValueError(f"expected one of {', '.join(map(str, choices))}")
    return parse


def flag_parser(names: tuple[str, ...], bits: dict[int, str] | None = None,
                letters: dict[str, str] | None = None) -> Callable[[str], frozenset[str]]:
    """Make a parser of comma-separated flag names that also takes the old spellings: a bit mask (`"0x02"`) or letters.

    `bits` maps one bit to its name, `letters` one letter to its name.
    """
    bits, letters = bits or {}, letters or {}

    def parse(text: str) -> frozenset[str]:
        text = text.strip()
        if bits and re.fullmatch(r"0[xX][0-9a-fA-F]+|\d+", text):
            mask = int(text, 16 if text[:2] in ("0x", "0X") else 10)
            return frozenset(name for bit, name in bits.items() if mask & bit)
        found = set()
        for part in filter(None, (p.strip() for p in text.split(","))):
            if part in names:
                found.add(part)
            elif letters and all(c in letters for c in part):
                found.update(letters[c] for c in part)
            else:
                raise ValueError(f'unknown flag "{part}"; known: {", ".join(names)}')
        return frozenset(found)
    return parse
