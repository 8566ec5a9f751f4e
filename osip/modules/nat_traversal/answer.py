"""Read from an answer for how long an endpoint is to be kept alive."""
from __future__ import annotations

from typing import Any, Final

from osip.api import ParseError, Source, Uri, origin, uri_equal

DEFAULT: Final = 3600
LONGEST: Final = 7 * 86400
"""Seconds; what a peer says beyond is not believed."""


def registered(request: Any, answer: Any, source: Source) -> int:
    """Return for how many seconds the contacts of a REGISTER are bound by its 2xx; 0 when none is any more.

    The 2xx lists all bindings of the user (RFC 3261 section 10.3): those count that the request asked for, or that lead
    to its source, as a mended Contact does.
    """
    wanted = [contact.uri for contact in request.contacts if contact.uri.is_sip]
    longest = 0
    for contact in answer.contacts:
        try:
            uri = contact.uri
            if not uri.is_sip or not (_leads_to(uri, source) or any(uri_equal(uri, one) for one in wanted)):
                continue
            longest = max(longest, _seconds(contact.param("expires"), answer.expires))
        except ParseError:
            continue
    return min(longest, LONGEST)


def subscribed(request: Any, answer: Any) -> int:
    """Return for how many seconds a SUBSCRIBE was accepted."""
    return min(_seconds(None, answer.expires if answer.expires is not None else request.expires), LONGEST)


def _leads_to(uri: Uri, source: Source) -> bool:
    return not origin.differs(uri.host, source.host) and origin.port_of(uri) == source.port


def _seconds(text: str | None, other: int | None) -> int:
    if text is not None and text.isascii() and text.isdigit():
        return int(text[:10])
    return DEFAULT if other is None else other
