"""Decide what passes a pipe: the algorithms, without a clock or a module."""
from __future__ import annotations

from collections import deque

ALGORITHMS = ("TAILDROP", "RED", "SBT", "FEEDBACK", "NETWORK")


def parse_algorithm(text: str) -> str:
    """Return the name of an algorithm; ValueError for others."""
    word = text.strip().upper()
    if word not in ALGORITHMS:
        raise ValueError(f'unknown algorithm "{text}"; there are: {", ".join(ALGORITHMS)}')
    return word


class Pipe:
    """One pipe: what came in this interval and in the last one, and for SBT the slots of the window.

    `others` is what other servers counted (pipes with `/s`).
    """
    __slots__ = ("algorithm", "counter", "last", "limit", "others", "passed", "slots", "unsent", "used")

    def __init__(self, algorithm: str, limit: int, now: float) -> None:
        self.algorithm, self.limit, self.used = algorithm, limit, now
        self.counter = self.last = self.others = self.unsent = 0
        self.passed = 0.0                               # share of the next message that may pass (RED)
        self.slots: deque[list[int]] = deque()          # [number of the slot, messages that passed in it]

    def turn(self) -> None:
        """Begin a new interval."""
        self.last = self.counter + self.others
        self.counter = self.others = self.unsent = 0

    def total(self) -> int:
        """Return the messages of this interval, those of other servers with them."""
        return self.counter + self.others

    def thin(self, most: int) -> bool:
        """Let as many pass, evenly spread, as the limit was of what came in the last interval (RED)."""
        if self.last <= most:
            return True
        self.passed += most / self.last
        if self.passed < 1:
            return False
        self.passed -= 1
        return True

    def window(self, slot: int, slots: int) -> int:
        """Return what passed in the last `slots` slots, the present one included (SBT)."""
        while self.slots and self.slots[0][0] <= slot - slots:
            self.slots.popleft()
        return sum(count for _, count in self.slots)

    def put(self, slot: int, amount: int) -> None:
        """Count what passed in the present slot."""
        if self.slots and self.slots[-1][0] == slot:
            self.slots[-1][1] += amount
        else:
            self.slots.append([slot, amount])

    def take_back(self) -> bool:
        """Count one less; False when there is nothing to take."""
        for slot in reversed(self.slots):
            if slot[1] > 0:
                slot[1] -= 1
                break
        if self.counter <= 0:
            return False
        self.counter -= 1
        return True

    def reset(self) -> None:
        """Count from zero."""
        self.turn()
        self.last = 0
        self.slots.clear()


class Controller:
    """A PID controller that drops a share of the messages so that the processor is loaded as wanted (FEEDBACK)."""
    __slots__ = ("_error", "_passed", "_sum", "drop", "kd", "ki", "kp")

    def __init__(self) -> None:
        self.ki, self.kp, self.kd = -25.0, 0.0, 0.0
        self.drop = 0.0                     # per cent that is dropped
        self._error = self._sum = self._passed = 0.0

    def step(self, wanted: float, load: float) -> None:
        """Look at the load once an interval; both are between 0 and 1."""
        error = wanted - load
        most = 100 / abs(self.ki) if self.ki else 0.0
        # The sum stays where the share is between nothing and everything: else it would take long to come back.
        self._sum = max(-most, min(0.0, self._sum + error)) if self.ki < 0 else max(0.0, min(most, self._sum + error))
        self.drop = max(0.0, min(100.0, self.ki * self._sum + self.kp * error + self.kd * (error - self._error)))
        self._error = error

    def passes(self) -> bool:
        """Let one message pass or not, evenly spread."""
        self._passed += 1 - self.drop / 100
        if self._passed < 1:
            return False
        self._passed -= 1
        return True


class Load:
    """The load of all processors between two looks, out of the counters that the system keeps."""
    __slots__ = ("_all", "_busy", "_path")

    def __init__(self, path: str = "/proc/stat") -> None:
        self._path, self._busy, self._all = path, 0, 0
        self.look()

    def look(self) -> float:
        """Return the load since the last look, between 0 and 1; 0 when the system does not tell."""
        try:
            with open(self._path, encoding="ascii") as file:
                fields = [int(word) for word in file.readline().split()[1:9]]
        except (OSError, ValueError):
            return 0.0
        every, idle = sum(fields), sum(fields[3:5])
        took, busy = every - self._all, every - idle - self._busy
        self._all, self._busy = every, every - idle
        return max(0.0, min(1.0, busy / took)) if took > 0 else 0.0
