"""Read what a REGISTER asks for (RFC 3261 section 10.2): at once where it is as plain as most are, else by value."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osip.api import (H_ALLOW, H_PATH, H_USER_AGENT, Ctx, LocalSocket, NameAddr, mypyc_attr, parse_endpoint, parse_name_addr,
                      plain_binding, split_commas, unescape_user, value_of)
from osip.modules.registrar.address import Refusal, key_of, key_of_parts, key_of_uri, parse_any
from osip.modules.registrar.flag import SaveFlags
from osip.modules.registrar.flow import Outbound, is_invalid, received, told
from osip.modules.registrar.rule import Rules

if TYPE_CHECKING:
    from osip.modules.registrar.module import Registrar
    from osip.modules.usrloc.state import Contact

ALL_METHODS = 0xFFFFFFFF


@mypyc_attr(free_list_len=1, acyclic=True)
class Asked:
    """What one Contact asks for, and what is done about it.

    `seconds` is how long it is to be kept, `way` the flow to it, `flow` its key when it is bound by outbound,
    `is_seen` whether its URI is known to be one that is taken. `save` puts in the contact that is `known` and when it
    `expires`, which stays 0.0 where it is to be removed.
    """
    __slots__ = ("uri", "seconds", "q", "methods", "instance", "flow", "way", "address", "is_seen", "known",
                 "expires")

    def __init__(self, uri: str, seconds: int, address: NameAddr | None) -> None:
        self.uri, self.seconds, self.address = uri, seconds, address
        self.q, self.methods, self.flow = -1, ALL_METHODS, ""
        self.instance: str | None = None
        self.way: str | None = None
        self.is_seen = False
        self.known: Contact | None = None
        self.expires = 0.0


_NONE: Final[list[Asked]] = []          # never added to


@mypyc_attr(free_list_len=1, acyclic=True)
class Draft:
    """What all contacts of one REGISTER have in common.

    `only` is what the one Contact of a plain REGISTER asks for; of any other `asked` holds what each asks for.
    """
    __slots__ = ("key", "asked", "only", "is_star", "call_id", "cseq", "agent", "path", "outbound", "received", "attr",
                 "socket", "cflags", "flags", "memory")

    def __init__(self, ctx: Ctx, flags: SaveFlags, rules: Rules) -> None:
        self.key, self.call_id, self.cseq, self.agent, self.is_star = "", "", 0, "", False
        self.asked: list[Asked] = _NONE
        self.only: Asked | None = None
        self.path: str | None = None
        self.outbound: Outbound | None = None
        self.received: str | None = _newest(ctx, rules.received_avp)
        self.attr: str | None = _newest(ctx, rules.attr_avp)
        self.cflags, self.flags, self.memory = ctx.target.bflags, ctx.flags, flags.memory
        self.socket: LocalSocket | None = ctx.source.socket if ctx.source is not None else None


def read(reg: Registrar, rules: Rules, ctx: Ctx, flags: SaveFlags, aor: str | None,
         contacts: list[NameAddr] | None) -> Draft:
    """Return what a REGISTER asks for; Refusal or ParseError when that cannot be taken.

    `contacts`, unless None, take the place of those in the message.
    """
    draft = Draft(ctx, flags, rules)
    if aor is None and contacts is None and rules.push is None and not flags.is_special():
        plain = plain_binding(ctx.msg)
        if plain is not None:
            user, host, draft.call_id, draft.cseq, uri, seconds, agent, methods = plain
            draft.key = key_of_parts(rules, user, host)
            asked = Asked(uri, seconds if seconds >= 0 else rules.default_expires, None)
            if agent is not None:
                draft.agent = agent[:255]
            if methods is not None:
                asked.methods = rules.usrloc.method_mask(methods)
            asked.way = draft.received or received(ctx, False, "", None)
            asked.is_seen = True
            draft.only = asked
            return draft
    _read_all(reg, ctx, flags, aor, contacts, draft)
    return draft


def _read_all(reg: Registrar, ctx: Ctx, flags: SaveFlags, aor: str | None, contacts: list[NameAddr] | None,
              draft: Draft) -> None:
    msg: Any = ctx.msg
    rules: Rules = reg.rules
    draft.path = _path(ctx, flags)
    draft.outbound = Outbound(reg, ctx, draft.path)
    draft.key = key_of(reg, parse_any(aor)) if aor is not None else key_of_uri(rules, msg.to.uri_text)
    draft.is_star = msg.contact_star
    addresses: list[NameAddr] = msg.contacts if contacts is None else contacts
    if draft.is_star or not addresses:
        return
    draft.call_id, draft.cseq = msg.call_id, msg.cseq
    draft.agent = (value_of(msg, H_USER_AGENT) or "")[:255]
    if flags.sock_hdr and reg.sock_hdr_name:
        draft.socket = _named_socket(reg, ctx) or draft.socket
    if flags.path_received and draft.path:
        _take_received(reg, draft, draft.path)
    expires: int | None = msg.expires
    seconds = rules.default_expires if expires is None else expires
    draft.asked = []
    methods = -1
    if H_ALLOW in msg.ids:
        methods = rules.usrloc.method_mask(",".join(msg.get_all(H_ALLOW)))
    for address in addresses:
        draft.asked.append(_asked(reg, ctx, draft, address, seconds, methods))


def _asked(reg: Registrar, ctx: Ctx, draft: Draft, address: NameAddr, seconds: int, methods: int) -> Asked:
    """Read one Contact; `seconds` and `methods` (-1 for none) count for what says nothing itself."""
    asked = Asked(address.uri_text, seconds, address)
    if methods >= 0:
        asked.methods = methods
    if address.params_text:
        expires = address.expires
        if expires is not None:
            asked.seconds = expires
        names = address.param("methods")
        if names:
            asked.methods = reg.usrloc.method_mask(names)
        asked.q = address.q
        if draft.outbound is not None:
            asked.flow = draft.outbound.key(reg, address)
        asked.instance = asked.flow or address.param("+sip.instance")
    asked.way = draft.received or told(reg, address) or received(ctx, is_invalid(address), asked.flow, draft.path)
    return asked


def _newest(ctx: Ctx, name: str) -> str | None:
    values = ctx.avps.get(name) if name and ctx.avps else None
    return str(values[-1]) if values else None


def _named_socket(reg: Registrar, ctx: Ctx) -> LocalSocket | None:
    """Return the socket that a header names; None for none."""
    text = ctx.msg.get(reg.sock_hdr_name)
    if not text:
        return None
    try:
        end = parse_endpoint(text)
    except ValueError:
        reg.env.log.error('registrar: "%s" in %s names no socket', text, reg.sock_hdr_name)
        return None
    return reg.env.find_socket(end.proto, end.host, end.port)


# --- Path (RFC 3327) -----------------------------------------------------------------------------------------------

def _path(ctx: Ctx, flags: SaveFlags) -> str | None:
    """Return the Path to store; Refusal when the mode is strict and the phone does not know Path."""
    msg: Any = ctx.msg
    if not flags.path or msg.find(H_PATH) < 0:
        return None
    if flags.path == "strict" and not supports_path(msg):
        raise Refusal(420, "Bad Extension", b"Unsupported: path\r\n")
    if any(not hop.uri.is_sip for hop in msg.paths):
        raise Refusal(400, "Bad Path")
    return ", ".join(msg.get_all(H_PATH))


def supports_path(msg: Any) -> bool:
    """Say whether a phone knows Path."""
    return any(option.lower() == "path" for option in msg.supported)


def _take_received(reg: Registrar, draft: Draft, path: str) -> None:
    """Take the source of the REGISTER from what the proxy nearest to this server has written into its Path."""
    came = parse_name_addr(split_commas(path)[0]).uri.param("received")
    if came:
        came = unescape_user(came)                          # add_path_received escapes `;transport=`
        draft.received = came if came.lower().startswith("sip") else f"sip:{came}"
        draft.cflags |= reg.usrloc.nat_flag
