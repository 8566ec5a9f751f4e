"""What the main registrar holds for us: remembered with the AoR, and taken back when it is over before its time."""
from __future__ import annotations

import json

import pytest
from kit import message
from kit.midway import Midway
from osip.modules.mid_registrar import remote


def registered(mode, granted=None):
    book = Midway(mode)
    book.register("<sip:bob@10.0.0.2>")
    book.grant(granted)
    return book


@pytest.mark.parametrize(("mode", "granted", "taken"), [(0, None, False), (1, None, True), (2, None, True),
                                                        (1, 671, False)])
def test_a_phone_that_is_not_heard_of_any_more(mode, granted, taken):
    book = registered(mode, granted)
    ours = book.contact()[0].uri_text
    book.pass_time(670)
    assert book.local() == []
    assert book.count() == 1 + taken
    if taken:
        last = book.inbox("dave")[-1]
        assert last.ruri == "sip:10.0.0.4" and last.expires == 0 and last.to.uri_text == "sip:bob@example.com"
        assert [c.uri_text for c in last.contacts] == [ours]


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_a_contact_that_the_operator_removes(mode):
    book = registered(mode)
    book.usrloc.mi_rm("location", "bob@example.com")
    assert book.count() == 2 and book.inbox("dave")[-1].expires == 0


def test_one_phone_of_two_is_taken_back_by_itself_or_not_at_all():
    for mode, count in ((1, 3), (2, 1)):
        book = registered(mode)
        book.register("<sip:bob@10.0.0.3>", call_id="two", expires=3000)
        if mode == 1:
            book.grant()
        book.pass_time(700)
        assert len(book.local()) == 1 and book.count() == count, mode
        book.pass_time(2400)
        assert book.count() == count + 1


def test_a_refusal_is_told(caplog):
    book = registered(1)
    book.pass_time(670)
    book.feed(message.response(book.inbox("dave")[-1], 401), "dave")
    assert "keeps a contact that is gone: status=401" in caplog.text


def test_what_is_remembered_is_forgotten_with_the_contact():
    book = registered(1)
    record = book.usrloc.domain("location").get("bob@example.com")
    [key] = record.kv
    assert key.startswith("_mid:") and remote.left(book.mid, record, int(key[5:])) == pytest.approx(3600, abs=1)
    book.register("<sip:bob@10.0.0.2>", expires=0)
    book.grant()
    assert record.kv == {}


@pytest.mark.parametrize("text", ["", "nonsense", "[1]", "{}"])
def test_what_cannot_be_read_counts_as_nothing(text):
    book = registered(1)
    record = book.usrloc.domain("location").get("bob@example.com")
    [key] = record.kv
    record.kv[key] = text
    assert remote.left(book.mid, record, int(key[5:])) == 0.0
    book.register("<sip:bob@10.0.0.2>")
    assert book.count() == 2


def test_it_is_plain_text():
    found = remote.Remote(1.25, "sip:main", "sip:bob@h", "sip:bob@us", "sip:1.2.3.4:5060;transport=udp",
                          "udp:1.1.1.1:5060")
    assert json.loads(found.text()) == [1.2, "sip:main", "sip:bob@h", "sip:bob@us", "sip:1.2.3.4:5060;transport=udp",
                                        "udp:1.1.1.1:5060"]
    assert remote.key_of(0) == "_mid" and remote.key_of(7) == "_mid:7"
