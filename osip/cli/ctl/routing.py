"""`osipctl dr`, `cr` and `registrant`: tables of drouting, carrierroute and uac_registrant.

Each table is described once, with the order of words that opensipsctl has; its verbs are made from that.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from osip.cli.ctl.account import warn_of_password
from osip.cli.ctl.site import Site, Verb, Verbs
from osip.cli.output import fail
from osip.cli.row import Base, Place
from osip.cli.user import ask_password

NEEDED = "needed"
"""Stands for a default: the word must be given."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A table of things that are added, shown and removed."""
    noun: str
    table: str
    module: str
    setting: str
    unique: tuple[str, ...]
    words: Mapping[str, tuple[type, Any]]
    """What an operator writes, in this order: type and default of each column."""
    more: Mapping[str, tuple[type, Any]]
    """What he may say with options."""
    ident: str = "id"
    is_counted_here: bool = False
    """The database does not count `ident` by itself."""

    def place(self, site: Site) -> Place:
        """Return the table."""
        columns = {self.ident: int} | {name: kind for name, (kind, _) in (*self.words.items(), *self.more.items())}
        return site.place(self.table, self.module, self.setting, columns)


GATEWAY = Kind("gateway", "dr_gateways", "drouting", "DR_GATEWAYS_TABLE", ("gwid",), {
    "gwid": (str, NEEDED), "type": (int, NEEDED), "address": (str, NEEDED), "strip": (int, 0), "pri_prefix": (str, None),
    "attrs": (str, None), "probe_mode": (int, 0), "description": (str, None)}, {"state": (int, 0), "socket": (str, None)})
CARRIER = Kind("carrier", "dr_carriers", "drouting", "DR_CARRIERS_TABLE", ("carrierid",), {
    "carrierid": (str, NEEDED), "gwlist": (str, NEEDED), "flags": (int, 0), "attrs": (str, None),
    "description": (str, None)}, {"sort_alg": (str, "N"), "state": (int, 0)})
GROUP = Kind("group", "dr_groups", "drouting", "DR_GROUPS_TABLE", ("username", "domain"), {
    "username": (str, NEEDED), "domain": (str, NEEDED), "groupid": (int, NEEDED), "description": (str, None)}, {})
RULE = Kind("rule", "dr_rules", "drouting", "DR_RULES_TABLE", ("ruleid",), {
    "groupid": (str, NEEDED), "prefix": (str, NEEDED), "timerec": (str, NEEDED), "priority": (int, NEEDED),
    "routeid": (str, NEEDED), "gwlist": (str, NEEDED), "attrs": (str, None), "description": (str, None)},
    {"sort_alg": (str, "N")}, "ruleid", True)
TREE = Kind("routing tree", "route_tree", "carrierroute", "ROUTE_TREE_TABLE", ("id",), {
    "id": (int, NEEDED), "carrier": (str, NEEDED)}, {})
ROUTE = Kind("carrier", "carrierroute", "carrierroute", "CARRIERROUTE_TABLE", ("carrier", "domain", "scan_prefix", "prob"), {
    "carrier": (int, NEEDED), "scan_prefix": (str, NEEDED), "domain": (str, NEEDED), "rewrite_host": (str, NEEDED),
    "prob": (float, 1.0), "strip": (int, 0), "rewrite_prefix": (str, ""), "rewrite_suffix": (str, ""), "flags": (int, 0),
    "mask": (int, 0), "description": (str, None)}, {})
REGISTRANT = Kind("registration", "registrant", "registrant", "REGISTRANT_TABLE", ("aor", "binding_URI", "registrar"), {
    "registrar": (str, NEEDED), "proxy": (str, NEEDED), "aor": (str, NEEDED), "third_party_registrant": (str, NEEDED),
    "username": (str, NEEDED), "password": (str, NEEDED), "binding_URI": (str, NEEDED), "binding_params": (str, None),
    "expiry": (int, None), "forced_socket": (str, None)}, {"cluster_shtag": (str, None), "state": (int, 0)})
SECRET = frozenset(("password",))
ASK = "-"
"""In the place of a password: ask for it."""
EMPTY = frozenset(("rewrite_prefix", "rewrite_suffix", "scan_prefix", "domain", "prefix", "registrar", "aor"))
"""Columns in which an empty word is that; in others it is NULL."""


def next_number(base: Base, kind: Kind, place: Place) -> int:
    """Return a key that is free."""
    keys = base.rows(Place(place.name, place.module, {kind.ident: int}), makes=True)
    return max((int(row[kind.ident]) for row in keys), default=0) + 1


def add_command(name: str, kind: Kind, reload: str) -> click.Command:
    """Return the verb that adds a row."""
    def work(site: Site, **given: Any) -> None:
        columns = {column.lower(): column for column in (*kind.words, *kind.more)}      # click knows lower case only
        from_stdin = given.pop("from_stdin", False)
        values = {columns[word]: None if value == "" and columns[word] not in EMPTY else value
                  for word, value in given.items()}
        for column in SECRET & values.keys():
            values[column] = ask_password(from_stdin) if values[column] == ASK else warn_of_password(values[column])
        base, place = site.base(), kind.place(site)
        if kind.is_counted_here:
            values[kind.ident] = next_number(base, kind, place)
        key = " ".join(str(values[column]) for column in kind.unique)
        if not base.add(place, values, kind.unique):
            fail(f"there is a {kind.noun} {key} already")
        site.done(f"{kind.noun} {key}: added", reload)
    params: list[click.Parameter] = [
        click.Argument([column.lower()], type=of, required=default is NEEDED, default=None if default is NEEDED else default)
        for column, (of, default) in kind.words.items()]
    params += [click.Option(["--" + column.replace("_", "-")], type=of, default=default, show_default=default is not None)
               for column, (of, default) in kind.more.items()]
    text = f"Add a {kind.noun}; an empty word ('') stands for nothing."
    if SECRET & kind.words.keys():
        params.append(click.Option(["--password-stdin", "from_stdin"], is_flag=True, help="Read the password from stdin."))
        text += " - in the place of the password asks for it."
    return Verb(name, callback=click.pass_obj(work), params=params, help=text)


def remove_command(name: str, kind: Kind, by: Mapping[str, type], reload: str) -> click.Command:
    """Return the verb that removes rows by these columns."""
    def work(site: Site, **values: Any) -> None:
        key = " ".join(map(str, values.values()))
        if not site.base().remove(kind.place(site), values):
            fail(f"there is no {kind.noun} {key}; show lists all")
        site.done(f"{kind.noun} {key}: removed", reload)
    params: list[click.Parameter] = [click.Argument([column], type=of) for column, of in by.items()]
    return Verb(name, callback=click.pass_obj(work), params=params, help=f"Remove a {kind.noun}, by its {' '.join(by)}.")


def clear_command(name: str, kind: Kind, reload: str) -> click.Command:
    """Return the verb that removes all rows."""
    @click.command(name, cls=Verb, help=f"Remove every {kind.noun}.")
    @click.confirmation_option(prompt=f"Remove every {kind.noun}?")
    @click.pass_obj
    def clear(site: Site) -> None:
        count = site.base().remove(kind.place(site), {})
        site.done(f"{count} removed", reload)
    return clear


def show_rows_of(site: Site, kind: Kind) -> None:
    """Print the rows of a table."""
    place = kind.place(site)
    rows = site.base().rows(place, order=(kind.ident,))
    site.show_rows([title.replace("_", " ") for title in place.columns], [
        ["***" if title in SECRET and row[title] else "" if row[title] is None else row[title] for title in place.columns]
        for row in rows])


# --- dr -----------------------------------------------------------------------------------------------------------------

DR_RELOAD = "the server keeps its routing in memory: osipctl dr reload puts this into use"
TABLES = {"gateways": GATEWAY, "carriers": CARRIER, "groups": GROUP, "rules": RULE}


@click.group(cls=Verbs)
def dr() -> None:
    """Gateways, carriers, groups and rules of drouting."""


@dr.command("show")
@click.argument("what", type=click.Choice(tuple(TABLES)), default="gateways")
@click.pass_obj
def dr_show(site: Site, what: str) -> None:
    """Show gateways, carriers, groups or rules in the database."""
    show_rows_of(site, TABLES[what])


@dr.command("reload")
@click.pass_obj
def dr_reload(site: Site) -> None:
    """Have the server read its routing again."""
    site.mi("dr_reload", timeout=60.0)
    site.done("routing read again")


def _status(name: str, command: str, key: str, noun: str) -> click.Command:
    @dr.command(name, help=f"Show the state of a {noun} (of all without an id) in the running server, or set it: 1 on, 0 off.")
    @click.argument("ident", metavar="ID", required=False)
    @click.argument("state", type=click.IntRange(0, 1), required=False)
    @click.pass_obj
    def status(site: Site, ident: str | None, state: int | None) -> None:
        params: dict[str, Any] = {} if ident is None else {key: ident}
        site.show(site.mi(command, params if state is None else params | {"status": state}))
    return status


gw_status = _status("gw_status", "dr_gw_status", "gw_id", "gateway")
carrier_status = _status("carrier_status", "dr_carrier_status", "carrier_id", "carrier")

for _verb in (add_command("addgw", GATEWAY, DR_RELOAD), remove_command("rmgw", GATEWAY, {"id": int}, DR_RELOAD),
              add_command("addcr", CARRIER, DR_RELOAD), remove_command("rmcr", CARRIER, {"id": int}, DR_RELOAD),
              add_command("addgrp", GROUP, DR_RELOAD), remove_command("rmgrp", GROUP, {"id": int}, DR_RELOAD),
              add_command("addrule", RULE, DR_RELOAD), remove_command("rmrule", RULE, {"ruleid": int}, DR_RELOAD),
              remove_command("rmgrule", RULE, {"ruleid": int}, DR_RELOAD)):
    dr.add_command(_verb)


# --- cr -----------------------------------------------------------------------------------------------------------------

CR_RELOAD = "the server keeps its routing in memory: osipctl cr reload puts this into use"


@click.group(cls=Verbs)
def cr() -> None:
    """Routing trees and carriers of carrierroute."""


@cr.command("show")
@click.argument("what", type=click.Choice(("carriers", "trees")), default="carriers")
@click.pass_obj
def cr_show(site: Site, what: str) -> None:
    """Show carriers or routing trees in the database."""
    show_rows_of(site, ROUTE if what == "carriers" else TREE)


@cr.command("dump")
@click.pass_obj
def cr_dump(site: Site) -> None:
    """Show the routing that the running server has in memory."""
    site.show(site.mi("cr_dump_routes"))


@cr.command("reload")
@click.pass_obj
def cr_reload(site: Site) -> None:
    """Have the server read its routing again."""
    site.mi("cr_reload_routes", timeout=60.0)
    site.done("routing read again")


for _verb in (add_command("addrt", TREE, CR_RELOAD), remove_command("rmrt", TREE, {"carrier": str}, CR_RELOAD),
              add_command("addcarrier", ROUTE, CR_RELOAD),
              remove_command("rmcarrier", ROUTE, {"carrier": int, "scan_prefix": str, "domain": str}, CR_RELOAD)):
    cr.add_command(_verb)


# --- registrant -----------------------------------------------------------------------------------------------------------

REG_RELOAD = "the server keeps its registrations in memory: osipctl registrant reload puts this into use"


@click.group(cls=Verbs)
def registrant() -> None:
    """Registrations of this server at others (uac_registrant)."""


@registrant.command("show")
@click.pass_obj
def reg_show(site: Site) -> None:
    """Show the registrations in the database; passwords are blanked out."""
    show_rows_of(site, REGISTRANT)


@registrant.command("dump")
@click.pass_obj
def reg_dump(site: Site) -> None:
    """Show the registrations of the running server and their state."""
    site.show(site.mi("reg_list"))


@registrant.command("reload")
@click.pass_obj
def reg_reload(site: Site) -> None:
    """Have the server read its registrations again."""
    site.mi("reg_reload")
    site.done("registrations read again")


for _verb in (add_command("add", REGISTRANT, REG_RELOAD), clear_command("rm", REGISTRANT, REG_RELOAD),
              remove_command("rmaor", REGISTRANT, {"id": int}, REG_RELOAD)):
    registrant.add_command(_verb)
