"""Which SIP domains a certificate stands for (RFC 5922 section 7)."""
from __future__ import annotations

from typing import Any

import pytest

from osip.core.net.identity import identities, is_for

CN = ((("commonName", "CN.example.com"),),)


@pytest.mark.parametrize(("cert", "names"), [
    ({"subjectAltName": (("DNS", "A.example.com"), ("IP Address", "10.0.0.1"))}, ["a.example.com"]),
    ({"subjectAltName": (("URI", "sip:example.com"), ("DNS", "host.example.com"))}, ["example.com"]),
    ({"subjectAltName": (("URI", "sip:user@example.com"), ("URI", "http://x"), ("DNS", "b"))}, ["b"]),
    ({"subjectAltName": (("URI", "sips:example.com:5061"),)}, ["example.com"]),
    ({"subjectAltName": (("DNS", "b"),), "subject": CN}, ["b"]),
    ({"subjectAltName": (("email", "a@b"),), "subject": CN}, []),
    ({"subject": CN}, ["cn.example.com"]),
    ({}, []),
])
def test_identities(cert: dict[str, Any], names: list[str]) -> None:
    assert identities(cert) == names


def dns(*names: str) -> dict[str, Any]:
    return {"subjectAltName": tuple(("DNS", name) for name in names)}


@pytest.mark.parametrize(("cert", "name", "strict", "loose"), [
    (dns("example.com"), "Example.COM.", True, True),
    (dns("example.com"), "sip.example.com", False, False),
    (dns("*.example.com"), "sip.example.com", False, True),
    (dns("*.example.com"), "a.b.example.com", False, False),
    (dns("*.example.com"), "example.com", False, False),
    (dns("*.com"), "example.com", False, False),
    (dns("example.com"), "", False, False),
    ({"subjectAltName": (("URI", "sip:a.org"), ("DNS", "*.b.org"))}, "x.b.org", False, True),
    ({"subjectAltName": (("IP Address", "10.0.0.1"),)}, "10.0.0.1", True, True),
    ({"subjectAltName": (("IP Address", "0:0:0:0:0:0:0:1"),)}, "[::1]", True, True),
    ({"subjectAltName": (("URI", "sip:10.0.0.1"),)}, "10.0.0.1", True, True),
    (dns("example.com"), "10.0.0.1", False, False),
    ({"subject": CN}, "10.0.0.1", False, False),
])
def test_is_for(cert: dict[str, Any], name: str, strict: bool, loose: bool) -> None:
    assert is_for(cert, name) is strict
    assert is_for(cert, name, wildcards=True) is loose
