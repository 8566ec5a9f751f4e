"""Say for which SIP domains a certificate stands (RFC 5922 section 7), from what the `ssl` module tells of it."""
from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from osip.core.errors import ParseError
from osip.core.sip.uri import parse_uri


def identities(cert: Mapping[str, Any]) -> list[str]:
    """Return the SIP domains of a certificate: of its SIP URIs, else its DNS names, else its common name."""
    alternatives: tuple[tuple[str, str], ...] = cert.get("subjectAltName", ())
    uris = [host for kind, value in alternatives if kind == "URI" if (host := _domain(value))]
    if uris:
        return uris
    names = [value.lower().rstrip(".") for kind, value in alternatives if kind == "DNS"]
    if names or alternatives:
        return names
    return [value.lower() for part in cert.get("subject", ()) for kind, value in part if kind == "commonName"]


def _domain(uri: str) -> str:
    """Return the domain of a SIP URI without a user; "" for any other."""
    try:
        parsed = parse_uri(uri)
    except ParseError:
        return ""
    return "" if not parsed.is_sip or parsed.user else parsed.host.lower().strip("[]").rstrip(".")


def is_for(cert: Mapping[str, Any], domain: str, wildcards: bool = False) -> bool:
    """Say whether a certificate stands for a SIP domain or an IP address.

    RFC 5922 section 7.2 wants equal names; with `wildcards` a leading `*.` stands for one label, as for the web.
    """
    wanted = domain.lower().strip("[]").rstrip(".")
    if not wanted:
        return False
    try:
        address = ipaddress.ip_address(wanted)
    except ValueError:
        pass
    else:
        own = [value for kind, value in cert.get("subjectAltName", ()) if kind == "IP Address"]
        return any(_is_address(value, address) for value in own + identities(cert))
    found = identities(cert)
    if wildcards:
        found += [value.lower() for kind, value in cert.get("subjectAltName", ()) if kind == "DNS"]
        rest = wanted.partition(".")[2]
        if "." in rest and f"*.{rest}" in found:
            return True
    return wanted in found


def _is_address(text: str, address: Any) -> bool:
    try:
        return bool(ipaddress.ip_address(text.strip()) == address)
    except ValueError:
        return False
