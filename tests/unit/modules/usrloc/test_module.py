"""The module usrloc: modes, keys, events, statistics, sweeping."""
from __future__ import annotations

import pytest
from kit.builtin import Holder
from kit.registration import Office


@pytest.mark.parametrize("params", [{}, {"db_mode": 0}, {"working_mode_preset": "single-instance-no-db"}])
def test_memory_modes(params):
    assert Office({"usrloc": params}).usrloc.domains.keys() == {"location"}


def test_keys():
    office = Office()
    office.register()
    ul, aor, out = office.usrloc, "bob@example.com", Holder()
    assert ul.ul_get_key(None, "location", aor, "k", out) == -1
    assert ul.ul_add_key(None, "location", "al@example.com", "k", "v") == -1
    assert ul.ul_add_key(None, "location", aor, "k", "v") == 1
    assert ul.ul_get_key(None, "location", aor, "k", out) == 1 and out.value == "v"
    assert ul.ul_add_key(None, "location", aor, "k", "") == 1
    assert ul.ul_del_key(None, "location", aor, "k") == -1


def test_statistics():
    office = Office({"registrar": {"min_expires": 0}})
    office.register("<sip:a@h>;expires=30, <sip:b@h>;expires=3000")
    office.register("<sip:c@h>", aor="sip:al@example.com", call_id="x")
    get = office.env.stats.get
    assert [get(f"usrloc:{n}") for n in ("registered_users", "location-users", "location-contacts",
                                         "location-expires")] == [2, 2, 3, 0]
    office.clock.now += 200
    office.env.now = office.clock.now
    office.usrloc.sweep()
    assert [get(f"usrloc:{n}") for n in ("location-users", "location-contacts", "location-expires")] == [2, 2, 1]


def test_events():
    office = Office()
    heard = []
    for name in office.env.events.records:
        if name.startswith("E_UL"):
            office.env.events.subscribe(name, "test:", lambda event, params: heard.append((event, params)))
    office.register("<sip:bob@10.0.0.1>;q=0.5", headers="User-Agent: p\r\n")
    office.register("<sip:bob@10.0.0.1>", cseq=2)
    office.register("<sip:bob@10.0.0.1>;expires=0", cseq=3)
    assert [event for event, _ in heard] == [
        "E_UL_AOR_INSERT", "E_UL_CONTACT_INSERT", "E_UL_CONTACT_UPDATE", "E_UL_CONTACT_DELETE", "E_UL_AOR_DELETE"]
    assert heard[0][1] == {"domain": "location", "aor": "bob@example.com"}
    params = heard[1][1]
    assert (params["uri"], params["qval"], params["user_agent"], params["callid"], params["cseq"]) == (
        "sip:bob@10.0.0.1", "0.5", "p", "reg-1", 1)
    assert abs(params["expires"] - office.env.wall() - 3600) < 5
    declared = next(e for e in office.usrloc.spec.events if e.name == "E_UL_CONTACT_INSERT").params
    assert set(params) == set(declared)


@pytest.mark.parametrize(("settings", "latency", "raised"), [
    ({}, 9000, 0), ({"latency_event_min_us": 5000}, 9000, 1), ({"latency_event_min_us": 5000}, 4000, 0),
    ({"latency_event_min_us_delta": 100}, 101, 1)])
def test_latency_event(settings, latency, raised):
    office = Office({"usrloc": settings})
    office.register()
    heard = []
    office.env.events.subscribe("E_UL_LATENCY_UPDATE", "test:", lambda event, params: heard.append(params["latency"]))
    [contact] = office.usrloc.domain("location").get("bob@example.com").contacts
    office.usrloc.set_latency(contact, latency)
    assert heard == [latency] * raised and contact.latency == latency


def test_a_further_table():
    office = Office()
    office.usrloc.domain("other").insert("x", office.usrloc.new_contact("sip:x@h"))
    assert office.usrloc.registered_users() == 1
    assert office.env.stats.get("usrloc:other-users") == 1
