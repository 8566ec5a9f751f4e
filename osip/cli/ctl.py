"""`osipctl`: run a server in the background and look after it, with the verbs of opensipsctl."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from osip.cli.mi import result_of, run, url_option
from osip.cli.output import fail, format_option, show_rows, show_value
from osip.cli.user import aliases

STOP_SECONDS = 20.0

pid_option = click.option("-P", "--pid-file", default=lambda: os.environ.get("OSIP_PID_FILE", "osip.pid"),
                          show_default="osip.pid", help="File of the process id (also OSIP_PID_FILE).")
file_option = click.option("-f", "--file", "path", required=True, help="The script.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@url_option
@format_option
@click.pass_context
def osipctl(ctx: click.Context, url: str, output: str) -> None:
    """Start, stop and manage a running osip."""
    ctx.obj = (url, output)


def pid_of(pid_file: str) -> int:
    """Return the process id of a running server; 0 when none runs."""
    try:
        pid = int(Path(pid_file).read_text())
        if pid <= 0:                    # to the system these are groups of processes, -1 every process
            return 0
        os.kill(pid, 0)
    except (OSError, ValueError, OverflowError):
        return 0
    return pid


@osipctl.command()
@file_option
@pid_option
def start(path: str, pid_file: str) -> None:
    """Start the server in the background; returns when it is ready."""
    pid = pid_of(pid_file)
    if pid:
        fail(f"a server runs already, pid {pid} ({pid_file})")
    code = subprocess.call([sys.executable, "-m", "osip", "-f", path, "-P", os.path.abspath(pid_file)])
    raise SystemExit(code)


@osipctl.command()
@pid_option
def stop(pid_file: str) -> None:
    """Stop the server; it finishes what is in flight."""
    pid = pid_of(pid_file)
    if not pid:
        fail(f"no server runs ({pid_file})")
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + STOP_SECONDS
    while pid_of(pid_file) == pid and time.monotonic() < until:
        time.sleep(0.05)
    if pid_of(pid_file) == pid:
        fail(f"pid {pid} is still running after {STOP_SECONDS:g} seconds; kill -INT {pid} stops it at once")
    click.echo(f"stopped, pid {pid}")


@osipctl.command()
@file_option
@pid_option
@click.pass_context
def restart(ctx: click.Context, path: str, pid_file: str) -> None:
    """Stop the server when it runs, and start it."""
    if pid_of(pid_file):
        ctx.invoke(stop, pid_file=pid_file)
    ctx.invoke(start, path=path, pid_file=pid_file)


@osipctl.command()
@click.pass_obj
def ps(obj: tuple[str, str]) -> None:
    """List the processes of the server."""
    rows = result_of("ps", (), obj[0])["Processes"]
    show_rows(("id", "pid", "type", "load", "messages"),
              [(r["ID"], r["PID"], r["Type"], r.get("Load", ""), r.get("Messages", "")) for r in rows], obj[1])


@osipctl.command()
@click.pass_obj
def uptime(obj: tuple[str, str]) -> None:
    """Show since when the server runs."""
    run("uptime", (), *obj)


@osipctl.command("reload")
@click.option("--dry-run", is_flag=True, help="Only check.")
@click.pass_obj
def reload_(obj: tuple[str, str], dry_run: bool) -> None:
    """Read the script again; with errors the old one stays."""
    run("reload_routes", ("1",) if dry_run else (), *obj)


@osipctl.command("get_statistics")
@click.argument("names", nargs=-1)
@click.pass_obj
def get_statistics(obj: tuple[str, str], names: tuple[str, ...]) -> None:
    """Show statistics: names, `group:` or `all`."""
    found = result_of("get_statistics", names or ("all",), obj[0])
    show_rows(("statistic", "value"), sorted(found.items()), obj[1])


@osipctl.group()
def ul() -> None:
    """Registered users."""


@ul.command("show")
@click.argument("user", required=False)
@click.option("--table", default="location", show_default=True)
@click.pass_obj
def ul_show(obj: tuple[str, str], user: str | None, table: str) -> None:
    """Show the contacts of all users or of one."""
    if user:
        show_value(result_of("ul_show_contact", (table, user), obj[0]), obj[1])
        return
    domains = result_of("ul_dump", (), obj[0])["Domains"]
    rows: list[tuple[Any, ...]] = []
    for domain in domains:
        for aor in domain["AORs"]:
            rows += [(aor["AOR"], c["Contact"], c["Expires"], c.get("Q", ""), c.get("User-agent", ""))
                     for c in aor.get("Contacts", [])]
    show_rows(("aor", "contact", "expires", "q", "user agent"), rows, obj[1])


@ul.command("rm")
@click.argument("user")
@click.argument("contact", required=False)
@click.option("--table", default="location", show_default=True)
@click.pass_obj
def ul_rm(obj: tuple[str, str], user: str, contact: str | None, table: str) -> None:
    """Remove a user's contacts, or one of them."""
    if contact:
        run("ul_rm_contact", (table, user, contact), *obj)
    else:
        run("ul_rm", (table, user), *obj)


@osipctl.group()
def dispatcher() -> None:
    """Destinations of the dispatcher."""


@dispatcher.command("show")
@click.pass_obj
def dispatcher_show(obj: tuple[str, str]) -> None:
    """Show the sets and the state of their destinations."""
    rows = [(p["name"], s["id"], d["URI"], d["state"], d.get("weight", ""), d.get("priority", ""), d.get("attr", ""))
            for p in result_of("ds_list", (), obj[0])["PARTITIONS"] for s in p["SETS"] for d in s["Destinations"]]
    show_rows(("partition", "set", "destination", "state", "weight", "priority", "attributes"), rows, obj[1])


@dispatcher.command("reload")
@click.pass_obj
def dispatcher_reload(obj: tuple[str, str]) -> None:
    """Read the destinations again."""
    run("ds_reload", (), *obj)


def _any_command(name: str) -> click.Command:
    @click.command(name, context_settings={"ignore_unknown_options": True},
                   help="Run any management command: COMMAND [ARGS].")
    @click.argument("command")
    @click.argument("args", nargs=-1)
    @click.pass_obj
    def command_(obj: tuple[str, str], command: str, args: tuple[str, ...]) -> None:
        run(command, args, *obj)
    return command_


for _verb in aliases():
    osipctl.add_command(_verb)
for _name in ("mi", "fifo"):
    osipctl.add_command(_any_command(_name))


def main() -> None:
    """Run the command line."""
    osipctl(prog_name="osipctl")
