"""Sets, partitions, and what a reload keeps."""
from __future__ import annotations

import pytest

from osip.api import ParseError
from osip.modules.dispatcher.state import ACTIVE, INACTIVE, PROBING, Destination, Group, Partition


@pytest.mark.parametrize(("uri", "host", "port"), [
    ("sip:a@H.example", "h.example", 5060), ("sip:h:5070", "h", 5070), ("sips:h", "h", 5061),
    ("sip:h;transport=TLS", "h", 5061), ("sip:[2001:db8::1]:7", "2001:db8::1", 7)])
def test_destination(uri, host, port):
    found = Destination(uri)
    assert (found.host, found.port, found.state) == (host, port, ACTIVE)


@pytest.mark.parametrize("uri", ["tel:123", "h:5060:1", "nonsense"])
def test_no_destination(uri):
    with pytest.raises(ParseError):
        Destination(uri)


def test_higher_priority_comes_first_and_equals_keep_their_order():
    made = Group(1, [Destination("sip:a", priority=1), Destination("sip:b", priority=5),
                     Destination("sip:c", priority=5)])
    assert [d.uri for d in made.destinations] == ["sip:b", "sip:c", "sip:a"]


def partition():
    made = Partition("default")
    one, two = Destination("sip:10.0.0.1"), Destination("sip:10.0.0.2")
    one.addresses, two.addresses = (("10.0.0.1", 5060), ("10.0.0.9", 5060)), (("10.0.0.2", 5062),)
    made.replace({1: Group(1, [one]), 2: Group(2, [two])}, False)
    return made


@pytest.mark.parametrize(("host", "port", "sets"), [
    ("10.0.0.1", 5060, [1]), ("10.0.0.1", 0, [1]), ("10.0.0.9", 5060, [1]), ("10.0.0.1", 1, []),
    ("10.0.0.2", 5062, [2]), ("9.9.9.9", 0, [])])
def test_at(host, port, sets):
    assert [group.id for group, _ in partition().at(host, port)] == sets


@pytest.mark.parametrize(("inherit", "state", "failures", "hits", "attrs"), [(True, PROBING, 2, 9, "x"),
                                                                             (False, INACTIVE, 0, 0, "")])
def test_replace(inherit, state, failures, hits, attrs):
    made = partition()
    old = made.groups[1].destinations[0]
    old.state, old.failures, old.hits, old.script_attrs, made.groups[1].turn, made.groups[1].taken = (
        PROBING, 2, 9, "x", old, 1)
    fresh = Group(1, [Destination("sip:10.0.0.1", INACTIVE), Destination("sip:new")])
    made.replace({1: fresh}, inherit)
    now = made.groups[1].destinations[0]
    assert (now.state, now.failures, now.hits, now.script_attrs) == (state, failures, hits, attrs)
    assert fresh.turn is (now if inherit else None) and fresh.taken == (1 if inherit else 0)
    assert 2 not in made.groups
    assert made.groups[1].find("sip:new").state == ACTIVE


def test_names_of_avps():
    assert Partition("default").dst_avp == "ds_dst_failover"
    assert Partition("east").dst_avp == "ds_dst_failover_east"
