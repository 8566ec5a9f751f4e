"""Read sets of destinations from a text file or from SQL, and write states back."""
from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osip.api import Env, ModuleError, ParseError, parse_endpoint
from osip.modules.dispatcher.state import ACTIVE, INACTIVE, PROBING, Destination, Group, Partition

if TYPE_CHECKING:
    from osip.modules.dispatcher.module import Dispatcher

_ATTR = re.compile(r"(?:^|;)\s*(weight|socket)\s*=\s*([^;]+)")


def grouped(rows: list[tuple[int, Destination]]) -> dict[int, Group]:
    """Return the sets of rows in the order of the source."""
    sets: dict[int, list[Destination]] = {}
    for order, (number, destination) in enumerate(rows):
        destination.order = order
        sets.setdefault(number, []).append(destination)
    return {number: Group(number, found) for number, found in sets.items()}


# --- text file -----------------------------------------------------------------------------------------------------

def find_file(name: str, env: Env) -> Path:
    """Return the path of a list: from the working folder, else from the folder of the script."""
    path = Path(name)
    if path.is_absolute() or path.exists() or env.program is None:
        return path
    beside = Path(env.program.path).parent / name
    return beside if beside.exists() else path


def parse_list(text: str, name: str, env: Env) -> dict[int, Group]:
    """Parse lines `setid destination flags priority attributes`; ModuleError names the line that is none.

    In the files of 1.x the fourth column is a weight, so without `weight=` in the attributes it counts as both.
    """
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split(None, 4) if line.lstrip()[:1] != "#" else []
        if not words:
            continue
        try:
            rows.append(_row(words, env))
        except (ValueError, IndexError, ParseError) as error:
            raise ModuleError(f"{name}:{number}: expected setid, destination, flags, priority and attributes: {error}"
                              ) from None
    return grouped(rows)


def _row(words: list[str], env: Env) -> tuple[int, Destination]:
    if len(words) < 2:
        raise ValueError("the destination is missing")
    numbers = [int(word) for word in words[2:4]]
    flags, number = (*numbers, 0, 0)[:2]
    attrs = words[4].strip() if len(words) > 4 else ""
    named = dict(_ATTR.findall(attrs))
    weight = int(named["weight"]) if "weight" in named else max(number, 1)
    state = INACTIVE if flags & 1 else PROBING if flags & 2 else ACTIVE
    return int(words[0]), Destination(words[1], state, weight, number, attrs,
                                      socket=find_socket(env, named.get("socket", "")))


def find_socket(env: Env, text: str) -> Any:
    """Return our socket by its text; None (and a log line) when it is none of ours."""
    if not text.strip():
        return None
    try:
        end = parse_endpoint(text)
        found = env.find_socket(end.proto, end.host, end.port)
    except ValueError:
        found = None
    if found is None:
        env.log.error('dispatcher: "%s" is no socket of this server; any socket is used', text)
    return found


# --- SQL -----------------------------------------------------------------------------------------------------------

def statements(ds: Dispatcher, partition: Partition) -> tuple[Any, Any]:
    """Build the two statements of a partition once: read all rows, write one state."""
    import sqlalchemy as sa

    names = {part: getattr(ds, f"{part}_col") for part in
             ("setid", "destination", "socket", "state", "weight", "priority", "attrs", "description", "probe_mode")}
    tab = sa.table(partition.table_name, *(sa.column(name) for name in names.values()))
    read = sa.select(*(tab.c[name].label(part) for part, name in names.items()))
    write = sa.update(tab).where(tab.c[names["setid"]] == sa.bindparam("in_set"),
                                 tab.c[names["destination"]] == sa.bindparam("in_uri")
                                 ).values({names["state"]: sa.bindparam("new_state")})
    return read, write


def from_rows(rows: Any, env: Env) -> dict[int, Group]:
    """Return the sets of SQL rows; a row that is none is logged and left out."""
    found = []
    for row in rows:
        uri = str(row["destination"] or "").strip()
        try:
            if not re.match(r"sips?:", uri, re.IGNORECASE):
                uri = f"sip:{uri}"
            weight = str(row["weight"] if row["weight"] is not None else 1).strip()
            if not weight.isdecimal():
                env.log.warning('dispatcher: weight "%s" of %s is no number, 1 is used', weight, uri)
            state = int(row["state"] or 0)
            found.append((int(row["setid"]), Destination(
                uri, state if state in (ACTIVE, INACTIVE, PROBING) else INACTIVE,
                int(weight) if weight.isdecimal() else 1, int(row["priority"] or 0), str(row["attrs"] or ""),
                str(row["description"] or ""), find_socket(env, str(row["socket"] or "")),
                int(row["probe_mode"] or 0))))
        except (ValueError, ParseError) as error:
            env.log.error("dispatcher: row left out destination=%s error=%s", uri, error)
    return grouped(found)
