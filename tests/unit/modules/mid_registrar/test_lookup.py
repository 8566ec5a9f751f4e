"""Requests from the main registrar: by the number of a contact, by AoR, and to phones that sleep."""
from __future__ import annotations

import pytest
from kit.midway import US, Midway
from kit.sleeper import PUSH

BY_USER = 'modparam("mid_registrar", "contact_id_insertion", "ct-username")'
PN = 'modparam("mid_registrar", "pn_enable", 1) modparam("mid_registrar", "pn_providers", "apns")'


def two_phones(mode, params="", lookup=""):
    book = Midway(mode, params, lookup=lookup)
    for number, host in enumerate(("10.0.0.2", "10.0.0.3"), 2):
        book.register(f"<sip:bob@{host}>", call_id=f"c{number}",
                      headers=f"User-Agent: phone{number}\r\nAllow: INVITE\r\n")
        if book.count() and book.inbox("dave")[-1].call_id == f"c{number}":
            book.grant()
    book.said.clear()
    return book


@pytest.mark.parametrize(("mode", "params"), [(0, ""), (1, ""), (0, BY_USER), (1, BY_USER)])
def test_each_contact_is_reached_by_its_number(mode, params):
    book = two_phones(mode, params)
    uris = [msg.contacts[0].uri_text for msg in book.inbox("dave")]
    for uri, peer in zip(uris, ("bob", "carol"), strict=True):
        book.recv("INVITE", uri, branch=f"z9hG4bK{peer}", call_id=peer, peer="dave", via="10.0.0.4:5060")
        assert [msg.ruri for msg in book.inbox(peer)] == [f"sip:bob@{'10.0.0.2' if peer == 'bob' else '10.0.0.3'}"]


@pytest.mark.parametrize(("mode", "ruri", "ringing"), [
    (2, f"sip:bob%40example.com@{US}", 2), (2, "sip:bob@example.com", 2), (2, f"sip:alice%40example.com@{US}", 0),
    (0, "sip:bob@example.com", 2), (1, "sip:bob@example.com", 2), (1, f"sip:bob@{US};ctid=77", 0),
    (1, f"sip:bob@{US};ctid={'9' * 30}", 0), (1, f"sip:bob@{US};ctid=x", 0)])
def test_by_aor(mode, ruri, ringing):
    book = two_phones(mode)
    book.recv("INVITE", ruri, peer="dave", via="10.0.0.4:5060")
    assert len(book.requests("bob") + book.requests("carol")) == ringing
    assert book.said == [f"lookup {1 if ringing else -1}"]


@pytest.mark.parametrize(("flags", "method", "code"), [
    ("method-filtering", "INVITE", 1), ("m", "MESSAGE", -2), ("ua-filtering=/phone2/", "INVITE", 1),
    ("ua-filtering=/snom/", "INVITE", -2), ("max-ping-latency=5", "INVITE", 1)])
def test_flags(flags, method, code):
    book = two_phones(1, lookup=f', "{flags}"')
    book.recv(method, book.inbox("dave")[0].contacts[0].uri_text)
    assert book.said == [f"lookup {code}"]


def test_an_expired_contact_is_not_reached():
    book = two_phones(1)
    book.pass_time(601)
    book.recv("INVITE", book.inbox("dave")[0].contacts[0].uri_text)
    assert book.said[-1] == "lookup -1"


def test_a_number_outlives_renewals():
    book = Midway(0)
    book.register()
    book.grant()
    first = book.contact()[0].uri_text
    book.register()
    book.grant()
    assert book.contact()[0].uri_text == first


@pytest.mark.parametrize(("mode", "wakes"), [(0, True), (1, True), (2, True)])
def test_a_phone_that_sleeps(mode, wakes):
    book = Midway(mode, PN)
    contact = f"<sip:bob@10.0.0.2{PUSH}>"
    book.register(contact)
    uri = book.contact()[0].uri_text
    book.grant()
    book.recv("INVITE", uri, peer="dave", via="10.0.0.4:5060")
    assert "lookup 2" in book.said and book.wakes() == ["ini-INVITE"] and book.requests("bob") == []
    book.register(contact)
    if mode == 0:
        book.grant()
    book.advance(0.2)
    assert book.requests("bob") == ["INVITE"] and book.inbox("bob")[0].ruri == contact.strip("<>")
