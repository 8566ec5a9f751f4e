"""Keep what happened in a test, in order: messages in and out, routes, statements, log lines."""
from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from osip.testing.network import Sent

LEVELS = {60: "alert", 50: "critical", 40: "error", 30: "warning", 25: "notice", 20: "info", 10: "debug"}


@dataclass(slots=True)
class Received:
    """A message that was handed to the server."""
    data: bytes
    source: str


@dataclass(slots=True)
class Entered:
    """A route began; `depth` is 0 for one that the server called."""
    route: str
    depth: int


@dataclass(slots=True)
class Step:
    """A statement ran; `changes` says what was different after it."""
    file: str
    line: int
    col: int
    route: str
    depth: int
    text: str
    changes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Said:
    """A log line: of the script (`osip.script`, by xlog) or of the server."""
    level: str
    logger: str
    text: str

    @property
    def by_script(self) -> bool:
        """Say whether xlog wrote it."""
        return self.logger == "osip.script"


@dataclass(slots=True)
class Noted:
    """A remark of the test itself."""
    text: str


class Journal:
    """The events of one bench."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def add(self, event: Any) -> None:
        """Note an event."""
        self.events.append(event)

    def of(self, kind: type) -> Iterator[Any]:
        """Walk the events of one kind."""
        return (event for event in self.events if isinstance(event, kind))

    @property
    def said(self) -> list[Said]:
        """The log lines."""
        return list(self.of(Said))

    @property
    def sent(self) -> list[Sent]:
        """The messages that left."""
        return list(self.of(Sent))

    @property
    def routes(self) -> list[str]:
        """The routes that ran, in the order of their first run."""
        return list(dict.fromkeys(event.route for event in self.of(Entered)))


class Listener(logging.Handler):
    """Write log lines into a journal instead of anywhere else; use it as `with listener:`."""

    def __init__(self, journal: Journal, level: int) -> None:
        super().__init__(1)
        self._journal, self._limit = journal, level
        self._before: tuple[Any, ...] = ()

    def emit(self, record: logging.LogRecord) -> None:
        """Note one line."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += f" ({type(record.exc_info[1]).__name__}: {record.exc_info[1]})"
        self._journal.add(Said(LEVELS.get(record.levelno, record.levelname.lower()), record.name, text))

    def __enter__(self) -> Listener:
        logger = logging.getLogger("osip")
        self._before = (list(logger.handlers), logger.propagate, logger.level)
        logger.handlers, logger.propagate = [self], False
        logger.setLevel(self._limit)
        return self

    def __exit__(self, *_: object) -> None:
        logger = logging.getLogger("osip")
        self._limit = logger.level          # the script may have set another one
        logger.handlers, logger.propagate, _ = self._before
        logger.setLevel(self._before[2])
