"""`osipctl avp`: AVPs of users in the database, as avp_db_load reads them (table usr_preferences)."""
from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from osip.cli.ctl.site import Site, Verbs
from osip.cli.output import fail
from osip.cli.row import Place

TYPES = {0: "text", 1: "integer"}
COLUMNS = {"uuid": str, "username": str, "domain": str, "attribute": str, "type": int, "value": str,
           "last_modified": datetime}


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
            click.option("-t", "kind", type=click.IntRange(0, 1), help="Type: 0 text, 1 integer."),
            click.option("-v", "value", help="Value."), click.option("-a", "attribute", help="Name of the AVP."),
            click.option("-u", "owner", metavar="NAME@DOMAIN|UUID", help="Whose."), _table_option):
        command = option(command)
    return command


_table_option = click.option("-T", "table", default="", help="Table (usr_preferences).")


def _place(site: Site, table: str) -> Place:
    place = site.place("usr_preferences", "sqlops", "AVP_TABLE", COLUMNS)
    return Place(table, place.module, place.columns) if table else place


def _owner(site: Site, text: str) -> dict[str, str]:
    """Return the terms that name an owner: a user by NAME@DOMAIN, anything else is a UUID."""
    if "@" not in text:
        return {"uuid": text}
    return dict(zip(("username", "domain"), site.user(text), strict=True))


def _terms(site: Site, owner: str | None, attribute: str | None, value: str | None, kind: int | None) -> dict[str, Any]:
    found: dict[str, Any] = _owner(site, owner) if owner else {}
    return found | {name: given for name, given in (("attribute", attribute), ("value", value), ("type", kind))
                    if given is not None}


@click.group(cls=Verbs)
def avp() -> None:
    """AVPs of users in the database."""


@avp.command("list")
@_filters
@click.pass_obj
def list_(site: Site, table: str, **terms: Any) -> None:
    """List AVPs, those that fit."""
    rows = site.base().rows(_place(site, table), _terms(site, **terms), ("domain", "username", "uuid", "attribute"))
    site.show_rows(("uuid", "user", "attribute", "type", "value", "changed"), [
        (r["uuid"], f"{r['username']}@{r['domain']}" if r["domain"] else r["username"].removeprefix("0"), r["attribute"],
         TYPES.get(r["type"], r["type"]), r["value"], str(r["last_modified"])) for r in rows])


@avp.command()
@_table_option
@click.argument("owner", metavar="NAME@DOMAIN|UUID")
@click.argument("attribute")
@click.argument("kind", metavar="TYPE", type=click.IntRange(0, 1))
@click.argument("value")
@click.pass_obj
def add(site: Site, table: str, owner: str, attribute: str, kind: int, value: str) -> None:
    """Add an AVP; TYPE is 0 for text and 1 for an integer."""
    if kind == 1 and not value.removeprefix("-").isdecimal():
        raise click.UsageError(f"{value!r} is no integer; type 0 is text")
    if len(attribute) > 32 or len(value) > 128:
        raise click.UsageError("a name has at most 32 characters, a value 128")
    values = {"uuid": "", "username": "", "domain": "", "attribute": attribute, "type": kind, "value": value,
              "last_modified": datetime.now()} | _owner(site, owner)
    site.base().add(_place(site, table), values)
    site.done(f"{owner}: {attribute} added")


@avp.command()
@_filters
@click.pass_obj
def rm(site: Site, table: str, **terms: Any) -> None:
    """Remove the AVPs that fit; at least one term is needed."""
    where = _terms(site, **terms)
    if not where:
        raise click.UsageError("name what to remove: -u, -a, -v or -t")
    count = site.base().remove(_place(site, table), where)
    if not count:
        fail("no AVP fits; osipctl avp list shows them")
    site.done(f"{count} AVP{'s' if count > 1 else ''} removed")
