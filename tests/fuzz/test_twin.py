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
MANY = int(os.environ.get("OSIP_FUZZ", "60000"))
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


ANSWERS = (
    b'Digest username="bob", realm="example.com", nonce="0123abc", uri="sip:example.com", response="00ff",'
    b" algorithm=MD5",
    b'Digest username="a b",realm="r, s",qop=auth , nc=00000001,cnonce="c",opaque="", x=y=z, Stale=TRUE',
    b'digest USERNAME="b\\"ob", realm=""', b"Bearer abc.def==", b"Digest a=b,c = d, e= f",
)
PARTS = (b'"', b'""', b"\\", b",", b",,", b"=", b" ", b"\t", b"\r\n ", b"Digest ", b"digest", b", realm=x", b"nc=",
         b"qop=auth", b', algorithm="MD5-sess"', b", x-y=1", b"\x00", b"\x7f", b"\xc3\xa9", b"\xff", b"a" * 40)


def answers(rng: random.Random) -> str:
    """Return credentials with a few changes, some of them to what may stand in a header only after folding."""
    data = bytearray(rng.choice(ANSWERS))
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        at = rng.randrange(len(data) + 1)
        if rng.random() < 0.3:
            del data[at : at + rng.choice((1, 3, 20))]
        else:
            data[at : at + rng.randrange(2)] = rng.choice(PARTS)
    return data.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize("number", range(ROUNDS))
def test_credentials(pure: SimpleNamespace, number: int) -> None:
    """Parse and verify them; the slow reader of parameters must agree as well with the quick one of its own module."""
    careful, others = sides(pure)
    rng = random.Random(number)
    good = 0
    for _ in range(MANY // ROUNDS // 4):
        text = answers(rng)
        wanted = careful.tried(pure.auth.parse_auth, text)
        wild = [rng.choice(("", "x", "\xe9", "a:b", "y" * rng.randrange(130))) for _ in range(5)]
        form = rng.choice(("MD5", "md5", "", "MD5-sess", "SHA-256")), rng.choice(("", "auth", "AUTH", "auth-int", "x"))
        digest = careful.tried(pure.digest.digest_response, *wild[:4], *form, *wild[3:], b"b")
        ha1 = careful.tried(pure.digest.digest_ha1, *wild[:3], form[0])
        for name, side in others:
            assert side.tried(side.m.auth.parse_auth, text) == wanted, (name, text)
            assert side.tried(side.m.digest.digest_response, *wild[:4], *form, *wild[3:], b"b") == digest, (name, wild)
            assert side.tried(side.m.digest.digest_ha1, *wild[:3], form[0]) == ha1, (name, wild)
        good += wanted[0] == "Digest"
    assert good > MANY // ROUNDS // 4 // 10
