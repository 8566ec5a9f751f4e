"""Compare what a message says of its sender with where it came from, and mend its Contact (RFC 1918, 3581, 6598)."""
from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from osip.core.errors import ParseError
from osip.core.net.endpoint import DEFAULT_PORTS, bracket, is_ip
from osip.core.sip.address import NameAddr, parse_name_addr, split_commas
from osip.core.sip.names import H_CONTACT
from osip.core.sip.uri import Uri

if TYPE_CHECKING:
    from osip.core.net.endpoint import Source
    from osip.core.run.ctx import Ctx

PRIVATE: Final = tuple(ipaddress.ip_network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
SHARED: Final = ipaddress.ip_network("100.64.0.0/10")
_INVALID: Final = ".invalid"
_WEB: Final = ("ws", "wss")


def is_private(host: str, carrier: bool) -> bool:
    """Say whether a host is a private IPv4 address; with `carrier` also one behind a carrier's NAT."""
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


def source_uri(source: Source) -> str:
    """Return where a message came from as a URI; the transport stands there unless it is UDP."""
    proto = source.socket.proto
    transport = f";transport={proto}" if proto != "udp" else ""
    return f"sip:{bracket(source.host)}:{source.port}{transport}"


def contact_uri(ctx: Ctx) -> Uri | None:
    """Return the URI of the first Contact; None without a SIP one."""
    msg: Any = ctx.msg
    try:
        uri: Uri | None = msg.contacts[0].uri if msg.contacts else None
    except ParseError:
        return None
    return uri if uri is not None and uri.is_sip else None


def port_of(uri: Uri) -> int:
    """Return the port that a URI means."""
    if uri.port is not None:
        return uri.port
    transport = (uri.param("transport") or ("tls" if uri.scheme == "sips" else "udp")).lower()
    return DEFAULT_PORTS.get(transport, 5060)


def via_port(ctx: Ctx) -> int:
    """Return the port that the top Via means."""
    via = ctx.msg.via1                                                  # type: ignore[union-attr]
    return via.port or DEFAULT_PORTS.get(via.transport.lower(), 5060)


def rewrite_contacts(ctx: Ctx, change: Callable[[NameAddr], str]) -> int:
    """Replace each Contact value by what `change` makes of it; return how many changed."""
    msg, changed = ctx.msg, 0
    assert msg is not None
    for at in msg.find_all(H_CONTACT):
        values = split_commas(msg.value(at))
        new = []
        for value in values:
            text = value
            if value.strip() != "*":
                try:
                    text = change(parse_name_addr(value))
                except ParseError:
                    pass                    # a tel URI or worse: nothing that could be mended
            changed += text != value
            new.append(text)
        if new != values:
            ctx.edit.set_value(at, ", ".join(new))
    return changed


def at_source(uri: Uri, source: Source) -> Uri:
    """Return a URI with the address that a message came from in place of its own."""
    new = uri.replace(host=source.host, port=source.port)
    proto = source.socket.proto
    # Browsers say transport=ws on wss, too (RFC 7118 section 5); the way back has but one of the two.
    if proto not in _WEB and not (uri.host.lower().endswith(_INVALID) and proto != "udp"):
        return new
    if not new.has_param("transport"):
        return new.with_param("transport", proto)
    return new.replace(params=tuple((name, proto if name.lower() == "transport" else value)
                                    for name, value in new.params))
