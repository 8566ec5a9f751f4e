"""Management commands over location tables."""
from __future__ import annotations

import asyncio

import pytest
from kit.registration import Office

from osip.api import MIError
from osip.modules.usrloc import mi
from osip.modules.usrloc.state import Contact


@pytest.fixture
def office():
    made = Office()
    made.register("<sip:bob@10.0.0.1>;q=0.5;expires=100, <sip:bob@10.0.0.2>;expires=200", headers="User-Agent: p\r\n")
    return made


def run(office, name, *params):
    found = office.env.mi.run(name, list(params))
    return asyncio.run(found) if asyncio.iscoroutine(found) else found


def test_show_contact(office):
    shown = run(office, "ul_show_contact", "location", "bob@example.com")
    assert shown["AOR"] == "bob@example.com"
    first = shown["Contacts"][0]
    assert (first["Contact"], first["Expires"], first["Q"], first["Callid"], first["Cseq"], first["User-agent"]) == (
        "sip:bob@10.0.0.1", 100, "0.5", "reg-1", 1, "p")
    assert first["Socket"] == "udp:10.0.0.9:5060" and first["State"] == "CS_NEW"


def test_dump(office):
    [domain] = run(office, "usrloc:dump")["Domains"]
    assert (domain["name"], domain["hash_size"], len(domain["AORs"][0]["Contacts"])) == ("location", 512, 2)
    [domain] = run(office, "ul_dump", "brief")["Domains"]
    assert domain["AORs"] == [{"AOR": "bob@example.com"}]


def test_dump_shows_the_keys_when_asked(office):
    office.usrloc.ul_add_key(None, "location", "bob@example.com", "k", "v")
    assert "KV-Store" not in run(office, "ul_dump")["Domains"][0]["AORs"][0]
    office.usrloc.mi_dump_kv_store = 1
    assert run(office, "ul_dump")["Domains"][0]["AORs"][0]["KV-Store"] == {"k": "v"}


@pytest.mark.parametrize(("expires", "shown"), [(0.0, "permanent"), (1100.0, 100), (999.0, "expired")])
def test_expires_text(expires, shown):
    assert mi.expires_text(Contact("sip:a", expires), 1000.0) == shown


@pytest.mark.parametrize(("text", "use_domain", "key"), [
    ("bob@Example.COM", 1, "bob@example.com"), ("sip:bob@example.com", 1, "bob@example.com"), ("bob@x", 0, "bob"),
    ("bob", 0, "bob")])
def test_aor_of(office, text, use_domain, key):
    office.usrloc.use_domain = use_domain
    assert mi.aor_of(office.usrloc, text) == key


@pytest.mark.parametrize(("command", "params", "code"), [
    ("ul_rm", ("nowhere", "bob@example.com"), 404), ("ul_rm", ("location", "al@example.com"), 404),
    ("ul_rm", ("location", "bob"), 400), ("ul_rm_contact", ("location", "bob@example.com", "sip:x@y"), 404),
    ("ul_rm_contact", ("location", "al@example.com", "sip:x@y"), 404),
    ("ul_show_contact", ("location", "al@example.com"), 404), ("ul_sync", ("location",), 500),
    ("ul_sync", ("nowhere",), 404), ("ul_cluster_sync", (), 500),
    ("ul_add", ("location", "al@example.com", "nonsense", "60", "1", "0", "0", "0"), 400),
    ("ul_add", ("location", "al@example.com", "sip:al@h", "60", "x", "0", "0", "0"), 400),
    ("ul_add", ("location", "al@example.com", "sip:al@h", "60", "2", "0", "0", "0"), 400)])
def test_refusals(office, command, params, code):
    with pytest.raises(MIError) as raised:
        run(office, command, *params)
    assert raised.value.code == code


def test_rm_and_rm_contact(office):
    assert run(office, "ul_rm_contact", "location", "bob@example.com", "sip:bob@10.0.0.1") == "OK"
    assert office.uris() == ["sip:bob@10.0.0.2"]
    assert run(office, "ul_rm", "location", "bob@example.com") == "OK"
    assert office.uris() == []


def test_add_then_renew(office):
    office.env.branch_flags.bit("NAT")
    add = ("location", "al@example.com", "sip:al@h", "60", "0.3", "0", "NAT", "0")
    assert run(office, "ul_add", *add) == "OK"
    [contact] = office.usrloc.domain("location").get("al@example.com").contacts
    assert (contact.q, contact.expires, contact.cflags) == (300, office.env.now + 60, 1)
    run(office, "ul_add", *add[:3], "0", *add[4:])
    assert contact.expires == 0.0 and len(contact.record.contacts) == 1
    assert run(office, "ul_flush") == "OK"
