"""Know the tables of every module: those that modules declare, and from a list those of modules still to come."""
from __future__ import annotations

import re
from importlib.resources import files

from osip.cli.output import fail
from osip.cli.store import specs_of
from osip.core.exports import loader
from osip.core.exports.declare import table
from osip.core.exports.spec import TableSpec

_HEAD = re.compile(r"(\w+) (\w+) (\d+)(?: primary=([\w,]+))?(?: unique=([\w,]+))?")


def read(text: str) -> list[tuple[str, TableSpec]]:
    """Read the list: group and table of each entry. ValueError when a line is none."""
    entries: list[tuple[re.Match[str], list[str]]] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith(" "):
            entries[-1][1].append(line.strip())
            continue
        found = _HEAD.fullmatch(line.strip())
        if found is None:
            raise ValueError(f"no table: {line}")
        entries.append((found, []))
    return [(head[1], table(head[2], int(head[3]), " ".join(lines), primary=head[4] or "id", unique=head[5] or "").spec())
            for head, lines in entries]


def listed() -> list[tuple[str, TableSpec]]:
    """Return the tables of the list."""
    return read((files("osip.cli") / "db_schema.txt").read_text("utf-8"))


def catalog(words: tuple[str, ...] = ()) -> list[tuple[str, TableSpec]]:
    """Return module (or group) and table for modules, groups or single tables, all of them without any.

    A table that a module declares is the module's; ends the program with words when a name is none.
    """
    own = specs_of(())
    names = {spec.name for _, spec in own}
    known = own + [(group, spec) for group, spec in listed() if spec.name not in names]
    groups = {spec.name: group for group, spec in listed()}
    if not words:
        return known
    found = []
    for word in words:
        some = [(module, spec) for module, spec in known if word in (module, spec.name, groups.get(spec.name))]
        if not some and word not in loader.available():
            fail(f'"{word}" is no module, group or table: osip db show lists them; osip modules list names the modules')
        found += [one for one in some if one not in found]
    return found
