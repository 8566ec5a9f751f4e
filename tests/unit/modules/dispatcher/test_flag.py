"""Arguments and parameters of dispatcher."""
from __future__ import annotations

import pytest

from osip.modules.dispatcher import flag


@pytest.mark.parametrize(("text", "wanted"), [
    ("", set()), ("f", {"failover"}), ("fu", {"failover", "user_only"}), ("F, d", {"failover", "default"}),
    ("a", {"append"}), ("fuda", {"failover", "user_only", "default", "append"})])
def test_flags(text, wanted):
    found = flag.parse_flags(text)
    assert {name for name in found.__slots__ if getattr(found, name) is True} == wanted
    assert found.limit == 0


def test_old_number_of_results():
    assert flag.parse_flags("3").limit == 3


@pytest.mark.parametrize(("text", "found"), [("1", ("", (1,))), ("1, 2", ("", (1, 2))), ("east:7", ("east", (7,))),
                                             ("east : 1,2", ("east", (1, 2))), ("-1", ("", (-1,)))])
def test_sets(text, found):
    assert flag.parse_sets(text) == found


@pytest.mark.parametrize(("parse", "text", "found"), [
    (flag.parse_algorithms, "4", (4,)), (flag.parse_algorithms, "4,8", (4, 8)),
    (flag.parse_states, "ip", {1, 2}), (flag.parse_state, "p", 2), (flag.parse_state, "0", 0),
    (flag.parse_list, "404, 501", {404, 501}), (flag.parse_blacklist, "gw=1,2", ("gw", {1, 2}))])
def test_others(parse, text, found):
    assert parse(text) == found


@pytest.mark.parametrize(("parse", "text"), [
    (flag.parse_flags, "x"), (flag.parse_sets, "x"), (flag.parse_sets, ""), (flag.parse_algorithms, "rr"),
    (flag.parse_states, "x"), (flag.parse_states, ""), (flag.parse_state, "x"),
    (flag.parse_list, "x"), (flag.parse_blacklist, "x"), (flag.parse_blacklist, "=1")])
def test_refused(parse, text):
    with pytest.raises(ValueError):
        parse(text)
