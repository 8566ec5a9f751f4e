"""`osip start`, and the short form with the flags of an OpenSIPS operator."""
from __future__ import annotations

import os
import sys
from typing import Any

import click

from osip.cli.check import run_check, show
from osip.cli.output import FAILED, LINT_ERRORS, fail
from osip.core.accel import MEMORY
from osip.core.errors import OsipError, ScriptError

DEFAULT_CFG = "/etc/osip/osip.cfg"


def pairs(words: tuple[str, ...], flag: str) -> dict[str, str]:
    """Split `name=value` words."""
    out = {}
    for word in words:
        name, found, value = word.partition("=")
        if not found or not name:
            raise click.UsageError(f"{flag} {word}: write name=value")
        out[name] = value
    return out


def serve(options: Any, announce: Any = None) -> None:
    """Start a server and run it to its end; complaints go to stderr, the exit code says what happened."""
    if MEMORY is not None:
        MEMORY.use_huge_pages()
    from osip.main import build          # imports the whole server: not needed by the other commands

    try:
        server = build(options)
        for found in server.result.diagnostics:
            if found.severity == "warning":
                show([found], server.result.script, err=True)

        def ready() -> None:
            for line in lines(server):
                click.echo(line)
            sys.stdout.flush()
            if announce is not None:
                announce()
        server.master(ready, is_daemon=announce is not None).run()
    except ScriptError as error:
        show(error.diagnostics, error.script, err=True)
        fail(str(error.reason), LINT_ERRORS)
    except OsipError as error:
        fail(str(error), FAILED)
    except PermissionError as error:
        fail(f"{error.filename or ''}: {error.strerror}", FAILED)


def lines(server: Any) -> list[str]:
    """Say what runs: sockets, modules, routes, where management answers."""
    env = server.worker.env
    out = [f"listening on {socket.text}" + (f" as {socket.sent_by}" if socket.adv_host != socket.host else "")
           for socket in env.sockets]
    loaded = len(server.worker.registry.loaded)
    out.append(f"{server.options.path}: {loaded} modules, {env.program.route_count()} routes")
    out += env.announcements
    if env.workers > 1:
        out.append(f"{env.workers} workers")
    out.append(f"ready, pid {os.getpid()}")
    return out


def daemonize() -> Any:
    """Fork into the background; the parent waits until the child says that it is ready and exits with its code."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        told = os.read(reader, 1)
        if told:
            raise SystemExit(0)
        _, status = os.waitpid(pid, 0)
        raise SystemExit(os.waitstatus_to_exitcode(status))
    os.close(reader)
    os.setsid()

    def announce() -> None:
        os.write(writer, b"1")
        os.close(writer)
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
    return announce


def path_or_default(path: str | None) -> str:
    """Return the script's path; without -f the usual place."""
    if path:
        return path
    if os.path.exists(DEFAULT_CFG):
        return DEFAULT_CFG
    raise click.UsageError(f"name the script with -f (there is no {DEFAULT_CFG})")


@click.command()
@click.option("-f", "--file", "path", help="The script.")
@click.option("-l", "--listen", multiple=True, metavar="PROTO:HOST:PORT", help="Listen here instead.")
@click.option("-E", "--stderr", is_flag=True, help="Log to standard error.")
@click.option("-D", "--debug", is_flag=True, help="Debug mode: log level 4 to standard error.")
@click.option("-o", "--argv", multiple=True, metavar="NAME=VALUE", help="Value of $argv(NAME).")
@click.option("-p", "--preprocessor", default="", metavar="COMMAND", help="Pipe the script through a command.")
@click.option("-P", "--pid-file", default="", help="Write the process id there.")
@click.option("-u", "--user", default="", help="Run as this user.")
@click.option("-g", "--group", default="", help="Run as this group.")
@click.option("-n", "--udp-workers", type=click.IntRange(1, 64), help="Worker processes (as udp_workers).")
@click.option("-N", "--tcp-workers", type=click.IntRange(1, 64),
              help="Worker processes for stream sockets (as tcp_workers).")
@click.option("--log-level", type=click.IntRange(-3, 4), help="-3 alert to 4 debug.")
@click.option("--log-format", type=click.Choice(["text", "json"]),
              help="Form of log lines, whatever the script says.")
@click.option("--define", multiple=True, metavar="NAME=VALUE", help="Replace NAME in the script (an extension).")
@click.option("--grace", type=click.FloatRange(0, 3600), default=10.0, show_default=True,
              help="Seconds to finish what is in flight after SIGTERM.")
def start(path: str | None, argv: tuple[str, ...], define: tuple[str, ...], listen: tuple[str, ...],
          **rest: Any) -> None:
    """Run a script in the foreground. TERM drains, INT stops at once, HUP reloads the script."""
    from osip.main import Options

    serve(Options(path_or_default(path), listen, argv=pairs(argv, "-o"), defines=pairs(define, "--define"), **rest))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-f", "path", metavar="FILE", help="The script.")
@click.option("-c", "check_only", is_flag=True, help="Check the script and exit.")
@click.option("-C", "check_all", is_flag=True, help="Check the script with its routes and exit.")
@click.option("-l", "listen", multiple=True, metavar="PROTO:HOST:PORT", help="Listen here instead.")
@click.option("-n", "udp_workers", type=int, help="Worker processes (as udp_workers).")
@click.option("-N", "tcp_workers", type=int, help="Worker processes for stream sockets (as tcp_workers).")
@click.option("-d", "louder", count=True, help="More log; repeat it.")
@click.option("-D", "debug", is_flag=True, help="Debug mode, in the foreground.")
@click.option("-E", "stderr", is_flag=True, help="Log to standard error.")
@click.option("-F", "foreground", is_flag=True, help="Stay in the foreground.")
@click.option("-p", "preprocessor", default="", metavar="COMMAND", help="Pipe the script through a command.")
@click.option("-o", "argv", multiple=True, metavar="NAME=VALUE", help="Value of $argv(NAME).")
@click.option("-P", "pid_file", default="", metavar="FILE", help="Write the process id there.")
@click.option("-u", "user", default="", help="Run as this user.")
@click.option("-g", "group", default="", help="Run as this group.")
@click.option("-w", "folder", default="", help="Working folder.")
@click.option("-m", "_m", hidden=True)
@click.option("-M", "_M", hidden=True)
@click.option("-b", "_b", hidden=True)
@click.option("-t", "_t", hidden=True)
@click.option("-r", "_r", is_flag=True, hidden=True)
@click.option("-R", "_R", is_flag=True, hidden=True)
@click.option("-v", "_v", is_flag=True, hidden=True)
@click.option("-V", "show_version", is_flag=True, help="Print the version and exit.")
def start_short(path: str | None, check_only: bool, check_all: bool, louder: int, foreground: bool, folder: str,
                argv: tuple[str, ...], show_version: bool, debug: bool, listen: tuple[str, ...], **rest: Any) -> None:
    """Start the server as OpenSIPS is started: in the background unless -F or -D."""
    from osip.main import Options

    if show_version:
        from osip.cli.main import version_text
        click.echo(version_text())
        return
    path = path_or_default(path)
    if check_only or check_all:
        raise SystemExit(run_check(path, "text", rest["preprocessor"]))
    kept = {name: rest[name] for name in ("stderr", "preprocessor", "pid_file", "user", "group",
                                               "udp_workers", "tcp_workers")}
    options = Options(os.path.abspath(path), listen, argv=pairs(argv, "-o"), debug=debug,
                      log_level=min(4, 2 + louder) if louder else None, **kept)
    if folder:
        os.chdir(folder)
    serve(options, None if foreground or debug else daemonize())
