"""Compare what a message says about its sender with where it came from (RFC 3581 section 4, RFC 1918, RFC 6598)."""
from __future__ import annotations

from osip.api import Ctx, ParseError, bare_type, body_parts, origin, parse_sdp
from osip.modules.nathelper import flag

contact_uri, differs, is_private, port_of = origin.contact_uri, origin.differs, origin.is_private, origin.port_of


def uac_test(ctx: Ctx, flags: frozenset[str]) -> bool:
    """Say whether any of the tests that `flags` name holds for the message."""
    carrier = flag.CARRIER in flags
    return _via(ctx, flags, carrier) or _contact(ctx, flags, carrier) or (
        flag.PRIVATE_SDP in flags and has_private_sdp(ctx, carrier))


def _via(ctx: Ctx, flags: frozenset[str], carrier: bool) -> bool:
    via, source = ctx.msg.via1, ctx.source
    if flag.PRIVATE_VIA in flags and is_private(via.host, carrier):
        return True
    if source is None:
        return False
    if flag.DIFF_IP_VIA in flags and differs(via.host, source.host):
        return True
    return flag.DIFF_PORT_VIA in flags and origin.via_port(ctx) != source.port


def _contact(ctx: Ctx, flags: frozenset[str], carrier: bool) -> bool:
    if not flags & {flag.PRIVATE_CONTACT, flag.DIFF_IP_CONTACT, flag.DIFF_PORT_CONTACT}:
        return False
    uri = contact_uri(ctx)
    if uri is None:
        return False
    if flag.PRIVATE_CONTACT in flags and is_private(uri.host, carrier):
        return True
    source = ctx.source
    if source is None:
        return False
    if flag.DIFF_IP_CONTACT in flags and differs(uri.host, source.host):
        return True
    return flag.DIFF_PORT_CONTACT in flags and port_of(uri) != source.port


def has_private_sdp(ctx: Ctx, carrier: bool) -> bool:
    """Say whether a session description asks for media at a private address."""
    for part in body_parts(ctx):
        if bare_type(part.mime) != "application/sdp":
            continue
        try:
            sdp = parse_sdp(part.content)
        except ParseError:
            continue
        if is_private(sdp.session.address, carrier) or any(is_private(m.address, carrier) for m in sdp.media):
            return True
    return False
