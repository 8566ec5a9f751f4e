"""Check status reports."""
from __future__ import annotations

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
