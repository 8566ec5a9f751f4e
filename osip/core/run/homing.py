"""Find the way home of responses: the connection of their request, and peers whose Via is a name (RFC 3263 section 5).

RFC 3261 section 18.2.2 wants a response on the connection that its request came on. A transaction knows that one; for
what is forwarded without state, our own Via remembers it, in a parameter that only this server can have written.
"""
from __future__ import annotations

from hashlib import md5
from typing import TYPE_CHECKING, Final

from osip.core.errors import OsipError, ParseError
from osip.core.net.endpoint import DEFAULT_PORTS, RELIABLE, Dest, bracket, is_ip
from osip.core.sip.message import parse

if TYPE_CHECKING:
    from osip.core.net.endpoint import LocalSocket, Source
    from osip.core.run.env import Env
    from osip.core.sip.via import Via

MOST_WAITING: Final = 256
"""Responses that wait for a name at a time: who makes names up must not fill the memory."""


def mark(env: Env, source: Source) -> str:
    """Return the parameter of our Via that names the connection of a request; "" when it came by no stream."""
    return f";i={source.conn:x}.{_proof(env, source.conn, source.host)}" if source.conn else ""


def connection(env: Env, ours: Via, theirs: Via) -> int:
    """Return the connection that our Via names for the peer of the Via below it; 0 when there is none to believe."""
    text = ours.param("i") if ours.params_text else None
    if not text or theirs.transport.lower() not in RELIABLE:
        return 0
    number, _, proof = text.partition(".")
    try:
        conn = int(number, 16)
    except ValueError:
        return 0
    return conn if proof == _proof(env, conn, theirs.received or theirs.host) else 0


def _proof(env: Env, conn: int, host: str) -> str:
    return md5(f"{env.tag_secret}{conn}{host}".encode(), usedforsecurity=False).hexdigest()[:10]


class Homing:
    """Send responses to peers that are known by name: at once, when DNS has answered, or when a connection failed."""
    __slots__ = ("_env", "waiting")

    def __init__(self, env: Env) -> None:
        self._env = env
        self.waiting = 0

    def send(self, data: bytes, via: Via, near: LocalSocket | None = None, failed: Dest | None = None) -> bool:
        """Send a response by the sent-by of a Via; False when it certainly cannot leave.

        A port means address records; without one the SRV records of the Via's protocol come first (RFC 3263
        section 5). `failed` is where it did not get through.
        """
        env = self._env
        proto = via.transport.lower()
        if proto not in DEFAULT_PORTS:
            return False
        host = via.param("maddr") or bracket(via.host)
        uri = f"sip:{host}{f':{via.port}' if via.port else ''};transport={proto}"
        try:
            found = env.resolve(uri)
            if found is not None:
                return self._first(found, data, near, failed, via.host)
        except OsipError:
            return False
        if self.waiting >= MOST_WAITING:
            return False
        self.waiting += 1
        env.spawn(self._wait(uri, data, near, failed, via.host), "response")
        return True

    def again(self, data: bytes, dest: Dest) -> bool:
        """Send a response, whose connection could not be made, to the next address of its Via; False when it is lost."""
        if data[:8] != b"SIP/2.0 " or dest.only_reuse or dest.proto in ("ws", "wss") or not dest.name \
                or is_ip(dest.name):
            return False
        try:
            return self.send(data, parse(data).via1, dest.socket, dest)
        except ParseError:
            return False

    async def _wait(self, uri: str, data: bytes, near: LocalSocket | None, failed: Dest | None,
                    name: str) -> None:
        try:
            sent = self._first(await self._env.resolve_wait(uri), data, near, failed, name)
        except OsipError:
            sent = False
        finally:
            self.waiting -= 1
        if not sent:
            self._env.dispatch.drop_replies += 1

    def _first(self, found: list[Dest], data: bytes, near: LocalSocket | None, failed: Dest | None,
               name: str) -> bool:
        env = self._env
        for index in range(failed.tried if failed is not None else 0, len(found)):
            dest = found[index]
            if failed is not None and (dest.host, dest.port) == (failed.host, failed.port):
                continue
            socket = env.pick_socket(dest.proto, ":" in dest.host, near)
            if socket is None:
                continue
            hop = Dest(dest.proto, dest.host, dest.port, socket)        # the resolver's own are shared
            hop.name, hop.tried = name, index + 1
            if env.send(data, hop):
                return True
        return False
