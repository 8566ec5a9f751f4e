"""`osipctl dispatcher`: sets of destinations (module dispatcher)."""
from __future__ import annotations

from typing import Any

import click

from osip.cli.ctl.alias import checked_uri
from osip.cli.ctl.site import Site, Verbs
from osip.cli.output import fail
from osip.cli.row import Place

RELOAD = "the server keeps destinations in memory: osipctl dispatcher reload puts this into use"
COLUMNS = {"id": int, "setid": int, "destination": str, "socket": str, "state": int, "weight": str, "priority": int,
           "attrs": str, "description": str}
STATES = {0: "active", 1: "inactive", 2: "probing"}


def _place(site: Site) -> Place:
    return site.place("dispatcher", "dispatcher", "DISPATCHER_TABLE", COLUMNS)


@click.group(cls=Verbs)
def dispatcher() -> None:
    """Sets of destinations that calls are spread over."""


@dispatcher.command()
@click.argument("setid", type=int, required=False)
@click.pass_obj
def show(site: Site, setid: int | None) -> None:
    """Show the destinations in the database, all or of one set."""
    where: dict[str, Any] = {} if setid is None else {"setid": setid}
    rows = site.base().rows(_place(site), where, ("setid", "id"))
    site.show_rows(("id", "set", "destination", "socket", "state", "weight", "priority", "attributes", "description"), [
        (r["id"], r["setid"], r["destination"], r["socket"] or "", STATES.get(r["state"], r["state"]), r["weight"],
         r["priority"], r["attrs"] or "", r["description"] or "") for r in rows])


@dispatcher.command()
@click.pass_obj
def dump(site: Site) -> None:
    """Show the sets of the running server and the state of their destinations."""
    rows = [(p["name"], s["id"], d["URI"], d["state"], d.get("weight", ""), d.get("priority", ""), d.get("attr", ""))
            for p in site.mi("ds_list", {"full": "1"})["PARTITIONS"] for s in p["SETS"] for d in s["Destinations"]]
    site.show_rows(("partition", "set", "destination", "state", "weight", "priority", "attributes"), rows)


@dispatcher.command()
@click.argument("partition", required=False)
@click.pass_obj
def reload(site: Site, partition: str | None) -> None:
    """Have the server read the destinations again; states are kept."""
    site.mi("ds_reload", {"partition": partition} if partition else [])
    site.done("destinations read again")


@dispatcher.command("state")
@click.argument("group")
@click.argument("destination")
@click.argument("state", type=click.Choice(tuple(STATES.values())))
@click.pass_obj
def set_state(site: Site, group: str, destination: str, state: str) -> None:
    """Set the state of a destination in the running server: GROUP is a set, or partition:set."""
    site.mi("ds_set_state", {"state": state[0], "group": group, "address": destination})
    site.done(f"{destination}: {state}")


@dispatcher.command()
@click.argument("setid", type=int)
@click.argument("destination")
@click.argument("socket", default="")
@click.argument("state", type=click.IntRange(0, 2), default=0)
@click.argument("weight", type=click.IntRange(0), default=1)
@click.argument("attrs", default="")
@click.argument("description", default="")
@click.option("--priority", type=int, default=0, show_default=True)
@click.pass_obj
def addgw(site: Site, setid: int, destination: str, socket: str, state: int, weight: int, attrs: str,
          description: str, priority: int) -> None:
    """Add a destination to a set: SETID URI [SOCKET [STATE [WEIGHT [ATTRS [DESCRIPTION]]]]]; state 0 active, 1 inactive."""
    values = {"setid": setid, "destination": checked_uri(destination), "socket": socket or None, "state": state,
              "weight": str(weight), "priority": priority, "attrs": attrs or None, "description": description or None}
    if not site.base().add(_place(site), values, ("setid", "destination")):
        fail(f"set {setid} has {destination} already; osipctl dispatcher show {setid} lists it")
    site.done(f"{destination}: added to set {setid}", RELOAD)


@dispatcher.command()
@click.argument("ident", metavar="ID", type=int)
@click.pass_obj
def rmgw(site: Site, ident: int) -> None:
    """Remove a destination by its id."""
    if not site.base().remove(_place(site), {"id": ident}):
        fail(f"there is no destination with id {ident}; osipctl dispatcher show lists all")
    site.done(f"destination {ident}: removed", RELOAD)
