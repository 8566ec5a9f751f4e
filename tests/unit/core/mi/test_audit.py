"""What is written down of management commands, and that secrets are not."""
from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from osip.api import MIError, Module, mi
from osip.core.exports.registry import Registry
from osip.core.exports.spec import Role
from osip.core.mi.access import Caller
from osip.core.mi.audit import LONGEST_RESULT, MOST_REFUSALS, Audit, concealed, redacted
from osip.core.mi.commands import Commands

BOB = Caller("bob", Role.OPERATE, via="http", peer="192.0.2.7:5000")


class Pot(Module):
    """Has commands."""
    name = "pot"

    @mi("look", role=Role.READ)
    def look(self) -> str:
        """Look."""
        return "hot"

    @mi("login")
    async def login(self, user: str, password: str) -> None:
        """Log in."""
        if user == "nobody":
            raise MIError(404, "no such user")
        if user == "bug":
            raise RuntimeError("bug")

    @mi("stop", role=Role.ADMIN)
    def stop(self) -> None:
        """Stop."""


@pytest.fixture
def commands() -> Commands:
    registry = Registry()
    registry.add(Pot)
    registry.create()
    return Commands(registry)


@pytest.fixture
def lines() -> Iterator[list[tuple[int, str]]]:
    found: list[tuple[int, str]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append((record.levelno, record.getMessage()))
    logger, keep = logging.getLogger("osip.audit"), Keep()
    logger.addHandler(keep)
    logger.setLevel(logging.DEBUG)
    yield found
    logger.removeHandler(keep)
    logger.setLevel(logging.NOTSET)


async def test_what_is_written(commands: Commands, lines: list[tuple[int, str]]) -> None:
    assert await commands.perform("look", None, BOB) == "hot"
    assert await commands.perform("login", {"user": "al", "password": "sesame"}, BOB) == "OK"
    for user, kind in (("nobody", MIError), ("bug", RuntimeError)):
        with pytest.raises(kind):
            await commands.perform("login", [user, "sesame"], BOB)
    for name, params in (("stop", []), ("pot:none", {"x": "1"}), ("login", {"user": 1})):
        with pytest.raises(MIError):
            await commands.perform(name, params, BOB)
    head = "who=bob role=operate via=http from=192.0.2.7:5000 command="
    begins = [(20, "pot:look outcome=ok params={} took_ms="),
              (25, 'pot:login outcome=ok params={"user": "al", "password": "***"} took_ms='),
              (25, 'pot:login outcome=404 params={"user": "nobody", "password": "***"} took_ms='),
              (25, 'pot:login outcome=failed params={"user": "bug", "password": "***"} took_ms='),
              (30, '"pot:stop" outcome=403 params={}'), (30, '"pot:none" outcome=-32601 params={"x": "1"}'),
              (30, '"pot:login" outcome=-32602 params={"user": 1}')]
    for (level, line), (expected, begin) in zip(lines, begins, strict=True):
        assert level == expected and line.startswith(head + begin)
    assert "sesame" not in str(lines)


@pytest.mark.parametrize(("params", "shown"), [
    ({"password": "x", "auth_token": 7, "HA1": "x", "confidentiality-key": "x"},
     '{"password": "***", "auth_token": "***", "HA1": "***", "confidentiality-key": "***"}'),
    ({"headers": "Authorization: Digest response=abc\r\nX: 1"}, '{"headers": "Authorization: ***\\r\\nX: 1"}'),
    ({"url": "mysql://u:pw@h/d"}, '{"url": "mysql://u:***@h/d"}'),
    ({"socket": "rabbitmq:u:pw@h/key"}, '{"socket": "rabbitmq:u:***@h/key"}'),
    ({"text": "a password=hunter2 b"}, '{"text": "a password=*** b"}'),
    ({"many": ["a", {"password": "x1"}]}, '{"many": "[\\"a\\", {\\"password\\": ***}]"}'),
    ({"one": {"secret": "x", "b": 1}}, '{"one": "{\\"secret\\": ***, \\"b\\": 1}"}'),
    ({"a": "x\ny\x1b[0m"}, '{"a": "x\\ny\\u001b[0m"}'), ({"n": None, "t": True}, '{"n": null, "t": true}')])
def test_parameters_without_secrets(params: dict[str, Any], shown: str) -> None:
    assert redacted(None, params) == shown


def test_long_and_deep_values_are_short() -> None:
    deep: Any = []
    for _ in range(2000):
        deep = [deep]
    assert len(redacted(None, {"a": "x" * 100_000})) < 300
    assert "deep" in redacted(None, {"a": deep})


def test_refusals_do_not_flood(lines: list[tuple[int, str]]) -> None:
    now = [0.0]
    audit = Audit(lambda: now[0])
    for _ in range(MOST_REFUSALS + 90):
        audit.refused(BOB, "x" * 10_000, "{}", "-32601")
    assert len(lines) == MOST_REFUSALS and max(len(line) for _, line in lines) < 2000
    audit.refused(Caller("al"), "x", "{}", "-32601")
    assert lines[-1][1].startswith("who=al") and len(lines) == MOST_REFUSALS + 1, "each has his own share"
    now[0] = 11.0
    audit.refused(BOB, "x", "{}", "-32601")
    assert lines[-1][1].endswith("left_out=90")


def test_results_for_others(commands: Commands) -> None:
    fetch = dataclasses.replace(commands.find("look"), name="fetch", group="cache")
    assert fetch.canonical == "cache:fetch" and concealed(fetch, {"value": "hot"}) == "***"
    assert concealed(None, {"a": [1, None, 2.5, True, ("x",)], "api_key": "k"}) == {"a": [1, None, 2.5, True, ["x"]], "api_key": "***"}
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep]
    assert str(concealed(None, deep)).count("[") < 30
    cut = concealed(None, {str(number): "x" * 500 for number in range(10_000)})
    assert len(str(cut)) < LONGEST_RESULT * 1.2 and cut["..."].endswith(" more")
