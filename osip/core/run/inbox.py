"""Be one worker among several: sort what arrives into what is its own and what belongs to another worker."""
from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from osip.core.net.endpoint import LocalSocket, Source
from osip.core.run.dispatch import Dispatch
from osip.core.run.steer import owner

_CALL_ID_LINE: Final = re.compile(rb"\n(?i:call-id)")
_BRANCH: Final = re.compile(r"z9hG4bK\.w(\d+)\.")


class Inbox:
    """The place of worker `number` of `workers`.

    `hand(number, raw, source)` gives a message to another worker, False when that one is not there. `unsteered` holds
    the sockets whose messages the kernel does not place.
    """
    __slots__ = ("dispatch", "workers", "number", "unsteered", "_hand", "_own_branch")

    def __init__(self, dispatch: Dispatch, workers: int, number: int, unsteered: set[LocalSocket],
                 hand: Callable[[int, bytes, Source], bool]) -> None:
        self.dispatch, self.workers, self.number, self.unsteered = dispatch, workers, number, unsteered
        self._hand = hand
        self._own_branch = f"z9hG4bK.w{number}."

    def receive(self, raw: bytes, source: Source) -> None:
        """Handle one message, or hand it to the worker that owns its call."""
        # The kernel has placed datagrams by a plain "Call-ID:" line. Where the head has another form it may have seen
        # one in the body: a part of a message (RFC 3420), which any method and any response can carry.
        body = raw.find(b"\r\n\r\n") + 4
        if (source.conn or (body < len(raw) and _CALL_ID_LINE.search(raw, body - 1) is not None)
                or (self.unsteered and source.socket in self.unsteered)):
            self.steer(raw, source)
        else:
            self.dispatch.receive(raw, source)

    def steer(self, raw: bytes, source: Source) -> None:
        """Handle one message of which nobody knows yet whose it is."""
        number = owner(raw, self.workers)
        if number == self.number or not self._hand(number, raw, source):
            self.dispatch.receive(raw, source)

    def elsewhere(self, branch: str, raw: bytes, source: Source) -> bool:
        """Hand a response to the worker that the branch of our Via names: its request had a Call-ID of others."""
        if branch.startswith(self._own_branch):
            return False
        found = _BRANCH.match(branch)
        if found is None:
            return False
        number = int(found[1])
        return number != self.number and number < self.workers and self._hand(number, raw, source)
