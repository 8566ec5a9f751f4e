"""Reach phones by the flow that they registered on: browsers, and client-initiated connections (RFC 5626, RFC 7118)."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osip.api import H_SUPPORTED, Ctx, NameAddr, ParseError, Source, bracket, parse_name_addr, parse_uri, split_commas
from osip.modules.registrar.address import Refusal
from osip.modules.registrar.rule import Rules

if TYPE_CHECKING:
    from osip.modules.registrar.module import Registrar

OFF, WHERE_POSSIBLE, STRICT = 0, 1, 2
WEB: Final = ("ws", "wss")
MAX_REG_ID: Final = 2**31 - 1
MARK: Final = ";ob"
"""Ends a `received` that is a flow: no connection is made for it, since none could be."""


def source_uri(source: Source) -> str:
    """Return where a message came from as a URI; the transport stands there unless it is UDP."""
    proto = source.socket.proto
    return f"sip:{bracket(source.host)}:{source.port}" + (f";transport={proto}" if proto != "udp" else "")


def is_only_way(ctx: Ctx) -> bool:
    """Say whether the sender can be reached by the connection of this message and by no other: a browser."""
    return ctx.source is not None and ctx.source.socket.proto in WEB


def received(ctx: Ctx, is_nowhere: bool, key: str, path: str | None) -> str | None:
    """Return the flow to a contact; None when the contact (or its Path) tells how to reach it.

    `is_nowhere` says that its URI does not (`is_invalid`).
    """
    source = ctx.source
    if source is None or path:
        return None
    if source.socket.reliable and (source.socket.proto in WEB or key or is_nowhere):
        return source_uri(source) + MARK
    return source_uri(source) if is_nowhere else None


def is_invalid(address: NameAddr) -> bool:
    """Say whether a Contact names a host that cannot exist, as browsers do (RFC 7118 section 5, RFC 2606)."""
    return ".invalid" in address.uri_text.lower() and address.uri.host.lower().endswith(".invalid")


def told(reg: Registrar, address: NameAddr) -> str | None:
    """Return what another server wrote into the Contact about the source (nathelper's add_rcv_param)."""
    rules: Rules = reg.rules
    text = address.param(rules.received_param) if address.params_text and rules.received_param else None
    if not text:
        return None
    try:
        return text if parse_uri(text).is_sip else None
    except ParseError:
        return None


class Outbound:
    """What one REGISTER says about outbound: whether it is processed that way (RFC 5626 section 6)."""
    __slots__ = ("is_asked", "is_possible", "is_used", "is_direct")

    def __init__(self, reg: Registrar, ctx: Ctx, path: str | None) -> None:
        msg: Any = ctx.msg
        rules: Rules = reg.rules
        mode = rules.outbound_mode
        self.is_asked = mode != OFF and H_SUPPORTED in msg.ids and any(
            [option.lower() == "outbound" for option in msg.supported])
        self.is_used = False
        # On UDP a phone would keep the flow open with STUN, which does not listen here.
        self.is_direct = (self.is_asked and len(msg.vias) == 1 and ctx.source is not None
                          and ctx.source.socket.reliable)
        self.is_possible = self.is_direct or (self.is_asked and _edge_agrees(msg, path))

    def key(self, reg: Registrar, address: NameAddr) -> str:
        """Return the key of a binding, its instance with its reg-id; "" for one that is known by its URI.

        Refusal when the first hop does not take part and the mode is strict.
        """
        instance = address.param("+sip.instance") if self.is_asked and address.params_text else None
        number = address.param("reg-id") if instance else None
        if not instance or not number or not number.isdecimal() or not 0 < int(number) <= MAX_REG_ID:
            return ""
        if not self.is_possible:
            if reg.outbound_mode == STRICT:
                raise Refusal(439, "First Hop Lacks Outbound Support")
            return ""
        self.is_used = True
        return f"{instance};reg-id={int(number)}"

    def reply_lines(self, reg: Registrar) -> bytes:
        """Return what the 200 says about it."""
        if not self.is_used:
            return b""
        timer = b"Flow-Timer: %d\r\n" % reg.flow_timer if self.is_direct and reg.flow_timer else b""
        return b"Require: outbound\r\n" + timer


def _edge_agrees(msg: Any, path: str | None) -> bool:
    """Say whether the proxy nearest to the phone, whose Path is the last, keeps flows."""
    if not path:
        return False
    try:
        return bool(parse_name_addr(split_commas(path)[-1]).uri.has_param("ob"))
    except ParseError:
        return False


def instance_of(contact: Any) -> str:
    """Return the bare instance id of a contact, without reg-id, quotes and brackets; "" for none."""
    return (contact.instance or "").partition(";reg-id=")[0].strip('<>"')


def is_flow(contact: Any) -> bool:
    """Say whether a contact was bound by outbound."""
    return ";reg-id=" in (contact.instance or "")


def one_of_each(contacts: list[Any]) -> list[Any]:
    """Leave one flow of each instance, its newest (RFC 5626 section 6): a phone must not ring twice."""
    best: dict[str, Any] = {}
    for contact in contacts:
        if is_flow(contact):
            name = instance_of(contact)
            if name not in best or contact.modified > best[name].modified:
                best[name] = contact
    if not best:
        return contacts
    return [c for c in contacts if not is_flow(c) or best[instance_of(c)] is c]
