"""Check what the measurement of growth rests on: the long script runs the same path, and the table compares right."""

from __future__ import annotations

import sys

from kit.server import CHECKOUT

from osip.testing.bench import Bench

sys.path.insert(0, str(CHECKOUT / "scripts"))

from bench.growth import LINES, PARTS, WORDS, as_growth_table, padded  # noqa: E402  (found through the line above)
from bench.server import script_text  # noqa: E402


def test_the_long_script_runs_the_same_statements() -> None:
    text = script_text("osip", "options")
    long = padded(text, LINES)
    assert LINES <= long.count("\n") < LINES + 10
    assert long.startswith(text)
    answers = []
    for script in (text, long):
        with Bench(text=script) as bench:
            bench.send("OPTIONS sip:127.0.0.1:5070").expect_reply(200)
            answers.append((bench.routes, [sent.data for sent in bench.sent]))
    assert answers[0] == answers[1]


def test_each_part_tells_what_it_shows() -> None:
    assert set(PARTS) == set(WORDS)


def test_growth_is_against_the_first_row() -> None:
    rows = [{"part": "users", "size": 1000, "us_call": 20.0, "lost": 0},
            {"part": "users", "size": 1_000_000, "us_call": 25.0, "lost": 3},
            {"part": "memory", "size": 1, "idle_mb": 30.0}]
    lines = as_growth_table(rows).splitlines()
    assert lines[1].split() == ["size", "us_call", "lost", "growth", "call"]
    assert lines[2].split() == ["1,000", "20.0", "0", "+0%"]
    assert lines[3].split() == ["1,000,000", "25.0", "3", "+25%"]
    assert lines[-1].split() == ["1", "30.0"]
