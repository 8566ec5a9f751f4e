"""A REGISTER says the same whether it is read at once or value by value."""
from __future__ import annotations

import pytest
from kit.registration import Office, register

from osip.modules.registrar.read import read
from osip.modules.registrar.save import save
from osip.modules.usrloc.state import NAMES

A = "<sip:bob@10.0.0.1>"
PHONE = "User-Agent: Phone 1\r\nAllow: INVITE, ACK, BYE, NOTIFY\r\nSupported: path, gruu, outbound\r\n"


def state(office):
    return [[getattr(contact, name) for name in NAMES if name not in ("record", "id", "socket")]
            for contact in office.usrloc.domain("location").all()]


def both(requests, params=None, flags=""):
    """Register with two servers, one of which reads value by value; return what each has and has answered."""
    found = []
    for is_short in (True, False):
        office = Office(params)
        codes = []
        for raw in requests:
            ctx = office.ctx(raw)
            ctx.flags, ctx.target.bflags = 6, 9
            contacts = None if is_short else ctx.msg.contacts
            codes.append(save(office.registrar, ctx, "location", office.flags(flags), None, contacts))
            office.clock.advance(30, step=30)
        answers = [[line for line in entry[1].split(b"\r\n") if not line.startswith(b"To:")]
                   for entry in office.net.log]
        found.append((state(office), codes, answers))
    return found


@pytest.mark.parametrize("requests", [
    [register(A)],
    [register(A, expires=100, headers=PHONE), register(A, cseq=2, expires=900, headers=PHONE)],
    [register(A + ";expires=70"), register(A + ";expires=0", cseq=2)],
    [register(A), register(A, cseq=1)],
    [register(A, cseq=5), register(A, cseq=4)],
    [register(A, call_id="a"), register("<sip:bob@10.0.0.2>", call_id="b")],
    [register(A, aor="sip:" + "b" * 70 + "@h")],
    [register("<sip:" + "b" * 300 + "@h>")],
    [register("<sip:BOB@h>"), register("<sip:BOB@H>", cseq=2)],
])
@pytest.mark.parametrize("params", [
    None, {"registrar": {"max_contacts": 1}}, {"registrar": {"default_q": 500, "max_expires": 80, "case_sensitive": 0}},
    {"usrloc": {"matching_mode": 1, "desc_time_order": 1}}, {"registrar": {"disable_gruu": 0}}])
def test_both_ways_come_to_the_same(requests, params):
    short, long = both(requests, params)
    assert short == long


@pytest.mark.parametrize("flags", ["no-reply", "only-request-contacts", "memory-only",
                                   "max-contacts=1, force-registration", "min-expires=1000", "matching-mode=1", "path-lazy"])
def test_both_ways_know_the_flags(flags):
    short, long = both([register(A, expires=60), register("<sip:bob@10.0.0.2>", call_id="b")], flags=flags)
    assert short == long


def drafted(office, raw, flags=""):
    return read(office.registrar, office.registrar.rules, office.ctx(raw), office.flags(flags), None, None)


def test_a_plain_register_is_read_at_once():
    office = Office()
    draft = drafted(office, register(A, headers=PHONE))
    assert draft.outbound is None and draft.agent == "Phone 1" and draft.only is not None


@pytest.mark.parametrize(("contacts", "flags"), [(A + ";q=0.5", ""), (A + ", <sip:b@h>", ""), (A, "path-off"), (A, "s"),
                                                 (A, "matching-mode=<rinstance>"), ("<sip:x@y.invalid>", "")])
def test_any_other_is_read_value_by_value(contacts, flags):
    office = Office()
    draft = drafted(office, register(contacts), flags)
    assert draft.outbound is not None and draft.asked[0].address is not None
