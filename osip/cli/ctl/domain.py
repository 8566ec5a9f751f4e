"""`osipctl domain`: the domains that the server is responsible for (module domain)."""
from __future__ import annotations

from datetime import datetime
from ipaddress import ip_address

import click

from osip.cli.ctl.site import Site, Verbs
from osip.cli.output import fail
from osip.cli.row import Place

RELOAD = "with db_mode 1 the server keeps its domains in memory: osipctl domain reload puts this into use"


def _place(site: Site) -> Place:
    return site.place("domain", "domain", "DOMAIN_TABLE", {"domain": str, "attrs": str, "accept_subdomain": int,
                                                           "last_modified": datetime})


def checked_domain(text: str) -> str:
    """Return a domain in lower case; UsageError when it cannot be one."""
    name = text.rstrip(".").lower()
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        labels = name.split(".")
        if len(name) > 64 or not all(label and label.replace("-", "a").replace("_", "a").isalnum() and label.isascii()
                                     for label in labels):
            raise click.UsageError(f"{text!r} is no domain: letters, digits, - and dots, at most 64") from None
    return name


@click.group(cls=Verbs)
def domain() -> None:
    """Domains that the server is responsible for."""


@domain.command()
@click.pass_obj
def show(site: Site) -> None:
    """Show the domains that the running server keeps in memory."""
    site.show_rows(("domain", "attributes"),
                   [(one["name"], one["attributes"]) for one in site.mi("domain_dump")["Domains"]])


@domain.command()
@click.pass_obj
def showdb(site: Site) -> None:
    """Show the domains in the database."""
    rows = site.base().rows(_place(site), order=("domain",))
    site.show_rows(("domain", "attributes", "subdomains", "changed"), [
        (r["domain"], r["attrs"] or "", "yes" if r["accept_subdomain"] else "no", str(r["last_modified"])) for r in rows])


@domain.command()
@click.argument("name")
@click.argument("attributes", default="")
@click.option("--subdomains", is_flag=True, help="Its subdomains are local, too.")
@click.pass_obj
def add(site: Site, name: str, attributes: str, subdomains: bool) -> None:
    """Add a domain."""
    name = checked_domain(name)
    values = {"domain": name, "attrs": attributes or None, "accept_subdomain": int(subdomains),
              "last_modified": datetime.now()}
    if not site.base().add(_place(site), values, ("domain",)):
        fail(f"{name} is there already")
    site.done(f"{name}: added", RELOAD)


@domain.command()
@click.argument("name")
@click.pass_obj
def rm(site: Site, name: str) -> None:
    """Remove a domain."""
    name = checked_domain(name)
    if not site.base().remove(_place(site), {"domain": name}):
        fail(f"there is no domain {name}; osipctl domain showdb lists all")
    site.done(f"{name}: removed", RELOAD)


@domain.command()
@click.pass_obj
def reload(site: Site) -> None:
    """Have the server read its domains again."""
    site.mi("domain_reload")
    site.done("domains read again")
