"""`osipctl ul` and `online`: who is registered, as the running server knows it."""
from __future__ import annotations

import os
from typing import Any

import click

from osip.cli.ctl.alias import checked_uri
from osip.cli.ctl.site import Site, Verb, Verbs

table_option = click.option("--table", default=None, show_default="location", help="Table (also UL_TABLE).",
                            callback=lambda ctx, param, value: value or _usual_table(ctx))
LONG_ANSWER = 60.0
"""Seconds that a list of all contacts may take."""


def _usual_table(ctx: click.Context) -> str:
    site = ctx.find_object(Site)
    return site.rc.get("UL_TABLE", "location") if site is not None else "location"


def _aor(site: Site, text: str) -> str:
    """Return an AoR; a domain is added when one is set, a server without domains leaves it out."""
    name = text.removeprefix("sips:").removeprefix("sip:")
    domain = os.environ.get("SIP_DOMAIN", "") or site.rc.get("SIP_DOMAIN")
    return name if "@" in name or not domain else f"{name}@{domain}"


@click.group(cls=Verbs)
def ul() -> None:
    """Registered users and their contacts."""


@ul.command()
@click.argument("user", required=False)
@table_option
@click.pass_obj
def show(site: Site, user: str | None, table: str) -> None:
    """Show the contacts of all users or of one."""
    if user:
        records = [site.mi("ul_show_contact", [table, _aor(site, user)])]
    else:
        records = [record for domain in site.mi("ul_dump", timeout=LONG_ANSWER)["Domains"] if domain["name"] == table
                   for record in domain["AORs"]]
    rows: list[tuple[Any, ...]] = []
    for record in records:
        rows += [(record["AOR"], c["Contact"], c["Expires"], c.get("Q", ""), c.get("User-agent", ""), c.get("Received", ""))
                 for c in record.get("Contacts", [])]
    site.show_rows(("aor", "contact", "expires", "q", "user agent", "received"), rows)


@ul.command()
@click.option("--brief", is_flag=True, help="Only the AoRs.")
@click.pass_obj
def dump(site: Site, brief: bool) -> None:
    """Show everything that the server knows of each contact, of all tables."""
    site.show(site.mi("ul_dump", ["brief"] if brief else [], timeout=LONG_ANSWER))


@ul.command()
@click.argument("user")
@click.argument("contact", required=False)
@table_option
@click.pass_obj
def rm(site: Site, user: str, contact: str | None, table: str) -> None:
    """Remove a user's contacts, or one of them."""
    if contact:
        site.mi("ul_rm_contact", [table, _aor(site, user), contact])
    else:
        site.mi("ul_rm", [table, _aor(site, user)])
    site.done(f"{user}: {contact or 'all contacts'} removed")


@ul.command()
@click.argument("user")
@click.argument("contact")
@click.argument("expires", type=click.IntRange(0), default=0)
@table_option
@click.option("-q", "q", type=click.FloatRange(0, 1), default=1.0, show_default=True)
@click.pass_obj
def add(site: Site, user: str, contact: str, expires: int, table: str, q: float) -> None:
    """Add a contact of a user for EXPIRES seconds; 0 makes it permanent."""
    site.mi("ul_add", [table, _aor(site, user), checked_uri(contact), expires, f"{q:.2f}", "0", "0", 0])
    site.done(f"{user}: {contact} added" + (f" for {expires} seconds" if expires else ", permanent"))


@ul.command()
@click.pass_obj
def flush(site: Site) -> None:
    """Have the server write changed contacts to its database now."""
    site.mi("ul_flush", timeout=LONG_ANSWER)
    site.done("contacts written")


@click.command(cls=Verb)
@table_option
@click.pass_obj
def online(site: Site, table: str) -> None:
    """List the users that are registered, by name."""
    users = sorted(record["AOR"] for domain in site.mi("ul_dump", ["brief"], timeout=LONG_ANSWER)["Domains"]
                   if domain["name"] == table for record in domain["AORs"])
    site.show_rows(("user",), [(user,) for user in users])
