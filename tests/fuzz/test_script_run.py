"""Sound scripts with a few words exchanged: what the checker lets pass can be compiled, started and given messages.

Seeded, so that a failure repeats.
"""
from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from osip.core.errors import OsipError
from osip.testing.bench import Bench

SOUND = [path.read_text() for path in sorted((Path(__file__).parents[1] / "script").glob("sound/*.cfg"))]
WORD = re.compile(r'"[^"\n]*"|\$\([^)]*\)|\$[\w.]+(?:\([^)]*\))?|\w+|\S|\s+')


def mutated(chance: random.Random) -> str:
    """Return a script in which up to three words are gone, new, or exchanged for words of their like."""
    words, others = (WORD.findall(chance.choice(SOUND)) for _ in range(2))
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(words))
        what = chance.random()
        if what < 0.3:
            del words[at]
        elif what < 0.8:
            words[at] = chance.choice([word for word in others if word[:1] == words[at][:1]] or others)
        else:
            words.insert(at, chance.choice(others))
    return "".join(words)


@pytest.mark.parametrize("seed", range(8))
def test_what_passes_the_checker_runs(seed: int) -> None:
    chance = random.Random(seed)
    ran = 0
    for _ in range(12):
        text = mutated(chance)
        try:
            with Bench(text=text, log_level=-3) as bench:
                for method in ("INVITE", "REGISTER", "BYE"):
                    bench.send(f"{method} sip:bob@localhost")
                bench.advance(1)
                ran += 1
        except OsipError:           # the checker, or a module that does not find its files
            pass
    assert ran, "some of them are still right"
