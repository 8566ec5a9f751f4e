"""Compare the management commands of the reference with what core and modules declare, by old name and by new."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from osip.core.exports import loader
from osip.core.exports.spec import MiSpec
from osip.core.mi import access
from osip.main import new_registry

WAITING = {"core:pi_list": "pi_http", "core:pi_reload": "pi_http"}
"""Commands of the core that a module will bring. Those of modules that are not there yet wait by themselves."""
CORE = ("core", "tcp", "mem", "cache", "evi", "statistics", "status_report", "blacklists")


def _rows() -> list[tuple[str, str, str]]:
    lines = (Path(__file__).parent / "mi_commands.txt").read_text().splitlines()
    return [tuple(line.split()) for line in lines if line and not line.startswith("#")]  # type: ignore[misc]


def _specs() -> Mapping[str, MiSpec]:
    """Return every command that can be loaded."""
    found = {spec.canonical: spec for one in new_registry().specs for spec in one.mi}
    for name in loader.available():
        found |= {spec.canonical: spec for spec in loader.load(name, [])[0].spec.mi}
    return found


ROWS, SPECS, THERE = _rows(), _specs(), {*CORE, *loader.available()}
EXPECTED = [row for row in ROWS if row[0].partition(":")[0] in THERE and row[0] not in WAITING]


@pytest.mark.parametrize(("name", "old", "params"), EXPECTED, ids=[row[0] for row in EXPECTED])
def test_each_command_is_there(name: str, old: str, params: str) -> None:
    spec = SPECS.get(name)
    assert spec is not None, f"{name} is missing"
    assert old in ("-", *spec.aliases), f"{name} must also be {old}"
    wanted = {} if params == "-" else {word.strip("[]"): word.startswith("[") for word in params.split(",")}
    has = {arg.label: arg.optional for arg in spec.args}
    assert not [word for word in wanted if word not in has], f"{name} takes {params}"
    assert not [word for word in wanted if wanted[word] and not has[word]], f"{name} takes {params}: see the brackets"
    assert not [word for word in has if word not in wanted and not has[word]], f"{name} asks for more than {params}"


def test_what_waits_for_which_module() -> None:
    """Shown by `pytest -rP`; a command that waits for a module is not there by another way."""
    waiting: dict[str, list[str]] = {}
    for name, _, _ in ROWS:
        if name not in SPECS:
            waiting.setdefault(WAITING.get(name, name.partition(":")[0]), []).append(name)
    for module, names in sorted(waiting.items()):
        assert module not in THERE, f"{module} is there and lacks {names}"
        print(f"{module}: {', '.join(names)}")


def test_waiting_commands_are_taken_off_the_list_when_they_come() -> None:
    assert not set(WAITING) & set(SPECS)
    assert set(WAITING) <= {row[0] for row in ROWS}


def test_no_two_commands_have_one_old_name() -> None:
    seen: dict[str, str] = {}
    for spec in SPECS.values():
        for alias in spec.aliases:
            assert seen.setdefault(alias, spec.canonical) == spec.canonical or alias == "tls_trace", alias
            assert alias not in SPECS


def test_classes_name_commands_of_the_reference() -> None:
    """Roles and tenants are told by name: a slip of the pen there would open or close something unseen."""
    known = {row[0] for row in ROWS}
    for table in (
        access.READS,
        access.ADMIN,
        access.READS_WITHOUT,
        access.TENANT_PARAMS,
        access.OPEN_TO_TENANTS,
        access._FILTERS,
    ):
        assert not set(table) - known - set(SPECS)
    for name, param in (*access.READS_WITHOUT.items(), *access.TENANT_PARAMS.items()):
        if name in SPECS:
            assert param in {arg.label for arg in SPECS[name].args}, f"{name} has no {param}"


def test_reading_commands_take_nothing_that_changes() -> None:
    """A command that only reads has a name that says so; others must be looked at before they go on this list."""
    words = (
        "list",
        "show",
        "dump",
        "get",
        "status",
        "check",
        "match",
        "translate",
        "search",
        "info",
        "reports",
        "help",
        "ps",
        "identifiers",
        "pwd",
        "uptime",
        "version",
        "which",
        "subscribers",
        "poll",
        "routing",
        "hash",
        "allow",
        "stats",
    )
    assert not [name for name in access.READS if not any(word in name.partition(":")[2].lower() for word in words)]
