"""Run the four transaction machines of RFC 3261 section 17 with RFC 6026, as tables; no socket and no clock.

A table maps a state and an input to the next state and a set of actions. `Machine.step` applies one input, in the
order "state, timers, effects", so it is safe to re-enter. `wake` is the earliest time at which `on_wake(now)` wants to
be called: one timer entry for each machine.

Where a table differs from its figure, so that a proxy can answer for late responses: a client INVITE that timed out
(timers B and C) goes to COMPLETED for 64*T1, because a late final response still needs its ACK, a late provisional one
a CANCEL, and a late 2xx is still passed.
"""
from __future__ import annotations

from typing import Final

from osip.api import Alarm

NEVER: Final = float("inf")

# States; CALLING is the name of TRYING in INVITE clients. Each constant has a line of its own, so that mypyc knows it.
TRYING: Final = 0
CALLING: Final = 0
PROCEEDING: Final = 1
COMPLETED: Final = 2
CONFIRMED: Final = 3
ACCEPTED: Final = 4
TERMINATED: Final = 5
STATE_NAMES: Final = ("TRYING", "PROCEEDING", "COMPLETED", "CONFIRMED", "ACCEPTED", "TERMINATED")

# Inputs. REQUEST is a retransmission of the request; RFAIL any final response of 300 to 699.
START: Final = 0
REQUEST: Final = 1
ACK: Final = 2
R1XX: Final = 3
R2XX: Final = 4
RFAIL: Final = 5
FAULT: Final = 6
TIMER_A: Final = 10
TIMER_B: Final = 11
TIMER_C: Final = 12
TIMER_D: Final = 13
TIMER_E: Final = 14
TIMER_F: Final = 15
TIMER_G: Final = 16
TIMER_H: Final = 17
TIMER_I: Final = 18
TIMER_J: Final = 19
TIMER_K: Final = 20
TIMER_L: Final = 21
TIMER_M: Final = 22
TIMER_GUARD: Final = 23
INPUT_NAMES: Final = {
    START: "start", REQUEST: "request", ACK: "ACK", R1XX: "1xx", R2XX: "2xx", RFAIL: "300-699",
    FAULT: "transport error",
    TIMER_A: "A", TIMER_B: "B", TIMER_C: "C", TIMER_D: "D", TIMER_E: "E", TIMER_F: "F", TIMER_G: "G", TIMER_H: "H",
    TIMER_I: "I", TIMER_J: "J", TIMER_K: "K", TIMER_L: "L", TIMER_M: "M", TIMER_GUARD: "guard"}

# Actions. SEND remembers and sends, RESEND sends again; PASS_UP, SEND_ACK, LATE, REPORT and DONE are for the owner.
SEND: Final = 1
RESEND: Final = 2
PASS_UP: Final = 4
SEND_ACK: Final = 8
LATE: Final = 16
REPORT: Final = 32
DONE: Final = 64
RETRY_T1: Final = 128
RETRY_DOUBLE: Final = 256
RETRY_CAPPED: Final = 512
RETRY_T2: Final = 1024
RETRY_STOP: Final = 2048
ARM_B: Final = 1 << 12
ARM_C: Final = 1 << 13
ARM_D: Final = 1 << 14
ARM_F: Final = 1 << 15
ARM_H: Final = 1 << 16
ARM_I: Final = 1 << 17
ARM_J: Final = 1 << 18
ARM_K: Final = 1 << 19
ARM_L: Final = 1 << 20
ARM_M: Final = 1 << 21
ARM_GUARD: Final = 1 << 22
DISARM: Final = 1 << 23
ARM_LATE: Final = 1 << 24
ACTION_NAMES: Final = {
    SEND: "send", RESEND: "resend", PASS_UP: "pass up", SEND_ACK: "send ACK", LATE: "late", REPORT: "report", DONE: "",
    RETRY_T1: "retry=T1", RETRY_DOUBLE: "retry*2", RETRY_CAPPED: "retry*2 up to T2", RETRY_T2: "retry=T2", RETRY_STOP: "",
    ARM_B: "arm B", ARM_C: "arm C", ARM_D: "arm D", ARM_F: "arm F", ARM_H: "arm H", ARM_I: "arm I", ARM_J: "arm J",
    ARM_K: "arm K", ARM_L: "arm L", ARM_M: "arm M", ARM_GUARD: "arm guard", DISARM: "",
    ARM_LATE: "arm D of 64*T1"}
EFFECTS: Final = SEND | RESEND
RETRIES: Final = RETRY_T1 | RETRY_DOUBLE | RETRY_CAPPED | RETRY_T2 | RETRY_STOP
ARMS: Final = (ARM_B | ARM_C | ARM_D | ARM_F | ARM_H | ARM_I | ARM_J | ARM_K | ARM_L | ARM_M | ARM_GUARD | DISARM
               | ARM_LATE)
TIMED: Final = RETRIES | ARMS
LINGERS: Final = ARM_D | ARM_I | ARM_J | ARM_K | ARM_L | ARM_M

LENGTHS: Final[dict[int, tuple[int, str, bool]]] = {    # action -> its input, which of `Times`, zero on reliable transports
    ARM_B: (TIMER_B, "answer", False), ARM_C: (TIMER_C, "ring", False), ARM_D: (TIMER_D, "linger", True),
    ARM_F: (TIMER_F, "answer", False), ARM_H: (TIMER_H, "give_up", False), ARM_I: (TIMER_I, "linger", True),
    ARM_J: (TIMER_J, "linger", True), ARM_K: (TIMER_K, "linger", True), ARM_L: (TIMER_L, "linger", False),
    ARM_M: (TIMER_M, "linger", False), ARM_GUARD: (TIMER_GUARD, "guard", False),
    ARM_LATE: (TIMER_D, "late", False)}

Row = dict[int, tuple[int, int]]
END: Final = RETRY_STOP | DISARM | DONE


class Step:
    """What an input brings about in a state: the next state, the actions, and what of these concerns timers."""
    __slots__ = ("state", "actions", "retry", "arm", "alarm", "zero_if_reliable")

    def __init__(self, state: int, actions: int) -> None:
        self.state, self.actions = state, actions
        self.retry, self.arm = actions & RETRIES, actions & ARMS
        self.alarm, _, self.zero_if_reliable = LENGTHS.get(self.arm, (0, "", False))


class Table:
    """One machine: its name, its rows by state, its first state, and the input that a retransmission timer makes.

    `steps` holds the rows again, by state and input, ready to be taken.
    """
    __slots__ = ("name", "rows", "first", "retry", "steps")

    def __init__(self, name: str, first: int, retry: int, rows: dict[int, Row]) -> None:
        self.name, self.first, self.retry = name, first, retry
        self.rows: tuple[Row, ...] = tuple([rows.get(state, {}) for state in range(TERMINATED + 1)])
        self.steps: list[list[Step | None]] = [[Step(*row[event]) if event in row else None
                                                for event in range(TIMER_GUARD + 1)] for row in self.rows]


INVITE_CLIENT: Final = Table("INVITE client", CALLING, TIMER_A, {    # figure 5, RFC 6026 section 7.2
    CALLING: {START: (CALLING, SEND | RETRY_T1 | ARM_B), TIMER_A: (CALLING, RESEND | RETRY_DOUBLE),
              R1XX: (PROCEEDING, PASS_UP | RETRY_STOP | ARM_C), R2XX: (ACCEPTED, PASS_UP | RETRY_STOP | ARM_M),
              RFAIL: (COMPLETED, SEND_ACK | PASS_UP | RETRY_STOP | ARM_D),
              TIMER_B: (COMPLETED, REPORT | RETRY_STOP | ARM_LATE), FAULT: (TERMINATED, REPORT | END)},
    PROCEEDING: {R1XX: (PROCEEDING, PASS_UP | ARM_C), R2XX: (ACCEPTED, PASS_UP | ARM_M),
                 RFAIL: (COMPLETED, SEND_ACK | PASS_UP | ARM_D), TIMER_C: (COMPLETED, REPORT | ARM_LATE)},
    COMPLETED: {R1XX: (COMPLETED, LATE), R2XX: (ACCEPTED, PASS_UP | ARM_M), RFAIL: (COMPLETED, SEND_ACK),
                TIMER_D: (TERMINATED, END)},
    ACCEPTED: {R2XX: (ACCEPTED, PASS_UP), TIMER_M: (TERMINATED, END)},
})

NON_INVITE_CLIENT: Final = Table("non-INVITE client", TRYING, TIMER_E, {     # figure 6
    TRYING: {START: (TRYING, SEND | RETRY_T1 | ARM_F), TIMER_E: (TRYING, RESEND | RETRY_CAPPED),
             R1XX: (PROCEEDING, PASS_UP), R2XX: (COMPLETED, PASS_UP | RETRY_STOP | ARM_K),
             RFAIL: (COMPLETED, PASS_UP | RETRY_STOP | ARM_K), TIMER_F: (TERMINATED, REPORT | END),
             FAULT: (TERMINATED, REPORT | END)},
    PROCEEDING: {R1XX: (PROCEEDING, PASS_UP), TIMER_E: (PROCEEDING, RESEND | RETRY_T2),
                 R2XX: (COMPLETED, PASS_UP | RETRY_STOP | ARM_K), RFAIL: (COMPLETED, PASS_UP | RETRY_STOP | ARM_K),
                 TIMER_F: (TERMINATED, REPORT | END), FAULT: (TERMINATED, REPORT | END)},
    COMPLETED: {TIMER_K: (TERMINATED, END)},
})

INVITE_SERVER: Final = Table("INVITE server", PROCEEDING, TIMER_G, {         # figure 7, RFC 6026 section 7.1
    PROCEEDING: {START: (PROCEEDING, ARM_GUARD), REQUEST: (PROCEEDING, RESEND), R1XX: (PROCEEDING, SEND),
                 R2XX: (ACCEPTED, SEND | ARM_L), RFAIL: (COMPLETED, SEND | RETRY_T1 | ARM_H),
                 TIMER_GUARD: (PROCEEDING, REPORT | ARM_GUARD)},
    COMPLETED: {REQUEST: (COMPLETED, RESEND), TIMER_G: (COMPLETED, RESEND | RETRY_CAPPED),
                ACK: (CONFIRMED, RETRY_STOP | ARM_I), TIMER_H: (TERMINATED, END), FAULT: (TERMINATED, REPORT | END)},
    ACCEPTED: {REQUEST: (ACCEPTED, 0), R2XX: (ACCEPTED, SEND), ACK: (ACCEPTED, PASS_UP), TIMER_L: (TERMINATED, END)},
    CONFIRMED: {ACK: (CONFIRMED, 0), REQUEST: (CONFIRMED, 0), TIMER_I: (TERMINATED, END)},
})

NON_INVITE_SERVER: Final = Table("non-INVITE server", TRYING, TIMER_G, {     # figure 8
    TRYING: {START: (TRYING, ARM_GUARD), REQUEST: (TRYING, 0), R1XX: (PROCEEDING, SEND),
             R2XX: (COMPLETED, SEND | ARM_J), RFAIL: (COMPLETED, SEND | ARM_J),
             TIMER_GUARD: (TRYING, REPORT | ARM_GUARD)},
    PROCEEDING: {REQUEST: (PROCEEDING, RESEND), R1XX: (PROCEEDING, SEND), R2XX: (COMPLETED, SEND | ARM_J),
                 RFAIL: (COMPLETED, SEND | ARM_J), TIMER_GUARD: (PROCEEDING, REPORT | ARM_GUARD)},
    COMPLETED: {REQUEST: (COMPLETED, RESEND), TIMER_J: (TERMINATED, END), FAULT: (TERMINATED, REPORT | END)},
})

TABLES: Final = (INVITE_CLIENT, NON_INVITE_CLIENT, INVITE_SERVER, NON_INVITE_SERVER)


class Times:
    """Lengths of the timers in seconds.

    `answer` is timers B and F (fr_timeout), `ring` timer C (fr_inv_timeout), `linger` timers D, I, J, K, L and M
    (wt_timer; echoes answer for the rest of 64*T1), `late` that of a client INVITE that timed out, `give_up` timer H
    (64*T1), `guard` how long a request that nobody answers or relays is remembered.
    """
    __slots__ = ("t1", "t2", "answer", "ring", "linger", "late", "give_up", "guard")

    def __init__(self, t1: float = 0.5, t2: float = 4.0, answer: float = 30.0, ring: float = 120.0,
                 linger: float = 5.0) -> None:
        self.t1, self.t2, self.answer, self.ring, self.linger = t1, t2, answer, ring, linger
        self.give_up = 64 * t1
        self.late = max(linger, self.give_up)
        self.guard = max(answer + ring, 64 * t1)

    def of(self, arm: int) -> float:
        """Return the length of the timer that an action arms: `LENGTHS`, without a name to look up."""
        if arm & LINGERS:
            return self.linger
        if arm & (ARM_B | ARM_F):
            return self.answer
        if arm == ARM_C:
            return self.ring
        if arm == ARM_GUARD:
            return self.guard
        return self.give_up if arm == ARM_H else self.late


class Machine(Alarm):
    """One transaction machine.

    Its owner subclasses it and gives `send(data)` and `tell(event, actions)`; the latter is called for what timers
    bring about (REPORT, DONE). `step` returns the actions, of which PASS_UP, SEND_ACK and LATE are the caller's.
    """
    __slots__ = ("table", "state", "last", "times", "reliable", "retry_at", "expire_at", "interval", "alarm")

    def __init__(self, table: Table, times: Times, reliable: bool) -> None:
        super().__init__()
        self.table = table
        self.state = table.first
        self.times = times
        self.reliable = reliable
        self.last: bytes | None = None
        self.retry_at = self.expire_at = NEVER
        self.interval = 0.0
        self.alarm = 0

    def send(self, data: bytes) -> None:
        """Hand bytes to the network."""
        raise NotImplementedError

    def tell(self, event: int, actions: int) -> None:
        """Take notice of what a timer did: REPORT (a failure) or DONE (the machine ended)."""
        raise NotImplementedError

    def step(self, event: int, data: bytes | None, now: float) -> int:
        """Apply one input; return the actions (0 when the state ignores it)."""
        step = self.table.steps[self.state][event]
        if step is None:
            return 0
        self.state = step.state
        actions = step.actions
        if actions & SEND:
            self.last = data
        if actions & TIMED:
            if step.retry:
                self._arm_retry(step.retry, now)
            if step.arm:
                self._arm_expiry(step, now)
            retry_at, expire_at = self.retry_at, self.expire_at
            self.wake = retry_at if retry_at < expire_at else expire_at
        if actions & EFFECTS and self.last is not None:
            self.send(self.last)
        return actions

    def on_wake(self, now: float) -> None:
        """Make the inputs of the timers that are due: the final one first, as it ends the other."""
        if self.expire_at <= now:
            self.expire_at = NEVER
            event = self.alarm
        elif self.retry_at <= now:
            event = self.table.retry
        else:
            self.wake = min(self.retry_at, self.expire_at)
            return
        self.wake = min(self.retry_at, self.expire_at)
        actions = self.step(event, None, now)
        if event == self.table.retry:
            self.tell(event, actions)
        elif actions & (REPORT | DONE):
            self.tell(event, actions)

    def _arm_retry(self, retry: int, now: float) -> None:
        times = self.times
        if self.reliable or retry == RETRY_STOP:
            self.retry_at = NEVER
            return
        if retry == RETRY_T1:
            self.interval = times.t1
        elif retry == RETRY_DOUBLE:
            self.interval *= 2
        elif retry == RETRY_CAPPED:
            self.interval = min(self.interval * 2, times.t2)
        else:
            self.interval = times.t2
        self.retry_at = now + self.interval

    def _arm_expiry(self, step: Step, now: float) -> None:
        if step.arm == DISARM:
            self.expire_at = NEVER
            return
        self.alarm = step.alarm
        self.expire_at = now if step.zero_if_reliable and self.reliable else now + self.times.of(step.arm)
