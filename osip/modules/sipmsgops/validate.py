"""Say what is wrong with a message by RFC 3261, as the numbers of `sipmsg_validate`."""
from __future__ import annotations

import re
from collections.abc import Callable

from osip.api import (H_ALLOW, H_CONTACT, H_CONTENT_LENGTH, H_CONTENT_TYPE, H_MAX_FORWARDS, H_MIN_EXPIRES, H_PATH,
                      H_PROXY_AUTHENTICATE, H_UNSUPPORTED, H_WWW_AUTHENTICATE, Message, ParseError, bare_type,
                      parse_sdp, parse_uri)

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.\-]*[A-Za-z0-9])?\.?|[0-9A-Fa-f:.]+")
_USER = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/#]|%[0-9A-Fa-f]{2})*")
_NEEDED = {405: (-16, H_ALLOW, "Allow"), 423: (-17, H_MIN_EXPIRES, "Min-Expires"),
           407: (-18, H_PROXY_AUTHENTICATE, "Proxy-Authenticate"), 420: (-19, H_UNSUPPORTED, "Unsupported"),
           401: (-20, H_WWW_AUTHENTICATE, "WWW-Authenticate")}


def validate(msg: Message, flags: str) -> tuple[int, str]:
    """Return (1, "") for a good message, else a negative number and what it means."""
    checks: tuple[Callable[[Message, str], tuple[int, str]], ...] = (
        _mandatory, _length, _numbers, _addresses, _uri, _contacts, _response, _body)
    for check in checks:
        try:
            code, why = check(msg, flags)
        except ParseError as error:
            return -2, error.reason
        if code < 0:
            return code, why
    return 1, ""


_GOOD = (1, "")


def _read(msg: Message, attribute: str, code: int) -> tuple[int, str]:
    try:
        getattr(msg, attribute)
    except ParseError as error:
        return code, error.reason
    return _GOOD


def _mandatory(msg: Message, flags: str) -> tuple[int, str]:
    for attribute, code in (("call_id", -3), ("cseq", -7), ("from_", -8), ("to", -9), ("vias", -10)):
        found = _read(msg, attribute, code)
        if found[0] < 0:
            return found
    return _GOOD


def _length(msg: Message, flags: str) -> tuple[int, str]:
    if msg.find(H_CONTENT_LENGTH) < 0:
        return _GOOD
    found = _read(msg, "content_length", -4)
    if found[0] > 0 and msg.content_length != len(msg.raw) - msg.body_start:
        return -5, "Content-Length differs from the length of the body"
    return found


def _numbers(msg: Message, flags: str) -> tuple[int, str]:
    if msg.is_request and msg.cseq_method != msg.method:
        return -7, "CSeq method differs from the request's"
    if not msg.is_request or "m" in flags:
        return _GOOD
    if msg.find(H_MAX_FORWARDS) < 0:
        return -13, "no Max-Forwards"
    return _read(msg, "max_forwards", -13)


def _addresses(msg: Message, flags: str) -> tuple[int, str]:
    for attribute, letter, code, user in (("to", "t", -22, -29), ("from_", "f", -23, -28)):
        if letter not in flags:
            continue
        try:
            uri = getattr(msg, attribute).uri
        except ParseError as error:
            return code, error.reason
        if uri.is_sip and not _HOST.fullmatch(uri.host):
            return code, "bad host"
        if not _USER.fullmatch(uri.user):
            return user, "bad user"
    return _GOOD


def _uri(msg: Message, flags: str) -> tuple[int, str]:
    if not msg.is_request or "r" not in flags:
        return _GOOD
    try:
        uri = parse_uri(msg.ruri)       # type: ignore[attr-defined]
    except ParseError as error:
        return -11, error.reason
    if uri.is_sip and not _HOST.fullmatch(uri.host):
        return -12, "bad host in the R-URI"
    return _GOOD if _USER.fullmatch(uri.user) else (-27, "bad user in the R-URI")


def _contacts(msg: Message, flags: str) -> tuple[int, str]:
    if msg.find(H_PATH) >= 0:
        found = _read(msg, "paths", -15)
        if found[0] < 0:
            return found
    if msg.find(H_CONTACT) < 0:
        if msg.is_request and msg.method == "INVITE":
            return -14, "an INVITE needs a Contact"
        return _GOOD
    found = _read(msg, "contacts", -14)
    if found[0] < 0:
        return found
    if msg.contact_star and msg.method != "REGISTER":
        return -30, "* is a Contact of REGISTER only"
    if "c" in flags and not msg.contact_star:
        for contact in msg.contacts:
            try:
                uri = contact.uri
            except ParseError as error:
                return -24, error.reason
            if uri.is_sip and not _HOST.fullmatch(uri.host):
                return -26, "bad host in Contact"
    return _GOOD


def _response(msg: Message, flags: str) -> tuple[int, str]:
    if msg.is_request:
        return _GOOD
    code, number, name = _NEEDED.get(msg.status, (0, 0, ""))        # type: ignore[attr-defined]
    return (code, f"no {name}") if code and msg.find(number) < 0 else _GOOD


def _body(msg: Message, flags: str) -> tuple[int, str]:
    if msg.body and msg.find(H_CONTENT_TYPE) < 0:
        return -21, "a body needs a Content-Type"
    if "s" in flags and bare_type(msg.content_type) == "application/sdp":
        try:
            parse_sdp(msg.body)
        except ParseError as error:
            return -6, error.reason
    return _GOOD
