"""`osip lint`: all that `osip check` finds, and what is allowed but seldom meant."""
from __future__ import annotations

import click

from osip.cli.check import FORMS, of_folder
from osip.cli.output import LINT_ERRORS, LINT_WARNINGS


@click.command()
@click.option("-f", "--file", "path", help="The script (or give it as an argument).")
@click.argument("script", required=False)
@click.option("-o", "--format", "form", type=click.Choice(FORMS), default="text", show_default=True,
              help="Form of the findings.")
@click.option("--strict", is_flag=True, help="Warnings count too: exit 6.")
@click.option("--fix", is_flag=True, help="Write the new spelling over old ones, then look again.")
@click.option("-p", "--preprocessor", default="", metavar="COMMAND", help="Pipe the script through a command.")
@click.option("--define", multiple=True, metavar="NAME=VALUE", help="Replace NAME in the script.")
@click.option("--argv", multiple=True, metavar="NAME=VALUE", help="Value of $argv(NAME), as -o of osip start.")
def lint(path: str | None, script: str | None, form: str, strict: bool, fix: bool, preprocessor: str,
         define: tuple[str, ...], argv: tuple[str, ...]) -> None:
    """Check a script with the opinionated rules; exits 5 with errors, 6 with warnings when --strict.

    SCRIPT may be a folder: its osip.cfg is meant then.
    """
    from osip.cli.start import pairs, path_or_default
    from osip.main import Options

    options = Options(of_folder(path_or_default(path or script)), preprocessor=preprocessor,
                      defines=pairs(define, "--define"), argv=pairs(argv, "--argv"))
    raise SystemExit(run_lint(options, form, strict, fix))


def run_lint(options: object, form: str = "text", strict: bool = False, fix: bool = False) -> int:
    """Look at a script, print what was found; return the exit code."""
    from osip import __version__
    from osip.cli.check import show
    from osip.core.exports.diagnostic import Severity
    from osip.core.run.config import Config
    from osip.main import Options, check, new_registry
    from osip.script.lint import lint as look
    from osip.script.lint import mend
    from osip.script.report import render_json
    from osip.script.sarif import render_sarif

    assert isinstance(options, Options)
    registry = new_registry()
    result = check(options, registry, Config())
    if fix and result.ok:
        fixed = mend(result.script, registry)
        for path, text in fixed.items():
            with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
                stream.write(text)
            click.echo(f"{path}: old spellings replaced", err=True)
        if fixed:
            registry = new_registry()
            result = check(options, registry, Config())
    found = look(result, registry)
    if form == "json":
        click.echo(render_json(found))
    elif form == "sarif":
        click.echo(render_sarif(found, __version__))
    else:
        show(found, result.script)
        counts = {kind: sum(one.severity is kind for one in found) for kind in Severity}
        words = ", ".join(f"{count} {kind.value}{'s' if count != 1 else ''}" for kind, count in counts.items() if count)
        click.echo(f"{options.path}: {words or 'ok'}")
    severities = {one.severity for one in found}
    if Severity.ERROR in severities:
        return LINT_ERRORS
    return LINT_WARNINGS if strict and Severity.WARNING in severities else 0
