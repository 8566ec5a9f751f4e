"""Make keys, an authority and certificates in PEM files.

It needs the package cryptography, so it is loaded when asked for.
"""
from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BITS = 3072
Names = list[x509.GeneralName]


def make_authority(folder: Path, name: str, days: int) -> Path:
    """Make an authority, `cacert.pem` and `private/cakey.pem`; return its certificate. OSError when that fails."""
    key = new_key()
    builder = _builder(name, name, key, days).add_extension(
        x509.BasicConstraints(True, 0), critical=True).add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
    _write({folder / "private" / "cakey.pem": key_text(key), folder / "cacert.pem": _signed(builder, key)})
    return folder / "cacert.pem"


def make_certificate(folder: Path, authority: Path, user: str, hosts: tuple[str, ...], days: int) -> Path:
    """Make a key and a certificate that the authority in a folder signs; return their folder.

    OSError and ValueError when files cannot be read or written.
    """
    root = x509.load_pem_x509_certificate((authority / "cacert.pem").read_bytes())
    signer = load_pem_private_key((authority / "private" / "cakey.pem").read_bytes(), None)
    if not isinstance(signer, rsa.RSAPrivateKey):
        raise ValueError("the key of the authority is no RSA key")
    key = new_key()
    issuer = str(root.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    builder = _builder(user, issuer, key, days).add_extension(x509.BasicConstraints(False, None), critical=True)
    builder = builder.add_extension(_usage("digital_signature", "key_encipherment"), critical=True).add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    its_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = builder.add_extension(its_id, critical=False)
    names = alternatives(user, hosts)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    _write({folder / f"{user}-privkey.pem": key_text(key), folder / f"{user}-cert.pem": _signed(builder, signer),
            folder / f"{user}-calist.pem": root.public_bytes(Encoding.PEM)})
    return folder


def alternatives(user: str, hosts: tuple[str, ...] = ()) -> Names:
    """Return whom a certificate is for: a SIP URI and a host name (RFC 5922 section 7.1), and other hosts."""
    names: Names = [x509.UniformResourceIdentifier(f"sip:{user}")] if "@" in user or "." in user else []
    for host in (*((user,) if "." in user and "@" not in user else ()), *hosts):
        try:
            names.append(x509.IPAddress(ip_address(host.strip("[]"))))
        except ValueError:
            names.append(x509.DNSName(host))
    return names


def new_key() -> rsa.RSAPrivateKey:
    """Return a new key; RSA, which old phones know as well."""
    return rsa.generate_private_key(public_exponent=65537, key_size=BITS)


def key_text(key: rsa.RSAPrivateKey) -> bytes:
    """Return a key as PEM, without a password."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(name: str, issuer: str, key: rsa.RSAPrivateKey, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (x509.CertificateBuilder().subject_name(_name(name)).issuer_name(_name(issuer)).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False))


def _usage(*allowed: str) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: name in allowed for name in names})


def _signed(builder: x509.CertificateBuilder, key: rsa.RSAPrivateKey) -> bytes:
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _write(files: dict[Path, bytes]) -> None:
    """Write new files, readable by their owner only if they are keys; FileExistsError before anything is written."""
    for path in files:
        if path.exists():
            raise FileExistsError(17, "is there already: move it away", str(path))
    for path, text in files.items():
        is_key = b"PRIVATE KEY" in text
        path.parent.mkdir(mode=0o700 if is_key else 0o755, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if is_key else 0o644), "wb") as out:
            out.write(text)
