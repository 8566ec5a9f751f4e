"""Move SIP over TLS (RFC 3261 section 26, RFC 5922): a layer between the loop's transport and a connection.

TLS runs in memory, by the standard library's `SSLObject`: so the ClientHello can be read before a context is chosen
(its server name decides the domain, and that whether a client certificate is demanded), and the same layer carries
plain SIP and WebSockets.
"""
from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from osip.core.net.connections import CLOSED, Connection
from osip.core.net.endpoint import Dest, LocalSocket
from osip.core.net.hello import NotTls, server_name
from osip.core.net.identity import identities, is_for
from osip.core.net.tcp import TcpTransport

HELLO, HANDSHAKE, READY, ENDED = 0, 1, 2, 3
_CHUNK = 65536
MAX_HANDSHAKES = 256


@dataclass(frozen=True, slots=True)
class TlsDomain:
    """What one TLS domain says of the connections that it serves.

    With `check_name` a server that we connect to must have a certificate for the SIP domain that was asked for (RFC 5922
    section 7); with `wildcards` a name such as `*.example.com` counts there, too.
    """
    name: str
    context: ssl.SSLContext
    check_name: bool = False
    wildcards: bool = False
    certificate: bytes = b""            # our own (DER)


class TlsDomains(Protocol):
    """Where a transport finds the domain of a connection: the module tls_mgm."""

    def server(self, local: LocalSocket, name: str) -> TlsDomain | None:
        """Return the domain that serves on a socket when the client asks for a name ("" when for none)."""

    def client(self, dest: Dest) -> TlsDomain | None:
        """Return the domain with which to connect."""


class TlsLayer(asyncio.Protocol):
    """One TLS session. Below is the loop's transport; above a `Connection`, which takes this for its transport.

    The connection hears nothing before the handshake is done and the peer's name is checked.
    """
    __slots__ = ("conn", "domain", "is_server", "name", "session", "done", "_owner", "_below", "_in", "_out", "_state",
                 "_hello", "_timer", "_source", "_is_told")

    def __init__(self, owner: TlsTransport, conn: Connection, is_server: bool) -> None:
        self.conn, self.is_server = conn, is_server
        self.domain: TlsDomain | None = None
        self.name = ""                                      # the server's name, asked of us or by us
        self.session: ssl.SSLObject = None                  # type: ignore[assignment]  # once the domain is known
        self.done: asyncio.Future[None] | None = None       # of a session that we begin
        self._owner, self._below = owner, None
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._state = HELLO
        self._hello = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._source = ("", 0)
        self._is_told = False                               # the connection knows that it has begun

    # --- called by the loop ------------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """Begin the handshake: a client speaks first."""
        self._below = transport
        peer = transport.get_extra_info("peername")
        if not peer or self.is_server and not self._owner.begin(self, peer[0]):
            self._state = ENDED
            transport.abort()
            return
        self._source = self.conn.host, self.conn.port = (peer[0], peer[1])
        self._timer = self._owner.call_later(self._owner.handshake_time, self._on_timeout)
        if not self.is_server:
            assert self.domain is not None
            self._start(self.domain)
            self._shake()

    def data_received(self, data: bytes) -> None:
        """Decrypt what came, or go on with the handshake."""
        if self._state == READY:
            self._in.write(data)
            self._read()
        elif self._state == HANDSHAKE:
            self._in.write(data)
            self._shake()
        elif self._state == HELLO:
            self._hello += data
            self._choose()

    def pause_writing(self) -> None:
        """Tell the connection that the peer does not read."""
        if self._state == READY:
            self.conn.pause_writing()

    def resume_writing(self) -> None:
        """Tell the connection that the peer reads again."""
        if self._state == READY:
            self.conn.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """End: the connection hears of it when it has heard of the beginning."""
        self._end(f"{exc}" if exc else "closed by the peer during the handshake")
        if self._is_told:
            self.conn.connection_lost(exc)

    # --- what the connection uses as its transport -------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Encrypt and send."""
        if self._state != READY:
            return
        try:
            self.session.write(data)
        except ssl.SSLError as error:                       # the session is broken: nothing can be said any more
            self._fault("cannot write: " + _reason(error))
            return
        self._below.write(self._out.read())

    def close(self) -> None:
        """Say goodbye (close_notify) and close once everything is sent."""
        if self._state == READY:
            try:
                self.session.unwrap()
            except (ssl.SSLError, OSError):                 # the peer's own goodbye is not waited for
                pass
            self._flush()
        self._end("closed")
        self._below.close()

    def abort(self) -> None:
        """Close at once."""
        self._end("aborted")
        if self._below is not None:
            self._below.abort()

    def pause_reading(self) -> None:
        """Read nothing more from the peer."""
        self._below.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._below.resume_reading()

    def get_write_buffer_size(self) -> int:
        """Return the bytes that wait to be sent."""
        return int(self._below.get_write_buffer_size())

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return a fact about the stream, `ssl_object` or one of the loop's transport."""
        return self.session if name == "ssl_object" else self._below.get_extra_info(name, default)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _choose(self) -> None:
        """Read the ClientHello and take the domain that it leads to."""
        try:
            name = server_name(self._hello)
        except NotTls as error:
            self._fault(str(error))
            return
        if name is None:
            return
        domain = self._owner.domains.server(self.conn.local, name)
        if domain is None:
            self._fault(f"no TLS domain of type server is for {name or 'clients that name none'}")
            return
        self.name = name
        self._start(domain)
        self._in.write(self._hello)
        self._hello = bytearray()
        self._shake()

    def _start(self, domain: TlsDomain) -> None:
        self.domain = domain
        self.session = domain.context.wrap_bio(self._in, self._out, server_side=self.is_server,
                                               server_hostname=None if self.is_server else self.name)
        self._state = HANDSHAKE

    def _shake(self) -> None:
        try:
            self.session.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except (ssl.SSLError, ValueError) as error:
            self._flush()                                   # the alert that says why
            self._fault(_reason(error))
            return
        self._flush()
        if not self._is_right_peer():
            shown = ", ".join(identities(self.session.getpeercert() or {})) or "nobody"
            self._fault(f'the certificate is for {shown[:200]}, not "{self.name}"')
            return
        self._state = READY
        self._owner.ended(self)
        if self._timer is not None:
            self._timer.cancel()
        self._owner.handshakes_done += 1
        if self._owner.on_session is not None:
            self._owner.on_session(self.conn.id, self)
        self._is_told = True
        self.conn.connection_made(self)
        if self.done is not None and not self.done.done():
            self.done.set_result(None)
        if self._state == READY and self.conn.state != CLOSED:
            self._read()

    def _is_right_peer(self) -> bool:
        """Check the name of the server that we connected to (RFC 5922 section 7)."""
        assert self.domain is not None
        return self.is_server or not self.domain.check_name or self.stands_for(self.name)

    def stands_for(self, name: str) -> bool:
        """Say whether the peer's verified certificate is for a SIP domain."""
        assert self.domain is not None
        return is_for(self.session.getpeercert() or {}, name, self.domain.wildcards)

    @property
    def is_verified(self) -> bool:
        """Say whether the peer showed a certificate and it was verified (one that is not good ends the handshake)."""
        assert self.domain is not None
        return self.domain.context.verify_mode != ssl.CERT_NONE and bool(self.session.getpeercert(True))

    def _read(self) -> None:
        read, conn = self.session.read, self.conn
        try:
            while self._state == READY:
                data = read(_CHUNK)
                if not data:
                    break                                   # close_notify
                conn.data_received(data)
        except ssl.SSLWantReadError:
            if self._out.pending:
                self._flush()
            return
        except ssl.SSLZeroReturnError:
            pass
        except ssl.SSLError as error:
            self._flush()
            self._fault(_reason(error))
            return
        if self._state == READY:
            self.conn.close()

    def _flush(self) -> None:
        if self._out.pending:
            self._below.write(self._out.read())

    def _on_timeout(self) -> None:
        self._fault(f"no handshake in {self._owner.handshake_time} s")

    def _fault(self, why: str) -> None:
        """End because of the peer: count, log, close."""
        owner = self._owner
        owner.connections.faults += 1
        owner.handshakes_failed += self._state != READY
        owner.connections.complain("tls_failed", "proto=%s peer=%s:%d domain=%s reason=%s", owner.proto, *self._source,
                                   self.domain.name if self.domain else "-", why)
        if self._state != READY and owner.connections.watcher is not None:
            owner.connections.watcher("failed", self.conn, why)
        self._end(why)
        self._below.close()                                 # what is written, an alert, still leaves

    def _end(self, why: str) -> None:
        if self._state == ENDED:
            return
        if self._state == READY and self._owner.on_session is not None:
            self._owner.on_session(self.conn.id, None)
        self._state = ENDED
        self._owner.ended(self)
        self._hello = bytearray()
        if self._timer is not None:
            self._timer.cancel()
        if self.done is not None and not self.done.done():
            self.done.set_exception(ConnectionError(why))


class TlsTransport(TcpTransport):
    """All TLS connections of a worker; other transports over TLS have this among their bases.

    With `reuse_checked` a connection of ours is used again only for the SIP domain and the TLS domain that it was made for.
    """
    proto = "tls"

    def __init__(self, *args: Any, domains: TlsDomains, handshake_time: float = 5.0,
                 handshakes: int = MAX_HANDSHAKES, reuse_checked: bool = False, **options: Any) -> None:
        super().__init__(*args, **options)
        self.domains, self.handshake_time, self.handshakes = domains, handshake_time, handshakes
        self.reuse_checked = reuse_checked
        self.handshakes_done = self.handshakes_failed = self.handshakes_refused = 0
        self.connections.may_alias = self._is_proven
        self.on_session: Callable[[int, TlsLayer | None], None] | None = None   # hears of sessions; None: it is over
        self._shaking: set[TlsLayer] = set()
        self._clients: dict[int, TlsLayer] = {}             # connection being made -> its layer
        self._by_name: dict[tuple[str, int, str, str], Connection] = {}     # kept with `reuse_checked` only

    def layer(self, conn: Connection, is_server: bool) -> asyncio.Protocol:
        """Return the TLS layer of a connection; that of a client is made by `make_client`."""
        return TlsLayer(self, conn, True) if is_server else self._clients.pop(conn.id)

    def call_later(self, seconds: float, what: Callable[[], None]) -> asyncio.TimerHandle:
        """Call once when the time has passed."""
        return self._loop.call_later(seconds, what)

    def begin(self, layer: TlsLayer, host: str) -> bool:
        """Say whether one more handshake may be done now; a flood of them must not take the memory."""
        if len(self._shaking) >= self.handshakes:
            self.handshakes_refused += 1
            self.connections.complain("too_many_handshakes", "proto=%s limit=%d", self.proto, self.handshakes)
            return False
        if not self.connections.may_accept(host):
            return False
        self._shaking.add(layer)
        self.connections.greeting += 1
        return True

    def ended(self, layer: TlsLayer) -> None:
        """A handshake is over."""
        if layer in self._shaking:
            self._shaking.remove(layer)
            self.connections.greeting -= 1

    # --- sending -----------------------------------------------------------------------------------------------------

    def send(self, data: bytes, dest: Dest) -> bool:
        """Send like TCP; with `reuse_checked` only where the name was checked."""
        conn = self.connections.find(dest)
        made = conn.wanted if conn is not None else None        # None, too, of one that was accepted: it may be used
        if self.reuse_checked and not dest.conn and (
                conn is None or made is not None and (made.name, made.domain) != (dest.name, dest.domain)):
            conn = self._by_name.get((dest.host, dest.port, dest.name, dest.domain))
            if conn is not None and conn.state == CLOSED:
                conn = None
        if conn is None:
            conn = self._connect(dest)
            if conn is None:
                return False
        return conn.write(data, dest)

    def _connect(self, dest: Dest) -> Connection | None:
        conn = super()._connect(dest)
        if conn is not None and self.reuse_checked:
            if len(self._by_name) > 2 * len(self.connections) + 16:
                self._by_name = {key: one for key, one in self._by_name.items() if one.state != CLOSED}
            self._by_name[dest.host, dest.port, dest.name, dest.domain] = conn
        return conn

    async def make_client(self, conn: Connection, sock: socket.socket) -> None:
        """Shake hands with the server that we connected to, and check who it is."""
        dest = conn.wanted
        domain = self.domains.client(dest) if dest is not None else None
        if dest is None or domain is None:
            sock.close()
            raise ConnectionError(f"no TLS domain of type client is for {dest and (dest.domain or dest.name) or conn.host}")
        layer = TlsLayer(self, conn, False)
        layer.domain, layer.name = domain, dest.name or dest.host
        layer.done = self._loop.create_future()
        self._clients[conn.id] = layer
        try:
            await super().make_client(conn, sock)
            await layer.done
        except BaseException:
            layer.abort()
            raise
        finally:
            self._clients.pop(conn.id, None)
            if layer.done.done() and not layer.done.cancelled():
                layer.done.exception()                      # it is known: nobody needs to be told again

    # --- who the peer is ---------------------------------------------------------------------------------------------

    def _is_proven(self, conn: Connection) -> bool:
        """Say whether the peer has shown a good certificate: only then an alias is its own to ask for (RFC 5923)."""
        layer = conn.stream
        return isinstance(layer, TlsLayer) and layer.is_verified

    def session_of(self, number: int) -> TlsLayer | None:
        """Return the TLS session of a connection of this worker."""
        conn = self.connections.get(number)
        layer = conn.stream if conn is not None else None
        return layer if isinstance(layer, TlsLayer) else None


def _reason(error: Exception) -> str:
    """Say what TLS says, without the library's file and line."""
    verify = getattr(error, "verify_message", "")
    reason = getattr(error, "reason", "") or str(error)
    return f"{reason}: {verify}" if verify else str(reason)
