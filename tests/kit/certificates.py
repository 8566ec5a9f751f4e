"""Make certificates: an authority, and what it (or another one) signs."""
from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "osip tests"),
                      x509.NameAttribute(NameOID.COUNTRY_NAME, "DE")])


@cache
def _key(label: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class Files:
    """Where a certificate and its key are."""
    cert: Path
    key: Path


class Authority:
    """One who signs. Its own certificate is `files.cert`."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder, self.name = folder, name
        self._key = _key(name)
        self.files = self._write(name, self._build(name, self._key, days=3650, is_authority=True), self._key)

    def issue(self, name: str, *, hosts: tuple[str, ...] = (), uris: tuple[str, ...] = (), days: int = 30,
              label: str = "") -> Files:
        """Sign a certificate for hosts (names, addresses) and URIs; with negative `days` it has expired."""
        key = _key(label or name)
        return self._write(label or name, self._build(name, key, hosts, uris, days), key)

    def _build(self, name: str, key: ec.EllipticCurvePrivateKey, hosts: tuple[str, ...] = (), uris: tuple[str, ...] = (),
               days: int = 30, is_authority: bool = False) -> x509.Certificate:
        now = datetime.now(UTC)
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
        for host in hosts:
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(host)))
            except ValueError:
                names.append(x509.DNSName(host))
        builder = (x509.CertificateBuilder().subject_name(_name(name)).issuer_name(_name(self.name))
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - timedelta(days=60)).not_valid_after(now + timedelta(days=days))
                   .add_extension(x509.BasicConstraints(is_authority, None), True))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        return builder.sign(self._key, hashes.SHA256())

    def _write(self, label: str, cert: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Files:
        files = Files(self.folder / f"{label}.pem", self.folder / f"{label}.key")
        files.cert.write_bytes(cert.public_bytes(Encoding.PEM))
        files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        files.key.chmod(0o600)
        return files
