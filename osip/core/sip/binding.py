"""Read at once what a REGISTER asks for that has one plain Contact, as most have, and write that Contact's answer.

RFC 3261 sections 10.2 and 10.3.
"""
from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from osip.core.accel import LEAF
from osip.core.errors import ParseError
from osip.core.sip.fields import value_of
from osip.core.sip.message import READER
from osip.core.sip.names import H_ALLOW, H_CONTACT, H_EXPIRES, H_TO, H_USER_AGENT
from osip.core.sip.uri import parse_uri, plain_address

_NAME: Final = r'(?:"[^"\\]*"[ \t]*|[^"<>,;]*)'
_TO: Final = re.compile(_NAME + r"<([^>]+)>(?:;.*)?")
_CONTACT: Final = re.compile(_NAME + r"<([^>]+)>(?:;expires=([0-9]{1,9}))?")
_CONTACT_LINE: Final[Any] = None if LEAF is None else LEAF.contact_line
_SECONDS: Final = re.compile(r"[0-9]{1,9}")

Plain = tuple[str, str, str, int, str, int, str | None, str | None]
"""User and host (in lower case) of To, Call-ID, CSeq number, URI of the Contact, the seconds that are asked for (-1
for none), User-Agent, Allow."""


def _plain_binding(msg: Any) -> Plain | None:
    """Return what a REGISTER with one plain Contact says; None for any other.

    Plain are To with a plain address (uri.plain_address) and a Contact whose URI is that of a host that can exist (not
    `.invalid`) and that has no other parameter than expires. Both have brackets and are printable ASCII.
    """
    ids: bytes = msg.ids
    if ids.count(H_CONTACT) != 1 or ids.count(H_ALLOW) > 1:
        return None
    to, contact = _printable(_TO, value_of(msg, H_TO)), _printable(_CONTACT, value_of(msg, H_CONTACT))
    if to is None or contact is None:
        return None
    who = plain_address(to[1])
    try:
        uri = parse_uri(contact[1])
    except ParseError:
        return None
    if who is None or not uri.is_sip or uri.host.lower().endswith(".invalid"):
        return None
    expires = contact[2] or value_of(msg, H_EXPIRES)
    if expires is not None and not _SECONDS.fullmatch(expires):
        return None
    return (who[0], who[1], msg.call_id, msg.cseq, contact[1], -1 if expires is None else int(expires),
            value_of(msg, H_USER_AGENT), value_of(msg, H_ALLOW))


def _printable(pattern: re.Pattern[str], text: str | None) -> re.Match[str] | None:
    return pattern.fullmatch(text) if text is not None and text.isascii() and text.isprintable() else None


plain_binding: Final[Callable[[Any], Plain | None]] = _plain_binding if READER is None else READER.plain_binding


def contact_line(uri: str, seconds: int) -> bytes:
    """Return the Contact line of a binding that has no more to tell than its URI and how long it is kept."""
    if _CONTACT_LINE is not None:
        built: bytes | None = _CONTACT_LINE(uri, seconds)
        if built is not None:
            return built
    return f"Contact: <{uri}>;expires={seconds}\r\n".encode("utf-8", "surrogateescape")
