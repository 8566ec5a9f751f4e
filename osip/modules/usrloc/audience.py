"""Say whether anybody listens before the parameters of an event are put together: a REGISTER is hot."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from osip.api import Env

EVENTS: Final = {what: "E_UL_" + what.upper() for what in (
    "contact_insert", "contact_update", "contact_delete", "aor_insert", "aor_delete")}
"""The event of each change (see `state.Watcher`)."""


class Audience:
    """Who hears of changed contacts outside of this module; `tell` raises the event of a change."""
    __slots__ = ("_env", "_records", "_tell", "_program", "_routes")

    def __init__(self, env: Env, tell: Callable[[str, Any], None]) -> None:
        self._env, self._tell = env, tell
        self._records: dict[str, Any] = {what: env.events.declare(name) for what, name in EVENTS.items()}
        self._program: Any = None
        self._routes: dict[str, Any] = {}

    def on_change(self, what: str, thing: Any) -> None:
        """Tell of a change if anybody listens."""
        program: Any = self._env.program
        if program is not self._program:                # a reload makes another one
            self._program = program
            self._routes = program.events if program is not None else {}
        if self._records[what].subscribers or (self._routes and EVENTS[what] in self._routes):
            self._tell(what, thing)
