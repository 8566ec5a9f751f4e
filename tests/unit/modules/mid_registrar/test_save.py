"""REGISTERs at a mid-registrar: what goes on to the main registrar, what is answered here, what is kept."""
from __future__ import annotations

import pytest
from kit.midway import US, Midway

BOB = "<sip:bob@10.0.0.2:5060;transport=udp>"
URI = "sip:bob@10.0.0.2:5060;transport=udp"


def pairs(reply):
    return [(c.uri_text, c.expires) for c in reply.contacts]


# --- what the main registrar sees ----------------------------------------------------------------------------------

@pytest.mark.parametrize(("mode", "params", "contact", "user", "tail"), [
    (0, "", BOB, "bob", ";ctid=N"), (1, "", BOB, "bob", ";ctid=N;expires=3600"),
    (1, 'modparam("mid_registrar", "contact_id_insertion", "ct-username")', BOB, "N", ";expires=3600"),
    (0, 'modparam("mid_registrar", "contact_id_param", "id")', BOB + ";q=0.5;expires=60;received=\"sip:x\"", "bob",
     ";id=N;q=0.5;expires=60"),
    (1, 'modparam("mid_registrar", "extra_contact_params_avp", "$avp(extra)")', BOB + ";q=0.5;expires=60", "bob",
     ";ctid=N;x=1;q=0.5;expires=3600"),
    (0, "", "<sip:10.0.0.2>;+sip.instance=\"<urn:uuid:1>\";reg-id=1", "", ";ctid=N;+sip.instance=\"<urn:uuid:1>\""),
    (2, "", BOB + ";q=0.5", "bob%40example.com", ";expires=3600"),
    (2, 'modparam("mid_registrar", "at_escape_str", "_at_")', BOB, "bob_at_example.com", ";expires=3600"),
    (2, 'modparam("usrloc", "use_domain", 0)', BOB, "bob", ";expires=3600"),
    (2, 'modparam("mid_registrar", "outgoing_expires", 300)', BOB, "bob%40example.com", ";expires=600")])
def test_the_contact_is_here(mode, params, contact, user, tail):
    book = Midway(mode, params)
    book.register(contact)
    assert "save 1" in book.said
    [seen] = book.contact()
    number = next((word for word in seen.uri_text.replace("@", "=").replace(";", "=").replace(":", "=").split("=")
                   if word.isdigit() and len(word) > 8), "N")
    text = str(seen).replace(number, "N")
    where = f"{user}@{US}" if user else US
    uri_end = tail.find(";q=") if ";q=" in tail else tail.find(";expires") if ";expires" in tail else tail.find(";+")
    uri, rest = (tail, "") if uri_end < 0 else (tail[:uri_end], tail[uri_end:])
    assert text == f"<sip:{where}{uri}>{rest}"
    assert book.local() == []                           # nothing is saved before the main registrar has accepted it


def test_each_contact_has_its_own_number():
    book = Midway(1)
    book.register("<sip:a@10.0.0.2>, <sip:b@10.0.0.2>;expires=0, <sip:c@10.0.0.2>;expires=5")
    seen = book.contact()
    assert len({c.uri.param("ctid") for c in seen}) == 3
    assert [c.expires for c in seen] == [3600, 0, 3600]
    assert pairs(book.grant()) == [("sip:a@10.0.0.2", 600), ("sip:c@10.0.0.2", 10)]


def test_path_ends_here():
    book = Midway(0, save=', "path-lazy"')
    book.register(BOB, headers="Path: <sip:10.0.0.3;lr>\r\nSupported: path\r\n")
    assert book.inbox("dave")[-1].get("Path") is None
    assert book.grant().get("Path") == "<sip:10.0.0.3;lr>"
    [contact] = book.usrloc.domain("location").all()
    assert contact.path == "<sip:10.0.0.3;lr>"
    book = Midway(0, save=', "path-strict"')
    assert book.register(BOB, headers="Path: <sip:10.0.0.3;lr>\r\n").status == 420
    book = Midway(0)
    book.register(BOB, headers="Path: <sip:10.0.0.3;lr>\r\n")
    assert book.inbox("dave")[-1].get("Path") == "<sip:10.0.0.3;lr>"


# --- what the main registrar says ----------------------------------------------------------------------------------

@pytest.mark.parametrize(("mode", "granted", "kept"), [
    (0, None, 600), (0, 120, 120), (0, 7200, 7200), (1, None, 600), (1, 3600, 600), (1, 100, 100), (2, None, 600),
    (2, 100, 100)])
def test_what_is_kept(mode, granted, kept):
    book = Midway(mode)
    book.register(BOB)
    reply = book.grant(granted)
    assert pairs(reply) == [(URI, kept)] and book.local() == [(URI, kept)]


@pytest.mark.parametrize("mode", [0, 1, 2])
@pytest.mark.parametrize("status", [401, 403, 423, 500])
def test_what_is_refused_is_not_kept(mode, status):
    book = Midway(mode)
    book.register(BOB)
    assert book.grant(status=status).status == status
    assert book.local() == []
    book.register(BOB)                                  # with credentials, say
    book.grant()
    assert book.local() == [(URI, 600)]


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_contacts_that_others_have_there_are_shown(mode):
    book = Midway(mode)
    book.register(BOB)
    assert pairs(book.grant(more="<sip:bob@desk.example.com>;expires=77")) == [
        (URI, 600), ("sip:bob@desk.example.com", 77)]


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_asking_goes_on_and_shows_what_is_here(mode):
    book = Midway(mode)
    book.register(BOB)
    ours = str(book.contact()[0])
    book.grant()
    raw_count = book.count()
    book.register("")
    assert book.count() == raw_count + 1
    if book.inbox("dave")[-1].contacts == []:
        assert pairs(book.grant(more=f"{ours}, <sip:x@y>;expires=5")) == [(URI, 600), ("sip:x@y", 5)]


def test_headers_of_the_main_registrar_stay():
    book = Midway(1)
    book.register(BOB)
    reply = book.grant(headers="Service-Route: <sip:main;lr>\r\nExpires: 3600\r\n")
    assert reply.get("Service-Route") == "<sip:main;lr>" and reply.get("Expires") is None


# --- throttling ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("mode", "counts"), [(0, [1, 2, 3, 4]), (1, [1, 1, 1, 2]), (2, [1, 1, 1, 2])])
def test_renewals(mode, counts):
    book = Midway(mode, 'modparam("mid_registrar", "outgoing_expires", 2000)')
    found = []
    for _ in range(4):                                  # at 0, 500, 1000 and 1500 seconds; 2000 are held there
        reply = book.register(BOB)
        if book.count() > sum(found[-1:]):
            reply = book.grant()
        found.append(book.count())
        assert pairs(reply) == [(URI, 600)], found
        book.pass_time(500)
    assert found == counts


def test_who_begins_anew_goes_on():
    book = Midway(1)
    book.register(BOB)
    book.grant()
    book.register(BOB)
    assert book.count() == 1
    book.register(BOB, call_id="other")                 # it has not shown who it is
    assert book.count() == 2


@pytest.mark.parametrize(("mode", "count"), [(1, 2), (2, 1)])
def test_a_second_phone(mode, count):
    book = Midway(mode)
    book.register(BOB)
    book.grant()
    book.register("<sip:bob@10.0.0.3>", call_id="two")
    assert book.count() == count
    if count == 2:
        book.grant()
    assert len(book.local()) == 2


@pytest.mark.parametrize(("argument", "seconds"), [("", 3600), (', "", "", 900', 900)])
def test_outgoing_expires_of_one_call(argument, seconds):
    book = Midway(1, save=argument.replace('"", ""', '"memory-only", "sip:bob@example.com"'))
    book.register(BOB)
    assert book.contact()[0].expires == seconds and book.inbox("dave")[-1].expires == seconds


# --- leaving -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("mode", [0, 1, 2])
@pytest.mark.parametrize("contact", [BOB, "*"])
def test_a_phone_that_leaves(mode, contact):
    book = Midway(mode)
    book.register(BOB)
    book.grant()
    before = book.count()
    book.register(contact, expires=0)
    assert book.count() == before + 1
    last = book.inbox("dave")[-1]
    assert last.contact_star if contact == "*" else last.contacts[0].expires in (0, None) and last.expires == 0
    assert book.local() != []
    assert pairs(book.grant()) == [] and book.local() == []
    assert book.count() == before + 1                   # it knows: nothing is taken back


def test_one_of_two_phones_leaves():
    book = Midway(2)
    book.register(BOB)
    book.grant()
    book.register("<sip:bob@10.0.0.3>", call_id="two")
    assert pairs(book.register(BOB, expires=0)) == [("sip:bob@10.0.0.3", 600)]
    assert book.count() == 1
    book.register("<sip:bob@10.0.0.3>", call_id="two", expires=0)
    assert book.count() == 2 and book.contact()[0].expires == 0
    book.grant()
    assert book.local() == []


# --- refusals ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("params", "save", "contact", "status"), [
    ("", "", f"<sip:{'x' * 300}@h>", 400), ("", "", "<mailto:bob@h>", 400),
    ('modparam("mid_registrar", "max_contacts", 1)', "", BOB, 503), ("", ', "max-contacts=1"', BOB, 503),
    ("", ', "max-contacts=1,force-registration"', BOB, 0)])
def test_refused_here(params, save, contact, status):
    book = Midway(1, params + ' modparam("mid_registrar", "retry_after", 7)', save)
    book.register("<sip:bob@10.0.0.3>", call_id="first")
    book.grant()
    reply = book.register(contact)
    if not status:
        assert book.count() == 2
        return
    assert reply.status == status and book.count() == 1 and "save -1" in book.said
    assert (reply.get("Retry-After") == "7") is (status == 503)


def test_push_parameters():
    book = Midway(0, 'modparam("mid_registrar", "pn_enable", 1) modparam("mid_registrar", "pn_providers", "apns")')
    assert book.register("<sip:bob@10.0.0.2;pn-provider=other;pn-prid=x>").status == 555
    book.register("<sip:bob@10.0.0.2;pn-provider=apns;pn-prid=x>")
    assert "pn-prid" not in book.contact()[0].uri_text
    assert book.grant().get("Feature-Caps") == '*;+sip.pns="apns"'
