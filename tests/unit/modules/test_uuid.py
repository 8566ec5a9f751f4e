"""UUIDs of every version, as function and variable."""
from __future__ import annotations

import uuid

import pytest
from kit.script import ScriptBook, faults_of

from osip.modules.uuid import make, parse_version

DNS = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


@pytest.mark.parametrize(("version", "made"), [(0, 4), (1, 1), (4, 4), (7, 7)])
def test_versions(version: int, made: int) -> None:
    first, second = (uuid.UUID(make(version, 1_800_000_000.5)) for _ in range(2))
    assert first.version == second.version == made and first != second and first.variant == uuid.RFC_4122


def test_version_7_begins_with_the_time() -> None:
    assert uuid.UUID(make(7, 1_800_000_000.5)).int >> 80 == 1_800_000_000_500
    assert make(7, 1.0) < make(7, 2.0)


@pytest.mark.parametrize(("version", "made"), [(3, "9073926b-929f-31c2-abc9-fad77ae3e8eb"),
                                               (5, "cfbff0d1-9375-5685-968c-48ce8b15ae17")])
def test_of_names(version: int, made: str) -> None:
    assert make(version, 0, DNS, "example.com") == made


@pytest.mark.parametrize(("version", "space", "name"), [(2, None, None), (6, None, None), (3, None, "x"), (5, DNS, None),
                                                        (5, "nonsense", "x"), (-1, None, None)])
def test_what_cannot_be_made(version: int, space: str | None, name: str | None) -> None:
    with pytest.raises(ValueError):
        make(version, 0, space, name)


@pytest.mark.parametrize("text", ["3", "5", "x", ""])
def test_versions_of_the_variable(text: str) -> None:
    with pytest.raises(ValueError):
        parse_version(text)


def test_in_a_script() -> None:
    book = ScriptBook(f"""route {{ uuid($var(a)); uuid($avp(b), 5, "{DNS}", "example.com"); $var(c) = uuid($var(d), 2);
        xlog("$(var(a){{s.len}}) $avp(b) $var(c) $var(d) $(uuid{{s.len}}) $(uuid(7){{s.substr,14,1}})"); }}""", "uuid")
    book.recv("INVITE")
    assert book.said[-1] == "36 cfbff0d1-9375-5685-968c-48ce8b15ae17 -1 <null> 36 7" and "no version 2" in book.said[0]
    assert [one.code for one in faults_of('route { xlog("$uuid(9)"); }', "uuid")]
