"""`osip check` and `osip explain`: findings about a script, as text, JSON or SARIF."""
from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import click

from osip.cli.output import FAILED, fail
from osip.core.exports.diagnostic import Diagnostic


FORMS = ("text", "json", "sarif")
SCRIPT = "osip.cfg"


def show(found: Sequence[Diagnostic], script: Any, err: bool = False) -> None:
    """Print diagnostics as text."""
    from osip.script.report import render_text

    text = render_text(found, script.files if script is not None else {})
    if text:
        click.echo(text, err=err)


def run_check(path: str, form: str, preprocessor: str = "", defines: dict[str, str] | None = None,
              argv: dict[str, str] | None = None) -> int:
    """Check a script and print what was found; return the exit code (1 with errors)."""
    from osip import __version__
    from osip.core.run.config import Config
    from osip.main import Options, check, new_registry
    from osip.script.report import render_json
    from osip.script.sarif import render_sarif

    result = check(Options(path, preprocessor=preprocessor, defines=defines or {}, argv=argv or {}), new_registry(), Config())
    if form == "json":
        click.echo(render_json(result.diagnostics))
    elif form == "sarif":
        click.echo(render_sarif(result.diagnostics, __version__))
    else:
        show(result.diagnostics, result.script)
        errors = len(result.errors)
        others = len(result.diagnostics) - errors
        click.echo(f"{path}: {errors} error(s), {others} other finding(s)" if result.diagnostics else f"{path}: ok")
    return 0 if result.ok else FAILED


@click.command()
@click.option("-f", "--file", "path", help="The script (or give it as an argument).")
@click.argument("script", required=False)
@click.option("-o", "--format", "form", type=click.Choice(FORMS), default="text", show_default=True,
              help="Form of the findings.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("-p", "--preprocessor", default="", metavar="COMMAND", help="Pipe the script through a command.")
@click.option("--define", multiple=True, metavar="NAME=VALUE", help="Replace NAME in the script.")
@click.option("--argv", multiple=True, metavar="NAME=VALUE", help="Value of $argv(NAME), as -o of osip start.")
def check(path: str | None, script: str | None, form: str, as_json: bool, preprocessor: str,
          define: tuple[str, ...], argv: tuple[str, ...]) -> None:
    """Check a script without running it; exits 1 when it has errors.

    SCRIPT may be a folder: its osip.cfg is meant then.
    """
    from osip.cli.start import pairs, path_or_default

    raise SystemExit(run_check(of_folder(path_or_default(path or script)), "json" if as_json else form, preprocessor,
                               pairs(define, "--define"), pairs(argv, "--argv")))


def of_folder(path: str) -> str:
    """Return the script of a folder as `osip new` writes one; any other path as it is."""
    inside = os.path.join(path, SCRIPT)
    return inside if os.path.isfile(inside) else path


@click.command()
@click.argument("code", required=False)
def explain(code: str | None) -> None:
    """Explain a diagnostic code, such as E101; without a code list them all."""
    from osip.script.report import CATALOGUE

    if code is None:
        for name, one in CATALOGUE.items():
            click.echo(f"{name}  {one.title}")
        return
    entry = CATALOGUE.get(code.upper())
    if entry is None:
        fail(f'there is no diagnostic "{code}"')
    click.echo(f"{code.upper()}: {entry.title}\n\n{entry.explanation}")
