"""Compare what a message says about its sender with where it came from (RFC 3581 section 4, RFC 1918, RFC 6598)."""
from __future__ import annotations

import ipaddress
from typing import Any, Final

from osip.api import DEFAULT_PORTS, Ctx, ParseError, Uri, bare_type, body_parts, is_ip, parse_sdp
from osip.modules.nathelper import flag

PRIVATE: Final = tuple(ipaddress.ip_network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
SHARED: Final = ipaddress.ip_network("100.64.0.0/10")


def is_private(host: str, carrier: bool) -> bool:
    """Say whether a host is an IPv4 address of a private network; with `carrier` also of one behind a carrier's NAT."""
    if ":" in host or not is_ip(host):
        return False
    address = ipaddress.ip_address(host)
    return any(address in net for net in PRIVATE) or (carrier and address in SHARED)


def differs(host: str, address: str) -> bool:
    """Say whether a host is another one than an IP address; a name always is."""
    host = host.strip("[]")
    if host.lower() == address.lower():
        return False
    if ":" in host and ":" in address and is_ip(host):
        return ipaddress.ip_address(host) != ipaddress.ip_address(address)
    return True


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
    port = via.port or DEFAULT_PORTS.get(via.transport.lower(), 5060)
    return flag.DIFF_PORT_VIA in flags and port != source.port


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


def contact_uri(ctx: Ctx) -> Uri | None:
    """Return the URI of the first Contact; None without a SIP one."""
    msg: Any = ctx.msg
    try:
        uri = msg.contacts[0].uri if msg.contacts else None
    except ParseError:
        return None
    return uri if uri is not None and uri.is_sip else None


def port_of(uri: Uri) -> int:
    """Return the port that a URI means."""
    if uri.port is not None:
        return uri.port
    transport = (uri.param("transport") or ("tls" if uri.scheme == "sips" else "udp")).lower()
    return DEFAULT_PORTS.get(transport, 5060)


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
