"""Contacts as the main registrar sees them, written and read again."""
from __future__ import annotations

from types import SimpleNamespace

import pytest
from osip.api import LocalSocket, parse_name_addr, parse_uri
from osip.modules.mid_registrar.front import aor_of, face_of, face_of_aor, id_of, place


def mid(insertion="ct-param", escape="%40", use_domain=1):
    return SimpleNamespace(contact_id_insertion=insertion, contact_id_param="ctid", at_escape_str=escape,
                           received_param="received", usrloc=SimpleNamespace(use_domain=use_domain))


@pytest.mark.parametrize(("proto", "host", "port", "adv", "wanted"), [
    ("udp", "10.0.0.9", 5060, "", "10.0.0.9"), ("udp", "10.0.0.9", 5070, "", "10.0.0.9:5070"),
    ("tcp", "10.0.0.9", 5060, "", "10.0.0.9;transport=tcp"), ("udp", "::1", 5060, "", "[::1]:5060"),
    ("udp", "10.0.0.9", 5060, "sip.example.com", "sip.example.com:5060")])
def test_place(proto, host, port, adv, wanted):
    assert place(SimpleNamespace(adv_host=adv, adv_port=0), LocalSocket(proto, host, port)) == wanted


@pytest.mark.parametrize("insertion", ["ct-param", "ct-username"])
def test_the_number_is_read_again(insertion):
    found = mid(insertion)
    face = face_of(found, parse_name_addr("<sip:bob@h>;q=0.5"), 1 << 61, 60, ";a=b")
    uri = parse_uri(face.uri("10.0.0.9:5070;transport=tcp"))
    assert id_of(found, uri) == 1 << 61 and uri.param("a") == "b" and uri.param("transport") == "tcp"


@pytest.mark.parametrize(("insertion", "uri", "id"), [
    ("ct-param", "sip:bob@h;ctid=12", 12), ("ct-param", "sip:12@h", 0), ("ct-param", "sip:bob@h;ctid", 0),
    ("ct-username", "sip:12@h", 12), ("ct-username", "sip:bob@h;ctid=12", 0), ("ct-username", f"sip:{'1' * 21}@h", 0)])
def test_numbers(insertion, uri, id):
    assert id_of(mid(insertion), parse_uri(uri)) == id


@pytest.mark.parametrize(("key", "escape", "use_domain", "user"), [
    ("bob@example.com", "%40", 1, "bob%40example.com"), ("bob@example.com", "-at-", 1, "bob-at-example.com"),
    ("b ob@example.com", "%40", 1, "b%20ob%40example.com"), ("bob", "%40", 0, "bob")])
def test_aors(key, escape, use_domain, user):
    found = mid(escape=escape, use_domain=use_domain)
    face = face_of_aor(found, key, 60, "")
    assert face.user == user and face.params == ";expires=60"
    back = aor_of(found, parse_uri(face.uri("10.0.0.9")))
    assert back == (f"sip:{key.replace(' ', '%20')}" if use_domain else None)
