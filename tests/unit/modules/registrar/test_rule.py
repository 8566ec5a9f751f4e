"""The parameters that compiled code reads: as they were last read, at the start and after a reload."""
from __future__ import annotations

from kit.registration import Office


def test_they_are_those_of_the_modules():
    office = Office({"registrar": {"max_expires": 7200, "received_param": "rx"}, "usrloc": {"matching_mode": 1}})
    rules = office.registrar.rules
    assert (rules.max_expires, rules.min_expires, rules.received_param, rules.matching_mode) == (7200, 60, "rx", 1)
    assert rules.tables["location"] is office.usrloc.domain("location")


def test_a_reload_changes_them():
    office = Office()
    office.registrar.max_contacts = 3
    assert office.registrar.rules.max_contacts == 0
    for listener in office.env.on_reload:
        listener()
    assert office.registrar.rules.max_contacts == 3
