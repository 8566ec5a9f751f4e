"""REGISTER processing (RFC 3261 section 10.3)."""
from __future__ import annotations

import pytest
from kit.registration import Office, contacts, register

from osip.api import LocalSocket, Source


def check(office, reply, status, expected=None):
    assert reply.status == status, reply.raw.decode()
    assert office.code == (1 if status == 200 else -1)
    if expected is not None:
        assert contacts(reply) == expected


def test_first_registration():
    office = Office()
    check(office, office.register("<sip:bob@10.0.0.1>;q=0.5"), 200, [("sip:bob@10.0.0.1", 3600)])
    assert office.registrar.accepted_regs == 1
    [contact] = office.usrloc.domain("location").get("bob@example.com").contacts
    assert (contact.q, contact.call_id, contact.cseq, contact.socket.text) == (500, "reg-1", 1, "udp:10.0.0.9:5060")


def test_the_reply_lists_all_contacts_best_first_with_q():
    office = Office()
    office.register("<sip:a@h>;q=0.3")
    reply = office.register("<sip:b@h>;q=1.0;expires=100", call_id="other")
    assert [(c.uri_text, c.q, c.expires) for c in reply.contacts] == [("sip:b@h", 1000, 100), ("sip:a@h", 300, 3600)]


def test_only_request_contacts():
    office = Office()
    office.register("<sip:a@h>")
    check(office, office.register("<sip:b@h>", call_id="x", flags="only-request-contacts"), 200, [("sip:b@h", 3600)])


def test_a_query_changes_nothing():
    office = Office()
    check(office, office.register(None), 200, [])
    office.register()
    office.clock.advance(100)
    check(office, office.register(None, cseq=2), 200, [("sip:bob@10.0.0.1", 3500)])


LIFE = [        # Contact's expires, Expires header, parameters, flags, seconds granted
    (None, None, {}, "", 3600), (None, 200, {}, "", 200), (100, 200, {}, "", 100), (10, None, {}, "", 60),
    (10, None, {"min_expires": 0}, "", 10), (9999, None, {"max_expires": 7200}, "", 7200),
    (10, None, {}, "min-expires=30", 30), (9999, None, {}, "E600", 600), (None, None, {"default_expires": 90}, "", 90),
    (4294967295, None, {}, "", 4294967295)]


@pytest.mark.parametrize(("own", "header", "params", "flags", "granted"), LIFE)
def test_life(own, header, params, flags, granted):
    office = Office({"registrar": params})
    value = "<sip:a@h>" if own is None else f"<sip:a@h>;expires={own}"
    check(office, office.register(value, expires=header, flags=flags), 200, [("sip:a@h", granted)])


def test_deviation_stays_within_its_bounds():
    office = Office({"registrar": {"expires_max_deviation": 10}})
    granted = [contacts(office.register(f"<sip:a{n}@h>", aor=f"sip:u{n}@example.com"))[0][1] for n in range(50)]
    assert all(3590 <= each <= 3610 for each in granted) and len(set(granted)) > 1


def test_expires_0_removes_one_contact():
    office = Office()
    office.register("<sip:a@h>, <sip:b@h>")
    check(office, office.register("<sip:a@h>;expires=0", cseq=2), 200, [("sip:b@h", 3600)])
    check(office, office.register("<sip:x@h>;expires=0", cseq=3), 200, [("sip:b@h", 3600)])


STAR = [("*", 0, 200, []), ("*", None, 400, None), ("*", 60, 400, None), ("*, <sip:a@h>", 0, 400, None)]


@pytest.mark.parametrize(("value", "expires", "status", "left"), STAR)
def test_star(value, expires, status, left):
    office = Office()
    office.register("<sip:a@h>, <sip:b@h>")
    check(office, office.register(value, expires=expires, cseq=2), status, left)
    assert len(office.uris()) == (0 if status == 200 else 2)


def test_star_with_an_older_cseq_is_refused():
    office = Office()
    office.register(cseq=5)
    check(office, office.register("*", expires=0, cseq=4), 400)
    check(office, office.register("*", expires=0, cseq=4, call_id="other"), 200, [])


ORDER = [       # Call-ID, CSeq, seconds later, allow_dup_cseq, status, life left
    ("reg-1", 11, 5, 1, 200, 1000), ("reg-1", 9, 5, 1, 400, None), ("reg-1", 10, 5, 1, 200, 3595),
    ("reg-1", 10, 30, 1, 200, 1000), ("reg-1", 10, 30, 0, 400, None), ("other", 1, 5, 1, 200, 1000)]


@pytest.mark.parametrize(("call_id", "cseq", "later", "dup", "status", "left"), ORDER)
def test_order_by_call_id_and_cseq(call_id, cseq, later, dup, status, left):
    office = Office({"registrar": {"allow_dup_cseq": dup}})
    office.register(cseq=10)
    office.clock.advance(later)
    reply = office.register("<sip:bob@10.0.0.1>;expires=1000", cseq=cseq, call_id=call_id)
    check(office, reply, status, None if left is None else [("sip:bob@10.0.0.1", left)])


def test_a_refused_request_changes_nothing():
    office = Office()
    office.register("<sip:a@h>", cseq=10)
    check(office, office.register("<sip:new@h>, <sip:a@h>;expires=50", cseq=9), 400)
    assert office.uris() == ["sip:a@h"]
    assert office.registrar.rejected_regs == 1


LIMITS = [      # parameter, flags, contacts of the second REGISTER, status, contacts afterwards
    (2, "", "<sip:c@h>", 503, ["sip:a@h", "sip:b@h"]), (0, "max-contacts=2", "<sip:c@h>", 503, ["sip:a@h", "sip:b@h"]),
    (2, "force-registration", "<sip:c@h>", 200, ["sip:b@h", "sip:c@h"]), (2, "c3", "<sip:c@h>", 200,
                                                                         ["sip:a@h", "sip:b@h", "sip:c@h"]),
    (2, "", "<sip:b@h>", 200, ["sip:a@h", "sip:b@h"]), (2, "", "<sip:c@h>, <sip:a@h>;expires=0", 200,
                                                       ["sip:b@h", "sip:c@h"]),
    (2, "f", "<sip:c@h>, <sip:d@h>, <sip:e@h>", 503, ["sip:a@h", "sip:b@h"]),
    (1, "", "<sip:a@h>;expires=0", 200, ["sip:b@h"])]


@pytest.mark.parametrize(("limit", "flags", "value", "status", "left"), LIMITS)
def test_max_contacts(limit, flags, value, status, left):
    office = Office({"registrar": {"retry_after": 7}})
    office.register("<sip:a@h>")
    office.clock.advance(1)
    office.register("<sip:b@h>", cseq=2)
    office.registrar.max_contacts = limit
    office.registrar.rules.read()
    reply = office.register(value, cseq=3, flags=flags)
    check(office, reply, status)
    assert office.uris() == left
    assert reply.get("Retry-After") == ("7" if status == 503 else None)


def test_expired_contacts_do_not_count():
    office = Office({"registrar": {"max_contacts": 1}})
    office.register("<sip:a@h>;expires=60")
    office.clock.advance(61)
    check(office, office.register("<sip:b@h>", cseq=2), 200, [("sip:b@h", 3600)])


MATCHING = [    # usrloc's mode, flags, second Contact, second Call-ID, number of contacts
    (0, "", "<sip:bob@10.0.0.1;transport=udp>", "reg-1", 2), (0, "", "<sip:bob@10.0.0.1>", "other", 1),
    (1, "", "<sip:bob@10.0.0.1>", "other", 2), (0, "matching-mode=1", "<sip:bob@10.0.0.1>", "other", 2),
    (1, "M0", "<sip:bob@10.0.0.1>", "other", 1)]


@pytest.mark.parametrize(("mode", "flags", "value", "call_id", "count"), MATCHING)
def test_matching(mode, flags, value, call_id, count):
    office = Office({"usrloc": {"matching_mode": mode}})
    office.register()
    office.register(value, cseq=2, call_id=call_id, flags=flags)
    assert len(office.uris()) == count


def test_matching_by_a_parameter():
    office = Office()
    office.register("<sip:bob@10.0.0.1;rinstance=1>")
    office.register("<sip:bob@10.0.0.2;rinstance=1>", cseq=2, flags="matching-mode=<rinstance>")
    office.register("<sip:bob@10.0.0.3;rinstance=2>", cseq=3, flags="matching-mode=<rinstance>")
    assert office.uris() == ["sip:bob@10.0.0.2;rinstance=1", "sip:bob@10.0.0.3;rinstance=2"]


def test_one_contact_twice_in_a_request():
    office = Office()
    check(office, office.register("<sip:a@h>;expires=100, <sip:a@h>;expires=200"), 200, [("sip:a@h", 200)])


PATH = "Path: <sip:p1@10.1.1.1;lr>, <sip:p2@10.1.1.2;lr>\r\n"
VALUE = "<sip:p1@10.1.1.1;lr>, <sip:p2@10.1.1.2;lr>"
PATHS = [       # flags, headers, status, stored, echoed
    ("", PATH, 200, None, None), ("path-off", PATH, 200, VALUE, None), ("path-lazy", PATH, 200, VALUE, None),
    ("path-lazy", PATH + "Supported: path\r\n", 200, VALUE, VALUE), ("path-strict", PATH, 420, None, None),
    ("path-strict", PATH + "Supported: gruu, Path\r\n", 200, VALUE, VALUE), ("path-strict", "", 200, None, None),
    ("p1", "Path: <tel:1>\r\n", 400, None, None)]


@pytest.mark.parametrize(("flags", "headers", "status", "stored", "echoed"), PATHS)
def test_path(flags, headers, status, stored, echoed):
    office = Office()
    reply = office.register(headers=headers, flags=flags)
    check(office, reply, status)
    record = office.usrloc.domain("location").get("bob@example.com")
    assert (record.contacts[0].path if record else None) == stored
    assert reply.get("Path") == echoed
    assert reply.get("Unsupported") == ("path" if status == 420 else None)


@pytest.mark.parametrize("written,meant", [
    ("sip:192.0.2.7:1024", "sip:192.0.2.7:1024"),
    ("sip:192.0.2.7:1024%3Btransport%3Dtcp", "sip:192.0.2.7:1024;transport=tcp"),
])
def test_path_received(written, meant):
    office = Office({"usrloc": {"nat_bflag": "NAT"}})
    office.register(headers=f"Path: <sip:edge@10.1.1.1;lr;received={written}>\r\n", flags="p0v")
    [contact] = office.usrloc.domain("location").get("bob@example.com").contacts
    assert contact.received == meant
    assert contact.cflags == office.env.branch_flags.bit("NAT")


def test_received_is_stored_and_shown():
    office = Office({"registrar": {"received_avp": "rcv"}})
    ctx = office.ctx(register())
    ctx.avp("rcv").append("sip:192.0.2.7:1024")
    reply = office.register(ctx=ctx)
    assert reply.contacts[0].param("received") == "sip:192.0.2.7:1024"
    office.registrar.received_param = ""
    office.registrar.rules.read()
    assert office.register(None, cseq=2).contacts[0].param("received") is None


@pytest.mark.parametrize(("value", "headers", "mask"), [
    ("<sip:a@h>", "", 0xFFFFFFFF), ("<sip:a@h>", "Allow: INVITE, BYE\r\n", 9),
    ('<sip:a@h>;methods="MESSAGE"', "Allow: INVITE, BYE\r\n", 256)])
def test_methods(value, headers, mask):
    office = Office()
    office.register(value, headers=headers)
    assert office.usrloc.domain("location").get("bob@example.com").contacts[0].methods == mask


def test_branch_flags_and_attribute_are_stored():
    office = Office({"registrar": {"attr_avp": "attr"}})
    ctx = office.ctx(register())
    ctx.target.bflags, ctx.flags = 6, 3
    ctx.avp("attr").append("red")
    office.register(ctx=ctx)
    [contact] = office.usrloc.domain("location").get("bob@example.com").contacts
    assert (contact.cflags, contact.flags, contact.attr) == (6, 3, "red")


@pytest.mark.parametrize(("header", "socket"), [("udp:10.0.0.8:5090", "udp:10.0.0.8:5090"),
                                                ("udp:1.2.3.4:9", "udp:10.0.0.9:5060"), ("?", "udp:10.0.0.9:5060")])
def test_socket_header(header, socket):
    office = Office({"registrar": {"sock_hdr_name": "X-Sock"}})
    office.env.sockets.append(LocalSocket("udp", "10.0.0.8", 5090))
    office.register(headers=f"X-Sock: {header}\r\n", flags="socket-header")
    assert office.usrloc.domain("location").get("bob@example.com").contacts[0].socket.text == socket


REFUSED = [("<http://a@h>", {}), ("nonsense", {}), ("<sip:a@h", {}), ("<sip:aaaaaaaaaaaa@h>", {"max_contact_len": 9})]


@pytest.mark.parametrize(("value", "params"), REFUSED)
def test_bad_contacts(value, params):
    office = Office({"registrar": params})
    check(office, office.register(value), 400)
    assert office.uris() == []


def test_no_reply():
    office = Office()
    assert office.register(flags="no-reply") is None and office.code == 1
    assert office.register("*", flags="r", cseq=2) is None and office.code == -1


def test_another_aor():
    office = Office()
    office.register(aor_arg="sip:al@example.com")
    assert office.uris("al@example.com") == ["sip:bob@10.0.0.1"] and office.uris() == []
    check(office, office.register(aor_arg="a b"), 400)


def test_headers_added_by_the_script_stay_and_ours_do_not():
    office = Office()
    ctx = office.ctx(register())
    ctx.reply_edits = [b"X-Mine: 1\r\n"]
    reply = office.register(ctx=ctx)
    assert reply.get("X-Mine") == "1"
    assert ctx.reply_edits == [b"X-Mine: 1\r\n"]


def test_renewed_contacts_go_to_the_avp():
    office = Office({"registrar": {"mcontact_avp": "changed"}})
    office.register()
    ctx = office.ctx(register("<sip:bob@10.0.0.1>, <sip:new@h>", cseq=2))
    office.register(ctx=ctx)
    assert ctx.avps["changed"] == ["sip:bob@10.0.0.1"]


def test_the_connection_is_held_for_as_long_as_the_contact():
    office = Office({"registrar": {"tcp_persistent_flag": "TCP"}})

    held = {}

    class Transport:
        def hold(self, number, until):
            held[number] = until
    socket = next(s for s in office.env.sockets if s.proto == "tcp")
    socket.transport = Transport()
    ctx = office.ctx(register("<sip:a@h>;expires=600"))
    ctx.source = Source(socket, "10.0.0.1", 5555, 7)
    office.register(ctx=ctx)
    assert not held
    ctx = office.ctx(register("<sip:a@h>;expires=600", cseq=2))
    ctx.source = Source(socket, "10.0.0.1", 5555, 7)
    ctx.flags = office.env.message_flags.bit("TCP")
    office.register(ctx=ctx)
    assert held == {7: office.env.now + 600}


def test_bytes_that_are_no_text_survive():
    office = Office()
    raw = register("<sip:b\xff@h>").replace("\xff".encode(), b"\xff")
    reply = office.register(ctx=office.ctx(raw))
    assert b"<sip:b\xff@h>" in reply.raw
