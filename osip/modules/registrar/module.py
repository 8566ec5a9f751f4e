"""Process REGISTER requests and look up where users are (RFC 3261 section 10)."""
from __future__ import annotations

from typing import Annotated

from osip.api import (Ctx, Module, ModuleError, Parse, Static, Var, avp_or_none, function, gauge, needs, param,
                      stat)
from osip.modules.registrar import binding, remote
from osip.modules.registrar.flag import PLAIN_SAVE, LookupFlags, SaveFlags, parse_lookup, parse_save, tell_inert
from osip.modules.registrar.lookup import lookup
from osip.modules.registrar.push import PushParams
from osip.modules.registrar.rule import Rules, Tally
from osip.modules.registrar.save import Saver, save

Save = Annotated[SaveFlags, Parse(parse_save)]
Lookup = Annotated[LookupFlags, Parse(parse_lookup)]
PLAIN_LOOKUP = LookupFlags()


class Registrar(PushParams, Module):
    """Save, look up, remove and ask for registrations."""

    default_expires = param(3600, ge=0, live=True, doc="Seconds of a contact that asks for no time.")
    default_q = param(-1, ge=-1, le=1000, live=True,
                      doc="q of a contact that names none, in thousandths; -1 none.")
    case_sensitive = param(1, ge=0, le=1, live=True, doc="Compare the user part of AoRs as written.")
    tcp_persistent_flag = param("", kind=(str, int), doc="Message flag: keep the connection of the REGISTER open.")
    realm_prefix = param("", live=True, doc="Stripped from the domain of AoRs.")
    min_expires = param(60, ge=0, live=True, doc="Shortest life of a contact in seconds, 0 for any.")
    max_expires = param(0, ge=0, live=True, doc="Longest life of a contact in seconds, 0 for any.")
    received_param = param("received", live=True,
                           doc="Contact parameter of the 200 that shows the source behind NAT.")
    received_avp = param("", parse=avp_or_none, live=True, doc="AVP with the source behind NAT, as nathelper sets it.")
    retry_after = param(0, ge=0, live=True, doc="Seconds in Retry-After of 5xx replies, 0 for none.")
    sock_hdr_name = param("", live=True,
                          doc="Header that names the receiving socket, read with the flag socket-header.")
    mcontact_avp = param("", parse=avp_or_none, live=True, doc="AVP that gets the contacts that were renewed.")
    attr_avp = param("", parse=avp_or_none, live=True, doc="AVP stored with contacts and given back by lookup.")
    gruu_secret = param("0p3nS1pS", doc="Secret of temporary GRUUs; servers that share contacts need the same.")
    disable_gruu = param(1, ge=0, le=1, live=True,
                         doc="1: no GRUUs (RFC 5627); 0: phones that know them get a public and a "
                         "temporary one, and lookup understands them.")
    max_contacts = param(0, ge=0, live=True, doc="Contacts of one AoR, 0 for any number.")
    max_username_len = param(64, ge=1, live=True, doc="Longest user part.")
    max_domain_len = param(64, ge=1, live=True, doc="Longest domain.")
    max_aor_len = param(256, ge=1, live=True, doc="Longest AoR.")
    max_contact_len = param(255, ge=1, live=True, doc="Longest contact URI.")
    allow_dup_cseq = param(1, ge=0, le=1, live=True, doc="Accept a REGISTER with a known Call-ID and CSeq.")
    expires_max_deviation = param(0, ge=0, live=True,
                                  doc="Seconds added or taken at random, so that phones spread.")
    outbound_mode = param(1, ge=0, le=2, live=True,
                          doc="Bind contacts with reg-id to their flow (RFC 5626): 0 never, 1 where the first hop "
                              "takes part, 2 refuse with 439 where it does not.")
    flow_timer = param(0, ge=0, live=True,
                       doc="Seconds in the Flow-Timer of 200 replies to such phones, which then keep the flow open; "
                           "0 for no header.")
    usrloc = needs("usrloc")
    signaling = needs("signaling")
    tm = needs("tm", optional=True)

    accepted_regs = stat("REGISTER requests that were accepted.", holder="tally")
    rejected_regs = stat("REGISTER requests that were refused.", holder="tally")

    def __init__(self) -> None:
        self.tally = Tally()
        super().__init__()
        self.told: set[str] = set()             # what was said once

    def mod_init(self) -> None:
        """Check what must fit together; get ready to wake phones."""
        if self.max_expires and self.max_expires < self.min_expires:
            raise ModuleError(f"registrar: max_expires {self.max_expires} is below min_expires {self.min_expires}")
        self.waits = bool(self.usrloc.keeps_nothing)
        self.asks = self.waits or self.usrloc.mode.store == "federation"
        flag = str(self.tcp_persistent_flag)
        self.tcp_flag = self.env.message_flags.bit(flag) if flag else 0
        self.open_push()
        self.rules = Rules(self)
        if not self.waits:
            self.save = Saver(self, self.rules).save

    @gauge("max_expires", shared=True)
    def shown_max_expires(self) -> int:
        """The parameter max_expires."""
        return int(self.max_expires)

    @gauge("max_contacts", shared=True)
    def shown_max_contacts(self) -> int:
        """The parameter max_contacts."""
        return int(self.max_contacts)

    @gauge("default_expire", shared=True)
    def shown_default_expires(self) -> int:
        """The parameter default_expires."""
        return int(self.default_expires)

    # --- registering and looking up ---------------------------------------------------------------------------------

    @function(routes="QR", waits="waits")
    def save(self, ctx: Ctx, domain: Static, flags: Save = PLAIN_SAVE, aor: str | None = None,
             ownership_tag: str | None = None) -> int:
        """Process the REGISTER and answer it; -1 when it was refused (answered, too, unless no-reply)."""
        if ownership_tag:
            tell_inert(self, "ownership_tag")
        if self.waits:
            return remote.save_stored(self, ctx, domain, flags, aor)        # type: ignore[return-value]
        return save(self, ctx, domain, flags, aor)

    @function(routes="QRF", waits="asks")
    def lookup(self, ctx: Ctx, domain: Static, flags: Lookup = PLAIN_LOOKUP, aor: str | None = None) -> int:
        """Send the request to the contacts of its R-URI: the best becomes the R-URI, the others branches.

        1 found, 2 all who are there sleep and are being woken: do not relay, that happens when they have registered;
        -1 nobody is there, -2 somebody is but nobody fits, -3 the R-URI is unusable.
        """
        if self.asks and (self.waits or flags.everywhere):
            find = remote.lookup_stored if self.waits else remote.lookup_global
            return find(self, ctx, domain, flags, aor)                      # type: ignore[return-value]
        if flags.everywhere:
            tell_inert(self, "global")
        return lookup(self, ctx, domain, flags, aor)

    @function(routes="QRF", waits="waits")
    def remove(self, ctx: Ctx, domain: Static, aor: str, contact: str | None = None, next_hop: str | None = None,
               sip_instance: str | None = None, bflag: str | None = None) -> int:
        """Remove the contacts of an AoR that match everything given; -1 when there was none."""
        return remote.with_aor(self, ctx, domain, aor, lambda: binding.remove(      # type: ignore[no-any-return]
            self, domain, aor, contact, next_hop, sip_instance, bflag))

    @function(routes="*", waits="waits")
    def remove_ip_port(self, ctx: Ctx, IP: str, Port: int, domain: Static, AOR: str | None = None) -> int:
        """Remove all contacts at an address; -1 when there was none."""
        if self.waits and AOR is None:
            return remote.remove_at(self, IP, Port, domain)                 # type: ignore[return-value]
        return remote.with_aor(self, ctx, domain, AOR, lambda: binding.remove_ip_port(  # type: ignore[no-any-return]
            self, IP, Port, domain, AOR))

    @function(routes="QFRBL")
    def add_sock_hdr(self, ctx: Ctx, hdr_name: str) -> bool:
        """Add a header that names the receiving socket, for a registrar behind this server."""
        if ctx.source is None:
            return False
        ctx.edit.append_hf(f"{hdr_name}: {ctx.source.socket.text}")
        return True

    # --- asking -----------------------------------------------------------------------------------------------------

    @function(routes="QFRBL", waits="waits")
    def is_registered(self, ctx: Ctx, domain: Static, AOR: str | None = None) -> int:
        """Say whether an AoR (of a REGISTER its To, else From) has a contact."""
        return remote.with_aor(self, ctx, domain, AOR, lambda: 1 if binding.contacts(  # type: ignore[no-any-return]
            self, ctx, domain, AOR) else -1)

    @function(routes="QFRBL", waits="waits")
    def is_contact_registered(self, ctx: Ctx, domain: Static, AOR: str | None = None, contact: str | None = None,
                              callid: str | None = None) -> int:
        """Say whether an AoR has this contact, one with this Call-ID, or both in one."""
        return remote.with_aor(self, ctx, domain, AOR, lambda: binding.is_contact(  # type: ignore[no-any-return]
            self, ctx, domain, AOR, contact, callid))

    @function(routes="QFRBL", waits="waits")
    def is_ip_registered(self, ctx: Ctx, domain: Static, AOR: str | None, IPvar: Var, PORTvar: Var | None = None
                         ) -> int:
        """Say whether a contact of an AoR came from an address (and port) in the variables."""
        return remote.with_aor(self, ctx, domain, AOR, lambda: binding.is_ip(       # type: ignore[no-any-return]
            self, ctx, domain, AOR, IPvar, PORTvar))

    @function(routes="QFRBL", waits="waits")
    def registered(self, ctx: Ctx, domain: Static, AOR: str | None = None, callid: str | None = None) -> int:
        """Say whether an AoR has a contact, or one with this Call-ID; old, and asks for the R-URI by itself.

        A reply has no R-URI, so that -1 comes of it without an AoR (registrar of OpenSIPS up to 2.x, 1.4.4).
        """
        aor = AOR if AOR is not None else ctx.ruri or ""
        return remote.with_aor(self, ctx, domain, aor, lambda: binding.is_known(    # type: ignore[no-any-return]
            self, ctx, domain, aor, callid))

    @function(routes="Q", waits="waits")
    def is_other_contact(self, ctx: Ctx, domain: Static, IPs: Var) -> int:
        """Say whether the AoR has a contact that came from none of these addresses; old: see is_ip_registered."""
        return remote.with_aor(self, ctx, domain, None, lambda: binding.is_other(   # type: ignore[no-any-return]
            self, ctx, domain, IPs))
