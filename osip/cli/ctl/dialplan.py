"""`osipctl dialplan`: rules that rewrite numbers (module dialplan)."""
from __future__ import annotations

import re
from typing import Any

import click

from osip.cli.ctl.site import Site, Verbs
from osip.cli.output import fail
from osip.cli.row import Place

RELOAD = "the server keeps its rules in memory: osipctl dialplan reload puts this into use"
COLUMNS = {"id": int, "dpid": int, "pr": int, "match_op": int, "match_exp": str, "match_flags": int, "subst_exp": str,
           "repl_exp": str, "disabled": int, "attrs": str}
OPERATORS = {"equal": 0, "regex": 1, "0": 0, "1": 1}


def _place(site: Site) -> Place:
    return site.place("dialplan", "dialplan", "DIALPLAN_TABLE", COLUMNS)


@click.group(cls=Verbs)
def dialplan() -> None:
    """Rules that rewrite numbers, as dp_translate applies them."""


@dialplan.command()
@click.argument("dpid", type=int, required=False)
@click.pass_obj
def show(site: Site, dpid: int | None) -> None:
    """Show the rules in the database, of one plan or of all."""
    where: dict[str, Any] = {} if dpid is None else {"dpid": dpid}
    names = {number: name for name, number in OPERATORS.items() if not name.isdecimal()}
    rows = site.base().rows(_place(site), where, ("dpid", "pr", "id"))
    site.show_rows(("id", "plan", "priority", "match", "expression", "flags", "substitute", "replacement", "attributes",
                    "state"), [
        (r["id"], r["dpid"], r["pr"], names.get(r["match_op"], r["match_op"]), r["match_exp"], r["match_flags"],
         r["subst_exp"] or "", r["repl_exp"] or "", r["attrs"] or "", "disabled" if r["disabled"] else "on")
        for r in rows])


@dialplan.command()
@click.argument("partition", required=False)
@click.pass_obj
def reload(site: Site, partition: str | None) -> None:
    """Have the server read the rules again."""
    site.mi("dp_reload", {"partition": partition} if partition else [])
    site.done("rules read again")


@dialplan.command()
@click.argument("dpid", type=int)
@click.argument("priority", type=int)
@click.argument("match_op", type=click.Choice(tuple(OPERATORS)))
@click.argument("match_exp")
@click.argument("flags", type=click.IntRange(0, 1), default=0)
@click.argument("subst_exp", default="")
@click.argument("repl_exp", default="")
@click.argument("attrs", default="")
@click.pass_obj
def addrule(site: Site, dpid: int, priority: int, match_op: str, match_exp: str, flags: int, subst_exp: str,
            repl_exp: str, attrs: str) -> None:
    """Add a rule to a plan: what it matches (equal or regex; flag 1 ignores case), and what it makes of it."""
    for name, text in (("match_exp", match_exp if OPERATORS[match_op] else ""), ("subst_exp", subst_exp)):
        try:
            re.compile(text)
        except re.error as error:
            raise click.UsageError(f"{name} {text!r} is no regular expression: {error}") from None
    for name, text, size in (("match_exp", match_exp, 64), ("subst_exp", subst_exp, 64), ("repl_exp", repl_exp, 32)):
        if len(text) > size:
            raise click.UsageError(f"{name} has at most {size} characters")
    values = {"dpid": dpid, "pr": priority, "match_op": OPERATORS[match_op], "match_exp": match_exp,
              "match_flags": flags, "subst_exp": subst_exp or None, "repl_exp": repl_exp or None, "disabled": 0,
              "attrs": attrs or None}
    if not site.base().add(_place(site), values, ("dpid", "pr", "match_op", "match_exp")):
        fail(f"plan {dpid} has this rule already; osipctl dialplan show {dpid} lists it")
    site.done(f"plan {dpid}: rule added", RELOAD)


@dialplan.command()
@click.argument("dpid", type=int)
@click.argument("priority", type=int)
@click.pass_obj
def rmrule(site: Site, dpid: int, priority: int) -> None:
    """Remove the rules of a plan that have this priority."""
    _remove(site, {"dpid": dpid, "pr": priority}, f"plan {dpid} has no rule with priority {priority}")


@dialplan.command()
@click.argument("dpid", type=int)
@click.pass_obj
def rmdpid(site: Site, dpid: int) -> None:
    """Remove all rules of a plan."""
    _remove(site, {"dpid": dpid}, f"there is no plan {dpid}")


@dialplan.command()
@click.confirmation_option(prompt="Remove every rule of every plan?")
@click.pass_obj
def rm(site: Site) -> None:
    """Remove every rule of every plan."""
    _remove(site, {}, "there are no rules")


def _remove(site: Site, where: dict[str, Any], nothing: str) -> None:
    count = site.base().remove(_place(site), where)
    if not count:
        fail(f"{nothing}; osipctl dialplan show lists all")
    site.done(f"{count} rule{'s' if count > 1 else ''} removed", RELOAD)
