"""Visit every (state, input) of the four machines, and every timer with a fake clock."""
from __future__ import annotations

import pytest

from kit.source import source_of

timers = source_of("osip.core.run.timers")
m = source_of("osip.modules.tm.machine", Alarm=timers.Alarm)     # a compiled class takes no subclass from here


class Tape(m.Machine):
    """A machine that writes down what it does."""

    def __init__(self, table: m.Table, times: m.Times | None = None, reliable: bool = False) -> None:
        super().__init__(table, times or m.Times(), reliable)
        self.sent: list[bytes] = []
        self.told: list[tuple[int, int]] = []

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def tell(self, event: int, actions: int) -> None:
        self.told.append((event, actions))


STATES = {"T": m.TRYING, "P": m.PROCEEDING, "C": m.COMPLETED, "F": m.CONFIRMED, "A": m.ACCEPTED, "X": m.TERMINATED}
# What each state does with each input: the next state and the effects (s send, r resend, u pass up, k ACK, l late,
# e report, d done); a pair that is not listed must change nothing.
EXPECTED = {
    "INVITE client": """T start T s | T A T r | T 1xx P u | T 2xx A u | T 300-699 C uk | T B C e
        T transport-error X ed | P 1xx P u | P 2xx A u | P 300-699 C uk | P C C e | C 1xx C l | C 2xx A u
        C 300-699 C k | C D X d | A 2xx A u | A M X d""",
    "non-INVITE client": """T start T s | T E T r | T 1xx P u | T 2xx C u | T 300-699 C u | T F X ed
        T transport-error X ed | P 1xx P u | P E P r | P 2xx C u | P 300-699 C u | P F X ed | P transport-error X ed
        C K X d""",
    "INVITE server": """P start P - | P request P r | P 1xx P s | P 2xx A s | P 300-699 C s | P guard P e
        C request C r | C G C r | C ACK F - | C H X d | C transport-error X ed | A request A - | A 2xx A s | A ACK A u
        A L X d | F ACK F - | F request F - | F I X d""",
    "non-INVITE server": """T start T - | T request T - | T 1xx P s | T 2xx C s | T 300-699 C s | T guard T e
        P request P r | P 1xx P s | P 2xx C s | P 300-699 C s | P guard P e | C request C r | C J X d
        C transport-error X ed""",
}
EFFECTS = {"s": m.SEND, "r": m.RESEND, "u": m.PASS_UP, "k": m.SEND_ACK, "l": m.LATE, "e": m.REPORT, "d": m.DONE}
INPUTS = {name.replace(" ", "-"): number for number, name in m.INPUT_NAMES.items()}


def rows(table: m.Table) -> dict[tuple[int, int], tuple[int, int]]:
    out = {}
    for entry in EXPECTED[table.name].replace("\n", "|").split("|"):
        if entry.strip():
            state, event, following, effects = entry.split()
            mask = sum(EFFECTS[letter] for letter in effects if letter != "-")
            out[STATES[state], INPUTS[event]] = STATES[following], mask
    return out


@pytest.mark.parametrize("table", m.TABLES, ids=lambda t: t.name)
def test_every_state_and_input(table: m.Table) -> None:
    expected = rows(table)
    mask = sum(EFFECTS.values())
    for state in STATES.values():
        for event in m.INPUT_NAMES:
            tape = Tape(table)
            tape.state, tape.last = state, b"old"
            actions = tape.step(event, b"new", 100.0)
            following, effects = expected.get((state, event), (state, 0))
            where = f"{table.name}: {state} {m.INPUT_NAMES[event]}"
            assert tape.state == following, where
            assert actions & mask == effects, where
            assert tape.sent == ([b"new"] if effects & m.SEND else [b"old"] if effects & m.RESEND else []), where


def play(table: m.Table, until: float, reliable: bool = False, inputs: dict[float, int] | None = None,
         times: m.Times | None = None) -> list[tuple[float, str]]:
    """Run a machine from its start; return when it sent ("!") or made an input known by its name."""
    tape = Tape(table, times, reliable)
    log: list[tuple[float, str]] = []
    now, due = 0.0, sorted((inputs or {}).items())
    tape.step(m.START, b"x", 0.0)
    while True:
        log += [(now, "!")] * len(tape.sent)
        log += [(now, m.INPUT_NAMES[event]) for event, actions in tape.told if actions & (m.REPORT | m.DONE)]
        tape.sent.clear()
        tape.told.clear()
        now = min(tape.wake, due[0][0] if due else m.NEVER)
        if now > until:
            return log
        if due and due[0][0] == now:
            tape.step(due.pop(0)[1], b"y", now)
        else:
            tape.on_wake(now)


def sends(*at: float) -> list[tuple[float, str]]:
    return [(when, "!") for when in at]


TIMELINES = [
    ("A doubles, B ends", m.INVITE_CLIENT, False, {}, sends(0, .5, 1.5, 3.5, 7.5, 15.5) + [(30, "B"), (62, "D")]),
    ("no A on streams", m.INVITE_CLIENT, True, {}, [*sends(0), (30, "B"), (62, "D")]),
    ("1xx stops A, C rules", m.INVITE_CLIENT, False, {.6: m.R1XX}, [*sends(0, .5), (120.6, "C"), (152.6, "D")]),
    ("each 1xx restarts C", m.INVITE_CLIENT, False, {.1: m.R1XX, 40.: m.R1XX}, [*sends(0), (160, "C"), (192, "D")]),
    ("2xx: M", m.INVITE_CLIENT, False, {.1: m.R1XX, 1.: m.R2XX}, [*sends(0), (6, "M")]),
    ("failure: D", m.INVITE_CLIENT, False, {1.: m.RFAIL}, [*sends(0, .5), (6, "D")]),
    ("zero D on streams", m.INVITE_CLIENT, True, {1.: m.RFAIL}, [*sends(0), (1, "D")]),
    ("E caps at T2, F ends", m.NON_INVITE_CLIENT, False, {},
     sends(0, .5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5) + [(30, "F")]),
    ("E at T2 once proceeding", m.NON_INVITE_CLIENT, False, {.6: m.R1XX},
     sends(0, .5, 1.5, 5.5, 9.5, 13.5, 17.5, 21.5, 25.5, 29.5) + [(30, "F")]),
    ("K", m.NON_INVITE_CLIENT, False, {.2: m.R2XX}, [*sends(0), (5.2, "K")]),
    ("zero K on streams", m.NON_INVITE_CLIENT, True, {.2: m.RFAIL}, [*sends(0), (.2, "K")]),
    ("G until H", m.INVITE_SERVER, False, {0.: m.RFAIL},
     sends(0, .5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5) + [(32, "H")]),
    ("ACK stops G, I", m.INVITE_SERVER, False, {0.: m.RFAIL, .7: m.ACK}, [*sends(0, .5), (5.7, "I")]),
    ("no G on streams", m.INVITE_SERVER, True, {0.: m.RFAIL}, [*sends(0), (32, "H")]),
    ("zero I on streams", m.INVITE_SERVER, True, {0.: m.RFAIL, .7: m.ACK}, [*sends(0), (.7, "I")]),
    ("L", m.INVITE_SERVER, False, {0.: m.R2XX}, [*sends(0), (5, "L")]),
    ("L on streams too", m.INVITE_SERVER, True, {0.: m.R2XX}, [*sends(0), (5, "L")]),
    ("J", m.NON_INVITE_SERVER, False, {0.: m.R2XX}, [*sends(0), (5, "J")]),
    ("zero J on streams", m.NON_INVITE_SERVER, True, {0.: m.R2XX}, [*sends(0), (0, "J")]),
]


@pytest.mark.parametrize("name,table,reliable,inputs,expected", TIMELINES, ids=[line[0] for line in TIMELINES])
def test_timeline(name: str, table: m.Table, reliable: bool, inputs: dict[float, int],
                  expected: list[tuple[float, str]]) -> None:
    got = play(table, 200, reliable, inputs)
    if table is m.INVITE_SERVER:
        got = [entry for entry in got if entry[1] != "guard"]
    assert [(round(when, 6), what) for when, what in got] == expected


def test_guard_repeats() -> None:
    assert [entry for entry in play(m.INVITE_SERVER, 310)] == [(150.0, "guard"), (300.0, "guard")]


def test_times_of_its_own() -> None:
    times = m.Times(t1=0.1, t2=0.4, answer=2.0, ring=3.0, linger=1.0)
    got = play(m.NON_INVITE_CLIENT, 10, times=times)
    assert [round(when, 6) for when, what in got if what == "!"] == [0, .1, .3, .7, 1.1, 1.5, 1.9]
    assert got[-1] == (2.0, "F")


def test_a_step_in_a_terminated_machine_is_ignored() -> None:
    for table in m.TABLES:
        tape = Tape(table)
        tape.state = m.TERMINATED
        assert all(tape.step(event, b"x", 0.0) == 0 for event in m.INPUT_NAMES)


def test_each_timer_has_its_length() -> None:
    times = m.Times(0.1, 0.2, 3, 4, 5)
    assert {arm: times.of(arm) for arm in m.LENGTHS} == {arm: getattr(times, name) for arm, (_, name, _) in m.LENGTHS.items()}
