"""Contacts as rows, and rows of others as contacts."""
from __future__ import annotations

from datetime import datetime

import pytest
from kit.registration import Office

from osip.modules.usrloc.row import contact_of, flags_of, keys_of, row_of, signed, storable
from osip.modules.usrloc.state import ALL_METHODS

ROW = {"contact_id": 7, "user": "bob", "domain": "example.com", "contact": "sip:b@h", "received": None, "path": None,
       "expires": 1_800_000_060, "q": -1.0, "callid": "c", "cseq": 3, "last_modified": datetime(2027, 1, 15, 8), "flags": 0,
       "cflags": None, "user_agent": "", "socket": None, "methods": None, "sip_instance": None, "kv_store": None, "attr": None}


@pytest.fixture
def usrloc():
    office = Office()
    office.env.wall = lambda: 1_800_000_000.0
    office.usrloc.monotonic = lambda: office.env.now
    return office.usrloc


@pytest.mark.parametrize(("mask", "number"), [(0, 0), (1, 1), (0x7FFFFFFF, 0x7FFFFFFF), (0xFFFFFFFF, -1), (1 << 31, -(1 << 31))])
def test_signed(mask, number):
    assert signed(mask) == number and number & 0xFFFFFFFF == mask


@pytest.mark.parametrize(("text", "kept"), [(None, None), ("a", "a"), ("é", "é"), ("a\0b", "ab"), ("x\udcff", "x\ufffd")])
def test_storable(text, kept):
    assert storable(text) == kept


@pytest.mark.parametrize(("text", "keys"), [(None, None), ("", None), ("{}", None), ('{"a":"b"}', {"a": "b"}), ("[1]", None)])
def test_keys_of(text, keys):
    assert keys_of(text) == keys


def test_flags_of(usrloc):
    assert flags_of(usrloc, "A B") == 3 and flags_of(usrloc, None) == 0


@pytest.mark.parametrize(("change", "name", "value"), [
    ({}, "q", -1), ({"q": 0.5}, "q", 500), ({"q": 7.0}, "q", 1000), ({"expires": 0}, "expires", 0.0),
    ({"methods": -1}, "methods", ALL_METHODS), ({"methods": 5}, "methods", 5), ({"socket": "udp:1.2.3.4:5060"}, "socket", None),
    ({"socket": "nonsense"}, "socket", None), ({"last_modified": "2027-01-15 08:00:00"}, "id", 7)])
def test_contact_of(usrloc, change, name, value):
    aor, contact, _ = contact_of(usrloc, ROW | change)
    assert aor == "bob@example.com" and getattr(contact, name) == value and contact.state == "CS_SYNC"


@pytest.mark.parametrize("change", [{"contact": ""}, {"expires": "soon"}, {"kv_store": "{"}, {"cseq": "x"}])
def test_rows_that_are_broken(usrloc, change):
    with pytest.raises(ValueError):
        contact_of(usrloc, ROW | change)


@pytest.mark.parametrize(("use_domain", "user", "domain", "aor"), [
    (1, "", "example.com", "example.com"), (0, "bob", None, "bob"), (1, "a@b", "example.com", "a@b@example.com")])
def test_the_aor_there_and_back(usrloc, use_domain, user, domain, aor):
    usrloc.use_domain = use_domain
    found, contact, _ = contact_of(usrloc, ROW | {"user": user, "domain": domain})
    assert found == aor
    usrloc.take_in(usrloc.domain("location"), aor, contact, None)
    row = row_of(usrloc, contact)
    assert (row["user"], row["domain"] or None) == (user, domain)
    assert {key: row[key] for key in ROW if key not in ("user", "domain", "cflags")} == {
        key: ROW[key] for key in ROW if key not in ("user", "domain", "cflags")}
