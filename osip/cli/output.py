"""Print for people on a terminal and for machines: tables, JSON, YAML or CSV to stdout, complaints to stderr."""
from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import click

FAILED, USAGE, UNREACHABLE, MI_FAILED, LINT_ERRORS, LINT_WARNINGS, TIMED_OUT = 1, 2, 3, 4, 5, 6, 124
FORMATS = ("table", "json", "yaml", "csv")
MOST_FRAMED = 2000
"""Tables with more rows are printed plain, even on a terminal: nobody should wait for their frame."""
PATIENCE = 1.0
"""Seconds after which something that is waited for says so."""

format_option = click.option("-o", "--output", type=click.Choice(FORMATS), default="table",
                             help="Form of the answer.", show_default=True)

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@+<>;=()-]*(?: [A-Za-z0-9_./@+<>;=()-]+)*")
_YAML_WORDS = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))


def colour() -> bool:
    """Say whether stdout wants colour."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Print a complaint to stderr and end with `code`."""
    click.echo(f"osip: {message}", err=True)
    raise SystemExit(code)


def show_json(value: Any) -> None:
    """Print JSON, indented."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def show_yaml(value: Any) -> None:
    """Print YAML."""
    click.echo("\n".join(yaml_lines(value)))


def show_rows(titles: Sequence[str], rows: Sequence[Sequence[Any]], form: str = "table") -> None:
    """Print rows as an aligned table, JSON or YAML objects, or CSV."""
    if form in ("json", "yaml"):
        (show_json if form == "json" else show_yaml)([dict(zip(titles, row, strict=True)) for row in rows])
    elif form == "csv":
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow(titles)
        writer.writerows(rows)
        click.echo(buffer.getvalue(), nl=False)
    elif sys.stdout.isatty() and len(rows) <= MOST_FRAMED:
        _show_framed(titles, rows)
    else:
        table = [[clean(str(cell)) for cell in row] for row in (titles, *rows)]
        widths = [max(len(row[i]) for row in table) for i in range(len(titles))]
        click.echo("\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
                             for row in table))


def _show_framed(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table for a person: as wide as the terminal, long cells folded."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for number, title in enumerate(titles):
        counts = bool(rows) and all(isinstance(row[number], (int, float)) for row in rows)
        table.add_column(Text(clean(str(title))), justify="right" if counts else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(str(cell))) for cell in row))
    Console(file=sys.stdout).print(table)


def show_value(value: Any, form: str = "table") -> None:
    """Print an MI result: JSON, YAML, CSV, a table where rows fit one, or indented `name: value` lines."""
    if form in ("json", "yaml"):
        (show_json if form == "json" else show_yaml)(value)
    elif isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        titles = list(dict.fromkeys(k for row in value for k in row))
        show_rows(titles, [[row.get(t, "") for t in titles] for row in value], form)
    elif form == "csv":
        table = isinstance(value, dict)
        rows = value.items() if table else value if isinstance(value, list) else [value]
        show_rows(("name", "value") if table else ("value",),
                  [[_cell(cell) for cell in (row if table else (row,))] for row in rows], form)
    else:
        text = lines(value)
        if text:
            click.echo("\n".join(text))


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, (dict, list)) else value


def clean(text: str) -> str:
    """Return text in one line that cannot move the cursor: what a peer sent may hold anything."""
    return text if text.isprintable() else "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def lines(value: Any, indent: str = "") -> list[str]:
    """Return a value as indented lines."""
    if isinstance(value, dict):
        out = []
        for key, item in value.items():
            if isinstance(item, (dict, list)) and item:
                out += [f"{indent}{clean(str(key))}:", *lines(item, indent + "  ")]
            else:
                out.append(f"{indent}{clean(str(key))}: {clean(str(item)) if item not in ({}, []) else '-'}")
        return out
    if isinstance(value, list):
        out = []
        for item in value:
            block = lines(item, indent + "  " if isinstance(item, (dict, list)) else indent)
            if isinstance(item, dict) and block:
                block[0] = f"{indent}- {block[0].strip()}"
            out += block
        return out
    text = str(value)
    return [indent + clean(line) for line in text.splitlines()] if "\n" in text else [indent + clean(text)]


def yaml_lines(value: Any, indent: str = "") -> list[str]:
    """Return JSON-ready data as lines of YAML (block style; text that could be read as something else is quoted)."""
    if isinstance(value, dict) and value:
        out = []
        for key, item in value.items():
            if isinstance(item, (dict, list)) and item:
                deeper = indent if isinstance(item, list) else indent + "  "
                out += [f"{indent}{_scalar(str(key))}:", *yaml_lines(item, deeper)]
            else:
                out.append(f"{indent}{_scalar(str(key))}: {_scalar(item)}")
        return out
    if isinstance(value, list) and value:
        out = []
        for item in value:
            block = yaml_lines(item, indent + "  ")
            out += [f"{indent}- {block[0].lstrip()}", *block[1:]]
        return out
    return [indent + _scalar(value)]


def _scalar(value: Any) -> str:
    if value is None or isinstance(value, (bool, int, float)):
        return json.dumps(value)
    if isinstance(value, (dict, list)):
        return "{}" if isinstance(value, dict) else "[]"
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS:
        return text
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{clean(quoted)}"'


@contextmanager
def patience(what: str, seconds: float | None = None) -> Iterator[Callable[[float], None]]:
    """Show on a terminal what is waited for, once that takes more than a second: a bar when it is known how long.

    Gives a function that takes how much of `seconds` is behind.
    """
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    progress = Progress(SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(),
                        TimeElapsedColumn(), console=Console(stderr=True), transient=True)
    task = progress.add_task(what, total=seconds)
    lock, is_over = threading.Lock(), False

    def begin() -> None:
        with lock:
            if not is_over:
                progress.start()
    timer = threading.Timer(PATIENCE, begin)
    timer.daemon = True
    timer.start()
    try:
        yield lambda done: progress.update(task, completed=done)
    finally:
        timer.cancel()
        with lock:
            is_over = True
            progress.stop()
