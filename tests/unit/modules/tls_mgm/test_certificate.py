"""What scripts read of a certificate."""
from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from kit.certificates import Authority

from osip.modules.tls_mgm.certificate import ALTERNATIVES, WORDS, field, is_self_signed, load


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_fields(authority: Authority) -> None:
    files = authority.issue("alice", hosts=("a.b", "10.0.0.1"), uris=("sip:a.b",))
    cert = load(ssl.PEM_cert_to_DER_cert(files.cert.read_text()))
    for word, value in [("version", 3), ("subject", "/CN=alice/O=osip tests/C=DE"), ("subject_cn", "alice"),
                        ("issuer_cn", "authority"), ("subject_organization", "osip tests"), ("subject_country", "DE"),
                        ("subject_unit", None), ("san_hostname", "a.b"), ("san_uri", "sip:a.b"), ("san_ip", "10.0.0.1"),
                        ("san_email", None)]:
        assert field(cert, word) == value, word
    assert str(field(cert, "serial")).isdigit() and str(field(cert, "notbefore")) < str(field(cert, "notafter"))
    assert not is_self_signed(cert)
    for word in WORDS | ALTERNATIVES:
        field(cert, word)


def test_an_authority_signs_itself(authority: Authority) -> None:
    cert = load(ssl.PEM_cert_to_DER_cert(authority.files.cert.read_text()))
    assert is_self_signed(cert) and field(cert, "san_uri") is None


def test_what_is_none() -> None:
    assert load(b"nonsense") is None
