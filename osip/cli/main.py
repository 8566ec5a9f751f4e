"""The command `osip`. Called with OpenSIPS flags (`osip -f CFG -F`) it behaves as that server's program does."""
from __future__ import annotations

import sys

import click

from osip import __version__
from osip.cli.check import check, explain
from osip.cli.db import db
from osip.cli.fmt import fmt
from osip.cli.lint import lint
from osip.cli.mi import mi
from osip.cli.modules import modules
from osip.cli.new import new
from osip.cli.sim import sim
from osip.cli.start import start, start_short
from osip.cli.test import test
from osip.cli.user import user
from osip.core.accel import active


def version_text() -> str:
    """Return what `osip -V` prints."""
    return f"osip {__version__} (python {sys.version.split()[0]}, {sys.platform}; accelerator: {active()})"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message=version_text())
def osip() -> None:
    """A SIP server whose behaviour is an OpenSIPS-language script."""


for command in (start, check, lint, fmt, new, explain, test, sim, modules, mi, db, user):
    osip.add_command(command)


def main() -> None:
    """Run the command line."""
    words = sys.argv[1:]
    # OpenSIPS knows no sub-commands: `-f x.cfg -F` and its like start (or check) the server.
    if words and words[0].startswith("-") and words[0] not in ("-h", "--help", "-V", "--version"):
        start_short(words, prog_name="osip")
    else:
        osip(prog_name="osip")
