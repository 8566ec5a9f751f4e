"""Read what scripts ask of certificates; needs the package cryptography for more than versions and ciphers."""
from __future__ import annotations

from typing import Any

_PARTS = {"cn": "COMMON_NAME", "locality": "LOCALITY_NAME", "country": "COUNTRY_NAME",
          "state": "STATE_OR_PROVINCE_NAME", "organization": "ORGANIZATION_NAME", "unit": "ORGANIZATIONAL_UNIT_NAME",
          "serial": "SERIAL_NUMBER"}


def load(data: bytes) -> Any:
    """Return a certificate (DER) as an object; None when it cannot be read or the package is missing."""
    try:
        from cryptography import x509
    except ImportError:
        return None
    try:
        return x509.load_der_x509_certificate(data)
    except ValueError:
        return None


def field(cert: Any, word: str) -> str | int | None:
    """Return `version`, `serial`, `notBefore`, `notAfter`, `subject…`, `issuer…` or `san_…` of a certificate."""
    if word == "version":
        return int(cert.version.value) + 1
    if word == "serial":
        return str(cert.serial_number)
    if word in ("notbefore", "notafter"):
        when = cert.not_valid_before_utc if word == "notbefore" else cert.not_valid_after_utc
        return str(when.strftime("%Y-%m-%d %H:%M:%S"))
    if word.startswith("san_"):
        return _alternative(cert, word[4:])
    side, _, part = word.partition("_")
    name = cert.subject if side == "subject" else cert.issuer
    if not part:
        return "/" + "/".join(f"{one.rfc4514_attribute_name}={one.value}" for one in name)
    from cryptography.x509.oid import NameOID

    found = name.get_attributes_for_oid(getattr(NameOID, _PARTS[part]))
    return str(found[0].value) if found else None


def _alternative(cert: Any, kind: str) -> str | None:
    from cryptography import x509

    kinds = {"email": x509.RFC822Name, "hostname": x509.DNSName, "uri": x509.UniformResourceIdentifier,
             "ip": x509.IPAddress}
    try:
        every = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return None
    found = every.get_values_for_type(kinds[kind])
    return str(found[0]) if found else None


def is_self_signed(cert: Any) -> bool:
    """Say whether a certificate is signed by itself."""
    return bool(cert.subject == cert.issuer)


WORDS = frozenset(("version", "serial", "notbefore", "notafter", *(
    f"{side}{part}" for side in ("subject", "issuer") for part in ("", *(f"_{one}" for one in _PARTS)))))
ALTERNATIVES = frozenset(("san_email", "san_hostname", "san_uri", "san_ip"))
