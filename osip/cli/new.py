"""`osip new`: begin a script of one's own from a commented starter."""
from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import click

from osip.cli.output import fail

ABOUT = {
    "residential": "the registrar and proxy of one domain: phones register and call each other",
    "trunking": "a telephone system on one side, two carriers on the other",
    "loadbalancer": "calls are spread over a group of servers",
    "edge": "the border to the open network, in front of other servers",
    "webrtc": "browsers and telephones in one system",
}
SCRIPT = "osip.cfg"
_LOAD = re.compile(r'^loadmodule "([\w/]+?)(?:\.so)?"', re.MULTILINE)

README = """# {kind}

`{script}` is {about}. It is commented from top to bottom; what must be
changed stands under "To do" at its head.

```sh
osip check {script}          # what is wrong, and where
osip lint {script}           # what is allowed but seldom meant
osip test --cov              # the tests in osip.osiptest, and which lines they run
osip start -f {script}       # run it here; Ctrl-C stops it
osip fmt -w {script}         # lay it out evenly
```

While it runs: `osip mi help` names the management commands, `kill -HUP` reads the script again. A script with an
error is never taken: the old one goes on.
"""


def kinds() -> list[str]:
    """Return the starters that can run here: every module that they load exists."""
    return [kind for kind in ABOUT if not lacking(kind)]


def lacking(kind: str) -> list[str]:
    """Return the modules that a starter loads and this osip does not have."""
    from osip.core.exports import loader

    text = (files("osip.cli") / "templates" / f"{kind}.cfg").read_text("utf-8")
    known = set(loader.available())
    return [name for name in _LOAD.findall(text) if name not in known]


def contents(kind: str) -> dict[str, str]:
    """Return the files of a starter by name."""
    folder = files("osip.cli") / "templates"
    made = {SCRIPT: (folder / f"{kind}.cfg").read_text("utf-8"),
            "README.md": README.format(kind=kind, about=ABOUT[kind], script=SCRIPT)}
    for entry in folder.iterdir():
        if entry.name.startswith(f"{kind}.") and entry.name != f"{kind}.cfg":
            made[entry.name.removeprefix(f"{kind}.")] = entry.read_text("utf-8")
    return made


class _Kind(click.ParamType):
    """One of the starters; asked for when the command runs, since the modules decide."""
    name = "kind"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the kind, or say which ones there are."""
        if value in ABOUT and (missing := lacking(value)):
            self.fail(f"{value} needs the module {missing[0]}, which is not part of this osip", param, ctx)
        if value not in ABOUT:
            self.fail(f"{value!r} is none of {', '.join(kinds())}", param, ctx)
        return value


@click.command()
@click.argument("kind", type=_Kind())
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def new(kind: str, folder: Path) -> None:
    """Write a commented script of one KIND, with its tests, into DIR.

    KIND is residential, trunking, loadbalancer, edge or webrtc.
    """
    made = contents(kind)
    there = [name for name in sorted(made) if (folder / name).exists()]
    if there:
        fail(f"{folder / there[0]} is there already; nothing was written")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in made.items():
            (folder / name).write_text(text, "utf-8")
    except OSError as error:
        fail(f"cannot write to {folder}: {error.strerror}")
    for name in sorted(made):
        click.echo(f"{folder / name}")
    click.echo(f"next: osip test {folder}, then osip start -f {folder / SCRIPT}")
