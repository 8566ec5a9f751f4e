"""Declare what nat_traversal offers to scripts, and follow the requests that it was asked to keep alive.

There is no module for dialogs yet: a call is followed by its Call-ID, from its 2xx to a BYE that passes here, and for
twelve hours at most.
"""
from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any, Final

from osip.api import (M_BYE, M_INVITE, M_REGISTER, Complaint, Ctx, Hook, Module, ModuleError, NameAddr, ParseError,
                      Replicated, Scope, Source, Value, function, gauge, hook, needs, origin, param, parse, parse_uri,
                      pvar, slot, timer)
from osip.modules.nat_traversal import answer, state
from osip.modules.nat_traversal.endpoint import CALL, REGISTRATION, SUBSCRIPTION, Endpoints
from osip.modules.nat_traversal.keepalive import MARK, Keepalive

ON_REPLY, ON_FINAL = 1, 2               # what tm tells its watchers
PRIVATE_CONTACT, OTHER_VIA, PRIVATE_VIA, OTHER_CONTACT = 1, 2, 4, 8
TURNS: Final = 10                       # a second
CALL_SECONDS: Final = 12 * 3600
_NO_CLUSTER = "nodes do not share the keepalives yet"


class Mark:
    """What a request is followed for: the sender (None: only ends that are known already)."""
    __slots__ = ("is_watched", "sender")

    def __init__(self) -> None:
        self.sender: Source | None = None
        self.is_watched = False


class NatTraversal(Module):
    """Keepalives for endpoints behind NAT, for as long as they are registered, subscribed or in a call."""

    keepalive_interval = param(60, ge=1, le=86400, doc="Seconds between two keepalives of an endpoint.")
    keepalive_method = param("NOTIFY", kind=str, parse=lambda text: _method(text), doc="NOTIFY or OPTIONS.")
    keepalive_from = param("", doc="From URI of keepalives; by default keepalive@ and the socket's address.")
    keepalive_extra_headers = param("", doc="Header lines to add, each ended by a line end.")
    keepalive_state_file = param("keepalive_state", doc="File that keeps the endpoints over a restart; empty: none.")
    cluster_id = param(0, removed=_NO_CLUSTER)
    cluster_sharing_tag = param("", removed=_NO_CLUSTER)
    mark = slot(Mark)
    tm = needs("tm", optional=True)
    sl = needs("sl", optional=True)
    any_of = needs("tm|sl")

    def mod_init(self) -> None:
        """Read the parameters and make the table."""
        self.extra = _lines(self.keepalive_extra_headers)
        if self.keepalive_from and not _is_sip(self.keepalive_from):
            raise ModuleError(f'nat_traversal: keepalive_from "{self.keepalive_from}" is no SIP URI')
        self.path = Path(self.keepalive_state_file).absolute() if self.keepalive_state_file else None
        self.endpoints = Endpoints(Replicated(self.env.bus, "nat_traversal"), self.keepalive_interval * TURNS)
        self.keepalive = Keepalive(self)
        self.complain = Complaint(self.env.log, clock=lambda: self.env.now)
        self._is_read = self._has_failed = False
        self.env.on_stateless.append(self._on_stateless)

    async def destroy(self) -> None:
        """Write the state file."""
        if self.env.number == 0 and self._is_read:
            await self._save()

    # --- functions ---------------------------------------------------------------------------------------------------

    @function(routes="QRFBL")
    def client_nat_test(self, ctx: Ctx, type: int) -> int:
        """Say whether any of the tests says that the sender is behind NAT; `type` is their sum.

        1: a private address in Contact; 2: Via has another address or port than the source; 4: a private address in
        Via; 8: Contact has another address than the source. Private are those of RFC 1918 and RFC 6598.
        """
        msg, source = ctx.msg, ctx.source
        if msg is None or source is None:
            return -1
        via = msg.via1
        if type & PRIVATE_VIA and origin.is_private(via.host, True):
            return 1
        if type & OTHER_VIA and (origin.differs(via.host, source.host) or origin.via_port(ctx) != source.port):
            return 1
        uri = origin.contact_uri(ctx) if type & (PRIVATE_CONTACT | OTHER_CONTACT) else None
        if uri is None:
            return -1
        if type & PRIVATE_CONTACT and origin.is_private(uri.host, True):
            return 1
        return 1 if type & OTHER_CONTACT and origin.differs(uri.host, source.host) else -1

    @function(routes="QRBL")
    def fix_contact(self, ctx: Ctx) -> int:
        """Put the address and port that the message came from into its Contact; -1 when it has none."""
        source = ctx.source
        if source is None:
            return -1
        found = False

        def change(address: NameAddr) -> str:
            nonlocal found
            if not address.uri.is_sip:
                return str(address)
            found = True
            return f"{address.display} <{origin.at_source(address.uri, source)}>{address.params_text}".lstrip()
        origin.rewrite_contacts(ctx, change)
        return 1 if found else -1

    @function(routes="Q")
    def nat_keepalive(self, ctx: Ctx) -> int:
        """Keep the sender of a REGISTER, SUBSCRIBE or INVITE alive, from its 2xx on for as long as that says.

        A REGISTER until the binding ends, a SUBSCRIBE until the subscription ends, an INVITE until the call ends; in
        a call the called phone, too, when it is kept alive for another reason already. -1 for other methods.
        """
        msg = ctx.msg
        if ctx.source is None or msg is None or not msg.is_request or not _is_followed(msg):
            return -1
        self._marked(ctx).sender = ctx.source
        return 1

    @pvar("source_uri")
    def source_uri(self, ctx: Ctx) -> Value:
        """The address that the message came from, as a URI."""
        return origin.source_uri(ctx.source) if ctx.source is not None else None

    @pvar("keepalive.socket", key="required")
    def keepalive_socket(self, ctx: Ctx, key: str) -> Value:
        """The socket from which an endpoint is kept alive, `udp:address:port`; null when it is not."""
        endpoint = self.endpoints.get(key)
        return endpoint.socket if endpoint is not None else None

    @pvar("nat_traversal.track_dialog", type="i")
    def track_dialog(self, ctx: Ctx) -> Value:
        """1 when the ends of this call are kept alive as long as it lasts."""
        return int(self._mark(ctx) is not None)

    @track_dialog.setter
    def set_track_dialog(self, ctx: Ctx, value: Value) -> bool:
        """Keep the ends of this call, as far as they are known already, alive as long as it lasts."""
        msg = ctx.msg
        if msg is None or not msg.is_request or msg.method_id != M_INVITE:
            return False
        if value not in (None, 0, "0"):
            self._marked(ctx)
        return True

    # --- statistics --------------------------------------------------------------------------------------------------

    @gauge(shared=True)
    def keepalive_endpoints(self) -> int:
        """Endpoints that are kept alive."""
        return len(self.endpoints)

    @gauge(shared=True)
    def registered_endpoints(self) -> int:
        """Those of them that are registered."""
        return self.endpoints.counts[REGISTRATION]

    @gauge(shared=True)
    def subscribed_endpoints(self) -> int:
        """Those of them that have subscribed."""
        return self.endpoints.counts[SUBSCRIPTION]

    @gauge(shared=True)
    def dialog_endpoints(self) -> int:
        """Those of them that are in a call."""
        return self.endpoints.counts[CALL]

    # --- following a request -----------------------------------------------------------------------------------------

    def _mark(self, ctx: Ctx) -> Mark | None:
        mark: Mark | None = ctx[self.mark]
        if mark is None:
            slots = getattr(ctx.tx, "slots", None)
            mark = slots.get(self.mark) if slots else None
        return mark

    def _marked(self, ctx: Ctx) -> Mark:
        mark = self._mark(ctx)
        if mark is None:
            mark = ctx[self.mark] = Mark()
        if not mark.is_watched:
            mark.is_watched = True
            if self.tm is not None:
                self.tm.watch(ctx, ON_REPLY | ON_FINAL, partial(self._on_tm, mark))
        return mark

    def _on_tm(self, mark: Mark, tx: Any, what: int, status: int, subject: Any) -> None:
        if tx.request is None:
            return
        if what == ON_REPLY:
            if tx.method_id == M_INVITE and 200 <= status < 300 and subject.source is not None:
                self._add_call(tx.request.call_id, subject.source, known_only=True)
        else:
            reply = subject if subject is not None else parse(tx.last) if tx.last else None
            self._answered(mark, tx.request, status, reply)

    def _on_stateless(self, ctx: Ctx, status: int, data: bytes) -> None:
        """A reply without a transaction was sent."""
        mark: Mark | None = ctx[self.mark]
        if mark is not None and status >= 200:
            self._answered(mark, ctx.msg, status, parse(data))

    def _answered(self, mark: Mark, request: Any, status: int, reply: Any) -> None:
        sender = mark.sender
        try:
            if request.method_id == M_INVITE:
                if 200 <= status < 300 and not request.to_tag and sender is not None:
                    self._add_call(request.call_id, sender)
            elif sender is not None and reply is not None and 200 <= status < 300:
                if request.method_id == M_REGISTER:
                    self._hold(sender, f"{REGISTRATION}:{_user(request)}", answer.registered(request, reply, sender))
                else:
                    self._hold(sender, f"{SUBSCRIPTION}:{request.call_id}", answer.subscribed(request, reply))
        except ParseError as error:
            self.complain("nat_keepalive", "answer not understood reason=%s", error.reason)

    def _hold(self, source: Source, reason: str, seconds: int) -> None:
        uri = origin.source_uri(source)
        if seconds <= 0:
            self.endpoints.remove(uri, reason)
        elif not self.endpoints.add(uri, source.socket.text, reason, self.env.wall() + seconds):
            self.complain("nat_keepalive", "too many endpoints source=%s:%d", source.host, source.port)

    def _add_call(self, call_id: str, source: Source, known_only: bool = False) -> None:
        uri = origin.source_uri(source)
        if known_only and self.endpoints.get(uri) is None:
            return
        self._hold(source, f"{CALL}:{call_id}", CALL_SECONDS)

    @hook(Hook.REQUEST, order=90)
    def on_request(self, ctx: Ctx) -> bool:
        """See calls end."""
        msg = ctx.msg
        if msg is not None and msg.method_id == M_BYE:
            self.endpoints.end_call(msg.call_id)
        return False

    @hook(Hook.RESPONSE, order=20)
    def on_response(self, ctx: Ctx) -> bool:
        """Take the answers to keepalives; they need none themselves."""
        msg = ctx.msg
        return msg is not None and msg.from_tag.startswith(MARK)

    # --- time --------------------------------------------------------------------------------------------------------

    @timer(1 / TURNS, on=Scope.LEADER)
    def keepalive_turn(self) -> None:
        """Send the keepalives whose turn it is; before the first, read the state file."""
        if not self._is_read:
            self._read()
        self.keepalive.turn()

    @timer("60s", on=Scope.LEADER)
    async def save_turn(self) -> None:
        """Write the state file, so that a crash costs a minute at most."""
        if self._is_read and self.endpoints.is_changed:
            await self._save()

    def _read(self) -> None:
        """Take over what the file says, unless other workers know better: then this one takes the place of another."""
        self._is_read = True
        if self.path is None or len(self.endpoints) or not self.path.exists():
            return
        try:
            found, broken = state.read(self.path, self.env.wall())
        except OSError as error:
            self.env.log.warning("nat_traversal: state file not read file=%s reason=%s", self.path, error.strerror)
            return
        for (uri, reason), (socket, until) in found:
            self.endpoints.add(uri, socket, reason, until)
        self.endpoints.is_changed = False
        self.env.log.info("nat_traversal: state file read file=%s reasons=%d broken=%d", self.path, len(found), broken)

    async def _save(self) -> None:
        if self.path is None:
            return
        self.endpoints.is_changed = False
        try:
            await asyncio.to_thread(state.write, self.path, self.endpoints.items())
        except OSError as error:
            self.endpoints.is_changed = True
            if not self._has_failed:
                self.env.log.warning("nat_traversal: state file not written file=%s reason=%s; set keepalive_state_file "
                                     "to a path that can be, or to nothing", self.path, error.strerror)
            self._has_failed = True
        else:
            self._has_failed = False


def _is_followed(msg: Any) -> bool:
    return msg.method_id in (M_REGISTER, M_INVITE) or msg.method == "SUBSCRIBE"


def _user(request: Any) -> str:
    uri = request.to.uri
    return f"{uri.user or ''}@{uri.host.lower()}"


def _method(text: str) -> str:
    if text.upper() not in ("NOTIFY", "OPTIONS"):
        raise ValueError(f'"{text}" is neither NOTIFY nor OPTIONS')
    return text.upper()


def _is_sip(text: str) -> bool:
    try:
        return parse_uri(text).is_sip
    except ParseError:
        return False


def _lines(text: str) -> bytes:
    """Return header lines as they go into a message; ModuleError for what is none."""
    lines = [line for line in text.replace("\\r", "\r").replace("\\n", "\n").splitlines() if line.strip()]
    wrong = next((line for line in lines if not line.partition(":")[1] or line[0] in " \t:"), None)
    if wrong is not None:
        raise ModuleError(f'nat_traversal: keepalive_extra_headers: "{wrong}" is no header line')
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogateescape")
