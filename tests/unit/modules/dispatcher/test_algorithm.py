"""How a set is ordered."""
from __future__ import annotations

from collections import Counter

import pytest

from osip.modules.dispatcher import algorithm
from osip.modules.dispatcher.state import ACTIVE, INACTIVE, PROBING, Destination, Group


def group(*weights, states=()):
    made = [Destination(f"sip:{chr(97 + n)}@h", weight=weight) for n, weight in enumerate(weights)]
    for destination, state in zip(made, states, strict=False):
        destination.state = state
    return Group(1, made)


def names(found):
    return "".join(d.uri[4] for d in found)


@pytest.mark.parametrize(("states", "default", "usable", "last"), [
    ((ACTIVE,) * 3, False, "abc", ""), ((ACTIVE, INACTIVE, ACTIVE), False, "ac", ""),
    ((ACTIVE, PROBING, ACTIVE), True, "a", "c"), ((INACTIVE, INACTIVE, PROBING), True, "", "c"),
    ((ACTIVE, ACTIVE, INACTIVE), True, "ab", "")])
def test_candidates(states, default, usable, last):
    found = algorithm.candidates(group(1, 1, 1, states=states), default)
    assert (names(found[0]), names(found[1])) == (usable, last)


@pytest.mark.parametrize(("weights", "indexes"), [
    ((1, 1), [0, 1, 0, 1]), ((3, 1), [0, 0, 0, 1]), ((0, 2), [1, 1, 1, 1]), ((0, 0), [0, 1, 0, 1])])
def test_weighted(weights, indexes):
    destinations = group(*weights).destinations
    assert [algorithm.weighted(destinations, number) for number in range(4)] == indexes


def test_the_same_key_meets_the_same_destination():
    one = group(1, 1, 1)
    for key in ("a", "b", "call-9", "\udcff"):
        first = names(algorithm.by_hash(one.destinations, key))
        assert len(set(first)) == 3
        assert all(names(algorithm.by_hash(one.destinations, key)) == first for _ in range(5))


def test_hashing_spreads_by_weight():
    one = group(3, 1)
    found = Counter(names(algorithm.by_hash(one.destinations, f"call-{n}"))[0] for n in range(4000))
    assert 2800 < found["a"] < 3200


@pytest.mark.parametrize(("weights", "rounds"), [
    ((1, 1, 1), "abcabc"), ((2, 1), "aabaab"), ((0, 1, 1), "bcbcbc"), ((0, 0), "ababab"), ((1,), "aaaaaa")])
def test_by_turn(weights, rounds):
    one = group(*weights)
    assert "".join(names(algorithm.by_turn(one, one.destinations))[0] for _ in rounds) == rounds


def test_by_turn_passes_over_what_is_not_active_and_lists_the_rest_in_order():
    one = group(1, 1, 1)
    usable = [d for d in one.destinations if d.uri != "sip:b@h"]
    assert [names(algorithm.by_turn(one, usable)) for _ in range(4)] == ["ac", "ca", "ac", "ca"]


def test_by_chance_asks_for_a_number_below_the_sum_of_weights():
    asked = []

    def number(limit):
        asked.append(limit)
        return limit - 1
    assert names(algorithm.by_chance(group(3, 2).destinations, number)) == "ba"
    assert asked == [5]


def test_by_score_puts_the_lowest_first_and_the_unknown_last():
    scores = {"sip:a@h": 5, "sip:b@h": None, "sip:c@h": 2, "sip:d@h": -1}
    found = algorithm.by_score(group(1, 1, 1, 1).destinations, lambda d: scores[d.uri])
    assert names(found) == "dcab"
