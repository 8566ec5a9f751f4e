"""Declare mid_registrar: parameters and functions."""
from __future__ import annotations

from functools import partial
from typing import Any

from osip.api import Complaint, Ctx, Module, ModuleError, Static, avp_or_none, function, is_token, needs, param
from osip.modules.mid_registrar import remote, stored
from osip.modules.mid_registrar.front import AORS, MIRROR, PARAM, USERNAME
from osip.modules.mid_registrar.lookup import mid_lookup
from osip.modules.mid_registrar.save import mid_save
from osip.modules.registrar.flag import tell_inert
from osip.modules.registrar.module import PLAIN_LOOKUP, PLAIN_SAVE, Lookup, Save
from osip.modules.registrar.push import PushParams
from osip.modules.registrar.rule import Rules, Tally


class MidRegistrar(PushParams, Module):
    """Register phones here, and only now and then at the main registrar behind."""

    mode = param(0, ge=0, le=2, doc="0 mirror: every REGISTER goes on; 1 throttle each contact, 2 each AoR: most are "
                                    "answered here.")
    default_expires = param(3600, ge=1, live=True, doc="Seconds of a contact that asks for no time.")
    min_expires = param(10, ge=0, live=True, doc="Shortest life of a contact in seconds, 0 for any.")
    max_expires = param(3600, ge=0, live=True, doc="Longest life of a contact in seconds, 0 for any.")
    default_q = param(-1, ge=-1, le=1000, live=True, doc="q of a contact that names none, in thousandths; -1 none.")
    tcp_persistent_flag = param("", kind=(str, int), doc="Message flag: keep the connection of the REGISTER open.")
    realm_prefix = param("", live=True, doc="Stripped from the domain of AoRs.")
    case_sensitive = param(1, ge=0, le=1, live=True, doc="Compare the user part of AoRs as written.")
    received_avp = param("", parse=avp_or_none, live=True, doc="AVP with the source behind NAT, as nathelper sets it.")
    received_param = param("received", live=True, doc="Contact parameter of the 200 that shows the source behind NAT.")
    retry_after = param(0, ge=0, live=True, doc="Seconds in Retry-After of 5xx replies, 0 for none.")
    gruu_secret = param("0p3nS1pS", doc="Secret of temporary GRUUs; servers that share contacts need the same.")
    disable_gruu = param(1, ge=0, le=1, live=True, doc="1: no GRUUs (RFC 5627); 0: phones that know them get some.")
    outgoing_expires = param(3600, ge=1, live=True,
                             doc="Seconds that are asked for at the main registrar, at least; modes 1 and 2.")
    contact_id_insertion = param(PARAM, choices=(PARAM, USERNAME),
                                 doc="Where a contact's number stands at the main registrar; modes 0 and 1.")
    contact_id_param = param("ctid", doc="URI parameter with the contact's number.")
    at_escape_str = param("%40", doc="Stands for the @ of the AoR in the user part of mode 2.")
    extra_contact_params_avp = param("", parse=avp_or_none, live=True,
                                     doc="AVP with parameters for the URIs that the main registrar sees.")
    attr_avp = param("", parse=avp_or_none, live=True, doc="AVP stored with contacts and given back by lookup.")
    max_contacts = param(0, ge=0, live=True, doc="Contacts of one AoR, 0 for any number.")
    max_username_len = param(64, ge=1, live=True, doc="Longest user part.")
    max_domain_len = param(64, ge=1, live=True, doc="Longest domain.")
    max_aor_len = param(256, ge=1, live=True, doc="Longest AoR.")
    max_contact_len = param(255, ge=1, live=True, doc="Longest contact URI.")
    allow_dup_cseq = param(1, ge=0, le=1, live=True, doc="Accept a REGISTER with a known Call-ID and CSeq.")
    expires_max_deviation = param(0, ge=0, live=True, doc="Seconds added or taken at random, so that phones spread.")
    usrloc = needs("usrloc")
    tm = needs("tm")
    signaling = needs("signaling")

    # What registrar's code asks for, and has no parameter here.
    outbound_mode = flow_timer = 0
    sock_hdr_name = mcontact_avp = ""

    def __init__(self) -> None:
        super().__init__()
        self.tally = Tally()                    # for save; what the main registrar says counts here
        self.told: set[str] = set()             # what was said once

    def mod_init(self) -> None:
        """Check what must fit together; watch what becomes of the contacts."""
        if self.max_expires and self.max_expires < self.min_expires:
            raise ModuleError(f"mid_registrar: max_expires {self.max_expires} is below min_expires {self.min_expires}")
        if not is_token(self.contact_id_param):
            raise ModuleError(f'mid_registrar: contact_id_param "{self.contact_id_param}" cannot be a URI parameter')
        if self.mode == AORS and not self.at_escape_str:
            raise ModuleError("mid_registrar: at_escape_str must not be empty: AoRs could not be read again")
        flag = str(self.tcp_persistent_flag)
        self.tcp_flag = self.env.message_flags.bit(flag) if flag else 0
        self.complain = Complaint(self.env.log)
        self.usrloc.watch(self._on_change)
        self.waits = bool(self.usrloc.keeps_nothing)
        self.on_reply = stored.on_reply         # for save, which it is made of
        if self.waits:
            self.usrloc.keeper.enders.append(partial(stored.on_end, self))
        self.open_push()
        self.rules = Rules(self)

    def wall(self) -> float:
        """Return Unix seconds."""
        return float(self.env.now + self.usrloc.offset())

    def extra_params(self, ctx: Ctx) -> str:
        """Return the parameters that the script wants in URIs for the main registrar."""
        values = ctx.avps.get(self.extra_contact_params_avp) if self.extra_contact_params_avp and ctx.avps else None
        text = str(values[-1]) if values else ""
        return text if not text or text.startswith(";") else f";{text}"

    def _on_change(self, what: str, thing: Any) -> None:
        """Take back at the main registrar what ended here (a watcher of usrloc)."""
        if what == "contact_delete" and self.mode != AORS:
            record, id = thing.record, thing.id
        elif what == "aor_delete" and self.mode == AORS:
            record, id = thing, 0
        else:
            return
        held = remote.read(record, id)
        if held is None:
            return
        self.usrloc.put_key(record, remote.key_of(id), None)
        remote.take_back(self, held)

    @function(routes="Q", waits="waits")
    def mid_registrar_save(self, ctx: Ctx, domain: Static, flags: Save = PLAIN_SAVE, aor: str | None = None,
                           outgoing_expires: int | None = None, ownership_tag: str | None = None) -> int:
        """Take a REGISTER: 1 relay it to the main registrar, 2 it was answered here, -1 it was refused (and answered).

        Its contacts are saved when the main registrar accepts them.
        """
        if ownership_tag:
            tell_inert(self, "ownership_tag")
        if flags.sock_hdr:
            tell_inert(self, "socket-header")
        save: Any = stored.save_stored if self.waits else mid_save
        return save(self, ctx, domain, flags, aor, outgoing_expires or int(self.outgoing_expires))    # type: ignore[no-any-return]

    @function(routes="Q", waits="waits")
    def mid_registrar_lookup(self, ctx: Ctx, domain: Static, flags: Lookup = PLAIN_LOOKUP, aor: str | None = None
                             ) -> int:
        """Send a request from the main registrar to the phone that it means; codes as lookup of registrar.

        Modes 0 and 1 go by the contact's number in the R-URI, mode 2 (and an R-URI without one) by AoR.
        """
        if flags.everywhere:
            tell_inert(self, "global")
        find: Any = stored.lookup_stored if self.waits else mid_lookup
        return find(self, ctx, domain, flags, aor)      # type: ignore[no-any-return]


__all__ = ["MIRROR", "MidRegistrar"]
