"""Compare the events of the reference with what core and modules declare: names, and parameters in order."""
from __future__ import annotations

from pathlib import Path

import pytest

from osip.core.exports import loader
from osip.core.exports.spec import EventSpec
from osip.main import new_registry

NEVER = {"memory": "Python manages its memory", "workers": "the number of workers is fixed",
         "profiling": "Python's own profilers see the script's lines"}
"""Why some events of the core will not come. Others wait for a module."""
OURS: frozenset[str] = frozenset()
"""Events that only this server has."""


def _rows() -> list[tuple[str, str, tuple[str, ...], str]]:
    rows = []
    for line in (Path(__file__).parent / "events.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            module, name, params, waits = line.split()
            rows.append((module, name, tuple(params.split(",")), waits))
    return rows


def _declared() -> dict[tuple[str, str], EventSpec]:
    """Return every event that can be raised, by module (core for the language's own words) and name."""
    found = {("core", event.name): event for spec in new_registry().specs for event in spec.events}
    for name in loader.available():
        found |= {(name, event.name): event for event in loader.load(name, [])[0].spec.events}
    return found


ROWS, DECLARED, THERE = _rows(), _declared(), {"core", *loader.available()}


def _is_due(module: str, waits: str) -> bool:
    return module in THERE and (waits == "-" or waits in THERE)


DUE = [row for row in ROWS if _is_due(row[0], row[3])]


@pytest.mark.parametrize(("module", "name", "params", "_"), DUE, ids=[f"{row[0]}-{row[1]}" for row in DUE])
def test_each_event_is_there(module: str, name: str, params: tuple[str, ...], _: str) -> None:
    spec = DECLARED.get((module, name))
    assert spec is not None, f"{module} does not declare {name}"
    assert spec.params == params
    assert spec.doc, f"{name} does not say when it is raised"


def test_no_event_has_a_name_of_its_own() -> None:
    known = {name for _, name, _, _ in ROWS} | OURS
    assert not {name for _, name in DECLARED} - known


def test_what_will_not_come_has_a_reason() -> None:
    assert all(waits in ("-", "dialog", *NEVER) for _, _, _, waits in ROWS)
    never = {(module, name) for module, name, _, waits in ROWS if waits in NEVER}
    assert never and not never & set(DECLARED)
