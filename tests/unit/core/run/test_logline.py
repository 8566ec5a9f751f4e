"""Texts of log lines: the compiled tests of a text, and what a line is about."""
from __future__ import annotations

import io
import random
from collections.abc import Iterator
from typing import Any

import pytest
from kit.message import request
from kit.script import ScriptBook

from osip.core.run.config import Config
from osip.core.run.log import set_up
from osip.core.run.logline import (
    _HINTS,
    Origin,
    _is_harmless,
    _is_plain,
    _may_tell,
    find_origin,
    is_harmless,
    is_plain,
    joined,
    may_tell,
    redact,
    safe,
)
from osip.core.sip.message import parse

pytestmark = pytest.mark.usefixtures("bare_logger")


# --- what is asked of a text ---------------------------------------------------------------------------------------

def texts() -> Iterator[str]:
    """Texts on both sides of every decision: each hint, cut, in other letters, at either end; odd characters."""
    yield from ("", " ", "~", "plain words", "\x7f", "\x1f", "a\nb", "\u00e4", "\u20ac", "\udcff", "\x11")
    for hint in _HINTS:
        for text in (hint, hint.upper(), hint.title(), hint[:-1], hint[1:], hint[:2] + " " + hint[2:]):
            yield from (text, "x" + text, text + "x", text[:1] + text)
    for length in range(20):
        for at in range(length):
            for odd in ("\x00", "\x1f", "\x7f", " ", "~", "\x80"):
                yield "x" * at + odd + "x" * (length - at - 1)
                yield "\x20" * at + odd + "\x7e" * (length - at - 1)
    chance = random.Random(7)
    letters = "".join(sorted(set("".join(_HINTS)))) + "RPX[ \x11"
    for _ in range(3000):
        yield "".join(chance.choices(letters, k=chance.randrange(12)))
    for _ in range(3000):
        hint = chance.choice(_HINTS)
        middle = "".join(chance.choice((char, char.upper())) for char in hint)
        yield "".join(chance.choices("aehlnpst ", k=chance.randrange(40))) + middle + "".join(
            chance.choices("adiorw:/", k=chance.randrange(9)))


def test_the_quick_tests_agree_with_the_plain_ones() -> None:
    for text in texts():
        assert bool(is_plain(text)) == _is_plain(text), text
        assert bool(may_tell(text)) == _may_tell(text), text
        assert bool(is_harmless(text)) == _is_harmless(text), text


@pytest.mark.parametrize("parts", [[], [""], ["a", "", "bc"], ["\x00", "\u00e4"], ["x" * 70, "\udcff", "y"]])
def test_joined_is_what_join_gives(parts: list[str]) -> None:
    found = joined(parts)
    assert found == "".join(parts) and hash(found) == hash("".join(parts))
    assert all(found[at:at + 1] in "".join(parts) for at in range(len(found)))


def test_what_is_plain_stays() -> None:
    assert safe("a b") == "a b" and safe("a\r\nb\x00") == "a\n\tb\\x00" and redact("Password: abc") == "Password:***"


# --- what a line is about ------------------------------------------------------------------------------------------

def test_a_line_is_about_the_message_that_is_named() -> None:
    one = find_origin(parse(request("INVITE", call_id="abc")))
    assert (one.call_id, one.method, one.cseq, one.at, one.route, one.ctx) == ("abc", "INVITE", "1", "", "", None)
    assert Origin().call_id == "" and Origin(None, "/x/a.cfg", 3).at == "a.cfg:3"


@pytest.mark.parametrize(("call_id", "shown"), [
    ("a b", "a?b"), ("a[b]", "a?b?"), ("x" * 129, "x" * 128), ("a\\b", "a\\b"), ("", "")])
def test_a_call_id_breaks_no_line(call_id: str, shown: str) -> None:
    class Named:
        pass
    named: Any = Named()
    named.call_id = call_id
    assert find_origin(named).call_id == shown


def test_a_route_that_runs_says_more_than_the_message() -> None:
    book = ScriptBook('route {\n xlog("here\\n"); }', "sl")
    out = io.StringIO()
    for handler in set_up(Config()).handlers:
        handler.setStream(out)      # type: ignore[attr-defined]
    book.recv("OPTIONS", call_id="abc")
    assert out.getvalue().endswith(" call_id=abc at=book.cfg:2] here\n")
