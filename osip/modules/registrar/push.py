"""Wake phones that sleep: push notifications for SIP (RFC 8599).

The server knows no push service: it raises E_UL_CONTACT_REFRESH, and the script tells the service. What was to go to
the phone waits until its REGISTER comes (in any worker), then goes where that says.
"""
from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from osip.api import (
    M_ACK,
    M_CANCEL,
    Ctx,
    ModuleError,
    ParseError,
    Static,
    StoreError,
    Target,
    Uri,
    function,
    param,
    parse_name_addr,
    parse_uri,
    split_commas,
)
from osip.modules.registrar.address import Refusal
from osip.modules.registrar.gruu import PREFIX, hide, unhide

if TYPE_CHECKING:
    from osip.modules.registrar.module import Registrar

Spot = tuple[str, str, str]
"""Whom a request waits for: table, AoR, key of the device."""
PROVIDER: Final = "pn-provider"
NOT_SUPPORTED: Final = "Push Notification Service Not Supported"
STARTED, NOT_NEEDED, FAILED = 1, 2, -1


class PushParams:
    """Parameters and the function that registrar and mid_registrar have in common."""

    pn_enable = param(0, ge=0, le=1, doc="Push notifications (RFC 8599): wake phones that sleep.")
    pn_providers = param("", doc='Push services that the script can reach, as phones name them: "apns, fcm, webpush".')
    pn_ct_match_params = param("pn-provider, pn-prid, pn-param", doc="Contact parameters that identify a device.")
    pn_pnsreg_interval = param(130, ge=1, doc="Seconds before its end at which a phone that can should renew its "
                                              "registration by itself (+sip.pnsreg).")
    pn_trigger_interval = param(120, ge=1, doc="Seconds before its end at which a phone is woken to renew its "
                                               "registration; needs usrloc's contact_refresh_timer.")
    pn_skip_pn_interval = param(0, ge=0, live=True, doc="Seconds after a REGISTER for which a phone counts as awake.")
    pn_refresh_timeout = param(6, ge=1, live=True, doc="Seconds to wait for a phone that was woken.")
    pn_enable_purr = param(0, ge=0, le=1, live=True,
                           doc="Tell phones a reference (+sip.pnspurr) by which requests within dialogs wake them.")

    push: Push | None = None

    @function()
    async def pn_process_purr(self, ctx: Ctx, domain: Static) -> int:
        """Wake the phone that a request within a dialog is for, and wait until it has registered, or for some seconds.

        1 it was woken, 2 there was no need, -1 the reference in the R-URI (pn-purr) is not ours or its phone is gone.
        """
        return await self.push.process_purr(ctx, domain) if self.push is not None else FAILED

    def open_push(self) -> None:
        """Begin with push notifications when pn_enable says so; ModuleError when a parameter is missing."""
        if self.pn_enable:
            self.push = Push(self)


class Wait:
    """A request that waits for a phone: `then` gets the target when it comes, None when it did not."""
    __slots__ = ("then",)

    def __init__(self, then: Callable[[Target | None], Any]) -> None:
        self.then = then


class Push:
    """What is known of phones with push notifications in one worker."""

    def __init__(self, reg: Registrar | Any) -> None:
        self.reg, self.env = reg, reg.env
        self.providers = _words(reg.pn_providers)
        self.names = _words(reg.pn_ct_match_params)
        self.waiting: dict[Spot, list[Wait]] = {}
        name = reg.name
        if not self.providers:
            raise ModuleError(f'{name}: pn_enable needs pn_providers, such as modparam("{name}", "pn_providers", '
                              '"apns, fcm")')
        if not self.names:
            raise ModuleError(f"{name}: pn_ct_match_params must name the Contact parameters that identify a device")
        if reg.pn_trigger_interval >= reg.pn_pnsreg_interval:
            raise ModuleError(f"{name}: pn_trigger_interval {reg.pn_trigger_interval} must be below "
                              f"pn_pnsreg_interval {reg.pn_pnsreg_interval}: phones renew by themselves before they are woken for it")
        if reg.tm is None:
            raise ModuleError(f'{name}: pn_enable needs loadmodule "tm.so": requests wait in transactions')
        if not reg.usrloc.contact_refresh_timer:
            self.env.log.info('%s: phones are woken for calls only; to have them woken before their registration ends '
                              'set modparam("usrloc", "contact_refresh_timer", 1)', name)
        reg.usrloc.refresher.add(lambda contact: float(reg.pn_trigger_interval) if self.key(contact.uri) else 0.0)
        reg.usrloc.watch(self.on_change)
        self._topic = f"{name}.push"
        self.env.bus.subscribe(self._topic, lambda value: self._woken(tuple(value[0]), tuple(value[1])))

    # --- who is meant -----------------------------------------------------------------------------------------------

    def key(self, text: str) -> str:
        """Return what identifies the device of a contact URI; "" for a phone that is not woken."""
        if PROVIDER not in text and PROVIDER not in text.lower():
            return ""
        try:
            return self.key_of(parse_uri(text))
        except ParseError:
            return ""

    def key_of(self, uri: Uri) -> str:
        """Return what identifies the device of a contact; "" for a phone that is not woken."""
        if not uri.param(PROVIDER):
            return ""
        return "\n".join([uri.param(name) or "" for name in self.names])

    def find(self, record: Any, uri: Uri) -> Any:
        """Return the contact of this device in an AoR, whatever else of its URI has changed."""
        key = self.key_of(uri)
        return next((c for c in record.contacts if self.key(c.uri) == key), None) if key else None

    # --- REGISTER ---------------------------------------------------------------------------------------------------

    def check(self, uri: Uri) -> None:
        """Refuse a push service that the script cannot reach (RFC 8599 section 5.6.1)."""
        provider = uri.param(PROVIDER)
        if provider and (provider.lower() not in self.providers or not uri.param("pn-prid")):
            raise Refusal(555, NOT_SUPPORTED)

    def reply_lines(self, msg: Any, touched: list[Any]) -> bytes:
        """Return what the 200 says: of each phone its service; to one that asks all of them."""
        reg, lines = self.reg, []
        for address in msg.contacts:
            uri = address.uri
            if not uri.has_param(PROVIDER):
                continue
            provider = uri.param(PROVIDER)
            if not provider:
                lines += [f'Feature-Caps: *;+sip.pns="{name}"' for name in self.providers]
                continue
            key = self.key_of(uri)
            contact = next((c for c in touched if self.key(c.uri) == key), None)
            if contact is None:                             # it went
                continue
            line = f'Feature-Caps: *;+sip.pns="{provider}"'
            if address.has_param("+sip.pnsreg"):
                line += f';+sip.pnsreg="{reg.pn_pnsreg_interval}"'
            if reg.pn_enable_purr:
                line += f';+sip.pnspurr="{self.purr(contact)}"'
            lines.append(line)
        return "".join([line + "\r\n" for line in lines]).encode("utf-8", "surrogateescape")

    def purr(self, contact: Any) -> str:
        """Return the reference of a binding: nobody else can make one, or read whose it is."""
        return hide(self.reg.gruu_secret, contact.aor, str(contact.id), "purr")[len(PREFIX):]

    # --- waking -----------------------------------------------------------------------------------------------------

    def is_awake(self, contact: Any) -> bool:
        """Say whether a phone need not be woken: it registered a moment ago."""
        return bool(self.env.now - contact.modified < self.reg.pn_skip_pn_interval)

    def wake(self, ctx: Ctx, contacts: list[Any]) -> tuple[list[Any], int]:
        """Start to wake those who sleep; return the others, and how many are being woken (-1: the script must end)."""
        if ctx.msg.method_id in (M_ACK, M_CANCEL):
            return contacts, 0
        asleep = [c for c in contacts if self.key(c.uri) and not self.is_awake(c)]
        if not asleep:
            return contacts, 0
        tx = self.reg.tm.hold(ctx, len(asleep))
        if tx is None:
            return [], -1

        def then(target: Target | None) -> None:
            if target is None:
                self.reg.tm.release(tx, ctx)
            else:
                self.reg.tm.inject(tx, ctx, target)
        for contact in asleep:
            self._start(ctx, contact, "ini", Wait(then))
        return [c for c in contacts if c not in asleep], len(asleep)

    def _start(self, ctx: Ctx, contact: Any, kind: str, wait: Wait) -> None:
        spot = contact.record.domain.name, contact.aor, self.key(contact.uri)
        self.waiting.setdefault(spot, []).append(wait)
        self.env.timers.call_at(self.env.now + self.reg.pn_refresh_timeout, self._give_up, spot, wait)
        self.reg.usrloc.refresher.tell(contact, f"{kind}-{ctx.msg.method}", ctx.msg.call_id)

    def _give_up(self, spot: Spot, wait: Wait) -> None:
        waits = self.waiting.get(spot)
        if waits is None or wait not in waits:
            return
        waits.remove(wait)
        if not waits:
            del self.waiting[spot]
        self.env.log.info("phone not woken in time aor=%s", spot[1])
        wait.then(None)

    def on_change(self, what: str, thing: Any) -> None:
        """Take note that a phone registered (a watcher of usrloc)."""
        if what not in ("contact_insert", "contact_update"):
            return
        key = self.key(thing.uri)
        if key:
            spot = thing.record.domain.name, thing.aor, key
            socket = thing.socket.index if thing.socket is not None else -1
            plain = thing.uri, thing.received, thing.path, thing.q, socket, thing.cflags
            self.env.bus.others(self._topic, (spot, plain))
            self._woken(spot, plain)

    def _woken(self, spot: Any, plain: Any) -> None:
        waits = self.waiting.pop(spot, None)
        if waits is not None:
            # After the answer to its REGISTER: the phone expects that first.
            self.env.timers.call_at(self.env.now, self._deliver, waits, plain)

    def _deliver(self, waits: list[Wait], plain: Any) -> None:
        uri, received, path, q, socket, cflags = plain
        sockets = self.env.known_sockets
        du = parse_name_addr(split_commas(path)[0]).uri_text if path else received
        for wait in waits:
            wait.then(Target(uri, du, path, q, sockets[socket] if 0 <= socket < len(sockets) else None, cflags))

    # --- within dialogs ---------------------------------------------------------------------------------------------

    async def process_purr(self, ctx: Ctx, table: str) -> int:
        """Do what pn_process_purr says."""
        msg: Any = ctx.msg
        try:
            purr = parse_uri(ctx.ruri or "").param("pn-purr")
        except ParseError:
            return FAILED
        if not purr or msg.method_id in (M_ACK, M_CANCEL):
            return NOT_NEEDED
        found = unhide(self.reg.gruu_secret, PREFIX + purr)
        if found is None or found[2] != "purr":
            return FAILED
        came: asyncio.Future[Target | None] = asyncio.get_running_loop().create_future()
        try:
            code = self.reg.usrloc.at(table, found[0], lambda: self._start_for(ctx, table, found[0], found[1], came))
            code = await code if inspect.isawaitable(code) else code
        except StoreError:                      # usrloc has said so
            return FAILED
        if code != STARTED:
            return code
        target = await came
        if target is not None and ctx.target.du is None:
            # Its address may have changed while it slept.
            ctx.target.du, ctx.target.path = target.du or target.uri, target.path
            ctx.target.socket = target.socket
        return STARTED

    def _start_for(self, ctx: Ctx, table: str, aor: str, id: str, came: asyncio.Future[Target | None]) -> int:
        """Wake the phone of one contact, unless it is awake."""
        contact = next((c for c in self.reg.usrloc.domain(table).valid(aor, self.env.now) if str(c.id) == id), None)
        if contact is None:
            return FAILED
        if self.is_awake(contact):
            return NOT_NEEDED
        self._start(ctx, contact, "mid", Wait(lambda target: came.done() or came.set_result(target)))
        return STARTED


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip().lower() for word in text.split(",") if word.strip())
