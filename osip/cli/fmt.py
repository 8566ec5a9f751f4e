"""`osip fmt`: lay scripts out anew, keeping comments, spelling and meaning."""
from __future__ import annotations

import difflib
import sys

import click

from osip.cli.output import FAILED


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--check", "only_check", is_flag=True, help="Write nothing; name the files that would change, exit 1.")
@click.option("--diff", "show_diff", is_flag=True, help="Print what would change.")
@click.option("-w", "--write", is_flag=True, help="Change the files in place.")
def fmt(files: tuple[str, ...], only_check: bool, show_diff: bool, write: bool) -> None:
    """Format scripts (`-` is standard input); without options the result is printed."""
    status = 0
    for path in files:
        status = max(status, _one(path, only_check, show_diff, write))
    raise SystemExit(status)


def _one(path: str, only_check: bool, show_diff: bool, write: bool) -> int:
    from osip.script.format import Refused, format_text
    from osip.script.report import render

    try:
        old = _read(path)
        new = format_text(old, path)
    except OSError as error:
        click.echo(f"osip: cannot read {path}: {error.strerror}", err=True)
        return FAILED
    except Refused as refused:
        shown = render(refused.diagnostics, {path: refused.text})
        click.echo(f"{shown}osip: {refused}; not formatted", err=True)
        return FAILED
    if show_diff:
        lines = difflib.unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), path, path)
        _print("".join(lines))
    if only_check:
        if new != old:
            click.echo(f"{path} would change")
        return FAILED if new != old else 0
    if write and path != "-":
        if new != old:
            with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
                stream.write(new)
    elif not show_diff:
        _print(new)
    return 0


def _read(path: str) -> str:
    if path == "-":
        return sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as stream:
        return stream.read()


def _print(text: str) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()
