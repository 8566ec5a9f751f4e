"""Turn samples into medians, and those into a table or JSON."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from statistics import median
from typing import Any

from bench.workload import Sample, Workload

Row = dict[str, Any]

COLUMNS = (
    # heading, key, format
    ("workload", "workload", "{}"),
    ("server", "server", "{}"),
    ("us/op", "us_operation", "{:.1f}"),
    ("us/msg in", "us_received", "{:.2f}"),
    ("us/msg", "us_message", "{:.2f}"),
    ("sys", "system_share", "{:.0%}"),
    ("op/s", "operations", "{:,.0f}"),
    ("msg/s", "messages", "{:,.0f}"),
    ("p50 us", "p50_us", "{:.0f}"),
    ("p95 us", "p95_us", "{:.0f}"),
    ("p99 us", "p99_us", "{:.0f}"),
    ("lost", "lost", "{}"),
    ("rep", "repeated", "{}"),
    ("RSS MB", "resident", "{:.0f}"),
    ("start s", "start_seconds", "{:.2f}"),
    ("gen idle", "idle", "{:.0%}"),
    ("ratio", "ratio", "{:.2f}"),
)

LEGEND = """\
CPU is user + system of the server's process tree.  us/op: for one operation (a call has 13 messages, options and
register 2, forward and register-auth 4, dispatcher 16); us/msg in: by message received; us/msg: by message received or sent; sys: the kernel's share.
p50..p99: time to the final response with the window full.  lost: no answer in 2 s; rep: repeated by the server; both
sums over all rounds, the rest medians.  RSS with shared pages counted once.  gen idle: polls of the generator that
found nothing (near 0 %: the generator, not the server, is the limit).  ratio: us/op over the peer's in the same run.
steady: a second load on the same server, six seconds after the first.\
"""


def summarise(work: Workload, server: str, steady: bool, samples: Iterable[Sample]) -> Row:
    """Make one row of several rounds."""
    rounds = list(samples)
    flat = [{**asdict(sample), **asdict(sample.answer)} for sample in rounds]
    row: Row = {"workload": work.name + (" steady" if steady else ""), "server": server, "rounds": len(rounds),
                "messages_per_operation": work.messages_in + work.messages_out}
    for key in ("us_operation", "us_received", "us_message", "system_share", "operations", "messages", "p50_us",
                "p95_us", "p99_us", "start_seconds", "idle"):
        row[key] = median(one[key] for one in flat)
    row["resident"] = median(one["resident"] for one in flat) / 1e6
    row["lost"] = sum(one["lost"] for one in flat)
    row["repeated"] = sum(one["repeated"] for one in flat)
    row["us_operation_rounds"] = [round(one["us_operation"], 2) for one in flat]
    return row


def add_ratios(rows: list[Row], peer: str) -> None:
    """Set each row's CPU an operation against the peer's row of the same workload."""
    base = {row["workload"]: row["us_operation"] for row in rows if row["server"] == peer}
    for row in rows:
        if row["server"] != peer and base.get(row["workload"]):
            row["ratio"] = row["us_operation"] / base[row["workload"]]


def machine() -> Mapping[str, str]:
    """Name what the figures were taken on."""
    model = "unknown CPU"
    with open("/proc/cpuinfo") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"cpu": model, "system": f"{platform.system()} {platform.release()}",
            "python": f"{platform.python_implementation()} {platform.python_version()}"}


def as_table(rows: list[Row]) -> str:
    """Draw the rows as a Markdown table that also reads well as it is."""
    columns = [c for c in COLUMNS if any(c[1] in row for row in rows)]
    cells = [[heading for heading, _, _ in columns]]
    cells += [[form.format(row[key]) if key in row else "" for _, key, form in columns] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    rule = ["-" * width if i < 2 else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
    lines = []
    for line in [cells[0], rule, *cells[1:]]:
        padded = [text.ljust(w) if i < 2 else text.rjust(w) for i, (text, w) in enumerate(zip(line, widths))]
        lines.append("| " + " | ".join(padded) + " |")
    return "\n".join(lines)
