"""`osipctl start|stop|restart|status|ps|uptime|version`: the life of a server in the background."""
from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from osip.cli.client import Unreachable
from osip.cli.ctl.site import Site, Verb
from osip.cli.output import fail, patience
from osip.cli.start import path_or_default
from osip.core.errors import MIError

STOP_SECONDS = 20.0
NOT_RUNNING = 3         # as init scripts have it

pid_option = click.option("-P", "--pid-file", default=None, show_default="osip.pid",
                          help="File of the process id (also OSIP_PID_FILE, or PID_FILE in opensipsctlrc).")
file_option = click.option("-f", "--file", "path", default=None,
                           help="The script; without it opensips.cfg in ETCDIR of opensipsctlrc, or the usual one.")


def pid_path(site: Site, given: str | None) -> str:
    """Return the path of the pid file."""
    return given or os.environ.get("OSIP_PID_FILE", "") or site.rc.get("PID_FILE", "osip.pid")


def pid_of(pid_file: str) -> int:
    """Return the process id of a running server; 0 when none runs."""
    try:
        pid = int(Path(pid_file).read_text())
        if pid <= 0:                    # to the system these are groups of processes, -1 every process
            return 0
        os.kill(pid, 0)
    except PermissionError:             # it runs, and belongs to somebody else
        return pid if os.path.exists(f"/proc/{pid}") else 0
    except (OSError, ValueError, OverflowError):
        return 0
    return pid


def script_path(site: Site, given: str | None) -> str:
    """Return the script to start."""
    folder = site.rc.get("ETCDIR")
    if not given and folder:
        for name in ("osip.cfg", "opensips.cfg"):
            if os.path.exists(os.path.join(folder, name)):
                return os.path.join(folder, name)
    return path_or_default(given)


@click.command(cls=Verb)
@file_option
@pid_option
@click.pass_obj
def start(site: Site, path: str | None, pid_file: str | None) -> None:
    """Start the server in the background; returns when it is ready."""
    pid_file = pid_path(site, pid_file)
    pid = pid_of(pid_file)
    if pid:
        fail(f"a server runs already, pid {pid} ({pid_file})")
    try:
        more = shlex.split(site.rc.get("STARTOPTIONS"))
    except ValueError as error:
        fail(f"{site.rc.where()}: STARTOPTIONS: {error}")
    with patience("starting"):
        code = subprocess.call([sys.executable, "-m", "osip", "-f", script_path(site, path), "-P",
                                os.path.abspath(pid_file), *more])
    if code:
        raise SystemExit(code)


@click.command(cls=Verb)
@pid_option
@click.pass_obj
def stop(site: Site, pid_file: str | None) -> None:
    """Stop the server; it finishes what is in flight."""
    end(pid_path(site, pid_file))


def end(pid_file: str) -> None:
    """Stop the server of a pid file and wait until it has ended; ends the program when it does not."""
    pid = pid_of(pid_file)
    if not pid:
        fail(f"no server runs ({pid_file})")
    try:
        os.kill(pid, signal.SIGTERM)
    except PermissionError:
        fail(f"pid {pid} belongs to another user: stop it as that one, or as root")
    began = time.monotonic()
    with patience(f"waiting for pid {pid} to finish what is in flight", STOP_SECONDS) as behind:
        while pid_of(pid_file) == pid and time.monotonic() < began + STOP_SECONDS:
            behind(time.monotonic() - began)
            time.sleep(0.05)
    if pid_of(pid_file) == pid:
        fail(f"pid {pid} is still running after {STOP_SECONDS:g} seconds; kill -INT {pid} stops it at once")
    click.echo(f"stopped, pid {pid}")


@click.command(cls=Verb)
@file_option
@pid_option
@click.pass_context
def restart(ctx: click.Context, path: str | None, pid_file: str | None) -> None:
    """Stop the server when it runs, and start it."""
    site = ctx.find_object(Site)
    assert site is not None
    pid_file = pid_path(site, pid_file)
    if pid_of(pid_file):
        end(pid_file)
    ctx.invoke(start, path=path, pid_file=pid_file)


@click.command(cls=Verb)
@pid_option
@click.pass_obj
def status(site: Site, pid_file: str | None) -> None:
    """Say whether the server runs, and whether its management answers; ends with 3 when it does not run."""
    pid_file = pid_path(site, pid_file)
    pid = pid_of(pid_file)
    out: dict[str, Any] = {"Running": bool(pid), "PID": pid or None, "PID file": pid_file}
    try:
        out |= site.try_mi("uptime", timeout=5.0)
        out |= {"Server": site.try_mi("version", timeout=5.0)["Server"], "Management": "answers", "Running": True}
        out["Processes"] = len(site.try_mi("ps", timeout=5.0)["Processes"])
    except Unreachable as error:
        out["Management"] = str(error)
    except MIError as error:
        out["Management"] = f"{error.code} {error.message}"
    site.show({name: "" if value is None and site.output == "table" else value for name, value in out.items()})
    if not out["Running"]:
        raise SystemExit(NOT_RUNNING)


@click.command(cls=Verb)
@click.pass_obj
def ps(site: Site) -> None:
    """List the processes of the server."""
    rows = site.mi("ps")["Processes"]
    site.show_rows(("id", "pid", "type", "load", "messages"),
                   [(r["ID"], r["PID"], r["Type"], r.get("Load", ""), r.get("Messages", "")) for r in rows])


@click.command(cls=Verb)
@click.pass_obj
def uptime(site: Site) -> None:
    """Show since when the server runs."""
    site.show(site.mi("uptime"))


@click.command(cls=Verb)
@click.pass_obj
def version(site: Site) -> None:
    """Show the version of the running server."""
    site.show(site.mi("version"))
