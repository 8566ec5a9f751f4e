"""`osip user`: the users of auth_db. What is stored are HA1s, one for each algorithm, and no password unless asked."""
from __future__ import annotations

import os
import sys
from typing import Any

import click

from osip.cli.output import fail, format_option, show_rows
from osip.cli.store import db_option, specs_of, with_sql
from osip.core.sip.digest import digest_ha1
from osip.core.store.sql import Sql
from osip.core.store.tables import create_tables

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
    add_user(db_url, address, ask_password(from_stdin), plain)


@user.command()
@db_option
@stdin_option
@plain_option
@click.argument("address", type=ADDRESS)
def passwd(db_url: str, from_stdin: bool, plain: bool, address: tuple[str, str]) -> None:
    """Give a user another password; asks for it."""
    change_password(db_url, address, ask_password(from_stdin), plain)


@user.command()
@db_option
@click.argument("address", type=ADDRESS)
def rm(db_url: str, address: tuple[str, str]) -> None:
    """Remove a user."""
    _touch(db_url, address, f"delete from {TABLE} where username = :username and domain = :domain", {}, "removed")


@user.command("list")
@db_option
@format_option
@click.argument("domain", required=False)
def list_users(db_url: str, output: str, domain: str | None) -> None:
    """List the users, of one DOMAIN or of all; passwords and hashes are not shown."""
    def columns(row: Any) -> str:
        return ",".join(name for column, name in COLUMNS.items() if row[column])

    async def work(sql: Sql) -> Any:
        await _open(sql, db_url)
        where, values = (" where domain = :domain", {"domain": domain}) if domain else ("", {})
        return await sql.fetch(f"select username, domain, password, {', '.join(COLUMNS)} from {TABLE}{where} "
                               "order by domain, username", values)
    rows = with_sql(db_url, work)
    show_rows(("user", "domain", "hashes", "plain"), [
        (row["username"], row["domain"], columns(row), "yes" if row["password"] else "no") for row in rows], output)


def add_user(db_url: str, address: tuple[str, str], password: str, plain: bool) -> None:
    """Write a new user; ends the program when there is one of that name."""
    values = secrets(address, password, plain)
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)

    async def work(sql: Sql) -> bool:
        await _open(sql, db_url)
        if await sql.fetch(f"select username from {TABLE} where username = :username and domain = :domain",
                           {"username": address[0], "domain": address[1]}):
            return False
        await sql.execute(f"insert into {TABLE} ({names}) values ({marks})", values)
        return True
    if not with_sql(db_url, work):
        fail(f"{'@'.join(address)} is there already; osip user passwd changes the password")
    click.echo(f"{'@'.join(address)}: added")


def change_password(db_url: str, address: tuple[str, str], password: str, plain: bool) -> None:
    """Write another password; ends the program when there is no such user."""
    values = secrets(address, password, plain)
    sets = ", ".join(f"{name} = :{name}" for name in values if name not in ("username", "domain"))
    _touch(db_url, address, f"update {TABLE} set {sets} where username = :username and domain = :domain", values,
           "password changed")


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


def _touch(db_url: str, address: tuple[str, str], statement: str, values: dict[str, str], done: str) -> None:
    async def work(sql: Sql) -> int:
        await _open(sql, db_url)
        return await sql.execute(statement, {**values, "username": address[0], "domain": address[1]})
    if not with_sql(db_url, work):
        fail(f"there is no user {'@'.join(address)}; osip user list names all")
    click.echo(f"{'@'.join(address)}: {done}")


async def _open(sql: Sql, db_url: str) -> None:
    """Make the table in the embedded database; another one has it from `osip db create`."""
    if not db_url:
        await create_tables(sql, [spec for _, spec in specs_of(("auth_db",)) if spec.name == TABLE])


def aliases() -> list[click.Command]:
    """Return the verbs as opensipsctl has them: `add USER [PASSWORD]`, `passwd USER [PASSWORD]`, `rm USER`."""
    def verb(name: str, act: Any, text: str) -> click.Command:
        @click.command(name, help=text)
        @db_option
        @stdin_option
        @plain_option
        @click.argument("address", type=ADDRESS)
        @click.argument("password", required=False)
        def command(db_url: str, from_stdin: bool, plain: bool, address: tuple[str, str],
                    password: str | None) -> None:
            act(db_url, address, password or ask_password(from_stdin), plain)
        return command
    return [verb("add", add_user, "Add a user; without PASSWORD it is asked for."),
            verb("passwd", change_password, "Change a password; without PASSWORD it is asked for."), rm]
