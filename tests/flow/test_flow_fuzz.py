"""Storms by seed (kit/storm.py): what must hold whatever the network does. `scripts/flow_fuzz.py` runs many more."""
from __future__ import annotations

import gc
from typing import Any

import pytest

from kit.source import needs_source
from kit.storm import storm
from osip.modules.tm import arrival, cancel, response
from osip.modules.tm.branch import Branch, Cancel
from osip.modules.tm.machine import PROCEEDING
from osip.modules.tm.transaction import Transaction

BATCH = 50


@pytest.mark.parametrize("start", range(0, 500, BATCH))
def test_storms(start: int) -> None:
    gc.collect()
    gc.disable()
    try:
        found = {seed: faults for seed in range(start, start + BATCH) if (faults := storm(seed))}
        alive = [thing for thing in gc.get_objects() if type(thing) in (Transaction, Branch, Cancel)]
    finally:
        gc.enable()
    assert not found
    assert not alive, "kept alive by cycles"


def faults_of(seeds: int = 150) -> str:
    return str([storm(seed) for seed in range(seeds)])


@needs_source
def test_it_sees_a_second_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response, "_stray", lambda tm, msg: False)
    assert "more than one" in faults_of(300)


@needs_source
def test_it_sees_an_early_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_once(branch: Any) -> None:
        if branch.started and branch.state <= PROCEEDING and not branch.cancelling:
            cancel.send_cancel(branch)
    monkeypatch.setattr(cancel, "cancel_branch", at_once)
    assert "CANCEL before a provisional" in faults_of()


@needs_source
def test_it_sees_a_missing_ack_and_what_is_left_ringing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Branch, "send_ack", lambda branch, msg: None)
    monkeypatch.setattr(cancel, "send_cancel", lambda branch: None)
    found = faults_of()
    assert "failures without ACK" in found and "left ringing" in found


@needs_source
def test_it_sees_what_is_not_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Transaction, "reap", lambda tx: None)
    assert "left in servers" in faults_of(5)


@needs_source
def test_it_sees_a_route_that_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(tm: Any, tx: Any) -> None:
        raise RuntimeError("broken")
    monkeypatch.setattr(arrival, "absorb", broken)
    assert "an exception in a route" in faults_of(20)
