"""`osip user`: the users of auth_db. What is stored are HA1s, one for each algorithm, and no password unless asked."""
from __future__ import annotations

import os
import sys
from typing import Any

import click

from osip.cli.output import fail, format_option, show_rows
from osip.cli.row import Base, Place
from osip.cli.store import db_option
from osip.core.sip.digest import digest_ha1

COLUMNS = {"ha1": "MD5", "ha1_sha256": "SHA-256", "ha1_sha512t256": "SHA-512-256"}
PLAIN_SIZE = 25
TABLE = "subscriber"

stdin_option = click.option("--password-stdin", "from_stdin", is_flag=True, help="Read the password from stdin.")
plain_option = click.option("--plain", is_flag=True, help="Store the password itself, too (calculate_ha1=1).")


class _Address(click.ParamType):
    """A user as NAME@DOMAIN; the domain may come from the environment, as opensipsctl has it."""
    name = "NAME@DOMAIN"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return (name, domain)."""
        if isinstance(value, tuple):
            return value
        name, _, domain = value.removeprefix("sip:").partition("@")
        domain = domain or os.environ.get("SIP_DOMAIN", "")
        if not name or not domain or "@" in domain or len(name) > 64 or len(domain) > 64:
            self.fail(f"{value!r} is no NAME@DOMAIN (SIP_DOMAIN can give the domain)", param, ctx)
        return name, domain


ADDRESS = _Address()


@click.group()
def user() -> None:
    """Add, change, remove and list the users that may register and call."""


@user.command()
@db_option
@stdin_option
@plain_option
@click.argument("address", type=ADDRESS)
def add(db_url: str, from_stdin: bool, plain: bool, address: tuple[str, str]) -> None:
    """Add a user; asks for the password."""
    add_user(_base(db_url), address, ask_password(from_stdin), plain)


@user.command()
@db_option
@stdin_option
@plain_option
@click.argument("address", type=ADDRESS)
def passwd(db_url: str, from_stdin: bool, plain: bool, address: tuple[str, str]) -> None:
    """Give a user another password; asks for it."""
    change_password(_base(db_url), address, ask_password(from_stdin), plain)


@user.command()
@db_option
@click.argument("address", type=ADDRESS)
def rm(db_url: str, address: tuple[str, str]) -> None:
    """Remove a user."""
    remove_user(_base(db_url), address)


@user.command("list")
@db_option
@format_option
@click.argument("domain", required=False)
def list_users(db_url: str, output: str, domain: str | None) -> None:
    """List the users, of one DOMAIN or of all; passwords and hashes are not shown."""
    def columns(row: Any) -> str:
        return ",".join(name for column, name in COLUMNS.items() if row[column])
    rows = _base(db_url).rows(_place(), {"domain": domain} if domain else {}, ("domain", "username"))
    show_rows(("user", "domain", "hashes", "plain"), [
        (row["username"], row["domain"], columns(row), "yes" if row["password"] else "no") for row in rows], output)


def add_user(base: Base, address: tuple[str, str], password: str, plain: bool, table: str = TABLE) -> None:
    """Write a new user; ends the program when there is one of that name."""
    if not base.add(_place(table), secrets(address, password, plain), ("username", "domain")):
        fail(f"{'@'.join(address)} is there already; passwd changes the password")
    click.echo(f"{'@'.join(address)}: added")


def change_password(base: Base, address: tuple[str, str], password: str, plain: bool, table: str = TABLE) -> None:
    """Write another password; ends the program when there is no such user."""
    values = secrets(address, password, plain)
    name = {"username": values.pop("username"), "domain": values.pop("domain")}
    if not base.change(_place(table), values, name):
        _nobody(address)
    click.echo(f"{'@'.join(address)}: password changed")


def remove_user(base: Base, address: tuple[str, str], table: str = TABLE) -> None:
    """Remove a user; ends the program when there is no such user."""
    if not base.remove(_place(table), {"username": address[0], "domain": address[1]}):
        _nobody(address)
    click.echo(f"{'@'.join(address)}: removed")


def _nobody(address: tuple[str, str]) -> None:
    fail(f"there is no user {'@'.join(address)}; osip user list names all")


def secrets(address: tuple[str, str], password: str, plain: bool) -> dict[str, str]:
    """Return the columns of a user: the HA1s, whose realm is the domain, and the password only when `plain`."""
    if plain and len(password) > PLAIN_SIZE:
        fail(f"the column of plain passwords holds {PLAIN_SIZE} characters")
    name, domain = address
    return {"username": name, "domain": domain, "password": password if plain else "",
            **{column: digest_ha1(name, domain, password, algorithm) for column, algorithm in COLUMNS.items()}}


def ask_password(from_stdin: bool) -> str:
    """Return a password: the first line of stdin, or what is typed twice without being shown."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    if not password:
        fail("the password is empty")
    return password


def _base(url: str) -> Base:
    return Base(url, "--url or OSIP_DB_URL")


def _place(table: str = TABLE) -> Place:
    return Place(table, "auth_db", dict.fromkeys(("username", "domain", "password", *COLUMNS), str))
