"""`osipctl alias_db`, `alias` and `speeddial`: other names of users, and their short numbers."""
from __future__ import annotations

from typing import Any

import click

from osip.cli.ctl.site import Site, Verbs
from osip.cli.output import fail
from osip.cli.row import Place
from osip.core.errors import ParseError
from osip.core.sip.uri import parse_uri

ALIAS, OWNER = ("alias_username", "alias_domain"), ("username", "domain")
SHORT = ("sd_username", "sd_domain")
UL_TABLE = "aliases"


def _aliases(site: Site) -> Place:
    return site.place("dbaliases", "alias_db", "DA_TABLE", dict.fromkeys((*ALIAS, *OWNER), str))


def _numbers(site: Site) -> Place:
    return site.place("speed_dial", "speeddial", "SD_TABLE",
                      dict.fromkeys((*OWNER, *SHORT, "new_uri", "fname", "lname", "description"), str))


def _is(columns: tuple[str, str], values: tuple[str, str]) -> dict[str, str]:
    return dict(zip(columns, values, strict=True))


def checked_uri(text: str) -> str:
    """Return a SIP URI; UsageError when it is none."""
    try:
        parse_uri(text)
    except ParseError as error:
        raise click.UsageError(f"{text!r} is no URI: {error.reason}; write sip:user@host") from None
    return text


@click.group("alias_db", cls=Verbs)
def alias_db() -> None:
    """Aliases of users, as alias_db_lookup asks for them (table dbaliases)."""


@alias_db.command()
@click.argument("alias", required=False)
@click.pass_obj
def show(site: Site, alias: str | None) -> None:
    """Show whose alias ALIAS is, or all aliases."""
    _show_aliases(site, _is(ALIAS, site.user(alias)) if alias else {})


@alias_db.command("list")
@click.argument("user")
@click.pass_obj
def list_(site: Site, user: str) -> None:
    """Show the aliases of a user."""
    _show_aliases(site, _is(OWNER, site.user(user)))


@alias_db.command()
@click.argument("alias")
@click.argument("user")
@click.pass_obj
def add(site: Site, alias: str, user: str) -> None:
    """Add an alias of a user."""
    key, owner = site.user(alias), site.user(user)
    if not site.base().add(_aliases(site), _is(ALIAS, key) | _is(OWNER, owner), ALIAS):
        fail(f"{'@'.join(key)} is an alias already; osipctl alias_db show {'@'.join(key)} says whose")
    site.done(f"{'@'.join(key)}: alias of {'@'.join(owner)}")


@alias_db.command()
@click.argument("alias")
@click.pass_obj
def rm(site: Site, alias: str) -> None:
    """Remove an alias."""
    key = site.user(alias)
    if not site.base().remove(_aliases(site), _is(ALIAS, key)):
        fail(f"there is no alias {'@'.join(key)}; osipctl alias_db show lists all")
    site.done(f"{'@'.join(key)}: removed")


def _show_aliases(site: Site, where: dict[str, str]) -> None:
    rows = site.base().rows(_aliases(site), where, ALIAS[::-1])
    site.show_rows(("alias", "user"), [(f"{r['alias_username']}@{r['alias_domain']}", f"{r['username']}@{r['domain']}")
                                       for r in rows])


# --- alias: where ALIASES_TYPE says ------------------------------------------------------------------------------------

@click.group(cls=Verbs)
def alias() -> None:
    """Aliases of users: in the table dbaliases, with ALIASES_TYPE=UL as contacts in usrloc's table "aliases"."""


@alias.command("show")
@click.argument("name", required=False)
@click.pass_context
def alias_show(ctx: click.Context, name: str | None) -> None:
    """Show one alias or all."""
    site = ctx.find_object(Site)
    if not _in_usrloc(site):
        ctx.invoke(show, alias=name)
        return
    if name:
        records = [site.mi("ul_show_contact", [UL_TABLE, name])]
    else:
        records = [record for domain in site.mi("ul_dump")["Domains"] if domain["name"] == UL_TABLE
                   for record in domain["AORs"]]
    site.show_rows(("alias", "user"), [(record["AOR"], contact["Contact"]) for record in records
                                       for contact in record.get("Contacts", [])])


@alias.command("add")
@click.argument("name")
@click.argument("user")
@click.pass_context
def alias_add(ctx: click.Context, name: str, user: str) -> None:
    """Add an alias of a user."""
    site = ctx.find_object(Site)
    if not _in_usrloc(site):
        ctx.invoke(add, alias=name, user=user)
        return
    uri = checked_uri(user if user.startswith(("sip:", "sips:")) else "sip:" + "@".join(site.user(user)))
    site.mi("ul_add", [UL_TABLE, name, uri, 0, "1.00", "0", "0", 0])
    site.done(f"{name}: alias of {uri}")


@alias.command("rm")
@click.argument("name")
@click.pass_context
def alias_rm(ctx: click.Context, name: str) -> None:
    """Remove an alias."""
    site = ctx.find_object(Site)
    if not _in_usrloc(site):
        ctx.invoke(rm, alias=name)
        return
    site.mi("ul_rm", [UL_TABLE, name])
    site.done(f"{name}: removed")


def _in_usrloc(site: Any) -> bool:
    return str(site.rc.get("ALIASES_TYPE")).upper() == "UL"


# --- speeddial ----------------------------------------------------------------------------------------------------------

@click.group(cls=Verbs)
def speeddial() -> None:
    """Short numbers of users, as sd_lookup asks for them (table speed_dial)."""


@speeddial.command("show")
@click.argument("number", required=False)
@click.pass_obj
def sd_show(site: Site, number: str | None) -> None:
    """Show what a short number stands for, of every user; or all numbers."""
    _show_numbers(site, _is(SHORT, site.user(number)) if number else {})


@speeddial.command("list")
@click.argument("user")
@click.pass_obj
def sd_list(site: Site, user: str) -> None:
    """Show the short numbers of a user."""
    _show_numbers(site, _is(OWNER, site.user(user)))


@speeddial.command("add")
@click.argument("user")
@click.argument("number")
@click.argument("uri")
@click.argument("description", default="")
@click.pass_obj
def sd_add(site: Site, user: str, number: str, uri: str, description: str) -> None:
    """Add a short number of a user, which stands for a URI."""
    key = _is(OWNER, site.user(user)) | _is(SHORT, site.user(number))
    values = key | {"new_uri": checked_uri(uri), "fname": "", "lname": "", "description": description[:64]}
    if not site.base().add(_numbers(site), values, tuple(key)):
        fail(f"{user} has the number {number} already; osipctl speeddial list {user} shows them")
    site.done(f"{user}: {number} is {uri}")


@speeddial.command("rm")
@click.argument("user")
@click.argument("number")
@click.pass_obj
def sd_rm(site: Site, user: str, number: str) -> None:
    """Remove a short number of a user."""
    if not site.base().remove(_numbers(site), _is(OWNER, site.user(user)) | _is(SHORT, site.user(number))):
        fail(f"{user} has no number {number}; osipctl speeddial list {user} shows them")
    site.done(f"{user}: {number} removed")


def _show_numbers(site: Site, where: dict[str, str]) -> None:
    rows = site.base().rows(_numbers(site), where, ("domain", "username", "sd_username"))
    site.show_rows(("user", "number", "uri", "description"), [
        (f"{r['username']}@{r['domain']}", f"{r['sd_username']}@{r['sd_domain']}", r["new_uri"], r["description"])
        for r in rows])
