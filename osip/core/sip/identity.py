"""Know requests again: the key of a transaction, the mark of a way, the one Route that is nearly always there.

RFC 3261 sections 16.3, 16.4 and 17.2.3, RFC 5393 section 4.2. Each function is asked once or more for each request, so
the accelerator has all of them.
"""
from __future__ import annotations

import re
from typing import Any, Final

from osip.core.accel import LEAF
from osip.core.sip.message import READER
from osip.core.sip.names import H_ROUTE, H_VIA, M_OTHER

COOKIE: Final = "z9hG4bK"
_BITS: Final = 0x7fffffffffff
_SIZE: Final = 0x800000000000
"""Added to a hash of that many bits, so that all marks are of one length."""
# One value with a host and parameters, of which only that of a double Record-Route says more than this.
_PLAIN: Final = re.compile(
    rb"<sip:([\w.:\-\[\]]+)((?:;(?!(?i:r2)(?=[=;>]))[\w.=+*%!~'\-]*)*)>", re.ASCII).fullmatch
_READER: Final[Any] = READER        # a name of this module is read at once
_KEY: Final[Any] = None if LEAF is None else LEAF.request_key
_MARK: Final[Any] = None if LEAF is None else LEAF.loop_mark
_BEARS: Final[Any] = None if LEAF is None else LEAF.bears_mark
_ROUTE: Final[Any] = None if LEAF is None else LEAF.only_route
_HAS_PLAIN_USER: Final[Any] = None if READER is None else READER.has_plain_user
_PLAIN_URI: Final = re.compile(r"sip:[\w.+\-]+@[\w.\-]+(?::([0-9]{1,5}))?(?:;transport=(?:udp|tcp))?", re.ASCII).fullmatch


def request_key(msg: Any, method_id: int) -> str | None:
    """Return method, branch and sent-by of a request as one text; None when its branch lacks the cookie."""
    if _KEY is not None:
        key: str | None = _KEY(_READER, msg, method_id)
        if key is not None:
            return key
    branch: str = msg.via1_branch
    if not branch.startswith(COOKIE) or len(branch) == len(COOKIE):
        return None
    via = msg.via1
    text = f"{method_id}|{branch}|{via.host}:{via.port}"
    return text if method_id != M_OTHER else f"{text}|{msg.method}"


def loop_mark(msg: Any, secret: str, came: str) -> str:
    """Return a mark of what the way of a request depends on, and of where it came from, as a keyed hash."""
    if _MARK is not None:
        mark: str | None = _MARK(_READER, msg, secret, came, H_ROUTE)
        if mark is not None:
            return mark
    raw: bytes = msg.raw
    parts = [secret.encode("utf-8", "surrogateescape"), msg.ruri.encode("utf-8", "surrogateescape")]
    at: int = msg.ids.find(H_ROUTE)
    while at >= 0:
        _, _, start, end = msg.headers[at]
        parts.append(raw[start:end])
        at = msg.ids.find(H_ROUTE, at + 1)
    parts += [text.encode("utf-8", "surrogateescape")
              for text in (msg.call_id, msg.from_tag, msg.to_tag, str(msg.cseq), msg.method, came)]
    # Python's hash of bytes is keyed by process, and forked workers share the key.
    return "." + hex(hash(b"\n".join(parts)) & _BITS | _SIZE)[2:]


def bears_mark(msg: Any, mark: str) -> bool:
    """Say whether a Via of a message bears a mark."""
    if _BEARS is not None:
        found: bool | None = _BEARS(_READER, msg, mark)
        if found is not None:
            return found
    wanted = mark.encode()
    at: int = msg.ids.find(H_VIA)
    while at >= 0:
        _, _, start, end = msg.headers[at]
        if msg.raw.find(wanted, start, end) >= 0:
            return True
        at = msg.ids.find(H_VIA, at + 1)
    return False


def only_route(msg: Any) -> tuple[int, int, bytes, str]:
    """Return (start and end of its line, `host[:port]`, parameters) of the only Route value of a message.

    The start is -1 when there is none, or one that must be looked at closer.
    """
    if _ROUTE is not None:
        route: tuple[int, int, bytes, str] | None = _ROUTE(_READER, msg, H_ROUTE)
        if route is not None:
            return route
    at: int = msg.ids.find(H_ROUTE)
    if at < 0 or msg.ids.find(H_ROUTE, at + 1) >= 0:
        return -1, -1, b"", ""
    _, line, start, end = msg.headers[at]
    found = _PLAIN(msg.raw[start:end])
    if found is None:
        return -1, -1, b"", ""
    params: bytes = found[2]
    for part in params.lower().split(b";"):
        # With a port of its own an address is ours or not, whether by UDP or by TCP.
        if part.partition(b"=")[0] == b"transport" and (part[10:] not in (b"udp", b"tcp")
                                                        or b":" not in found[1].rpartition(b"]")[2]):
            return -1, -1, b"", ""
    return line, msg.line_end(at), found[1], params[1:].decode("ascii")


def has_plain_user(msg: Any) -> bool:
    """Say whether the request-URI is a user and a host in plain letters, perhaps a port and UDP or TCP, and no more."""
    if _HAS_PLAIN_USER is not None:
        told: bool | None = _HAS_PLAIN_USER(msg)
        if told is not None:
            return told
    found = _PLAIN_URI(msg.ruri) if msg.is_request else None
    return found is not None and (found[1] is None or 0 < int(found[1]) < 65536)
