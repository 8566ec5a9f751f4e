"""Check status reports."""
from __future__ import annotations

import pytest

from osip.core.errors import MIError
from kit.builtin import Words

from osip.script.builtins.status import CoreStatus


def test_status() -> None:
    words = Words()
    ctx = words.ctx()
    status = words.registry.instances["core_status"]
    assert isinstance(status, CoreStatus)
    heard: list[dict[str, object]] = []
    words.env.events.subscribe("E_CORE_SR_STATUS_CHANGED", "t:", lambda _, params: heard.append(params))
    assert words.call(ctx, "sr_check_status", "drouting") == -1
    status.set("drouting", "", 1, "ok")
    status.set("drouting", "default", -2, "no data")
    status.set("drouting", "default", -2, "still none")
    assert words.call(ctx, "sr_check_status", "drouting") == 1
    assert words.call(ctx, "sr_check_status", "drouting", "default") == -2
    assert words.call(ctx, "sr_check_status", "drouting", "all") == -1
    assert words.call(ctx, "sr_check_status", "drouting", "none") == -1
    status.set("drouting", "default", 3)
    assert words.call(ctx, "sr_check_status", "drouting", "all") == 1
    assert [(event["identifier"], event["status"], event["old_status"]) for event in heard] == [
        ("main", 1, 0), ("default", -2, 0), ("default", 3, -2)]


def test_management() -> None:
    words = Words()
    status = words.registry.instances["core_status"]
    status.set("sql", "", 1, "connected")
    status.set("sql", "second", -1, "lost")
    status.report("sql", "", "reconnected")
    assert status.mi_get("sql") == {"Readiness": True, "Status": 1, "Details": "connected"}
    assert status.mi_get("sql", "second")["Readiness"] is False
    assert [entry["Name"] for entry in status.mi_status()[0]["Identifiers"]] == ["main", "second"]
    assert [line["Log"] for line in status.mi_reports("sql", "main")[0]["Identifiers"][0]["Reports"]] == ["connected", "reconnected"]
    assert status.mi_identifiers() == [{"Group": "sql", "Identifiers": ["main", "second"]}]
    for call in (lambda: status.mi_get("none"), lambda: status.mi_get("sql", "none"), lambda: status.mi_status("none")):
        with pytest.raises(MIError):
            call()
