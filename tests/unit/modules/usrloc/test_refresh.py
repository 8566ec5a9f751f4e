"""Contacts that should have been renewed: when the event is raised, for whom, and by which server."""
from __future__ import annotations

import pytest
from kit.registration import Office

PHONE = "<sip:bob@10.0.0.1;push>"


def office(lead=60.0, timer=1, **params):
    found = Office({"usrloc": {"contact_refresh_timer": timer, **params}})
    if lead:
        found.usrloc.refresher.add(lambda contact: lead if ";push" in contact.uri else 0.0)
    found.usrloc.refresher.start()
    found.told = []
    found.env.events.subscribe("E_UL_CONTACT_REFRESH", "test:", lambda name, values: found.told.append(values))
    return found


def wait(found, seconds):
    for _ in range(seconds):
        found.clock.advance(1.0, step=1.0)
        found.usrloc.refresh()
    return len(found.told)


@pytest.mark.parametrize(("contact", "lead", "timer", "before", "after"), [
    (PHONE, 60.0, 1, 539, 1), ("<sip:bob@10.0.0.1>", 60.0, 1, 599, 0), (PHONE, 60.0, 0, 599, 0),
    (PHONE, 0.0, 1, 599, 0),
    (PHONE, 900.0, 1, 299, 1)])
def test_when(contact, lead, timer, before, after):
    found = office(lead, timer)
    found.register(contact, expires=600)
    assert wait(found, before) == 0
    assert wait(found, 3) == after
    assert wait(found, 60) == after and not len(found.usrloc.refresher)


def test_what_is_told():
    found = office()
    found.register(PHONE, expires=600)
    wait(found, 541)
    [values] = found.told
    assert values["reason"] == "reg-refresh" and values["aor"] == "bob@example.com" and values["req_callid"] == ""
    assert sorted(values) == sorted(["domain", "aor", "uri", "received", "user_agent", "socket", "bflags", "expires",
                                     "callid", "attr", "shtag", "reason", "req_callid"])


def test_renewing_moves_it_and_leaving_ends_it():
    found = office()
    found.register(PHONE, expires=600)
    wait(found, 300)
    found.register(PHONE, expires=600, cseq=2)
    assert len(found.usrloc.refresher) == 1
    assert wait(found, 500) == 0
    assert wait(found, 50) == 1
    found.register(PHONE, expires=600, cseq=3)
    found.register(PHONE, expires=0, cseq=4)
    assert wait(found, 700) == 1 and len(found.usrloc.refresher) == 0


def test_a_shorter_life_comes_sooner():
    found = office()
    found.register(PHONE, expires=6000)
    found.register(PHONE, expires=300, cseq=2)
    assert wait(found, 238) == 0 and wait(found, 4) == 1


def test_only_the_first_worker_and_the_server_of_the_phone_tell():
    found = office()
    found.register(PHONE, expires=600)
    [contact] = found.usrloc.domain("location").all()
    contact.socket = None
    object.__setattr__(found.usrloc.mode, "store", "cache")
    assert wait(found, 560) == 0
    object.__setattr__(found.usrloc.mode, "store", "")
    other = office()
    other.env.number = 1
    domain = other.usrloc.domain("other")
    assert domain.placed is None


def test_without_push_notifications_it_says_that_it_does_nothing(caplog):
    caplog.set_level("INFO")
    office(lead=0.0)
    assert "contact_refresh_timer does nothing" in caplog.text


