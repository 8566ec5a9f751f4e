"""Parse, build and complete Via values (RFC 3261 sections 18.2.1 and 20.42, RFC 3581)."""
from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from osip.core.accel import LEAF
from osip.core.errors import ParseError
from osip.core.sip.params import Params, build_params, find_param, parse_params

_HEAD: Final = re.compile(
    r"\s*([A-Za-z0-9.\-]+)\s*/\s*([A-Za-z0-9.\-]+)\s*/\s*([A-Za-z0-9.\-]+)\s+"
    r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_.\-]+))\s*(?::\s*([0-9]{1,5}))?\s*(?:(;.*)|$)", re.DOTALL)
_TRANSPORTS: Final = frozenset(("UDP", "TCP", "TLS", "SCTP", "WS", "WSS"))
_PLAIN_HOST: Final = re.compile(r"[A-Za-z0-9_.\-]+").fullmatch
_BRANCH: Final = re.compile(r";branch=([^;\s\"]*)(?=;|$)").search
_SENT_BY: Final = re.compile(
    rb"SIP/2\.0/[A-Z]+ ([A-Za-z0-9_.\-]+)(?::(?:[0-9]{1,4}|[1-5][0-9]{4}))?(?=;|\Z)").match
_RPORT: Final = re.compile(rb";\s*rport\s*(?:=[^;,]*)?(?=[;\s]|$)", re.IGNORECASE)
_RECEIVED: Final = re.compile(rb";\s*received\s*=[^;,]*", re.IGNORECASE)


class Via:
    """Hold one Via value. `host` is without the brackets of IPv6; `branch` and `received` are "" when absent.

    `rport` is None when absent, "" when it has no value or none that is a number, else the text of the value.
    """

    __slots__ = ("version", "transport", "host", "port", "params_text", "params", "branch", "received", "rport",
                 "is_ipv6")
    params: Params
    branch: str
    received: str
    rport: str | None

    def __init__(self, transport: str, host: str, port: int | None = None, params_text: str = "",
                 version: str = "2.0", is_ipv6: bool | None = None) -> None:
        self.version = version
        self.transport = transport
        self.host = host
        self.port = port
        self.params_text = params_text
        self.is_ipv6 = ":" in host if is_ipv6 is None else is_ipv6

    def __getattr__(self, name: str) -> Any:
        # Reached only for a slot that is still empty.
        value: Any
        if name == "params":
            value = parse_params(self.params_text) if self.params_text else ()
        elif name == "rport" and not self._may_have(name):
            value = None
        elif name == "received" and not self._may_have(name):
            value = ""
        elif name == "branch":
            found = None if '"' in self.params_text else _BRANCH(self.params_text)
            value = found.group(1) if found else find_param(self.params, "branch") or ""
        elif name == "received":
            value = (find_param(self.params, "received") or "").strip("[]")
        elif name == "rport":
            value = find_param(self.params, "rport")
            # It ends up as a port number somewhere: what is none counts as no value.
            if value and not (value.isascii() and value.isdigit() and len(value) < 6):
                value = ""
        else:
            raise AttributeError(name)
        setattr(self, name, value)
        return value

    def _may_have(self, name: str) -> bool:
        # Most Via values have neither, which is seen without parsing. An open quote is for the parser to find.
        text = self.params_text
        return '"' in text or name in text.lower()

    @property
    def sent_by(self) -> str:
        """Return host and port as they stand in the header."""
        host = f"[{self.host}]" if self.is_ipv6 else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def param(self, name: str) -> str | None:
        """Return a parameter's value; "" when it has none, None when it is absent."""
        return find_param(self.params, name)

    def __str__(self) -> str:
        return f"SIP/{self.version}/{self.transport} {self.sent_by}{self.params_text}"

    def __repr__(self) -> str:
        return f"Via({str(self)!r})"


def _parse_via(text: str) -> Via:
    """Parse one Via value (no commas); raise ParseError when it is malformed."""
    if text.startswith("SIP/2.0/"):
        # What nearly every Via looks like: no white space but the one blank, no IPv6.
        transport, _, rest = text[8:].partition(" ")
        sent_by, semicolon, params = rest.partition(";")
        host, colon, digits = sent_by.partition(":")
        if transport in _TRANSPORTS and _PLAIN_HOST(host) and (
                not colon or (len(digits) < 6 and digits.isdecimal() and digits.isascii() and int(digits) < 65536)):
            return Via(transport, host, int(digits) if colon else None, semicolon + params, "2.0", False)
    return _parse_slowly(text)


def _parse_slowly(text: str) -> Via:
    found = _HEAD.match(text)
    if found is None:
        raise ParseError("bad Via header")
    protocol, version, transport, ipv6, host, port, params = found.groups()
    if protocol != "SIP" and protocol.upper() != "SIP":
        raise ParseError("bad Via header")
    number = None
    if port is not None:
        number = int(port)
        if number > 65535:
            raise ParseError("bad Via header")
    return Via(transport.upper(), ipv6 or host, number, params or "", version, ipv6 is not None)


VIA_READER: Final = None if LEAF is None else LEAF.ViaReader(Via, _parse_via)
parse_via: Final[Callable[[str], Via]] = _parse_via if VIA_READER is None else VIA_READER.parse


def build_via(transport: str, host: str, port: int | None, branch: str,
              params: Iterable[tuple[str, str | None]] = ()) -> bytes:
    """Build a whole Via line, CRLF included; an IPv6 host may come with or without brackets."""
    if ":" in host and host[0] != "[":
        host = f"[{host}]"
    where = host if port is None else f"{host}:{port}"
    line = f"Via: SIP/2.0/{transport.upper()} {where};branch={branch}{build_params(params)}\r\n"
    return line.encode("utf-8", "surrogateescape")


def _sent_by_host(value: bytes) -> str:
    found = _SENT_BY(value)
    return found.group(1).decode("ascii") if found else parse_via(value.decode("utf-8", "surrogateescape")).host


def complete_via(value: bytes, host: str, port: int, force_rport: bool = False) -> bytes:
    """Return a Via value with `received` and `rport` filled in from where the request came.

    `received` is added when the address differs from sent-by or rport was asked for; a `received` that the sender put
    in itself is replaced, never believed.
    """
    if LEAF is not None:
        done: bytes | None = LEAF.complete_via(value, host, port, force_rport)
        if done is not None:
            return done
    lower = value.lower()
    asked = _RPORT.search(value) if b"rport" in lower else None
    if asked is None and not force_rport and _sent_by_host(value) == host:
        return _RECEIVED.sub(b"", value) if b"received" in lower else value
    address = host.encode("ascii", "replace")
    if b"received" in lower:
        value = _RECEIVED.sub(b"", value)
    if force_rport or asked is not None:
        value = _RPORT.sub(b"", value)
        return b"%s;received=%s;rport=%d" % (value.rstrip(), address, port)
    return b"%s;received=%s" % (value.rstrip(), address)
