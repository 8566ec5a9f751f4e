"""Know from which of our addresses the system would send to a host (`mhomed`)."""
from __future__ import annotations

from collections.abc import Callable

from osip.core.net.transport import source_address

ROOM = 8192                 # hosts remembered
HOLDS = 5.0                 # seconds until the system's routes are asked again


class Egress:
    """Ask the system's routes, and remember the answers for a moment."""
    __slots__ = ("_ask", "_clock", "_known")

    def __init__(self, clock: Callable[[], float], ask: Callable[[str], str] = source_address) -> None:
        self._clock, self._ask = clock, ask
        self._known: dict[str, tuple[float, str]] = {}

    def __call__(self, host: str) -> str:
        """Return our address towards an IP address; "" when there is no route."""
        now = self._clock()
        entry = self._known.get(host)
        if entry is not None and entry[0] > now:
            return entry[1]
        own = self._ask(host)
        if len(self._known) >= ROOM:
            self._known.clear()
        self._known[host] = (now + HOLDS, own)
        return own
