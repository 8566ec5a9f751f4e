"""Lookup: the destination set that a request gets (RFC 3261 section 16.5)."""
from __future__ import annotations

import pytest
from kit.registration import Office, invite

from osip.api import Target, forward

AGENTS = (("a", 500, "snom 300", "INVITE"), ("b", 900, "cisco", "INVITE, MESSAGE"), ("c", 700, "Snom 870", "MESSAGE"))


def office_with_phones():
    office = Office()
    for number, (user, q, agent, allow) in enumerate(AGENTS):
        office.register(f"<sip:{user}@10.0.0.2>;q={q / 1000}", call_id=f"c{number}",
                        headers=f"User-Agent: {agent}\r\nAllow: {allow}\r\n")
    return office


def users(ctx):
    chosen = ([ctx.target] if ctx.target.uri is not None else []) + (ctx.targets or [])
    return [target.uri.partition(":")[2].partition("@")[0] for target in chosen]


CASES = [       # flags, method, code, users in order of the destination set
    ("", "INVITE", 1, ["b", "c", "a"]), ("no-branches", "INVITE", 1, ["b"]),
    ("method-filtering", "INVITE", 1, ["b", "a"]), ("method-filtering", "MESSAGE", 1, ["b", "c"]),
    ("m", "SUBSCRIBE", -2, []), ("ua-filtering=/snom/,case-insensitive", "INVITE", 1, ["c", "a"]),
    ("ua-filtering=/snom/", "INVITE", 1, ["a"]), ("ua-filtering=/none/", "INVITE", -2, []),
    ("m,u/Snom/", "MESSAGE", 1, ["c"]), ("global", "INVITE", 1, ["b", "c", "a"])]


@pytest.mark.parametrize(("flags", "method", "code", "order"), CASES)
def test_order_and_filters(flags, method, code, order):
    office = office_with_phones()
    ctx = office.lookup(flags=flags, method=method)
    assert (office.code, users(ctx)) == (code, order)


@pytest.mark.parametrize(("ruri", "code"), [("sip:al@example.com", -1), ("tel:+123", -1), ("sip:bob@EXAMPLE.com", 1),
                                            ("sip:Bob@example.com", -1), (f"sip:{'x' * 65}@example.com", -3)])
def test_codes(ruri, code):
    office = office_with_phones()
    ctx = office.lookup(ruri)
    assert office.code == code
    if code < 0:
        assert ctx.target.uri is None and ctx.targets is None


def test_an_address_of_the_scripts_own():
    office = office_with_phones()
    assert users(office.lookup("sip:someone@else", aor="sip:bob@example.com"))[0] == "b"
    office.lookup(aor="a b")
    assert office.code == -3


def test_expired_contacts_are_not_found():
    office = Office()
    office.register("<sip:a@h>;expires=60")
    office.clock.advance(61)
    office.lookup()
    assert office.code == -1


def test_to_branches_only_leaves_the_ruri_alone():
    office = office_with_phones()
    ctx = office.lookup(flags="to-branches-only")
    assert ctx.target.uri is None and ctx.ruri == "sip:bob@example.com"
    assert users(ctx) == ["b", "c", "a"]
    ctx = office.lookup(flags="B,no-branches")
    assert users(ctx) == ["b"]


def test_branches_are_appended_to_those_that_are_there():
    office = office_with_phones()
    ctx = office.ctx(invite())
    ctx.add_target(Target("sip:first@h"))
    office.lookup(ctx=ctx)
    assert users(ctx) == ["b", "first", "c", "a"]


def test_branch_expands_what_is_there():
    office = office_with_phones()
    office.register("<sip:x@10.0.0.3>, <sip:y@10.0.0.3>", aor="sip:al@example.com", call_id="al")
    ctx = office.ctx(invite())
    for uri in ("sip:al@example.com", "sip:outside@elsewhere.org"):
        ctx.add_target(Target(uri))
    office.lookup(flags="branch,no-branches", ctx=ctx)
    assert users(ctx) == ["b", "x", "y", "outside"]


def test_branch_counts_as_found_when_only_a_branch_is():
    office = office_with_phones()
    ctx = office.ctx(invite("sip:nobody@example.com"))
    ctx.add_target(Target("sip:bob@example.com"))
    office.lookup(flags="r", ctx=ctx)
    assert (office.code, users(ctx)) == (1, ["b", "c", "a"])


def test_more_contacts_than_branches():
    office = Office(max_branches=3)
    office.register(", ".join(f"<sip:p{n}@h>" for n in range(6)))
    assert users(office.lookup()) == ["p0", "p1", "p2"]


def test_all_that_belongs_to_a_contact():
    office = Office({"registrar": {"attr_avp": "attr"}})
    [domain] = office.usrloc.domains.values()
    socket = office.env.sockets[1]
    domain.insert("bob@example.com", office.usrloc.new_contact(
        "sip:a@10.0.0.2", 0.0, 800, received="sip:192.0.2.7:1024;transport=tcp", socket=socket, cflags=5, attr="red"))
    ctx = office.lookup()
    target = ctx.target
    assert (target.du, target.q, target.socket, target.bflags, target.path) == (
        "sip:192.0.2.7:1024;transport=tcp", 800, socket, 5, None)
    assert ctx.avps["attr"] == ["red"]


def test_path_is_followed():
    office = Office()
    office.register("<sip:a@10.0.0.2>", headers="Path: <sip:edge@10.1.1.1:5070;lr>, <sip:p2@10.1.1.2;lr>\r\n",
                    flags="p0")
    ctx = office.lookup()
    assert ctx.target.du == "sip:edge@10.1.1.1:5070;lr"
    [dest] = forward.next_hops(ctx, ctx.target)
    assert (dest.host, dest.port) == ("10.1.1.1", 5070)
    sent = forward.build(ctx, ctx.target, dest, "z9hG4bKx")
    assert b"Route: <sip:edge@10.1.1.1:5070;lr>, <sip:p2@10.1.1.2;lr>\r\n" in sent
    assert sent.startswith(b"INVITE sip:a@10.0.0.2 SIP/2.0\r\n")


def test_latency():
    office = Office()
    office.register("<sip:slow@h>, <sip:fast@h>, <sip:new@h>")
    for contact in office.usrloc.domain("location").all():
        contact.latency = {"sip:slow@h": 9000, "sip:fast@h": 100}.get(contact.uri, 0)
    assert users(office.lookup(flags="sort-by-latency")) == ["fast", "slow", "new"]
    assert users(office.lookup(flags="max-ping-latency=500")) == ["fast", "new"]
