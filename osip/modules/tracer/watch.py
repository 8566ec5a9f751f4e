"""Know the transactions and dialogs that are traced: which of the messages that come and go belong to them."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from osip.api import M_INVITE, Message

if TYPE_CHECKING:
    from osip.modules.tracer.trace import Trace

MOST = 20_000               # watches at a time
LINGER = 35.0               # seconds after an end in which late copies and the ACK still belong to it
RINGING = 300.0             # without an answer
TALKING = 12 * 3600.0       # a dialog in which nothing is said


class Watch:
    """One transaction (`cseq` and `from_tag` say which) or dialog (cseq 0) that is traced, by its Call-ID.

    `side` is "" for all messages, C for those exchanged with the caller, c for those with the callee.
    """
    __slots__ = ("attrs", "call_id", "correlation", "cseq", "from_tag", "side", "trace", "types", "until")

    def __init__(self, trace: Trace, msg: Message, is_dialog: bool, types: frozenset[str], now: float) -> None:
        self.trace, self.types = trace, types
        self.call_id, self.from_tag = msg.call_id, msg.from_tag
        self.cseq = 0 if is_dialog else msg.cseq
        self.until = now + RINGING
        self.attrs: str | None = None
        self.correlation = self.side = ""

    def covers(self, msg: Message) -> bool:
        """Say whether a message of this Call-ID belongs to it."""
        return not self.cseq or (msg.cseq == self.cseq and msg.from_tag == self.from_tag)

    def is_wanted(self, msg: Message, direction: str) -> bool:
        """Say whether a message that it covers is on the side that is traced."""
        if not self.side:
            return True
        from_caller = msg.from_tag == self.from_tag
        with_caller = from_caller == (msg.is_request == (direction == "in"))
        return with_caller == (self.side == "C")

    def move(self, msg: Message, direction: str, now: float) -> None:
        """Take notice of a message: it says how long more are to be expected."""
        if msg.is_request:
            self.until = max(self.until, now + LINGER)
            return
        status: int = msg.status                                        # type: ignore[attr-defined]
        if status < 200:
            self.until = max(self.until, now + RINGING)
        elif self.cseq or direction == "in":
            # A response that came is one of several branches, perhaps; what was sent to the caller decides.
            self.until = max(self.until, now + LINGER) if direction == "in" else now + LINGER
        elif msg.method_id == M_INVITE and status < 300:
            self.until = now + TALKING
        elif msg.cseq_method == "BYE" or self.until < now + TALKING / 2:
            # The call has ended, or was refused, or there is none: MESSAGE, OPTIONS and their like.
            self.until = now + LINGER


class Watches:
    """All watches of a worker. `on_change` is called when the first one comes and when the last one has gone."""

    def __init__(self, on_change: Callable[[], Any]) -> None:
        self._by_call: dict[str, list[Watch]] = {}
        self._on_change = on_change
        self.count = 0

    def __iter__(self) -> Iterator[Watch]:
        return (watch for found in self._by_call.values() for watch in found)

    def of(self, call_id: str) -> list[Watch] | tuple[()]:
        """Return what is watched of a call."""
        return self._by_call.get(call_id, ())

    def find(self, trace: Trace, msg: Message) -> Watch | None:
        """Return the watch by which a trace covers a message already."""
        return next((one for one in self.of(msg.call_id) if one.trace is trace and one.covers(msg)), None)

    def add(self, watch: Watch) -> bool:
        """Add one; False when there are too many."""
        if self.count >= MOST:
            return False
        self._by_call.setdefault(watch.call_id, []).append(watch)
        self.count += 1
        if self.count == 1:
            self._on_change()
        return True

    def keep(self, is_kept: Callable[[Watch], bool]) -> None:
        """Drop those that are not to be kept."""
        if not self.count:
            return
        kept = {call: [one for one in found if is_kept(one)] for call, found in self._by_call.items()}
        self._by_call = {call: found for call, found in kept.items() if found}
        self.count = sum(map(len, self._by_call.values()))
        if not self.count:
            self._on_change()
