"""What the verbs of osipctl share: where the server and its database are, how to answer, and the form of a verb."""
from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from osip.cli.client import Unreachable, call
from osip.cli.ctl import rc as settings
from osip.cli.ctl.rc import Rc, RcError
from osip.cli.output import FORMATS, MI_FAILED, fail, patience, show_rows, show_value
from osip.cli.row import Base, Place
from osip.core.errors import MIError

RC_VARIABLE = "OSIPCTLRC"


@dataclass(slots=True)
class Site:
    """One server as the command line, the environment and opensipsctlrc describe it, in this order."""
    url: str = ""
    database: str = ""
    output: str = "table"
    rc_path: str = ""
    _rc: Rc | None = None

    @property
    def rc(self) -> Rc:
        """Return the settings of opensipsctlrc, read at their first use."""
        if self._rc is None:
            path = self.rc_path or os.environ.get(RC_VARIABLE, "")
            try:
                self._rc = settings.read([path] if path else [])
            except RcError as error:
                fail(str(error))
            for line in self._rc.left_out:
                click.echo(f"osip: left out, only assignments are read: {line}", err=True)
        return self._rc

    # --- the server -------------------------------------------------------------------------------------------------

    def mi_url(self) -> str:
        """Return where management answers; "" for the usual place."""
        try:
            return self.url or os.environ.get("OSIP_MI", "") or self.rc.mi_url()
        except RcError as error:
            fail(str(error))

    def try_mi(self, command: str, params: Any = None, timeout: float = 10.0) -> Any:
        """Run a management command; MIError or Unreachable when that fails."""
        with patience(f"waiting for {command}"):
            return call(command, params, url=self.mi_url(), timeout=timeout)

    def mi(self, command: str, params: Any = None, timeout: float = 10.0) -> Any:
        """Run a management command; ends the program with 3, 4 or 124 and words when that fails."""
        try:
            return self.try_mi(command, params, timeout)
        except Unreachable as error:
            fail(str(error), error.code)
        except MIError as error:
            fail(said(command, error), MI_FAILED)

    # --- the database -----------------------------------------------------------------------------------------------

    def base(self, read_only: bool = False, hint: str = "") -> Base:
        """Return the database; `hint` is said when it lacks a column."""
        try:
            url = self.database or os.environ.get("OSIP_DB_URL", "") or self.rc.db_url(read_only)
        except RcError as error:
            fail(str(error))
        return Base(url, "--db-url, OSIP_DB_URL or DBENGINE in opensipsctlrc", hint)

    def place(self, name: str, module: str, setting: str, columns: dict[str, type]) -> Place:
        """Return a table; opensipsctlrc may give it another name."""
        return Place(self.rc.get(setting, name), module, columns)

    def user(self, text: str) -> tuple[str, str]:
        """Split NAME@DOMAIN; SIP_DOMAIN (environment, opensipsctlrc) can give the domain. UsageError when it is none."""
        name, _, domain = text.strip().removeprefix("sips:").removeprefix("sip:").partition("@")
        domain = domain or os.environ.get("SIP_DOMAIN", "") or self.rc.get("SIP_DOMAIN")
        if not name or not domain or "@" in domain or len(name) > 64 or len(domain) > 64:
            raise click.UsageError(f"{text!r} is no NAME@DOMAIN; SIP_DOMAIN, in the environment or in opensipsctlrc, can give "
                                   "the domain")
        return name, domain

    # --- the answer -------------------------------------------------------------------------------------------------

    def show(self, value: Any) -> None:
        """Print a value in the form that was asked for."""
        show_value(value, self.output)

    def show_rows(self, titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Print rows in the form that was asked for."""
        show_rows(titles, rows, self.output)

    def done(self, text: str, hint: str = "") -> None:
        """Say what was done, and on stderr what remains to be done."""
        click.echo(text)
        if hint:
            click.echo(hint, err=True)


def said(command: str, error: MIError) -> str:
    """Return the words of a command that failed, and what to do about it."""
    text = f"{command}: {error.code} {error.message}" + (f" ({error.data})" if error.data else "")
    if error.code == -32601:
        text += ". Is the module that has it loaded? osipctl mi which lists the commands"
    return text


def _take_output(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    site = ctx.find_object(Site)
    if value and site is not None:
        site.output = value


class Verb(click.Command):
    """A verb: `-o` may stand behind it, too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(click.Option(["-o", "--output"], type=click.Choice(FORMATS), expose_value=False,
                                        callback=_take_output, help="Form of the answer."))


class Verbs(click.Group):
    """A group of verbs."""
    command_class = Verb
    group_class = type
