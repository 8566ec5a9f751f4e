"""Test and convert IP addresses: the `ip.` transformations (variables.md section 9.6)."""
from __future__ import annotations

import ipaddress
from collections.abc import Callable, Coroutine

from osip.api import (
    Ctx,
    LocalSocket,
    Module,
    OsipError,
    Value,
    bracket,
    is_ip,
    transform,
)

_PRIVATE = tuple(ipaddress.ip_network(net) for net in (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8"))

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _address(value: Value) -> Address | None:
    try:
        return ipaddress.ip_address(str(value).strip().strip("[]"))
    except ValueError:
        return None


def _packed(value: Value) -> bytes:
    raw = str(value).encode("utf-8", "surrogateescape")
    if len(raw) not in (4, 16):
        raise ValueError("expected 4 or 16 bytes")
    return raw


def _question(value: Value, version: int) -> tuple[str, LocalSocket | None] | None:
    """Return what to ask the resolver: a URI, and a socket of the address family; None when nothing is to be asked."""
    name = str(value).strip() if value.__class__ is str else ""
    if not name or is_ip(name):
        return None
    family = LocalSocket("udp", "::" if version == 6 else "0.0.0.0", 5060) if version else None
    return f"sip:{bracket(name)}:5060", family


def _resolve(value: Value, ctx: Ctx | None, version: int) -> str | None:
    """Return an address for a name.

    One that is not in the DNS cache is asked for before the statement runs; where that cannot be (a name that changes
    within a statement), beside the script, and it is NULL until then.
    """
    asked = _question(value, version)
    if asked is None:
        return str(value).strip() or None
    if ctx is None:
        raise ValueError("names can be resolved in a running server only")
    found = ctx.env.resolve(*asked)
    if found is None:
        ctx.env.spawn(_ask(ctx, asked), "ip.resolve")
        raise ValueError(f'"{value}" is not in the DNS cache yet')
    hosts = [dest.host for dest in found if not version or (":" in dest.host) == (version == 6)]
    return hosts[0] if hosts else None


def _before(version: int) -> Callable[[Value, Ctx], Coroutine[None, None, int] | int]:
    """Return what asks for a name before a statement runs that wants its address."""
    def ask(value: Value, ctx: Ctx) -> Coroutine[None, None, int] | int:
        asked = _question(value, version)
        try:
            return 1 if asked is None or ctx.env.resolve(*asked) is not None else _ask(ctx, asked)
        except OsipError:                       # no host name: the transformation says so
            return 1
    return ask


async def _ask(ctx: Ctx, asked: tuple[str, LocalSocket | None]) -> int:
    try:
        await ctx.env.resolve_wait(*asked)
    except OsipError as error:
        ctx.env.log.info("ip.resolve uri=%s error=%s", asked[0], error)
    return 1


class CoreIpTrans(Module):
    """The `ip.` transformations."""
    name = "core_ip_trans"

    @transform("ip.pton")
    def pton(value: Value) -> Value:
        """The address as 4 or 16 bytes."""
        return ipaddress.ip_address(str(value).strip().strip("[]")).packed.decode("utf-8", "surrogateescape")

    @transform("ip.ntop")
    def ntop(value: Value) -> Value:
        """4 or 16 bytes as an address."""
        return str(ipaddress.ip_address(_packed(value)))

    @transform("ip.family")
    def family(value: Value) -> Value:
        """INET or INET6, of an address in bytes."""
        return "INET" if len(_packed(value)) == 4 else "INET6"

    @transform("ip.isip")
    def isip(value: Value) -> Value:
        """1 for an IP address, else 0."""
        return int(_address(value) is not None)

    @transform("ip.isip4")
    def isip4(value: Value) -> Value:
        """1 for an IPv4 address, else 0."""
        return int(isinstance(_address(value), ipaddress.IPv4Address))

    @transform("ip.isip6")
    def isip6(value: Value) -> Value:
        """1 for an IPv6 address, else 0."""
        return int(isinstance(_address(value), ipaddress.IPv6Address))

    @transform("ip.isprivate")
    def isprivate(value: Value) -> Value:
        """1 for a private, shared or loopback IPv4 address (RFC 1918, RFC 6598), else 0."""
        address = _address(value)
        return int(isinstance(address, ipaddress.IPv4Address) and any(address in net for net in _PRIVATE))

    @transform("ip.matches")
    def matches(value: Value, net: Value) -> Value:
        """1 when the address is in the network, else 0; NULL when they are of different families."""
        address = ipaddress.ip_address(str(value).strip().strip("[]"))
        network = ipaddress.ip_network(str(net).strip(), strict=False)
        return int(address in network) if address.version == network.version else None

    @transform("ip.resolve", ask=_before(0))
    def resolve(value: Value, *, ctx: Ctx | None = None) -> Value:
        """An address of a host name; an address stays as it is."""
        return _resolve(value, ctx, 0)

    @transform("ip.resolve4", ask=_before(4))
    def resolve4(value: Value, *, ctx: Ctx | None = None) -> Value:
        """An IPv4 address of a host name."""
        return _resolve(value, ctx, 4)

    @transform("ip.resolve6", ask=_before(6))
    def resolve6(value: Value, *, ctx: Ctx | None = None) -> Value:
        """An IPv6 address of a host name."""
        return _resolve(value, ctx, 6)
