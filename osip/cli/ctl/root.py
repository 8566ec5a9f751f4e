"""`osipctl`: run a server in the background and look after it, with the verbs of opensipsctl."""
from __future__ import annotations

import os
import sys

import click

from osip import __version__
from osip.cli.ctl import account, life
from osip.cli.ctl.acl import acl
from osip.cli.ctl.address import address
from osip.cli.ctl.alias import alias, alias_db, speeddial
from osip.cli.ctl.avp import avp
from osip.cli.ctl.command import any_command, get_statistics, log, reload
from osip.cli.ctl.completion import completion
from osip.cli.ctl.dialplan import dialplan
from osip.cli.ctl.dispatcher import dispatcher
from osip.cli.ctl.domain import domain
from osip.cli.ctl.location import online, ul
from osip.cli.ctl.monitor import monitor
from osip.cli.ctl.probe import cisco_restart, ping
from osip.cli.ctl.routing import cr, dr, registrant
from osip.cli.ctl.site import Site, Verbs
from osip.cli.ctl.sql import db
from osip.cli.ctl.tls import tls
from osip.cli.ctl.trap import trap
from osip.cli.output import FORMATS

SPELLINGS = {"alias-db": "alias_db", "aliasdb": "alias_db", "speed_dial": "speeddial", "usrloc": "ul", "moni": "monitor", "console": "monitor",
             "fifo": "mi", "unixsock": "mi", "rpc": "mi", "statistics": "get_statistics", "dp": "dialplan"}
"""Other names of verbs; they are understood and not listed."""


class Root(Verbs):
    """The verbs, by all their names."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a verb."""
        return super().get_command(ctx, SPELLINGS.get(cmd_name, cmd_name))


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message=f"osipctl {__version__}")
@click.option("--url", default="", metavar="URL", help="Where management answers: http://host:port/mi, fifo:/path, unix:/path, "
              "udp:host:port or xmlrpc://host:port/RPC2 (also OSIP_MI, MI_CONNECTOR).")
@click.option("--db-url", default="", metavar="URL", help="Database, as in modparam db_url (also OSIP_DB_URL, DBENGINE).")
@click.option("--rc", "rc_path", default="", metavar="FILE", help="Read this instead of opensipsctlrc (also OSIPCTLRC).")
@click.option("-o", "--output", type=click.Choice(FORMATS), default="table", show_default=True, help="Form of the answer.")
@click.pass_context
def osipctl(ctx: click.Context, url: str, db_url: str, rc_path: str, output: str) -> None:
    """Start, stop and manage a running osip, its users and its tables."""
    ctx.obj = Site(url, db_url, output, rc_path)


for _verb in (account.add, account.passwd, account.rm, life.start, life.stop, life.restart, life.status, life.ps,
              life.uptime, life.version, acl, address, alias, alias_db, avp, cisco_restart, completion, db, dialplan,
              dispatcher, domain, get_statistics, log, monitor, online, ping, reload, speeddial, tls, trap, ul,
              any_command("mi"), cr, dr, registrant, account.rpid):
    osipctl.add_command(_verb)


def main() -> None:
    """Run the command line; Ctrl-C ends with 130."""
    try:
        osipctl(prog_name="osipctl", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except (click.Abort, KeyboardInterrupt):
        click.echo("osip: interrupted", err=True)
        raise SystemExit(130) from None
    except BrokenPipeError:             # who read us has enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
