"""`osip mi COMMAND [ARGS]`: run a management command of a running server."""
from __future__ import annotations

import json
from typing import Any

import click

from osip.cli.client import Unreachable, call
from osip.cli.output import MI_FAILED, fail, format_option, show_value
from osip.core.errors import MIError

url_option = click.option("--url", default="", metavar="URL",
                          help="http://host:port/mi, fifo:/path, unix:/path or udp:host:port (also OSIP_MI).", show_default=True)


def params_of(words: tuple[str, ...]) -> list[Any] | dict[str, Any]:
    """Read `a b` as positional and `k=v` as named parameters; JSON arrays and objects are taken as what they are."""
    if words and all("=" in word and word.split("=")[0].isidentifier() for word in words):
        return {name: value(text) for name, _, text in (word.partition("=") for word in words)}
    return [value(word) for word in words]


def value(text: str) -> Any:
    """Return JSON arrays and objects as what they are, anything else as text."""
    if text[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def run(command: str, words: tuple[str, ...], url: str, form: str) -> None:
    """Call a command and print its result; ends the program with 3 or 4 when that fails."""
    show_value(result_of(command, words, url), form)


def result_of(command: str, words: tuple[str, ...], url: str) -> Any:
    """Call a command; ends the program with 3 (no server) or 4 (the command failed)."""
    try:
        return call(command, params_of(words), url=url)
    except Unreachable as error:
        fail(str(error), error.code)
    except MIError as error:
        fail(f"{command}: {error.code} {error.message}" + (f" ({error.data})" if error.data else ""), MI_FAILED)


@click.command(context_settings={"ignore_unknown_options": True})
@url_option
@format_option
@click.argument("command")
@click.argument("args", nargs=-1)
def mi(url: str, output: str, command: str, args: tuple[str, ...]) -> None:
    """Run a management command; ARGS are positional, or name=value."""
    run(command, args, url, output)
