"""`osipctl mi|fifo|reload|get_statistics|log`: management commands by their names, and those that have a verb."""
from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from osip.cli.client import Unreachable, call
from osip.cli.ctl.site import Site, Verb, Verbs
from osip.cli.mi import params_of
from osip.core.errors import MIError

RELOAD_SECONDS = 60.0
LEVELS = {"alert": -3, "critical": -2, "error": -1, "warning": 1, "notice": 2, "info": 3, "debug": 4}
CONSUMERS = ("stderror", "syslog", "event")
COMPLETION_SECONDS = 1.0


def complete_command(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the commands of the running server; nothing when none answers quickly."""
    site = ctx.find_object(Site) or Site(url=ctx.find_root().params.get("url") or "")
    try:
        names = call("which", [], url=site.mi_url(), timeout=COMPLETION_SECONDS)
    except (Unreachable, MIError):
        return []
    # A shell splits words at colons: the old flat names can be completed everywhere.
    return [CompletionItem(name) for name in names if str(name).startswith(incomplete)]


def any_command(name: str) -> click.Command:
    """Return a verb that runs any management command."""
    @click.command(name, cls=Verb, context_settings={"ignore_unknown_options": True},
                   help="Run any management command: COMMAND [ARGS], positional or as name=value.")
    @click.argument("command", shell_complete=complete_command)
    @click.argument("args", nargs=-1)
    @click.option("--timeout", type=click.FloatRange(0.1), default=RELOAD_SECONDS, show_default=True, help="Seconds.")
    @click.pass_obj
    def command_(site: Site, command: str, args: tuple[str, ...], timeout: float) -> None:
        site.show(site.mi(command, params_of(args), timeout))
    return command_


@click.command(cls=Verb)
@click.option("--dry-run", is_flag=True, help="Only check.")
@click.pass_obj
def reload(site: Site, dry_run: bool) -> None:
    """Read the script again; with errors the old one stays."""
    result = site.mi("reload_routes", ["1"] if dry_run else [], RELOAD_SECONDS)
    if site.output != "table":
        site.show(result)
        return
    for warning in result.get("Warnings", []) if isinstance(result, dict) else []:
        click.echo(f"warning: {warning}", err=True)
    site.done("the script is good; nothing was changed" if dry_run else "script read again")


@click.command("get_statistics", cls=Verb)
@click.argument("names", nargs=-1)
@click.pass_obj
def get_statistics(site: Site, names: tuple[str, ...]) -> None:
    """Show statistics: names, `group:` or `all`."""
    found = site.mi("get_statistics", {"statistics": list(names) or ["all"]})
    site.show_rows(("statistic", "value"), sorted(found.items()))


# --- log ----------------------------------------------------------------------------------------------------------------

class _Level(click.ParamType):
    """A log level by number or name."""
    name = "LEVEL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        found = LEVELS.get(str(value).lower())
        if found is None and str(value).removeprefix("-").isdecimal() and int(value) in LEVELS.values():
            found = int(value)
        if found is None:
            self.fail(f"{value!r} is none of {', '.join(f'{n} {name}' for name, n in LEVELS.items())}", param, ctx)
        return found

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Offer the names."""
        return [CompletionItem(name) for name in LEVELS if name.startswith(incomplete)]


LEVEL = _Level()
_words = {"ignore_unknown_options": True}       # -1 is a level


@click.group(cls=Verbs)
def log() -> None:
    """Show and set what the running server logs."""


@log.command("level", context_settings=_words)
@click.argument("level", type=LEVEL, required=False)
@click.option("--pid", type=click.IntRange(1), help="Of this process only.")
@click.pass_obj
def log_level(site: Site, level: int | None, pid: int | None) -> None:
    """Show the log level of each process, or set it: -3 alert to 4 debug, by number or name."""
    if level is None:
        rows = site.mi("log_level")["Processes"]
        site.show_rows(("pid", "level", "type"), [(r["PID"], r["Log level"], r["Type"]) for r in rows
                                                  if pid in (None, r["PID"])])
        return
    site.show(site.mi("log_level", [level] if pid is None else [level, pid]))


@log.command("xlog", context_settings=_words)
@click.argument("level", type=LEVEL, required=False)
@click.pass_obj
def xlog_level(site: Site, level: int | None) -> None:
    """Show or set the level up to which xlog writes."""
    site.show(site.mi("xlog_level", [] if level is None else [level]))


@log.command("filter", context_settings=_words)
@click.argument("consumer", type=click.Choice(CONSUMERS))
@click.argument("level", type=LEVEL, required=False)
@click.pass_obj
def log_filter(site: Site, consumer: str, level: int | None) -> None:
    """Show or set the level of one consumer of log lines."""
    site.show(site.mi("log_level_filter", [consumer] if level is None else [consumer, level]))


@log.command("mute")
@click.argument("consumer", type=click.Choice(CONSUMERS))
@click.argument("state", type=click.Choice(("on", "off")), required=False)
@click.pass_obj
def log_mute(site: Site, consumer: str, state: str | None) -> None:
    """Show whether a consumer of log lines is muted, or mute it."""
    site.show(site.mi("log_mute_state", [consumer] if state is None else [consumer, int(state == "on")]))
