"""Contacts in memory: order, matching, expiry by buckets."""
from __future__ import annotations

import gc
import weakref

import pytest
from kit.source import needs_source
from osip.modules.usrloc.state import ALL_METHODS, Contact, Domain, method_mask


def domain(**more):
    made = Domain("location", 60.0, **more)
    heard: list[tuple[str, str]] = []
    made.watchers = [lambda what, thing: heard.append((what, getattr(thing, "uri", thing.aor)))]
    return made, heard


def uris(table, aor="bob@a", now=0.0):
    return [c.uri for c in table.valid(aor, now)]


@pytest.mark.parametrize(("names", "mask"), [("INVITE", 1), ("invite, BYE", 9), ("PUBLISH,REFER", 12288),
                                             ("FOO", 16384), ("INVITE,FOO,BAR", 16385)])
def test_method_mask(names, mask):
    assert method_mask(names.split(",")) == mask


@pytest.mark.parametrize(("newest", "order"), [(False, ["b", "a", "c", "d"]), (True, ["b", "c", "a", "d"])])
def test_order_by_q_then_age(newest, order):
    table, _ = domain(newest_first=newest)
    for uri, q in (("a", 500), ("b", 1000), ("c", 500), ("d", -1)):
        table.insert("bob@a", Contact(f"sip:{uri}", 100.0, q))
    assert uris(table) == [f"sip:{uri}" for uri in order]


def test_update_moves_a_contact_whose_q_changed():
    table, heard = domain()
    first = table.insert("bob@a", Contact("sip:a@h", 100.0, 900))
    table.insert("bob@a", Contact("sip:b@h", 100.0, 500))
    table.update(first, Contact("sip:a@h", 200.0, 100))
    assert uris(table) == ["sip:b@h", "sip:a@h"]
    assert heard[-1] == ("contact_update", "sip:a@h")
    assert first.expires == 200.0


@pytest.mark.parametrize(("stored", "asked", "found"), [
    ("sip:a@h:5060", "sip:a@h:5060", True), ("sip:a@H;transport=udp", "sip:a@h;transport=UDP", True),
    ("sip:a@h", "sip:a@h:5060", False), ("sip:a@h", "sip:b@h", False), ("sip:%61@h", "sip:a@h", True),
    ("sip:a@h", "not a uri", False)])
def test_find_compares_uris(stored, asked, found):
    table, _ = domain()
    table.insert("bob@a", Contact(stored, 100.0, call_id="x"))
    record = table.get("bob@a")
    assert (record.find(asked) is not None) is found
    assert record.find(asked, "other") is None


def test_the_last_contact_takes_the_record_with_it():
    table, heard = domain()
    contact = table.insert("bob@a", Contact("sip:a@h", 100.0))
    table.delete(contact)
    table.delete(contact)                   # a second time changes nothing
    assert table.get("bob@a") is None and table.contacts == 0
    assert [what for what, _ in heard] == ["aor_insert", "contact_insert", "contact_delete", "aor_delete"]


def test_delete_aor():
    table, heard = domain()
    for uri in ("sip:a@h", "sip:b@h"):
        table.insert("bob@a", Contact(uri, 100.0))
    assert table.delete_aor("bob@a") and not table.delete_aor("bob@a")
    assert table.contacts == 0 and table.records == {}
    assert [what for what, _ in heard].count("contact_delete") == 2


def test_expired_contacts_are_invisible_before_they_are_swept():
    table, _ = domain()
    table.insert("bob@a", Contact("sip:a@h", 100.0))
    assert uris(table, now=99.9) == ["sip:a@h"]
    assert uris(table, now=100.0) == []
    assert table.contacts == 1


@pytest.mark.parametrize(("expires", "now", "left"), [(100.0, 119.0, 1), (100.0, 120.0, 0), (100.0, 5000.0, 0),
                                                      (0.0, 1e9, 1)])
def test_sweep(expires, now, left):
    table, _ = domain()
    table.insert("bob@a", Contact("sip:a@h", expires))
    assert table.sweep(now) == 1 - left
    assert table.contacts == left and table.expired == 1 - left


def test_a_renewed_contact_survives_and_goes_at_its_new_end():
    table, _ = domain()
    contact = table.insert("bob@a", Contact("sip:a@h", 100.0))
    table.update(contact, Contact("sip:a@h", 1000.0))
    assert table.sweep(130.0) == 0 and uris(table, now=130.0) == ["sip:a@h"]
    assert table.sweep(999.0) == 0
    assert table.sweep(1100.0) == 1


def test_a_shortened_contact_goes_at_its_new_end():
    table, _ = domain()
    contact = table.insert("bob@a", Contact("sip:a@h", 5000.0))
    table.update(contact, Contact("sip:a@h", 100.0))
    assert table.sweep(130.0) == 1
    assert table.sweep(6000.0) == 0


def test_a_contact_made_permanent_is_never_swept():
    table, _ = domain()
    contact = table.insert("bob@a", Contact("sip:a@h", 100.0))
    table.update(contact, Contact("sip:a@h", 0.0))
    assert table.sweep(1e9) == 0 and table.contacts == 1


def test_sweeping_looks_at_due_contacts_only():
    table, _ = domain()
    for number in range(100):
        table.insert(f"u{number}@a", Contact(f"sip:u{number}@h", 10.0 if number < 3 else 9000.0))
    assert table.sweep(60.0) == 3
    assert table.contacts == 97


@needs_source
def test_nothing_holds_a_deleted_contact():
    table = Domain("location")
    gone = []

    class Watched(Contact):
        __slots__ = ("__weakref__",)
    for _ in range(3):
        contact = table.insert("bob@a", Watched("sip:a@h", 3600.0))
        gone.append(weakref.ref(contact))
        table.delete(contact)
        del contact
    gc.disable()
    try:
        assert [ref() for ref in gone] == [None] * 3
    finally:
        gc.enable()


def test_ids_count_up_from_the_given_one():
    table = Domain("location", first_id=7 << 20)
    made = [table.insert("bob@a", Contact(f"sip:{n}@h")).id for n in range(3)]
    assert made == [(7 << 20) + n for n in range(3)]


def test_take_keeps_identity():
    one, two = Contact("sip:a@h", 1.0, call_id="x"), Contact("sip:a@h", 2.0, call_id="y", cseq=9, user_agent="p")
    one.id, one.bucket = 5, 3
    one.take(two)
    assert (one.id, one.bucket, one.call_id, one.cseq, one.user_agent) == (5, 3, "y", 9, "p")
    assert one.methods == ALL_METHODS
