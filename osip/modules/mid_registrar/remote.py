"""Remember what the main registrar holds for us, and take it back when it is over before its time.

It stands among the keys of the AoR in usrloc, so that it is stored and told to other workers and servers as they are.
"""
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from osip.api import Endpoint, bracket, parse_endpoint

if TYPE_CHECKING:
    from osip.modules.mid_registrar.module import MidRegistrar

KEY = "_mid"
LEEWAY = 2.0            # seconds of life for which nothing need be taken back


class Remote:
    """A registration at the main registrar: until when (Unix seconds), how it was made, by which Contact."""
    __slots__ = ("until", "ruri", "to", "contact", "hop", "socket")

    def __init__(self, until: float, ruri: str, to: str, contact: str, hop: str, socket: str) -> None:
        self.until, self.ruri, self.to, self.contact, self.hop, self.socket = until, ruri, to, contact, hop, socket

    def text(self) -> str:
        """Return it as a text to be stored."""
        return json.dumps([round(self.until, 1), self.ruri, self.to, self.contact, self.hop, self.socket])


def key_of(id: int) -> str:
    """Return the key for one contact (0: for the AoR as a whole)."""
    return f"{KEY}:{id}" if id else KEY


def read(record: Any, id: int) -> Remote | None:
    """Return what the main registrar holds; None when nothing is known."""
    return held_in(record.kv, id) if record is not None else None


def held_in(keys: dict[str, str] | None, id: int) -> Remote | None:
    """Return what the main registrar holds, from the keys of an AoR."""
    text = keys.get(key_of(id)) if keys else None
    try:
        return Remote(*json.loads(text)) if text else None
    except (ValueError, TypeError):
        return None


def left(mid: MidRegistrar, record: Any, id: int) -> float:
    """Return for how many seconds the main registrar still holds it; 0.0 when nothing is known."""
    remote = read(record, id)
    return max(0.0, remote.until - mid.wall()) if remote is not None else 0.0


def hop_of(dest: Any) -> str:
    """Return an address as a next hop."""
    return f"sip:{bracket(dest.host)}:{dest.port};transport={dest.proto}"


def take_back(mid: MidRegistrar, remote: Remote) -> None:
    """Tell the main registrar that a contact is gone, unless it is about to know by itself."""
    if remote.until - mid.wall() <= LEEWAY:
        return

    def done(status: int, reply: Any) -> None:
        if status >= 300:
            mid.complain("mid_registrar:", "the main registrar keeps a contact that is gone: status=%d contact=%s "
                         "to=%s (for 401 or 407 give it credentials with uac_auth, or let it trust this server)", status,
                         remote.contact, remote.hop)
    end: Endpoint | None
    try:
        end = parse_endpoint(remote.socket)
    except ValueError:
        end = None
    socket = mid.env.find_socket(end.proto, end.host, end.port) if end is not None else None
    mid.tm.request("REGISTER", remote.ruri, f"<{remote.to}>", f"<{remote.to}>", headers=b"Expires: 0\r\n",
                   contact=f"<{remote.contact}>", next_hop=remote.hop, socket=socket, callback=done)
