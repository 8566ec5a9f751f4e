"""The modules known by name."""
from __future__ import annotations

from osip.core.exports import loader
from osip.script.roster import owners, roster


def test_names() -> None:
    known = roster()
    assert len(known) > 190 and all(name.replace(".", "_").isidentifier() for name in known if name)
    assert "create_dialog" in known["dialog"] and "$dlg_val" in known["dialog"]
    assert known["proto_udp"] == frozenset(), "a module without functions is known too"
    assert not [name for names in known.values() for name in names if name.endswith(".")]


def test_owners() -> None:
    assert owners("check_fraud") == ["fraud_detection"] and owners("$dlg_val") == ["dialog"]
    assert owners("E_PIKE_BLOCKED") == ["pike"] and owners("E_CORE_LOG") == [""]
    assert owners("no_such_function") == owners("") == []


def test_built_in_modules_are_known() -> None:
    assert {"tm", "registrar", "dispatcher", "proto_udp"} <= set(loader.available()) & set(roster())
