"""GRUUs: made for phones that know them, understood by lookup, worth nothing when forged."""
from __future__ import annotations

import re

import pytest
from kit.registration import Office

from osip.modules.registrar.gruu import PREFIX, hide, unhide

URN = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
CONTACT = f'<sip:bob@10.0.0.1>;+sip.instance="<{URN}>"'
GRUU = "Supported: path, gruu\r\n"


@pytest.fixture
def office():
    return Office({"registrar": {"disable_gruu": 0}})


def gruus(reply):
    """Return public and temporary GRUU of the first Contact."""
    text = reply.get("Contact")
    return [re.search(rf'{kind}-gruu="([^"]*)"', text)[1] for kind in ("pub", "temp")]


@pytest.mark.parametrize("parts", [("bob@example.com", URN, "c1"), ("é@x", "i", "c" * 200), ("a", "b", "")])
def test_hidden_and_found_again(parts):
    user = hide("secret", *parts)
    assert unhide("secret", user) == parts and hide("secret", *parts) != user
    assert unhide("other", user) is None


@pytest.mark.parametrize("user", ["bob", PREFIX, PREFIX + "x", PREFIX + "!!!", PREFIX + "A" * 60, PREFIX + "é"])
def test_what_is_none_of_ours(user):
    assert unhide("secret", user) is None


def test_a_phone_that_knows_them_gets_two(office):
    reply = office.register(CONTACT, headers=GRUU)
    public, temporary = gruus(reply)
    assert public == f"sip:bob@example.com;gr={URN}" and re.fullmatch(r"sip:tgruu\.[\w-]+@example\.com;gr", temporary)
    assert "bob" not in temporary and reply.contacts[0].param("+sip.instance") == f"<{URN}>"


@pytest.mark.parametrize(("contact", "headers", "disable"), [
    (CONTACT, "", 0), ("<sip:bob@10.0.0.1>", GRUU, 0), (CONTACT, GRUU, 1)])
def test_others_do_not(office, contact, headers, disable):
    office.registrar.disable_gruu = disable
    office.registrar.rules.read()
    assert "gruu" not in office.register(contact, headers=headers).get("Contact")


def test_lookup_finds_the_device(office):
    public, temporary = gruus(office.register(CONTACT, headers=GRUU))
    office.register("<sip:bob@10.0.0.7>", call_id="other")
    for uri in (public, temporary):
        ctx = office.lookup(uri)
        assert office.code == 1 and ctx.target.uri == "sip:bob@10.0.0.1" and not ctx.targets
    assert len(office.lookup().targets) == 1 and office.code == 1       # the AoR means all


def test_one_that_is_gone_or_forged_is_not_found(office):
    public, temporary = gruus(office.register(CONTACT, headers=GRUU))
    for uri in ("sip:bob@example.com;gr=urn:uuid:0", "sip:tgruu.xxxx@example.com;gr", "sip:bob@example.com;gr"):
        office.lookup(uri)
        assert office.code == -1, uri
    office.register(CONTACT, call_id="after-a-restart", headers=GRUU)   # the temporary one ends, the public one stays
    office.lookup(temporary)
    assert office.code == -1
    office.lookup(public)
    assert office.code == 1


def test_a_user_with_odd_characters(office):
    public, _ = gruus(office.register(CONTACT, aor="sip:bob%20b@example.com", headers=GRUU))
    assert public.startswith("sip:bob%20b@example.com;gr=")
    office.lookup(public)
    assert office.code == 1
