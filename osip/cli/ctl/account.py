"""`osipctl add|passwd|rm`: users, as opensipsctl has them. Passwords are asked for, or read from stdin."""
from __future__ import annotations

import click

from osip.cli.ctl.site import Site, Verb, Verbs
from osip.cli.output import fail
from osip.cli.row import Place
from osip.cli.user import (
    add_user,
    ask_password,
    change_password,
    plain_option,
    remove_user,
    stdin_option,
)

SUBSCRIBERS = "SUB_TABLE"


def _password(given: str | None, from_stdin: bool) -> str:
    return ask_password(from_stdin) if given is None else warn_of_password(given)


def warn_of_password(given: str) -> str:
    """Return a password that stood on the command line, and say who can see it."""
    click.echo("osip: a password on the command line is seen by every user of this machine and kept in the shell's "
               "history: leave it out to be asked, or use --password-stdin", err=True)
    return given


@click.command(cls=Verb)
@stdin_option
@plain_option
@click.argument("user")
@click.argument("password", required=False)
@click.pass_obj
def add(site: Site, from_stdin: bool, plain: bool, user: str, password: str | None) -> None:
    """Add a user; without PASSWORD it is asked for."""
    address = site.user(user)
    add_user(site.base(), address, _password(password, from_stdin), plain or site.rc.is_on("STORE_PLAINTEXT_PW"),
             site.rc.get(SUBSCRIBERS, "subscriber"))


@click.command(cls=Verb)
@stdin_option
@plain_option
@click.argument("user")
@click.argument("password", required=False)
@click.pass_obj
def passwd(site: Site, from_stdin: bool, plain: bool, user: str, password: str | None) -> None:
    """Change a password; without PASSWORD it is asked for."""
    address = site.user(user)
    change_password(site.base(), address, _password(password, from_stdin),
                    plain or site.rc.is_on("STORE_PLAINTEXT_PW"), site.rc.get(SUBSCRIBERS, "subscriber"))


@click.command(cls=Verb)
@click.argument("user")
@click.pass_obj
def rm(site: Site, user: str) -> None:
    """Remove a user; his contacts stay until they expire (osipctl ul rm)."""
    remove_user(site.base(), site.user(user), site.rc.get(SUBSCRIBERS, "subscriber"))


RPIDS = {"username": str, "domain": str, "rpid": str}
NO_RPID = "tables of today have no column rpid; alter table subscriber add rpid varchar(64) makes it"


@click.group(cls=Verbs)
def rpid() -> None:
    """Remote-Party-IDs of users, in tables that have a column for them."""


@rpid.command("add")
@click.argument("user")
@click.argument("value", metavar="RPID")
@click.pass_obj
def rpid_add(site: Site, user: str, value: str) -> None:
    """Give a user a Remote-Party-ID."""
    _set_rpid(site, user, value)


@rpid.command("rm")
@click.argument("user")
@click.pass_obj
def rpid_rm(site: Site, user: str) -> None:
    """Take a user's Remote-Party-ID away."""
    _set_rpid(site, user, None)


@rpid.command("show")
@click.argument("user")
@click.pass_obj
def rpid_show(site: Site, user: str) -> None:
    """Show a user's Remote-Party-ID."""
    name, domain = site.user(user)
    rows = site.base(hint=NO_RPID).rows(_users(site), {"username": name, "domain": domain})
    site.show_rows(("user", "domain", "rpid"), [(row["username"], row["domain"], row["rpid"] or "") for row in rows])


def _users(site: Site) -> Place:
    return site.place("subscriber", "auth_db", SUBSCRIBERS, RPIDS)


def _set_rpid(site: Site, user: str, value: str | None) -> None:
    name, domain = site.user(user)
    if not site.base(hint=NO_RPID).change(_users(site), {"rpid": value}, {"username": name, "domain": domain}):
        fail(f"there is no user {name}@{domain}; osip user list names all")
    site.done(f"{name}@{domain}: {value or 'no rpid'}")
