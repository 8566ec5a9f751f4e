"""TLS domains: what they match, how they are written, and what is said of bad files."""
from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from kit.certificates import Authority

from osip.modules.tls_mgm.domain import (CLIENT, SERVER, DomainSettings, build, first_certificate, parse_method,
                                         split_value)

V = ssl.TLSVersion


@pytest.mark.parametrize(("text", "low", "high"), [
    ("", V.TLSv1_2, V.TLSv1_3), ("SSLv23", V.TLSv1_2, V.TLSv1_3), ("TLSany", V.TLSv1_2, V.TLSv1_3),
    ("TLSv1", V.TLSv1, V.TLSv1), ("tlsv1_2", V.TLSv1_2, V.TLSv1_2), ("TLSv1.3", V.TLSv1_3, V.TLSv1_3),
    ("TLSv1_2-", V.TLSv1_2, V.TLSv1_3), ("TLSv1-TLSv1_2", V.TLSv1, V.TLSv1_2), ("-TLSv1_2", V.TLSv1_2, V.TLSv1_2)])
def test_methods(text: str, low: Any, high: Any) -> None:
    assert parse_method(text) == (low, high)


@pytest.mark.parametrize("text", ["SSLv2", "TLSv1_3-TLSv1_2", "TLSv1_4", "x-"])
def test_bad_methods(text: str) -> None:
    with pytest.raises(ValueError, match="TLS method"):
        parse_method(text)


@pytest.mark.parametrize(("text", "known", "found"), [
    ("[dom]/a/b", {"dom"}, ("dom", "/a/b")), ("[ dom ] x ", {"dom"}, ("dom", "x")), ("/a/b", {"dom"}, ("default", "/a/b")),
    ("dom:/a/b", {"dom"}, ("dom", "/a/b")), ("c:/a/b", {"dom"}, ("default", "c:/a/b")), ("[]x", set(), ("default", "x"))])
def test_values(text: str, known: set[str], found: tuple[str, str]) -> None:
    assert split_value(text, frozenset(known)) == found


@pytest.mark.parametrize(("filters", "host", "port", "fits"), [
    ([], "10.0.0.1", 5061, True), (["*"], "::1", 1, True), (["10.0.0.1"], "10.0.0.1", 9, True),
    (["10.0.0.1:5061"], "10.0.0.1", 5062, False), (["10.0.0.2", "10.0.0.1:5061"], "10.0.0.1", 5061, True), (["[::1]:5061"], "::1", 5061, True)])
def test_addresses(filters: list[str], host: str, port: int, fits: bool) -> None:
    assert DomainSettings("d", SERVER, filters).matches_address(host, port) is fits


@pytest.mark.parametrize(("filters", "name", "fits"), [
    ([], "x", True), ([], "", True), (["*"], "", True), (["none"], "", True), (["none"], "x", False), (["a.b"], "A.B", True),
    (["*.a.b"], "x.a.b", True), (["*.a.b"], "a.b", False), (["a.b"], "", False)])
def test_sip_domains(filters: list[str], name: str, fits: bool) -> None:
    assert DomainSettings("d", SERVER, match_sip_domain=filters).matches_name(name) is fits


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_contexts(authority: Authority) -> None:
    files = authority.issue("srv", hosts=("a.b",))
    common = {"certificate": str(files.cert), "private_key": str(files.key), "ca_list": str(authority.files.cert)}
    for settings, mode, named, wild in [
            (DomainSettings("d", SERVER, **common), ssl.CERT_REQUIRED, False, False),
            (DomainSettings("d", SERVER, require_cert=False, **common), ssl.CERT_OPTIONAL, False, False),
            (DomainSettings("d", SERVER, verify_cert=False, **common), ssl.CERT_NONE, False, False),
            (DomainSettings("d", CLIENT, **common), ssl.CERT_REQUIRED, True, False),
            (DomainSettings("d", CLIENT, verify_name=2, **common), ssl.CERT_REQUIRED, True, True),
            (DomainSettings("d", CLIENT, verify_cert=False, **common), ssl.CERT_NONE, False, False)]:
        made = build(settings)
        assert (made.context.verify_mode, made.check_name, made.wildcards) == (mode, named, wild)
        assert made.certificate == ssl.PEM_cert_to_DER_cert(files.cert.read_text())
    pem = DomainSettings("d", SERVER, certificate=files.cert.read_text(), private_key=files.key.read_text(), verify_cert=False)
    assert build(pem).certificate == first_certificate(str(files.cert))
    shown = pem.listing()
    assert "BEGIN" not in str(shown) and shown["PKEY_FILE"] == "(from the database)"


def test_faults_say_what_and_where(authority: Authority, tmp_path: Path) -> None:
    one, two = authority.issue("one"), authority.issue("two")
    key = serialization.load_pem_private_key(one.key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                         serialization.BestAvailableEncryption(b"secret")))
    cert = str(one.cert)
    for more, words in [({}, "has no certificate"), ({"certificate": "/no/such"}, "no such file"),
                        ({"certificate": cert, "private_key": str(two.key)}, "(?i)key_values_mismatch|mismatch"),
                        ({"certificate": cert, "private_key": str(locked)}, "protected by a password"),
                        ({"certificate": cert, "private_key": str(one.key), "ciphers_list": "NONSENSE"}, "(?i)no.cipher"),
                        ({"certificate": cert, "private_key": str(one.key), "ec_curve": "nonsense"}, "nonsense|curve"),
                        ({"certificate": cert, "private_key": str(one.key), "tls_method": "SSLv2"}, "TLS method"),
                        ({"certificate": cert, "private_key": str(one.key), "ca_dir": "/no/such"}, "no such folder")]:
        with pytest.raises(ValueError, match=words) as found:
            build(DomainSettings("dom", SERVER, **more))        # type: ignore[arg-type]
        assert "secret" not in str(found.value)


def shake(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    """Do a handshake in memory; SSLError when a side refuses."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [client.wrap_bio(down, up), server.wrap_bio(up, down, server_side=True)]
    for _ in range(4):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue


def test_revoked_certificates_are_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca" if (tmp_path / "ca").mkdir() is None else tmp_path)
    files, fine = authority.issue("bad"), authority.issue("fine")
    cert = x509.load_pem_x509_certificate(files.cert.read_bytes())
    now = datetime.now(UTC)
    revoked = x509.RevokedCertificateBuilder().serial_number(cert.serial_number).revocation_date(now).build()
    crl = (x509.CertificateRevocationListBuilder().issuer_name(cert.issuer).last_update(now - timedelta(1))
           .next_update(now + timedelta(1)).add_revoked_certificate(revoked).sign(authority._key, hashes.SHA256()))
    (tmp_path / "crl").mkdir()
    (tmp_path / "crl" / "any.pem").write_bytes(crl.public_bytes(serialization.Encoding.PEM))
    server = build(DomainSettings("s", SERVER, certificate=str(fine.cert), private_key=str(fine.key),
                                  ca_list=str(authority.files.cert), crl_dir=str(tmp_path / "crl")))
    for shown, good in ((fine, True), (files, False)):
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        client.load_cert_chain(shown.cert, shown.key)
        if good:
            shake(server.context, client)
        else:
            with pytest.raises(ssl.SSLError, match="revoked"):
                shake(server.context, client)
