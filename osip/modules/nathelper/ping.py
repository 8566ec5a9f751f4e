"""Keep NAT bindings of registered contacts open: a few bytes, or a SIP request whose answers are counted."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from osip.api import (Ctx, Dest, LocalSocket, OsipError, ParseError, StoreError, build_request, parse_name_addr,
                      split_commas)

if TYPE_CHECKING:
    from osip.modules.nathelper.module import Nathelper

CRLFS = b"\r\n\r\n"
DATAGRAM = b"\0\0\0\0"
"""What goes to a phone on UDP: no SIP parser takes it for a message."""

MARK = "nh."
"""How the From tag of a ping begins."""


class Asked:
    """A SIP ping in flight: whom it went to, and when."""
    __slots__ = ("contact", "domain", "since")

    def __init__(self, contact: Any, domain: Any, since: float) -> None:
        self.contact, self.domain, self.since = contact, domain, since


class Pinger:
    """Ping one part of the contacts at each turn, so that a whole round takes the interval."""
    __slots__ = ("lost", "pending", "_nh", "_turn")

    def __init__(self, nh: Nathelper) -> None:
        self._nh = nh
        self._turn = 0
        self.pending: dict[str, Asked] = {}         # by Call-ID, oldest first
        self.lost: dict[int, int] = {}              # contact id -> pings in a row without an answer

    # --- asking ------------------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Ping the contacts whose turn it is, each worker its own."""
        nh = self._nh
        self.expire()
        parts, self._turn = nh.natping_partitions, self._turn + 1
        workers, number = getattr(nh.env, "workers", 1), getattr(nh.env, "number", 0)
        now, turn = nh.env.now, self._turn % parts

        own_only = nh.usrloc.pinging_mode == "ownership"

        def ping_some(domain: Any, contacts: Iterable[Any]) -> None:
            for contact in contacts:
                if own_only and contact.socket is None:         # it registered at another server
                    continue
                if contact.id % workers != number or contact.id // workers % parts != turn:
                    continue
                if contact.is_valid(now) and (not nh.ping_nated_only or contact.cflags & nh.usrloc.nat_flag):
                    self.ping(domain, contact)
        if nh.usrloc.keeps_nothing:
            nh.env.spawn(self._ping_stored(ping_some), "nathelper pings")
            return
        for domain in list(nh.usrloc.domains.values()):
            ping_some(domain, domain.all())

    async def _ping_stored(self, ping_some: Callable[[Any, Iterable[Any]], None]) -> None:
        """Ping contacts that are in SQL only: those that registered at this server, the others are not ours to ping."""
        usrloc = self._nh.usrloc
        try:
            for domain in list(usrloc.domains.values()):
                async for page in usrloc.keeper.pages(domain.name):
                    ping_some(domain, [contact for contact in page if contact.socket is not None])
        except StoreError as error:
            self._nh.env.log.warning("nathelper: contacts are not pinged, they cannot be read: %s", error)

    def ping(self, domain: Any, contact: Any) -> None:
        """Ping one contact, at once or when its name is resolved."""
        env = self._nh.env
        socket = contact.socket or self._nh.forced_socket
        try:
            if contact.path:
                where = parse_name_addr(split_commas(contact.path)[0]).uri_text
            else:
                where = contact.received or contact.uri
            found = env.resolve(where, socket)
        except (OsipError, ParseError) as error:
            env.log.info("nathelper: contact not pinged aor=%s uri=%s reason=%s", contact.aor, contact.uri, error)
            return
        if found is None:
            env.spawn(self._ping_later(domain, contact, where, socket), "nathelper ping")
        elif found:
            self._send(domain, contact, found[0], socket)

    async def _ping_later(self, domain: Any, contact: Any, where: str, socket: LocalSocket | None) -> None:
        try:
            found = await self._nh.env.resolve_wait(where, socket)
        except OsipError:
            return
        if found:
            self._send(domain, contact, found[0], socket)

    def _send(self, domain: Any, contact: Any, at: Dest, socket: LocalSocket | None) -> None:
        nh = self._nh
        is_stream = at.proto != "udp"
        if is_stream and not nh.natping_tcp:
            return
        own = nh.ping_socket if nh.ping_socket is not None and not is_stream else socket
        if own is None or own.proto != at.proto:
            own = nh.env.pick_socket(at.proto, ":" in at.host, own)
        if own is None:
            return
        # The cache's value is shared; a ping never makes a connection, since it could not come through the NAT.
        dest = Dest(at.proto, at.host, at.port, own, getattr(contact, "conn", 0))
        dest.only_reuse = is_stream
        if nh.sipping_from and contact.cflags & nh.sipping_flag:
            self._ask(domain, contact, dest, own)
        else:
            nh.env.send(CRLFS if is_stream else DATAGRAM, dest)

    def _ask(self, domain: Any, contact: Any, dest: Dest, socket: LocalSocket) -> None:
        nh, env = self._nh, self._nh.env
        call_id = env.ids.call_id()
        via = socket.via_start + f"{env.ids.branch()};rport\r\n".encode()
        routes = tuple(split_commas(contact.path)) if contact.path else ()
        data = build_request(nh.sipping_method, contact.uri, f"<{nh.sipping_from}>;tag={MARK}{env.ids.next()}",
                             f"<{contact.uri}>", call_id, 1, via, routes=routes)
        is_sent = env.send(data, dest)
        if contact.cflags & (nh.remove_flag | nh.latency_flag):
            self.pending[call_id] = Asked(contact, domain, env.now)
            if not is_sent:
                self._give_up(call_id)

    # --- answers -----------------------------------------------------------------------------------------------------

    def on_response(self, ctx: Ctx) -> bool:
        """Take the answer to a ping of ours; False for any other response."""
        nh, msg = self._nh, ctx.msg
        if not nh.sipping_from or not msg.from_tag.startswith(MARK):
            return False
        call_id = msg.call_id
        asked = self.pending.get(call_id)
        if asked is None:                       # late, or nobody counts the answers of this contact
            return msg.from_.uri_text == nh.sipping_from
        status: int = msg.status            # type: ignore[union-attr]
        if status in nh.sipping_ignore_rpl_codes or status < 200:
            return True
        del self.pending[call_id]
        contact = asked.contact
        self.lost.pop(contact.id, None)
        if contact.cflags & nh.latency_flag:
            nh.usrloc.set_latency(contact, int((nh.env.now - asked.since) * 1_000_000))
        return True

    def expire(self) -> None:
        """Count the pings that nobody answered in time."""
        limit = self._nh.env.now - self._nh.ping_threshold
        for call_id in list(self.pending):
            if self.pending[call_id].since > limit:
                break                           # the rest is younger
            self._give_up(call_id)

    def _give_up(self, call_id: str) -> None:
        nh, asked = self._nh, self.pending.pop(call_id)
        contact = asked.contact
        if not contact.cflags & nh.remove_flag:
            return
        if contact not in contact.record.contacts:
            self.lost.pop(contact.id, None)
            return
        lost = self.lost.get(contact.id, 0) + 1
        if lost < nh.max_pings_lost:
            self.lost[contact.id] = lost
            return
        self.lost.pop(contact.id, None)
        nh.env.log.info("nathelper: contact removed, it does not answer pings aor=%s uri=%s lost=%d", contact.aor,
                        contact.uri, lost)
        nh.usrloc.discard(contact)

