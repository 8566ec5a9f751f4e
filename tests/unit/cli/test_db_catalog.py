"""The list of tables agrees with what modules declare, and names are found in it."""
from __future__ import annotations

import pytest

from osip.cli.db_catalog import catalog, listed, read
from osip.cli.store import specs_of


def test_the_list() -> None:
    specs = {spec.name: spec for _, spec in listed()}
    assert len(specs) >= 65 and {"dialog", "presentity", "registrant", "acc", "location", "emergency_service_provider"} \
        <= set(specs)
    assert specs["dialog"].primary == ("dlg_id",) and specs["dialog"].version == 12
    assert len(specs["b2b_sca"].columns) == 53 and specs["watchers"].unique[0] == "presentity_uri"
    assert all(name in {c.name for c in spec.columns} for spec in specs.values() for name in spec.primary + spec.unique)


def test_modules_declare_the_same_columns() -> None:
    specs = {spec.name: spec for _, spec in listed()}
    for module, spec in specs_of(()):
        if spec.name not in specs:
            continue
        wanted = specs[spec.name]
        assert (spec.version, [c.name for c in spec.columns], sorted(spec.unique)) \
            == (wanted.version, [c.name for c in wanted.columns], sorted(wanted.unique)), module


def test_names() -> None:
    assert [spec.name for _, spec in catalog(("domain", "group"))] == ["domain", "grp", "re_grp"]
    assert [spec.name for _, spec in catalog(("dialog",))] == ["dialog"]
    assert {spec.name for _, spec in catalog(("presence",))} > {"presentity", "watchers"}
    assert catalog(("maxfwd",)) == [] and len({spec.name for _, spec in catalog()}) >= 65
    with pytest.raises(SystemExit):
        catalog(("nonsense",))


def test_a_bad_list() -> None:
    with pytest.raises(ValueError, match="no table"):
        read("acc acc\n    a i32\n")
