"""Addresses of record as keys."""
from __future__ import annotations

import pytest
from kit.registration import Office, invite, register

from osip.api import ParseError, parse_uri
from osip.modules.registrar.address import Refusal, default_uri, key_of, key_of_text, key_of_uri, parse_any


@pytest.mark.parametrize(("text", "params", "key"), [
    ("sip:Bob@Example.COM", {}, "Bob@example.com"), ("sip:Bob@Example.COM:5070;x=y", {}, "Bob@example.com"),
    ("sip:Bob@example.com", {"case_sensitive": 0}, "bob@example.com"),
    ("sip:b%6Fb@example.com", {}, "bob@example.com"),
    ("sip:bob@sip.example.com", {"realm_prefix": "sip."}, "bob@example.com"), ("sip:example.com", {}, "example.com"),
    ("bob@example.com", {}, "bob@example.com"), ('"B" <sip:bob@example.com>;tag=1', {}, "bob@example.com"),
    ("sip:bob@[2001:db8::1]", {}, "bob@2001:db8::1")])
def test_key(text, params, key):
    assert key_of(Office({"registrar": params}).registrar, parse_any(text)) == key


@pytest.mark.parametrize("params", [{}, {"case_sensitive": 0}, {"realm_prefix": "sip."}])
@pytest.mark.parametrize("text", [
    "sip:Bob.B-c_1@Example.COM", "sip:bob@sip.example.com", "sip:+49@h", "sip:b%6Fb@h", "sip:bob:pw@h",
    "sip:bob@h:5060",
    "sip:bob@h;x=y", "sip:h", "sips:bob@h", "sip:bob@[::1]", "sip:Bob@10.0.0.1", "tel:+49", "SIP:bob@h"])
def test_key_of_text_is_that_of_the_parsed_uri(text, params):
    reg = Office({"registrar": params}).registrar
    assert key_of_uri(reg.rules, text) == key_of(reg, parse_uri(text))


@pytest.mark.parametrize("text", ["sip:@h", "sip:a b@h", "sip:a@", "sip:a@h@h", "sip:a@...@", "x", ""])
def test_key_of_bad_text(text):
    reg = Office().registrar
    try:
        expected = key_of(reg, parse_uri(text))
    except ParseError:
        with pytest.raises(ParseError):
            key_of_uri(reg.rules, text)
    else:
        assert key_of_uri(reg.rules, text) == expected


def test_key_without_domain():
    assert key_of(Office({"usrloc": {"use_domain": 0}}).registrar, parse_any("sip:bob@a.b")) == "bob"


@pytest.mark.parametrize("params", [{"max_username_len": 2}, {"max_domain_len": 5}, {"max_aor_len": 10}])
def test_too_long(params):
    with pytest.raises(Refusal) as raised:
        key_of(Office({"registrar": params}).registrar, parse_any("sip:bob@example.com"))
    assert raised.value.code == 400


@pytest.mark.parametrize("text", ["<>", "sip:bob@", "a b"])
def test_bad_text(text):
    with pytest.raises(ParseError):
        parse_any(text)
    assert key_of_text(Office().registrar, text) is None


@pytest.mark.parametrize(("raw", "user"), [(register(aor="sip:bob@example.com"), "bob"), (invite(), "al")])
def test_default(raw, user):
    assert default_uri(Office().ctx(raw)).user == user
