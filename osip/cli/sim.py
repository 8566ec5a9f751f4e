"""`osip sim`: show what a script does with messages, without a network."""
from __future__ import annotations

from typing import Any

import click

from osip.cli.check import show
from osip.cli.output import FAILED, LINT_ERRORS, fail, show_json, show_rows
from osip.cli.start import pairs
from osip.core.errors import OsipError, ScriptError


@click.command()
@click.argument("cfg")
@click.argument("messages", nargs=-1, metavar="MESSAGE...")
@click.option("--pcap", metavar="FILE", type=click.Path(dir_okay=False),
              help="Take the messages from a capture (pcap, pcapng), with their senders and times.")
@click.option("--index", type=click.IntRange(1), metavar="N", help="Of the capture only message N.")
@click.option("--call-id", default="", metavar="ID", help="Of the capture only the messages of one call.")
@click.option("--server", default="", metavar="HOST[:PORT]",
              help="Which of the captured ends the script stands for; else where the first message went.")
@click.option("--list", "listed", is_flag=True, help="Only list what the capture holds.")
@click.option("--answer", "answers", multiple=True, metavar="ANSWER",
              help='What the peers answer, in order: CODE, "CODE REASON", HOST=CODE; wait=SECONDS lets time pass.')
@click.option("--from", "source", default="10.0.0.1", show_default=True, metavar="[PROTO:]HOST[:PORT]",
              help="Where requests come from.")
@click.option("--on", "socket", default="", metavar="PROTO:HOST:PORT", help="Which socket of the script they come to.")
@click.option("--set", "fixtures", multiple=True, metavar="KIND=...",
              help="location=AOR=CONTACT, dns=NAME=ADDRESS, cache=ID=KEY=VALUE, http=REGEX=BODY, var=NAME=VALUE, "
                   "row=TABLE=NAME=VALUE,NAME=VALUE, row=TABLE=@FILE.csv, down=HOST[:PORT].")
@click.option("--now", metavar="TIME", help="Wall-clock time at the start, as 2026-01-31T08:00:00 (UTC).")
@click.option("--advance", type=click.FloatRange(0, 86400), default=0.0, metavar="SECONDS",
              help="Let time pass after the last message.")
@click.option("--log-level", type=click.IntRange(-3, 4), help="-3 alert to 4 debug, for the server and for xlog.")
@click.option("--define", multiple=True, metavar="NAME=VALUE", help="Replace NAME in the script.")
@click.option("-p", "--preprocessor", default="", metavar="COMMAND", help="Pipe the script through a command.")
@click.option("--argv", multiple=True, metavar="NAME=VALUE", help="Value of $argv(NAME), as -o of osip start.")
@click.option("-o", "--output", type=click.Choice(("text", "json")), default="text", show_default=True,
              help="Form of the answer.")
@click.option("--short", is_flag=True, help="Only the first line of messages that leave.")
@click.option("--diff", "other", metavar="OTHER", help="Show what another script does differently; exits 1 then.")
def sim(cfg: str, messages: tuple[str, ...], **given: Any) -> None:
    """Run messages through a script on a virtual network: each statement, what it changes, what would leave.

    A MESSAGE is a file, - is standard input; it may hold several messages, each behind an empty line. An answer
    (SIP/2.0 ...) among them is fitted to the request that the script relayed before it.
    """
    from osip.testing import sim as engine

    if not messages and not given["pcap"]:
        raise click.UsageError("give a MESSAGE, - for standard input, or --pcap FILE")
    if (given["listed"] or given["index"] or given["call_id"] or given["server"]) and not given["pcap"]:
        raise click.UsageError("--list, --index, --call-id and --server need --pcap")
    try:
        if given["listed"]:
            _list(given["pcap"], given["output"])
            return
        runs = _run(cfg, messages, given)
    except ScriptError as error:
        show(error.diagnostics, None, err=True)
        fail(str(error.reason), LINT_ERRORS)
    except OsipError as error:
        fail(str(error), FAILED)
    if given["other"]:
        found = engine.difference(runs[0], runs[1])
        if given["output"] == "json":
            show_json({"same": not found, "diff": found, "runs": [engine.as_json(run) for run in runs]})
        else:
            click.echo("\n".join(found) if found else "no difference")
        raise SystemExit(FAILED if found else 0)
    if given["output"] == "json":
        show_json(engine.as_json(runs[0]))
    else:
        click.echo(engine.as_text(runs[0], not given["short"]))


def _run(cfg: str, messages: tuple[str, ...], given: dict[str, Any]) -> list[Any]:
    """Run the messages through the script, and through the other one when there is one."""
    import random

    from osip.testing import feed
    from osip.testing import sim as engine

    inputs, own, at = feed.inputs_of(messages), "", 0.0
    if given["pcap"]:
        captured, own, at = feed.of_capture(given["pcap"], given["index"] or 0, given["call_id"], given["server"])
        inputs += captured
    options = {"now": given["now"] or at or None, "log_level": given["log_level"],
               "defines": pairs(given["define"], "--define"), "argv": pairs(given["argv"], "--argv"),
               "preprocessor": given["preprocessor"]}
    setup = engine.Setup(given["source"], given["socket"], given["fixtures"], given["advance"], given["answers"], own,
                         options)
    runs = []
    for path in (cfg, given["other"]) if given["other"] else (cfg,):
        random.seed(1)              # what a module leaves to chance must not look like a difference
        runs.append(engine.simulate(path, inputs, setup))
    return runs


def _list(path: str, form: str) -> None:
    """Show what a capture holds."""
    from osip.testing.feed import listing

    show_rows(("number", "seconds", "call_id", "message"), listing(path), "json" if form == "json" else "table")
