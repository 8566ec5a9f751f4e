"""Asking for bindings and removing them."""
from __future__ import annotations

import pytest
from kit.builtin import Holder
from kit.registration import Office, invite, register

AOR = "sip:bob@example.com"


@pytest.fixture
def office():
    made = Office({"registrar": {"received_avp": "rcv"}})
    ctx = made.ctx(register("<sip:a@10.0.0.1:5070>;+sip.instance=\"<urn:uuid:1>\"", call_id="one"))
    ctx.avp("rcv").append("sip:192.0.2.7:1024")
    ctx.target.bflags = made.env.branch_flags.bit("NAT")
    made.register(ctx=ctx)
    made.register("<sip:b@10.0.0.2>", call_id="two")
    made.register("<sip:c@10.0.0.3>", call_id="three", flags="p0", headers="Path: <sip:edge@10.1.1.1;lr>\r\n")
    return made


REMOVE = [      # contact, next hop, instance, branch flag, result, contacts that stay
    (None, None, None, None, 1, ""), ("sip:b@10.0.0.2", None, None, None, 1, "ac"), ("<sip:b@10.0.0.2>", None, None,
                                                                                  None, 1, "ac"),
    ("sip:x@10.0.0.2", None, None, None, -1, "abc"), (None, "192.0.2.7:1024", None, None, 1, "bc"),
    (None, "192.0.2.7", None, None, 1, "bc"), (None, "192.0.2.7:9", None, None, -1, "abc"),
    (None, "10.1.1.1", None, None, 1, "ab"), (None, "10.0.0.3", None, None, -1, "abc"),
    (None, None, "<urn:uuid:1>", None, 1, "bc"), (None, None, "urn:uuid:2", None, -1, "abc"),
    (None, None, None, "NAT", 1, "bc"), ("sip:b@10.0.0.2", None, None, "NAT", -1, "abc")]


@pytest.mark.parametrize(("contact", "hop", "instance", "flag", "code", "left"), REMOVE)
def test_remove(office, contact, hop, instance, flag, code, left):
    assert office.registrar.remove(None, "location", AOR, contact, hop, instance, flag) == code
    assert "".join(uri[4] for uri in office.uris()) == left


def test_remove_of_nobody(office):
    assert office.registrar.remove(None, "location", "sip:al@example.com") == -1
    assert office.registrar.remove(None, "location", "a b") == -1


@pytest.mark.parametrize(("ip", "port", "aor", "code", "left"), [
    ("10.0.0.2", 5060, None, 1, "ac"), ("10.0.0.2", 0, None, 1, "ac"), ("10.0.0.2", 9, None, -1, "abc"),
    ("192.0.2.7", 1024, AOR, 1, "bc"), ("10.0.0.2", 0, "sip:al@example.com", -1, "abc")])
def test_remove_ip_port(office, ip, port, aor, code, left):
    assert office.registrar.remove_ip_port(None, ip, port, "location", aor) == code
    assert "".join(uri[4] for uri in office.uris()) == left


@pytest.mark.parametrize(("raw", "aor", "code"), [
    (register(), None, 1), (invite(), None, -1), (invite(), AOR, 1), (invite(), "a b", -1)])
def test_is_registered(office, raw, aor, code):
    assert office.registrar.is_registered(office.ctx(raw), "location", aor) == code


@pytest.mark.parametrize(("contact", "call_id", "code"), [
    ("sip:b@10.0.0.2", None, 1), ("sip:b@10.0.0.2", "two", 1), ("sip:b@10.0.0.2", "one", -1), (None, "three", 1),
    (None, "four", -1), ("<sip:a@10.0.0.1:5070>", None, 1), ("sip:x@y", None, -1), (None, None, 1)])
def test_is_contact_registered(office, contact, call_id, code):
    ctx = office.ctx(register("<sip:b@10.0.0.2>"))
    assert office.registrar.is_contact_registered(ctx, "location", None, contact, call_id) == code


def test_is_contact_registered_without_any_contact(office):
    assert office.registrar.is_contact_registered(office.ctx(register(None)), "location") == -1


@pytest.mark.parametrize(("ip", "port", "code"), [
    ("192.0.2.7", None, 1), ("192.0.2.7", 1024, 1), ("192.0.2.7", 5060, -1), ("10.0.0.1", None, -1),
    ("10.0.0.3", 5060, 1), ("10.1.1.1", None, -1), (None, None, -1)])
def test_is_ip_registered(office, ip, port, code):
    ports = None if port is None else Holder(value=port)
    ctx = office.ctx(register())
    assert office.registrar.is_ip_registered(ctx, "location", None, Holder(value=ip), ports) == code


def test_is_ip_registered_takes_all_values_of_an_avp(office):
    ctx = office.ctx(register())
    ctx.avp("ips").extend(["10.0.0.2", "9.9.9.9"])
    assert office.registrar.is_ip_registered(ctx, "location", AOR, Holder("$avp(ips)")) == 1
    ctx.avps["ips"] = ["9.9.9.9"]
    assert office.registrar.is_ip_registered(ctx, "location", AOR, Holder("$avp(ips)")) == -1


@pytest.mark.parametrize(("raw", "aor", "call_id", "code"), [
    (invite(), None, None, 1), (invite("sip:al@example.com"), None, None, -1), (invite(), "sip:al@example.com", None, -1),
    (invite(), None, "two", 1), (invite(), None, "four", -1), (invite(), AOR, "three", 1), (register(), None, None, -1),
    (b"SIP/2.0 200 OK\r\n" + register().partition(b"\r\n")[2], None, None, -1),
    (b"SIP/2.0 200 OK\r\n" + register().partition(b"\r\n")[2], AOR, None, 1)])
def test_registered_of_old_asks_for_the_request_uri(office, raw, aor, call_id, code):
    assert office.registrar.registered(office.ctx(raw), "location", aor, call_id) == code


@pytest.mark.parametrize(("ips", "code"), [
    (["192.0.2.7", "10.0.0.2", "10.0.0.3"], -1), (["192.0.2.7", "10.0.0.2"], 1), ([], 1), (["9.9.9.9"], 1)])
def test_is_other_contact(office, ips, code):
    ctx = office.ctx(register())
    ctx.avp("ips").extend(ips)
    assert office.registrar.is_other_contact(ctx, "location", Holder("$avp(ips)")) == code


def test_is_other_contact_of_nobody(office):
    ctx = office.ctx(register(aor="sip:al@example.com"))
    assert office.registrar.is_other_contact(ctx, "location", Holder("$avp(ips)")) == -1


def test_expired_bindings_are_none(office):
    office.clock.advance(3601)
    assert office.registrar.is_registered(office.ctx(register()), "location") == -1
