"""`osipctl monitor`: what the server does now, on a screen that is drawn again, or once for machines."""
from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import click

from osip.cli.client import Unreachable
from osip.cli.ctl.site import Site, Verb
from osip.cli.output import MI_FAILED, clean, fail, show_rows
from osip.core.errors import MIError

SHOWN = ("core:rcv_requests", "core:rcv_replies", "core:fwd_requests", "core:fwd_replies", "core:drop_requests",
         "core:err_requests", "core:bad_msg_hdr", "sl:sent_replies", "sl:received_ACKs", "tm:inuse_transactions",
         "tm:UAS_transactions", "tm:2xx_transactions", "tm:4xx_transactions", "tm:5xx_transactions",
         "tm:6xx_transactions", "tm:timeout_finalresponse", "dialog:active_dialogs", "dialog:early_dialogs",
         "usrloc:registered_users", "registrar:accepted_regs", "registrar:rejected_regs")
"""The statistics of the screen, those that the server has."""
ASK_SECONDS = 5.0


@dataclass(slots=True)
class Sample:
    """What the server said at one time."""
    when: float
    server: str = ""
    uptime: int = 0
    processes: list[dict[str, Any]] = field(default_factory=list)
    statistics: dict[str, int] = field(default_factory=dict)
    gauges: frozenset[str] = frozenset()

    def rate(self, name: str, before: Sample | None) -> float | None:
        """Return how much a counter grew per second since another sample; None when nothing can be said."""
        if before is None or name in self.gauges or self.when <= before.when or self.uptime < before.uptime:
            return None
        grown = self.statistics[name] - before.statistics.get(name, self.statistics[name])
        return round(grown / (self.when - before.when), 1) if grown >= 0 else None

    def as_json(self, before: Sample | None) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        return {"server": self.server, "uptime": self.uptime, "processes": self.processes, "statistics": self.statistics,
                "per_second": {name: rate for name in self.statistics
                               if (rate := self.rate(name, before)) is not None}}


def take(site: Site, names: tuple[str, ...]) -> Sample:
    """Ask the server; MIError or Unreachable when it does not answer."""
    found = site.try_mi("get_statistics", {"statistics": ["all"]}, ASK_SECONDS)
    kinds = site.try_mi("list_statistics", [], ASK_SECONDS)
    wanted = [name for name in SHOWN if name in found]
    for name in names:
        wanted += [full for full in found if full not in wanted and (
            full == name or full.partition(":")[2] == name or (name.endswith(":") and full.startswith(name)))]
    return Sample(time.monotonic(), site.try_mi("version", [], ASK_SECONDS)["Server"],
                  int(str(site.try_mi("uptime", [], ASK_SECONDS)["Up time"]).split()[0]),
                  site.try_mi("ps", [], ASK_SECONDS)["Processes"], {name: found[name] for name in wanted},
                  frozenset(name for name in wanted if kinds.get(name) != "counter"))


def span(seconds: int) -> str:
    """Write a time span as people do."""
    days, rest = divmod(seconds, 86400)
    return (f"{days} d " if days else "") + f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"


PROCESS_TITLES = ("id", "pid", "type", "load", "messages")
TITLES = ("statistic", "value", "per second")


def process_rows(sample: Sample) -> list[tuple[Any, ...]]:
    """Return the processes as rows."""
    return [(p["ID"], p["PID"], p["Type"], f"{p['Load']} %" if "Load" in p else "", p.get("Messages", ""))
            for p in sample.processes]


def statistic_rows(sample: Sample, before: Sample | None) -> list[tuple[Any, ...]]:
    """Return the statistics as rows."""
    return [(name, value, "" if (rate := sample.rate(name, before)) is None else f"{rate:g}")
            for name, value in sample.statistics.items()]


def head(sample: Sample) -> str:
    """Return the first line."""
    return clean(f"{sample.server}, up {span(sample.uptime)}, {time.strftime('%H:%M:%S')}")


def screen(sample: Sample | None, before: Sample | None, trouble: str) -> Any:
    """Return what a terminal shows."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[Any] = [Text(clean(trouble), style="bold red")] if trouble else []
    if sample is not None:
        parts.append(Text(head(sample), style="bold"))
        for titles, rows in ((PROCESS_TITLES, process_rows(sample)), (TITLES, statistic_rows(sample, before))):
            table = Table(*titles, box=SIMPLE_HEAD, pad_edge=False)
            for number, column in enumerate(table.columns):
                column.justify = "left" if titles[number] in ("statistic", "type") else "right"
            for row in rows:
                table.add_row(*(Text(clean(str(cell))) for cell in row))
            parts.append(table)
    return Group(*parts, Text("Ctrl-C ends", style="dim"))


def samples(site: Site, seconds: float, count: int, names: tuple[str, ...]) -> Iterator[Sample | str]:
    """Ask again and again; give samples, and words when no answer comes."""
    number = 0
    while True:
        began = time.monotonic()
        try:
            yield take(site, names)
        except (Unreachable, MIError) as error:
            yield str(error) if isinstance(error, Unreachable) else f"{error.code} {error.message}"
        number += 1
        if number == count:
            return
        time.sleep(max(0.0, seconds - (time.monotonic() - began)))


def show_once(site: Site, names: tuple[str, ...]) -> None:
    """Print one sample; ends the program when no answer comes."""
    try:
        sample = take(site, names)
    except Unreachable as error:
        fail(str(error), error.code)
    except MIError as error:
        fail(f"{error.code} {error.message}", MI_FAILED)
    if site.output in ("json", "yaml"):
        site.show(sample.as_json(None))
    elif site.output == "csv":
        show_rows(("statistic", "value"), list(sample.statistics.items()), "csv")
    else:
        click.echo(head(sample))
        show_rows(PROCESS_TITLES, process_rows(sample))
        show_rows(("statistic", "value"), list(sample.statistics.items()))


def follow(site: Site, seconds: float, count: int, names: tuple[str, ...]) -> None:
    """Print one sample after the other: JSON lines, or blocks of text."""
    before = None
    for one in samples(site, seconds, count, names):
        if isinstance(one, str):
            click.echo(f"osip: {one}", err=True)
        elif site.output == "json":
            click.echo(json.dumps(one.as_json(before), ensure_ascii=False))
        else:
            click.echo(head(one))
            show_rows(TITLES, statistic_rows(one, before), "csv" if site.output == "csv" else "table")
        before = one if isinstance(one, Sample) else before
        sys.stdout.flush()


def draw(site: Site, seconds: float, count: int, names: tuple[str, ...]) -> None:
    """Draw the screen again and again; the last picture stays when it ends."""
    from rich.console import Console
    from rich.live import Live

    last: Sample | None = None
    before: Sample | None = None
    with Live(console=Console(), auto_refresh=False, vertical_overflow="crop") as live:
        for one in samples(site, seconds, count, names):
            if isinstance(one, Sample):
                before, last = last, one
            live.update(screen(last, before, one if isinstance(one, str) else ""), refresh=True)


@click.command(cls=Verb)
@click.argument("seconds", type=click.FloatRange(0.1), default=2.0)
@click.option("--once", is_flag=True, help="Print one sample and end, for machines.")
@click.option("-n", "--count", type=click.IntRange(1), default=None, help="End after so many samples.")
@click.option("--stat", "names", multiple=True, metavar="NAME", help="Show this statistic, or `group:`, too; may be repeated.")
@click.pass_obj
def monitor(site: Site, seconds: float, once: bool, count: int | None, names: tuple[str, ...]) -> None:
    """Show load, counters and rates, again every SECONDS; -o json gives one object a line."""
    try:
        if once:
            show_once(site, names)
        elif sys.stdout.isatty() and site.output == "table":
            draw(site, seconds, count or 0, names)
        else:
            follow(site, seconds, count or 0, names)
    except KeyboardInterrupt:
        return
