"""`osip sim`: show what a script does with messages, without a network."""
from __future__ import annotations

import click

from osip.cli.check import show
from osip.cli.output import FAILED, LINT_ERRORS, fail, show_json
from osip.cli.start import pairs
from osip.core.errors import OsipError, ScriptError


@click.command()
@click.argument("cfg")
@click.argument("messages", nargs=-1, required=True, metavar="MESSAGE...")
@click.option("--from", "source", default="10.0.0.1", show_default=True, metavar="[PROTO:]HOST[:PORT]",
              help="Where requests come from.")
@click.option("--on", "socket", default="", metavar="PROTO:HOST:PORT", help="Which socket of the script they come to.")
@click.option("--set", "fixtures", multiple=True, metavar="KIND=...",
              help="location=AOR=CONTACT, dns=NAME=ADDRESS, cache=ID=KEY=VALUE, var=NAME=VALUE, down=HOST[:PORT].")
@click.option("--now", metavar="TIME", help="Wall-clock time at the start, as 2026-01-31T08:00:00 (UTC).")
@click.option("--advance", type=click.FloatRange(0, 86400), default=0.0, metavar="SECONDS",
              help="Let time pass after the last message.")
@click.option("--log-level", type=click.IntRange(-3, 4), help="-3 alert to 4 debug, for the server and for xlog.")
@click.option("--define", multiple=True, metavar="NAME=VALUE", help="Replace NAME in the script.")
@click.option("-o", "--output", type=click.Choice(("text", "json")), default="text", show_default=True,
              help="Form of the answer.")
@click.option("--short", is_flag=True, help="Only the first line of messages that leave.")
@click.option("--diff", "other", metavar="OTHER", help="Show what another script does differently; exits 1 then.")
def sim(cfg: str, messages: tuple[str, ...], source: str, socket: str, fixtures: tuple[str, ...], now: str | None,
        advance: float, log_level: int | None, define: tuple[str, ...], output: str, short: bool,
        other: str | None) -> None:
    """Run message files through a script on a virtual network: each statement, what it changes, what would leave.

    A file that holds an answer (SIP/2.0 ...) is fitted to the request that the script relayed before it.
    """
    import random

    from osip.testing import sim as engine

    options = {"now": now, "log_level": log_level, "defines": pairs(define, "--define")}
    setup = engine.Setup(source, socket, fixtures, advance, options)
    runs = []
    try:
        for path in (cfg, other) if other else (cfg,):
            random.seed(1)              # what a module leaves to chance must not look like a difference
            runs.append(engine.simulate(path, messages, setup))
    except ScriptError as error:
        show(error.diagnostics, None, err=True)
        fail(str(error.reason), LINT_ERRORS)
    except OsipError as error:
        fail(str(error), FAILED)
    if other:
        found = engine.difference(runs[0], runs[1])
        if output == "json":
            show_json({"same": not found, "diff": found, "runs": [engine.as_json(run) for run in runs]})
        else:
            click.echo("\n".join(found) if found else "no difference")
        raise SystemExit(FAILED if found else 0)
    if output == "json":
        show_json(engine.as_json(runs[0]))
    else:
        click.echo(engine.as_text(runs[0], not short))
