"""Hold the three readers of the SIP floor against each other: careful Python, quick Python, the accelerator.

They get the same mutated messages and must give the same values, the same errors and the same bytes. The careful code
is the measure. Seeded, so that a failure repeats. OSIP_FUZZ=10000000 runs that many messages instead of the few that
fit into the suite.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from types import SimpleNamespace

import pytest
from kit.twin import PLAIN, Side, load, load_pure, mutate

TORTURE = tuple(path.read_bytes() for path in sorted((Path(__file__).parents[1] / "torture").glob("*/*.sip")))
ROUNDS = 4
MANY = int(os.environ.get("OSIP_FUZZ", "120000"))
DEEP = 100  # one message in so many is read and rebuilt in every way

pytestmark = pytest.mark.timeout(0 if "OSIP_FUZZ" in os.environ else 120)


@pytest.fixture(scope="module")
def pure() -> SimpleNamespace:
    return load_pure()


def sides(pure: SimpleNamespace) -> tuple[Side, list[tuple[str, Side]]]:
    others = [("quick", Side(pure, pure.message.parse))]
    here = load()
    if here.message.READER is not None:
        others.append(("accelerator", Side(here, here.message.parse)))
    return Side(pure, pure.message._parse_carefully), others


def is_same(raw: bytes, careful: Side, others: list[tuple[str, Side]], seed: int) -> None:
    wanted = careful.glance(raw)
    for name, side in others:
        assert side.glance(raw) == wanted, (name, raw)
    if seed % DEEP:
        return
    everything = careful.deeply(raw, random.Random(seed))
    for name, side in others:
        found = side.deeply(raw, random.Random(seed))
        if found != everything:
            assert isinstance(found, dict) and isinstance(everything, dict), (name, raw)
            for key, value in everything.items():
                assert (key, found[key]) == (key, value), (name, raw)


def test_pure_copy_is_another_one(pure: SimpleNamespace) -> None:
    assert pure.message.READER is None
    assert pure.message.Request is not load().message.Request


@pytest.mark.parametrize("number", range(len(TORTURE) + len(PLAIN)))
def test_corpus(pure: SimpleNamespace, number: int) -> None:
    careful, others = sides(pure)
    for seed in range(0, 20 * DEEP, DEEP):
        is_same((TORTURE + PLAIN)[number], careful, others, seed)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_mutations(pure: SimpleNamespace, number: int) -> None:
    careful, others = sides(pure)
    rng = random.Random(number)
    plain = 0
    for count in range(MANY // ROUNDS):
        raw = mutate(rng, PLAIN if count % 4 else TORTURE)
        is_same(raw, careful, others, count)
        plain += isinstance(others[-1][1].glance(raw), list) if count % 50 == 0 else 0
    # Enough must be well-formed for the quick paths to be taken, or this test tells nothing.
    assert plain > MANY // ROUNDS // 50 // 10
