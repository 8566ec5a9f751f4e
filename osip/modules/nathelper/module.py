"""Declare what nathelper offers to scripts, and read its parameters."""
from __future__ import annotations

from typing import Annotated, Any

from osip.api import (Ctx, Hook, LocalSocket, MIError, Module, ModuleError, Parse, ParseError, Scope, avp_or_none,
                      bracket,
                      function, hook, is_ip, mi, needs, param, parse_endpoint, parse_uri, timer)
from osip.modules.nathelper import contact, flag
from osip.modules.nathelper.ping import Pinger
from osip.modules.nathelper.session import Fix, fix_body
from osip.modules.nathelper.test import uac_test

Tests = Annotated[frozenset[str], Parse(flag.parse_tests)]
SdpFlags = Annotated[frozenset[str], Parse(flag.parse_sdp_flags)]
ContactFlags = Annotated[frozenset[str], Parse(flag.parse_contact_flags)]
NO_FLAGS: frozenset[str] = frozenset()


class Nathelper(Module):
    """NAT: tests, mended Contacts and session descriptions, pings."""

    natping_interval = param(0, ge=0, doc="Seconds between two pings of a contact; 0 for no pings.")
    ping_nated_only = param(0, ge=0, le=1, live=True, doc="Ping only contacts with usrloc's nat_bflag.")
    nortpproxy_str = param("a=nortpproxy:yes", live=True, doc="Line that add-no-rtpproxy adds to an SDP.")
    received_avp = param("", parse=avp_or_none, doc="AVP for the source of a REGISTER, the same as registrar's.")
    force_socket = param("", doc="Socket to ping from when a contact names none.")
    sipping_ignore_rpl_codes = param(frozenset(), kind=str, parse=flag.parse_codes,
                                     doc="Status codes that do not count as an answer.")
    sipping_from = param("", doc="From URI of SIP pings; without it there are none.")
    sipping_method = param("OPTIONS", live=True, doc="Method of SIP pings.")
    sipping_bflag = param("", kind=(str, int), doc="Branch flag of contacts that get SIP pings.")
    sipping_latency_flag = param("", kind=(str, int), doc="Branch flag of contacts whose latency is measured.")
    remove_on_timeout_bflag = param("", kind=(str, int),
                                    doc="Branch flag of contacts that go when they stop to answer SIP pings.")
    natping_tcp = param(0, ge=0, le=1, live=True, doc="Ping contacts on streams too, on connections that are there.")
    natping_partitions = param(1, ge=1, le=8, doc="Parts of the contacts that are pinged one after the other.")
    natping_socket = param("", doc="Socket that pings by UDP leave from.")
    natping_processes = param(1, removed="each worker pings its own contacts")
    oldip_skip = param(None, kind=str, multiple=True, doc="c, o: do not note the old address of such SDP lines.")
    ping_threshold = param(3, ge=1, live=True, doc="Seconds in which a SIP ping must be answered.")
    max_pings_lost = param(3, ge=1, live=True, doc="Lost pings in a row after which a contact goes.")
    cluster_id = param(0, removed="nodes do not share the pinging of contacts yet")
    cluster_sharing_tag = param("", removed="nodes do not share the pinging of contacts yet")
    usrloc = needs("usrloc", when="natping_interval")

    def mod_init(self) -> None:
        """Read flags and sockets, and refuse pings that could not be sent."""
        self.skip = frozenset(self.oldip_skip or ())
        unknown = sorted(self.skip - {"c", "o"})
        if unknown:
            raise ModuleError(f'nathelper: oldip_skip "{unknown[0]}" is neither c nor o')
        self.turn_every = self.natping_interval / self.natping_partitions
        self.is_on = self.natping_interval > 0
        self.sipping_flag, self.remove_flag, self.latency_flag = (
            self._bit(self.sipping_bflag), self._bit(self.remove_on_timeout_bflag),
            self._bit(self.sipping_latency_flag))
        self.forced_socket, self.ping_socket = self._socket("force_socket"), self._socket("natping_socket")
        self.pinger = Pinger(self)
        if not self.is_on:
            return
        if self.usrloc is None:
            raise ModuleError('nathelper: pings need the contacts: add loadmodule "usrloc.so", or set '
                              "natping_interval to 0")
        if self.ping_nated_only and not self.usrloc.nat_flag:
            raise ModuleError('nathelper: ping_nated_only needs modparam("usrloc", "nat_bflag", ...)')
        if self.sipping_from and not _is_sip(self.sipping_from):
            raise ModuleError(f'nathelper: sipping_from "{self.sipping_from}" is no SIP URI')
        if self.sipping_flag and not self.sipping_from:
            raise ModuleError('nathelper: sipping_bflag needs modparam("nathelper", "sipping_from", "sip:...")')

    def _bit(self, name: str | int) -> int:
        return self.env.branch_flags.bit(str(name)) if name != "" else 0

    def _socket(self, name: str) -> LocalSocket | None:
        text = getattr(self, name)
        if not text:
            return None
        try:
            end = parse_endpoint(text)
        except ValueError as error:
            raise ModuleError(f"nathelper: {name}: {error}") from None
        found: LocalSocket | None = self.env.find_socket(end.proto, end.host, end.port)
        if found is None:
            raise ModuleError(f'nathelper: {name} "{text}" is none of the sockets of this script')
        return found

    # --- pings -------------------------------------------------------------------------------------------------------

    @timer("turn_every", on=Scope.LEADER)
    def ping_turn(self) -> None:
        """Ping the contacts whose turn it is."""
        if self.is_on:
            self.pinger.turn()

    @timer("1s")
    def expire_pings(self) -> None:
        """Count pings without an answer."""
        if self.pinger.pending:
            self.pinger.expire()

    @hook(Hook.RESPONSE, order=20)
    def on_response(self, ctx: Ctx) -> bool:
        """Take the answers to pings."""
        return self.pinger.on_response(ctx)

    @mi("enable_ping", aliases=("nh_enable_ping",), scope=Scope.EACH, recipes=((), ("status",)))
    def mi_enable_ping(self, status: int | None = None) -> dict[str, int]:
        """Say whether contacts are pinged (Status 1 or 0); with `status` switch it on or off."""
        if status is not None:
            if status not in (0, 1):
                raise MIError(-32602, "status must be 0 or 1")
            if status and not self.natping_interval:
                raise MIError(400, "pings are off for good: the script sets no natping_interval")
            self.is_on = bool(status)
        return {"Status": int(self.is_on)}

    # --- functions ---------------------------------------------------------------------------------------------------

    @function(routes="QRBL")
    def fix_nated_contact(self, ctx: Ctx, uri_params: str | None = None, flags: ContactFlags = NO_FLAGS) -> bool:
        """Put the source's address and port into the Contact, with more URI parameters if given.

        `preserve-uri` keeps the original in the parameter `org`, for restore_nated_ruri.
        """
        return contact.fix(ctx, uri_params or "", flag.PRESERVE in flags)

    @function(routes="QBL")
    def restore_nated_ruri(self, ctx: Ctx) -> bool:
        """Give the R-URI its form from before fix_nated_contact; the request still goes behind the NAT."""
        return contact.restore(ctx)

    @function(routes="QRFBL")
    def fix_nated_sdp(self, ctx: Ctx, flags: SdpFlags, ip: str | None = None, sdp_fields: str | None = None) -> int:
        """Change the addresses in the session description to `ip`, by default the source's; -1 without an SDP."""
        host = (ip or "").strip("[]") or (ctx.source.host if ctx.source is not None else "")
        if not is_ip(host):
            self.env.log.error('nathelper: fix_nated_sdp: "%s" is no IP address', bracket(host))
            return -1
        return 1 if fix_body(ctx, Fix(flags, host, self.nortpproxy_str, sdp_fields or "", self.skip)) else -1

    @function(routes="QRFBL")
    def nat_uac_test(self, ctx: Ctx, flags: Tests) -> int:
        """Say whether any of the tests says that the sender is behind NAT."""
        return 1 if uac_test(ctx, flags) else -1

    @function(routes="Q")
    def fix_nated_register(self, ctx: Ctx) -> int:
        """Note where a REGISTER came from in received_avp, so that save() keeps it with the contacts."""
        if not self.received_avp:
            self.env.log.error('nathelper: fix_nated_register needs modparam("nathelper", "received_avp", "$avp(...)")')
            return -1
        if ctx.source is None:
            return -1
        values: list[Any] = ctx.avp(self.received_avp)
        values.append(contact.source_uri(ctx.source))
        return 1

    @function(routes="Q")
    def add_rcv_param(self, ctx: Ctx, in_uri: int | None = None) -> int:
        """Add a parameter `received` with the source to the Contact; with a number other than 0 to its URI."""
        return 1 if contact.add_received(ctx, bool(in_uri)) else -1


def _is_sip(text: str) -> bool:
    try:
        return parse_uri(text).is_sip
    except ParseError:
        return False
