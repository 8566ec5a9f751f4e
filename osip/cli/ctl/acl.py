"""`osipctl acl`: who is in which group (table grp of module group)."""
from __future__ import annotations

from datetime import datetime

import click

from osip.cli.ctl.site import Site, Verbs
from osip.cli.output import fail
from osip.cli.row import Place

ANY = "*"


def _place(site: Site) -> Place:
    return site.place("grp", "group", "ACL_TABLE", {"username": str, "domain": str, "grp": str,
                                                    "last_modified": datetime})


@click.group(cls=Verbs)
def acl() -> None:
    """Groups of users, as db_is_user_in asks for them."""


@acl.command()
@click.argument("user", required=False)
@click.pass_obj
def show(site: Site, user: str | None) -> None:
    """Show who is in which group: all, or one user."""
    where = dict(zip(("username", "domain"), site.user(user), strict=True)) if user else {}
    rows = site.base().rows(_place(site), where, ("domain", "username", "grp"))
    site.show_rows(("user", "domain", "group", "since"),
                   [(row["username"], row["domain"], row["grp"], str(row["last_modified"])) for row in rows])


@acl.command()
@click.argument("user")
@click.argument("groups", nargs=-1, required=True)
@click.pass_obj
def grant(site: Site, user: str, groups: tuple[str, ...]) -> None:
    """Put a user into groups. With VERIFY_ACL=1 in opensipsctlrc only those of ACL_GROUPS are taken."""
    name, domain = site.user(user)
    known = site.rc.get("ACL_GROUPS").split()
    for group in groups:
        if site.rc.is_on("VERIFY_ACL") and group not in known:
            fail(f"{group} is none of ACL_GROUPS in {site.rc.where()}: {' '.join(known) or 'it is empty'}")
        if len(group) > 64:
            raise click.UsageError("a group's name has at most 64 characters")
    base = site.base()
    for group in groups:
        added = base.add(_place(site), {"username": name, "domain": domain, "grp": group, "last_modified": datetime.now()},
                         ("username", "domain", "grp"))
        site.done(f"{name}@{domain}: {group} {'granted' if added else 'was granted already'}")


@acl.command()
@click.argument("user")
@click.argument("group", default=ANY)
@click.pass_obj
def revoke(site: Site, user: str, group: str) -> None:
    """Take a user out of a GROUP; without it, or with "*", out of all."""
    name, domain = site.user(user)
    where = {"username": name, "domain": domain} | ({} if group == ANY else {"grp": group})
    count = site.base().remove(_place(site), where)
    if not count:
        fail(f"{name}@{domain} is not in {'any group' if group == ANY else group}; osipctl acl show lists who is")
    site.done(f"{name}@{domain}: {'all groups' if group == ANY else group} revoked")
