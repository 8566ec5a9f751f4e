"""Nonces: whose they are, how long they last, what was offered with them, and who used them."""
from __future__ import annotations

import pytest

from osip.modules.auth.nonce import Nonces, Offer

NOW = 1_800_000_000.0


@pytest.mark.parametrize("algorithms", [("md5",), ("sha-256",), ("sha-512-256", "md5")])
@pytest.mark.parametrize("qops", [(), ("auth",), ("auth-int",), ("auth", "auth-int")])
def test_the_offer_comes_back(algorithms: tuple[str, ...], qops: tuple[str, ...]) -> None:
    nonces = Nonces(b"key", 30)
    found = nonces.offer(nonces.make(NOW, Offer(algorithms, qops)))
    assert found is not None and set(found.algorithms) == set(algorithms) and found.qops == qops


def test_only_ours_count() -> None:
    nonces = Nonces(b"key", 30)
    nonce = nonces.make(NOW, Offer())
    assert nonces.offer(nonce) and Nonces(b"key", 9).offer(nonce), "another worker, the same key"
    assert Nonces(b"other", 30).offer(nonce) is None
    for at in range(len(nonce)):
        bad = nonce[:at] + ("0" if nonce[at] != "0" else "1") + nonce[at + 1:]
        assert nonces.offer(bad) is None
    for bad in ("", "x", nonce[:-1], nonce + "0", "ä" * len(nonce)):
        assert nonces.offer(bad) is None


@pytest.mark.parametrize(("later", "fresh"), [(0, True), (30, True), (31, False), (-5, True), (-6, False)])
def test_life(later: int, fresh: bool) -> None:
    nonces = Nonces(b"key", 30)
    assert nonces.is_fresh(nonces.make(NOW, Offer()), NOW + later) is fresh


@pytest.mark.parametrize(("offered", "algorithm", "qop", "allowed"), [
    (Offer(("md5",), ("auth",)), "", "auth", True), (Offer(("md5",), ("auth",)), "MD5-sess", "AUTH", True),
    (Offer(("md5",), ("auth",)), "MD5", "", True), (Offer(("md5",), ("auth-int",)), "MD5", "", False),
    (Offer(("md5",), ("auth-int",)), "MD5", "auth", False), (Offer(("sha-256",)), "MD5", "", False),
    (Offer(("sha-256",)), "", "", False), (Offer(("sha-256", "md5")), "SHA-256", "", True),
    (Offer(("md5",)), "MD5", "auth", True), (Offer(("md5",)), "AKAv1-MD5", "", False)])
def test_what_an_offer_allows(offered: Offer, algorithm: str, qop: str, allowed: bool) -> None:
    assert offered.allows(algorithm, qop) is allowed


def test_use() -> None:
    nonces = Nonces(b"key", 30)
    one, two = nonces.make(NOW, Offer()), nonces.make(NOW + 20, Offer())
    assert one[8:24] != two[8:24]
    for nonce in (one, two):
        nonces.mark(nonce, nonces.fingerprint(b"first"))
        nonces.mark(nonce, nonces.fingerprint(b"second"))
    assert not nonces.is_used(one, nonces.fingerprint(b"first"))
    assert nonces.is_used(one, nonces.fingerprint(b"second"))
    nonces.sweep(NOW + 31)
    assert len(nonces) == 1 and nonces.is_used(two, nonces.fingerprint(b"x"))


def test_the_count_must_grow() -> None:
    nonces = Nonces(b"key", 30)
    nonce = nonces.make(NOW, Offer())
    assert not nonces.is_used(nonce, 1, 5)
    nonces.mark(nonce, 1, 5)
    nonces.mark(nonce, 2, 3)                            # another worker tells late of an earlier one
    assert nonces.used() == [(nonce, 1, 5)]
    assert not nonces.is_used(nonce, 1, 5), "a retransmission"
    assert [nonces.is_used(nonce, 2, count) for count in (0, 4, 5, 6)] == [True, True, True, False]


def test_what_is_remembered_is_bounded_and_nothing_comes_back() -> None:
    nonces = Nonces(b"key", 30, limit=10)
    made = [nonces.make(NOW + second, Offer()) for second in range(12)]
    for nonce in made:
        nonces.mark(nonce, 1)
        assert len(nonces) <= 10
    remembered = {nonce for nonce, _, _ in nonces.used()}
    assert len(remembered) == 6 and remembered == set(made[6:])
    for nonce in made:
        assert nonces.is_used(nonce, 2) or not nonces.is_fresh(nonce, NOW + 12), "each is used or stale"
    assert nonces.is_fresh(nonces.make(NOW + 12, Offer()), NOW + 12)


def test_no_two_are_the_same() -> None:
    nonces = Nonces(b"key", 30)
    made = [nonces.make(NOW, Offer()) for _ in range(200)]
    nonces.renew()
    made += [nonces.make(NOW, Offer()) for _ in range(200)]
    assert len({nonce[8:24] for nonce in made}) == 400


def test_workers_know_each_others_messages_and_nobody_else_does() -> None:
    assert Nonces(b"key", 30).fingerprint(b"raw") == Nonces(b"key", 9).fingerprint(b"raw")
    assert Nonces(b"key", 30).fingerprint(b"raw") != Nonces(b"other", 30).fingerprint(b"raw")
