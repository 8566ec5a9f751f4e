"""Annotations become parameter kinds; regular expressions are those of POSIX, as near as Python has them."""
from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import pytest

from osip.core.exports.types import (BranchRoute, FailureRoute, FlagName, Parse, Raw, ReplyRoute, RequestRoute, Route,
    Static,
                                     Var, args_of, flag_parser, one_line, posix, regex)


@pytest.mark.parametrize(("letters", "mask"), [
    ("Q", 1), ("QF", 3), ("QRFBL", 47), ("E", 16), ("STV", 448), ("*", 511), ("Q*", 511), ("", 0), (Route.ERROR, 16)])
def test_routes(letters: str | Route, mask: int) -> None:
    assert Route.of(letters) == mask


def test_an_unknown_letter_is_refused() -> None:
    with pytest.raises(ValueError):
        Route.of("X")


@pytest.mark.parametrize(("hint", "kind", "optional"), [
    (int, "int", False), (str, "str", False), (int | None, "int", True), (str | None, "str", True), (Static, "static",
        False),
    (Raw, "raw", False), (FlagName, "flag", False), (Var, "var", False), (Var | None, "var", True), (re.Pattern, "re",
        False),
    (re.Pattern[str] | None, "re", True), (list[str], "list", False), (list, "list", False), (int | str, "any", False),
    (int | str | None, "any", True), (Annotated[int, Parse(int)], "parsed", False), (Literal["a", "b"], "parsed",
        False),
    (FailureRoute, "route", False), (Any, "any", False), (Annotated[str, "a remark"], "str", False)])
def test_kinds(hint: Any, kind: str, optional: bool) -> None:
    def word(self: Any, ctx: Any, x: Any) -> int:
        return 1
    word.__annotations__ = {"x": hint, "return": int}
    (arg,), _ = args_of(word, 2)
    assert (arg.label, arg.kind, arg.optional) == ("x", kind, optional)


@pytest.mark.parametrize(("hint", "kind"), [
    (FailureRoute, "failure_route"), (ReplyRoute, "onreply_route"), (BranchRoute, "branch_route"), (RequestRoute,
        "route")])
def test_route_kinds(hint: Any, kind: str) -> None:
    def word(self: Any, ctx: Any, x: Any = "") -> None: ...
    word.__annotations__ = {"x": hint, "return": None}
    (arg,), returns = args_of(word, 2)
    assert (arg.route_kind, arg.optional, arg.default, returns) == (kind, True, "", "none")


@pytest.mark.parametrize(("result", "returns"), [(int, "int"), (bool, "bool"), (None, "none"), (int | bool, "int")])
def test_results(result: Any, returns: str) -> None:
    def word(self: Any, ctx: Any) -> None: ...
    word.__annotations__ = {"return": result}
    assert args_of(word, 2)[1] == returns


def test_a_choice_is_checked() -> None:
    def word(self: Any, ctx: Any, x: Literal["a", "b"]) -> int:
        return 1
    (arg,), _ = args_of(word, 2)
    assert arg.parse is not None and arg.parse("a") == "a"
    with pytest.raises(ValueError, match="one of a, b"):
        arg.parse("c")


@pytest.mark.parametrize(("pattern", "text", "found"), [
    ("abc", "xABCx", True), ("^b", "a\nb", True), ("a$", "a\nb", True), ("a.b", "a\nb", False), ("a[^x]b", "a\nb",
        False),
    ("a[^x]b", "ayb", True), ("a[\nx]b", "a\nb", True), (r"a\[^x", "a[^x", False), (r"a\[\^x", "a[^x", True),
    ("a[^]x]b", "a]b", False), ("a[^]x]b", "ayb", True), ("a[]x]b", "a]b", True), ("[[:alpha:]]+9", "xy9", True),
    ("[[:digit:]]", "x", False),
    ("[^[:space:]]", " ", False), ("[[:upper:][:digit:]]", "7", True), (r"\<cat\>", "a cat!", True), (r"\<cat\>",
        "concat", False),
    (r"[^\n]x", "yx", True)])
def test_regex(pattern: str, text: str, found: bool) -> None:
    assert (regex(pattern).search(text) is not None) == found


@pytest.mark.parametrize("pattern", ["(", "[a", "*a", "a{2,1}"])
def test_a_bad_regex(pattern: str) -> None:
    with pytest.raises(re.error):
        regex(pattern)


@pytest.mark.parametrize(("pattern", "result"), [
    ("a[^b]c", r"a[^b\n]c"), (r"a\[^b]c", r"a\[^b]c"), ("[^]]", r"[^]\n]"), ("[ab]", "[ab]"), (r"[^\]]", r"[^\]\n]"),
    ("", "")])
def test_one_line(pattern: str, result: str) -> None:
    assert one_line(pattern) == result


def test_posix_leaves_the_rest() -> None:
    assert posix(r"^a(b|c)\.d{2}$") == r"^a(b|c)\.d{2}$"


@pytest.mark.parametrize(("text", "result"), [("a , b", {"a", "b"}), (",,", set()), ("3", {"a", "b"}), ("0x2", {"b"}),
    ("xy", {"a", "b"})])
def test_flag_parser(text: str, result: set[str]) -> None:
    assert flag_parser(("a", "b"), {1: "a", 2: "b"}, {"x": "a", "y": "b"})(text) == result


@pytest.mark.parametrize("text", ["c", "a;b", "xz", "-1"])
def test_bad_flags(text: str) -> None:
    with pytest.raises(ValueError, match="unknown flag"):
        flag_parser(("a", "b"), {1: "a"}, {"x": "a"})(text)
