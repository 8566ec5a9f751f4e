"""Take finished lines of the log to where they go, without the records of `logging`.

What each message may write (accounting, xlog) goes through a `DirectLog`, which hands lines to the outlets of the
handlers of the server's log. Those of a batch of messages are written at once at its end.
"""
from __future__ import annotations

import logging
import time
from typing import Any, Final

from osip.core.run.logline import WORDS, Form, find_origin

MOST_HELD: Final = 64
"""Lines that wait for the end of a batch of messages at most."""


class Hold:
    """Keep the lines of a batch of messages, so that they are written at once at its end."""
    __slots__ = ("is_open", "outlets")

    def __init__(self) -> None:
        self.is_open = False
        self.outlets: list[Outlet] = []         # those that hold something back

    def close(self) -> None:
        """The batch is done: write what was held back."""
        self.is_open = False
        if self.outlets:
            for outlet in self.outlets:
                outlet.flush()
            self.outlets.clear()


class Outlet:
    """The way of finished lines into one handler of `logging`; `form` makes them, None when it has another formatter.

    `held` are those that were not written yet: in the middle of a batch of messages, MOST_HELD of them at most.
    """
    __slots__ = ("_handler", "_state", "filters", "form", "held")

    def __init__(self, handler: Any) -> None:
        self.form: Form | None = None
        self.filters: list[Any] = handler.filters
        self.held: list[str] = []
        self._handler: Any = handler
        self._state: dict[str, Any] = vars(handler)

    def wants(self, level: int) -> bool:
        """Say whether lines of a level of `logging` go into this handler."""
        least: int = self._state["level"]
        return level >= least

    def put(self, line: str, word: str, facility: str, hold: Hold | None) -> None:
        """Write a line, as the `emit` of a handler writes that of a record; the facility is for syslog."""
        if self._state.get("stream") is None:
            self._send(line, word, facility)
            return
        held = self.held
        held.append(line)
        if hold is None or not hold.is_open or len(held) >= MOST_HELD:
            self.flush()
        elif len(held) == 1:
            hold.outlets.append(self)

    def flush(self) -> None:
        """Write what was held back."""
        held = self.held
        while held:
            count = len(held)                   # another thread may add to them meanwhile
            text = held[0] + "\n" if count == 1 else "\n".join(held[:count]) + "\n"
            lock = self._handler.lock
            lock.acquire()
            try:
                stream = self._state["stream"]
                stream.write(text)
                if not getattr(stream, "line_buffering", False):
                    stream.flush()
            except RecursionError:
                raise
            except Exception:
                self._handler.failed(text[:-1])
            finally:
                del held[:count]
                lock.release()

    def _send(self, line: str, word: str, facility: str) -> None:
        lock = self._handler.lock
        lock.acquire()
        try:
            self._handler.send(line, word, facility)
        except RecursionError:
            raise
        except Exception:
            self._handler.failed(line)
        finally:
            lock.release()


class DirectLog:
    """The short way of a logger's lines: no record of `logging` is made where only the server's log wants them.

    Where anybody else listens (a handler or filter of a module, of management, of a test), lines go the usual way.
    `facility` is that of its lines in syslog (`LOG_LOCAL0`), "" for that of the server's log; `hold` is what keeps
    lines until the end of a batch of messages, None where nothing does.
    """
    __slots__ = ("_handlers", "_is_short", "_levels", "_logger", "_name", "_outlets", "_own", "_root", "_top",
                 "facility", "hold")

    def __init__(self, logger: logging.Logger) -> None:
        self.facility = ""
        self.hold: Hold | None = None
        root = logging.getLogger("osip")
        self._logger: Any = logger
        self._name = logger.name
        self._root: Any = root
        # What `logging` keeps of the two: their attributes, and which levels are enabled.
        self._own: dict[str, Any] = vars(logger)
        self._top: dict[str, Any] = vars(root)
        self._levels: dict[int, bool] = self._own.get("_cache", {})     # its own matter: without it `logging` is asked
        self._handlers: list[Any] = []          # those of the server's log when it was last looked at
        self._outlets: list[Outlet] = []
        self._is_short = False                  # all of these have an outlet

    def is_enabled(self, level: int) -> bool:
        """Say whether lines of a level of `logging` are wanted."""
        found = self._levels.get(level)
        if found is None or self._own["disabled"]:
            return bool(self._logger.isEnabledFor(level))
        return found

    def write(self, level: int, text: str, function: str, msg: Any = None, harmless: bool = False) -> None:
        """Write a line, of which `is_enabled` was asked. It is about `msg`, unless a route of the script runs.

        `harmless` says that `is_harmless` was asked about the text already.
        """
        about = find_origin(msg)
        if not self._goes_short():
            self._logger.handle(self._logger.makeRecord(self._name, level, "", 0, text, (), None, function,
                                                        {"osip_origin": about, "osip_facility": self.facility}))
            return
        word = WORDS.get(level) or str(logging.getLevelName(level))
        created = time.time()
        for outlet in self._outlets:
            form = outlet.form
            if form is not None and outlet.wants(level):
                outlet.put(form.line(created, level, word, self._name, text, about, "", harmless), word,
                           self.facility, self.hold)

    def _goes_short(self) -> bool:
        """Say whether nobody listens but the server's log; see to it that its outlets are known."""
        own, top = self._own, self._top
        if top["propagate"] or (self._logger is not self._root and (
                own["parent"] is not self._root or not own["propagate"] or own["handlers"] or own["filters"])):
            return False
        handlers: list[Any] = top["handlers"]
        if handlers != self._handlers:
            self._handlers = list(handlers)
            outlets = [getattr(handler, "outlet", None) for handler in handlers]
            self._outlets = [outlet for outlet in outlets if outlet is not None]
            self._is_short = len(self._outlets) == len(outlets) > 0
        if not self._is_short:
            return False
        for outlet in self._outlets:
            if outlet.form is None or outlet.filters:
                return False
        return True
