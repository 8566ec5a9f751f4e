"""`osipctl address`: peers that are trusted by their address (module permissions)."""
from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import Any

import click

from osip.cli.ctl.site import Site, Verbs
from osip.cli.output import fail
from osip.cli.row import Place

RELOAD = "the server keeps addresses in memory: osipctl address reload puts this into use"
PROTOS = ("any", "udp", "tcp", "tls", "sctp", "ws", "wss")
COLUMNS = {"grp": int, "ip": str, "mask": int, "port": int, "proto": str, "pattern": str, "context_info": str}

group_argument = click.argument("group", type=click.IntRange(0, 65535))
port_argument = click.argument("port", type=click.IntRange(0, 65535), default=0)


def _place(site: Site) -> Place:
    return site.place("address", "permissions", "ADDRESS_TABLE", COLUMNS)


def checked_network(ip: str, mask: str) -> tuple[str, int]:
    """Return an address and its prefix length (`24`, `255.255.255.0`, or `` for a host); UsageError when it is none."""
    ip, _, behind = ip.partition("/")
    mask = behind or mask
    try:
        address = ip_address(ip.strip("[]"))
        bits = ip_network(f"{address}/{mask or address.max_prefixlen}", strict=False).prefixlen
    except ValueError as error:
        raise click.UsageError(f"{ip}/{mask} is no address with a prefix length: {error}") from None
    return str(address), bits


@click.group(cls=Verbs)
def address() -> None:
    """Trusted peers, as check_address asks for them."""


@address.command()
@click.option("-g", "--group", type=click.IntRange(0, 65535), help="Only this group.")
@click.pass_obj
def show(site: Site, group: int | None) -> None:
    """Show the addresses in the database."""
    where: dict[str, Any] = {} if group is None else {"grp": group}
    rows = site.base().rows(_place(site), where, ("grp", "ip", "port"))
    site.show_rows(("group", "ip", "mask", "port", "proto", "pattern", "context"), [
        (r["grp"], r["ip"], r["mask"], r["port"], r["proto"], r["pattern"] or "", r["context_info"] or "") for r in rows])


@address.command()
@click.pass_obj
def dump(site: Site) -> None:
    """Show the hosts and networks that the running server has in memory."""
    partitions = [one for command in ("address_dump", "subnet_dump") for one in site.mi(command)["Partitions"]]
    rows = [{"partition": part["name"], **row} for part in partitions for row in part["Destinations"]]
    titles = list(dict.fromkeys(name for row in rows for name in row)) or ["partition"]
    site.show_rows(titles, [[row.get(title, "") for title in titles] for row in rows])


@address.command()
@click.argument("partition", required=False)
@click.pass_obj
def reload(site: Site, partition: str | None) -> None:
    """Have the server read the addresses again."""
    site.mi("address_reload", [partition] if partition else [])
    site.done("addresses read again")


@address.command()
@group_argument
@click.argument("ip")
@click.argument("mask", default="")
@port_argument
@click.argument("proto", type=click.Choice(PROTOS), default="any")
@click.argument("context", default="")
@click.argument("pattern", default="")
@click.pass_obj
def add(site: Site, group: int, ip: str, mask: str, port: int, proto: str, context: str, pattern: str) -> None:
    """Add an address to a GROUP: IP [MASK [PORT [PROTO [CONTEXT [PATTERN]]]]]. Port 0 and `any` stand for all."""
    ip, bits = checked_network(ip, mask)
    try:
        re.compile(pattern)
    except re.error as error:
        raise click.UsageError(f"the pattern {pattern!r} is no regular expression: {error}") from None
    values = {"grp": group, "ip": ip, "mask": bits, "port": port, "proto": proto, "pattern": pattern or None,
              "context_info": context or None}
    if not site.base().add(_place(site), values, ("grp", "ip", "mask", "port", "proto")):
        fail(f"group {group} has {ip}/{bits} port {port} {proto} already")
    site.done(f"{ip}/{bits}: added to group {group}", RELOAD)


@address.command()
@group_argument
@click.argument("ip")
@click.argument("mask", default="")
@port_argument
@click.pass_obj
def rm(site: Site, group: int, ip: str, mask: str, port: int) -> None:
    """Remove an address from a GROUP: IP [MASK [PORT]]."""
    ip, bits = checked_network(ip, mask)
    if not site.base().remove(_place(site), {"grp": group, "ip": ip, "mask": bits, "port": port}):
        fail(f"group {group} has no {ip}/{bits} port {port}; osipctl address show lists all")
    site.done(f"{ip}/{bits}: removed from group {group}", RELOAD)
