"""Answer copies of messages whose transaction has ended, for as long as RFC 3261 lets them come (17.1, 17.2)."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from osip.api import Dest

Echo = tuple[bytes | None, "Dest | None"]
"""What goes out for a copy, and where to; (None, None): the copy is absorbed in silence."""
MOST = 100_000
SWEPT: Final = 1_000
"""Echoes forgotten in one tick of the timers, so that nobody waits for a whole generation."""


class Echoes:
    """What is left of ended transactions over UDP: a tuple each, forgotten by generations, without a timer of its own.

    wt_timer says how long the whole transaction lingers; an echo lives on to 64*T1, at most half as long again. Keys
    are those of server transactions (a response is sent again) and Via branches of ours (an ACK is sent again).
    """
    __slots__ = ("entries", "_timers", "_pause", "_young", "_middle", "_old", "_gone", "_is_turning", "_most")

    def __init__(self, timers: Any = None, span: float = 0.0) -> None:
        self.entries: dict[str, Echo] = {}
        self._timers, self._pause = timers, span / 2
        self._young: list[str] = []
        self._middle: list[str] = []
        self._old: list[str] = []
        self._gone: list[str] = []              # those whose time is over
        self._is_turning = False
        self._most = MOST

    def add(self, key: str, data: bytes | None, dest: Dest | None) -> None:
        """Remember what a copy is answered with; nothing when transactions linger long enough themselves."""
        if self._pause <= 0 or len(self.entries) >= self._most:
            return
        self.entries[key] = data, dest
        self._young.append(key)
        if not self._is_turning:
            self._is_turning = True
            self._timers.call_at(self._timers.now + self._pause, self._turn)

    def _turn(self) -> None:
        is_sweeping = bool(self._gone)
        self._gone += self._old
        self._old, self._middle, self._young = self._middle, self._young, []
        self._is_turning = bool(self._old or self._middle)
        if self._is_turning:
            self._timers.call_at(self._timers.now + self._pause, self._turn)
        if not is_sweeping:
            self._sweep()

    def _sweep(self) -> None:
        for key in self._gone[-SWEPT:]:
            self.entries.pop(key, None)
        del self._gone[-SWEPT:]
        if self._gone:
            self._timers.call_at(self._timers.now, self._sweep)
