"""Print for people on a terminal and for machines: tables or JSON to stdout, complaints to stderr."""
from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

FAILED, USAGE, UNREACHABLE, MI_FAILED, LINT_ERRORS, LINT_WARNINGS = 1, 2, 3, 4, 5, 6
FORMATS = ("table", "json", "csv")

format_option = click.option("-o", "--output", type=click.Choice(FORMATS), default="table",
                             help="Form of the answer.", show_default=True)


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


def show_rows(titles: Sequence[str], rows: Sequence[Sequence[Any]], form: str = "table") -> None:
    """Print rows as an aligned table, JSON objects or CSV."""
    if form == "json":
        show_json([dict(zip(titles, row, strict=True)) for row in rows])
    elif form == "csv":
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow(titles)
        writer.writerows(rows)
        click.echo(buffer.getvalue(), nl=False)
    else:
        table = [[str(cell) for cell in row] for row in (titles, *rows)]
        widths = [max(len(row[i]) for row in table) for i in range(len(titles))]
        for number, row in enumerate(table):
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            click.secho(line, bold=number == 0 and colour() or None)


def show_value(value: Any, form: str = "table") -> None:
    """Print an MI result: JSON, CSV, a table where rows fit one, or indented `name: value` lines."""
    if form == "json":
        show_json(value)
    elif isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        titles = list(dict.fromkeys(k for row in value for k in row))
        show_rows(titles, [[row.get(t, "") for t in titles] for row in value], form)
    elif form == "csv":
        table = isinstance(value, dict)
        rows = value.items() if table else value if isinstance(value, list) else [value]
        show_rows(("name", "value") if table else ("value",),
                  [[_cell(cell) for cell in (row if table else (row,))] for row in rows], form)
    else:
        for line in lines(value):
            click.echo(line)


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, (dict, list)) else value


def lines(value: Any, indent: str = "") -> list[str]:
    """Return a value as indented lines."""
    if isinstance(value, dict):
        out = []
        for key, item in value.items():
            if isinstance(item, (dict, list)) and item:
                out += [f"{indent}{key}:", *lines(item, indent + "  ")]
            else:
                out.append(f"{indent}{key}: {item if item not in ({}, []) else '-'}")
        return out
    if isinstance(value, list):
        out = []
        for item in value:
            block = lines(item, indent + "  " if isinstance(item, (dict, list)) else indent)
            if isinstance(item, dict) and block:
                block[0] = f"{indent}- {block[0].strip()}"
            out += block
        return out
    return [f"{indent}{value}"]
