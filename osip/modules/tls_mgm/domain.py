"""TLS domains: what an operator says of one, whom it is for, and the context of the library that comes of it."""
from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from osip.api import TlsDomain, parse_endpoint

SERVER, CLIENT = "server", "client"
_VERSIONS = {"TLSV1": ssl.TLSVersion.TLSv1, "TLSV1_1": ssl.TLSVersion.TLSv1_1, "TLSV1_2": ssl.TLSVersion.TLSv1_2,
             "TLSV1_3": ssl.TLSVersion.TLSv1_3}
_ANY = frozenset(("SSLV23", "TLSANY", ""))
_BEGIN = "-----BEGIN"
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_OLDEST = ssl.TLSVersion.TLSv1_2


@dataclass(slots=True)
class DomainSettings:
    """One domain as it is written. Certificates are paths, or PEM text when they came from a database."""
    name: str
    type: str
    match_ip_address: list[str] = field(default_factory=list)       # none: any
    match_sip_domain: list[str] = field(default_factory=list)       # none: any
    tls_method: str = ""
    verify_cert: bool = True
    require_cert: bool = True
    verify_name: int = 1            # 0 any name, 1 as RFC 5922 says, 2 wildcards as on the web, too
    certificate: str = ""
    private_key: str = ""
    crl_check_all: bool = False
    crl_dir: str = ""
    ca_list: str = ""
    ca_dir: str = ""
    ciphers_list: str = ""
    dh_params: str = ""
    ec_curve: str = ""

    def matches_address(self, host: str, port: int) -> bool:
        """Say whether an address is among those it is for."""
        if not self.match_ip_address or "*" in self.match_ip_address:
            return True
        for text in self.match_ip_address:
            place = parse_endpoint(text)
            if place.host.strip("[]") == host.strip("[]") and place.port in (0, port):
                return True
        return False

    def matches_name(self, name: str) -> bool:
        """Say whether a SIP domain is among those it is for; `none` stands for a client that names none."""
        if not self.match_sip_domain:
            return True
        wanted = name.lower() or "none"
        return any(fnmatchcase(wanted, text.lower()) if wanted != "none" else text.lower() in ("none", "*")
                   for text in self.match_sip_domain)

    def specificity(self) -> tuple[int, int]:
        """Order domains: those for certain addresses first, then those for certain names."""
        return (not self.match_ip_address or "*" in self.match_ip_address,
                not self.match_sip_domain or "*" in self.match_sip_domain)

    def listing(self) -> dict[str, Any]:
        """Describe the domain as `tls_list` shows it; keys that came from a database are not shown."""
        return {"name": self.name, "type": "TLS_DOMAIN_SRV" if self.type == SERVER else "TLS_DOMAIN_CLI",
                "IP ADDRESS FILTERS": self.match_ip_address or ["*"], "SIP DOMAIN FILTERS": self.match_sip_domain or ["*"],
                "METHOD": self.tls_method or "SSLv23", "VERIFY_CERT": "yes" if self.verify_cert else "no",
                "REQ_CLI_CERT": "yes" if self.require_cert else "no", "VERIFY_NAME": ("no", "yes", "wildcards")[self.verify_name],
                "CRL_CHECKALL": "yes" if self.crl_check_all else "no", "CERT_FILE": _shown(self.certificate),
                "CRL_DIR": self.crl_dir, "CA_FILE": _shown(self.ca_list), "CA_DIR": self.ca_dir,
                "PKEY_FILE": _shown(self.private_key), "CIPHER_LIST": self.ciphers_list, "DH_PARAMS": _shown(self.dh_params),
                "EC_CURVE": self.ec_curve}


def parse_method(text: str) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    """Return the oldest and the newest version that a method allows; ValueError when it is unknown.

    `SSLv23` and nothing at all mean TLS 1.2 and newer; `TLSv1_2` means that version alone, `TLSv1_2-` it and newer,
    `TLSv1-TLSv1_2` all between.
    """
    word = text.strip().upper().replace(".", "_")
    if word in _ANY:
        return _OLDEST, ssl.TLSVersion.TLSv1_3
    first, dash, last = word.partition("-")
    try:
        low = _VERSIONS[first] if first else _OLDEST
        high = (_VERSIONS[last] if last else ssl.TLSVersion.TLSv1_3) if dash else low
    except KeyError:
        raise ValueError(f'unknown TLS method "{text}"; known: SSLv23, TLSv1, TLSv1_1, TLSv1_2, TLSv1_3 and ranges '
                         "such as TLSv1_2-") from None
    if low > high:
        raise ValueError(f'the TLS method "{text}" allows no version')
    return low, high


@contextmanager
def as_path(text: str, what: str) -> Iterator[str]:
    """Give the path of a file: that which is named, or one that only this process sees, with the text itself."""
    if _BEGIN not in text:
        if not Path(text).is_file():
            raise ValueError(f"{what} {text}: there is no such file")
        if not os.access(text, os.R_OK):
            raise ValueError(f"{what} {text}: it may not be read")
        yield text
        return
    number = os.memfd_create("osip-pem", os.MFD_CLOEXEC)
    try:
        os.write(number, text.encode())
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)


def build(settings: DomainSettings) -> TlsDomain:
    """Make the context; ValueError says what is wrong, and where."""
    server = settings.type == SERVER
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False                  # SIP has rules of its own (RFC 5922)
    low, high = parse_method(settings.tls_method)
    context.minimum_version, context.maximum_version = low, high
    context.options |= ssl.OP_NO_COMPRESSION | getattr(ssl, "OP_NO_RENEGOTIATION", 0) | ssl.OP_CIPHER_SERVER_PREFERENCE
    where = f"{settings.type} domain {settings.name}"
    try:
        _load(context, settings)
    except (OSError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from None
    if not settings.verify_cert:
        context.verify_mode = ssl.CERT_NONE
    else:
        context.verify_mode = ssl.CERT_REQUIRED if settings.require_cert or not server else ssl.CERT_OPTIONAL
    return TlsDomain(settings.name, context, not server and settings.verify_cert and settings.verify_name > 0,
                     settings.verify_name == 2, first_certificate(settings.certificate) if settings.certificate else b"")


def first_certificate(text: str) -> bytes:
    """Return the first certificate (DER) of a file or of PEM text; empty when there is none to be read."""
    try:
        pem = text if _BEGIN in text else Path(text).read_text("ascii", "replace")
        found = _PEM.search(pem)
        return ssl.PEM_cert_to_DER_cert(found[0]) if found else b""
    except (OSError, ValueError):
        return b""


@contextmanager
def _about(what: str) -> Iterator[None]:
    """Say which setting the library did not like."""
    try:
        yield
    except ssl.SSLError as error:
        raise ValueError(f"{what}: {getattr(error, 'reason', '') or ' '.join(map(str, error.args))}") from None


def _load(context: ssl.SSLContext, settings: DomainSettings) -> None:
    if settings.certificate:
        key = settings.private_key or settings.certificate
        with as_path(settings.certificate, "certificate") as cert, as_path(key, "private_key") as path, \
                _about(f"certificate {_shown(settings.certificate)} with private_key {_shown(key)}"):
            context.load_cert_chain(cert, path, password=_no_password)
    elif settings.type == SERVER:
        raise ValueError("it has no certificate")
    _load_trust(context, settings)
    if settings.ciphers_list:
        with _about(f"ciphers_list {settings.ciphers_list}"):
            context.set_ciphers(settings.ciphers_list)
    if settings.dh_params:
        with as_path(settings.dh_params, "dh_params") as path, _about(f"dh_params {_shown(settings.dh_params)}"):
            context.load_dh_params(path)
    if settings.ec_curve:
        with _about(f"ec_curve {settings.ec_curve}"):
            context.set_ecdh_curve(settings.ec_curve)


def _load_trust(context: ssl.SSLContext, settings: DomainSettings) -> None:
    """Load whom to trust, and what was revoked."""
    if settings.ca_list:
        with _about(f"ca_list {_shown(settings.ca_list)}"):
            if _BEGIN in settings.ca_list:
                context.load_verify_locations(cadata=settings.ca_list)
            else:
                with as_path(settings.ca_list, "ca_list") as path:
                    context.load_verify_locations(cafile=path)
    if settings.ca_dir:
        _load_folder(context, settings.ca_dir, "ca_dir")
    if not settings.ca_list and not settings.ca_dir and settings.type == CLIENT:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if settings.crl_dir:
        _load_folder(context, settings.crl_dir, "crl_dir")
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN if settings.crl_check_all else ssl.VERIFY_CRL_CHECK_LEAF


def _shown(text: str) -> str:
    """Return a path; of what came from a database only that."""
    return "(from the database)" if _BEGIN in text else text


def _no_password() -> str:
    raise ValueError("private_key is protected by a password; store it without one, readable by osip alone")


def _load_folder(context: ssl.SSLContext, path: str, what: str) -> None:
    """Trust the PEM files of a folder, named as anybody likes; those named by their hash are found when needed, too."""
    folder = Path(path)
    if not folder.is_dir():
        raise ValueError(f"{what} {path}: there is no such folder")
    context.load_verify_locations(capath=path)
    for file in sorted(folder.iterdir()):
        if file.suffix in (".pem", ".crt", ".cer", ".crl") and file.is_file() and _BEGIN.encode() in file.read_bytes():
            with _about(f"{what} {file}"):
                context.load_verify_locations(cafile=file)


_NAMED = re.compile(r"\s*\[\s*([^\]\s]*)\s*\](.*)", re.DOTALL)
_OLD = re.compile(r"\s*([\w.-]+)\s*[:=](.*)", re.DOTALL)


def split_value(text: str, known: frozenset[str]) -> tuple[str, str]:
    """Return domain and value of `[name]value`, of `name:value` (2.x) for a known name, or of a bare value (default)."""
    found = _NAMED.fullmatch(text)
    if found is not None:
        return found[1] or "default", found[2].strip()
    found = _OLD.fullmatch(text)
    if found is not None and found[1] in known:
        return found[1], found[2].strip()
    return "default", text.strip()
