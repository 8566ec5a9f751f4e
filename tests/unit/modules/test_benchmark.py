"""Timers of scripts."""
from __future__ import annotations

import pytest

from kit.script import ScriptBook
from osip.api import MIError

SCRIPT = '''log_level = 3 modparam("benchmark", "enable", %d) modparam("benchmark", "granularity", 2)
route { bm_start_timer("t"); if (!bm_log_timer("t")) xlog("no"); if ($BM_time_diff >= 0) xlog("measured"); }'''


def test_counts_and_reports() -> None:
    book = ScriptBook(SCRIPT % 1, "benchmark")
    for call_id in "abc":
        book.recv("OPTIONS", call_id=call_id)
    reports = [line for line in book.said if line.startswith("benchmark timer=t runs=2 ")]
    assert len(reports) == 1 and "all_runs=2 " in reports[0]
    timer, = book.modules["benchmark"].mi_poll_results()["timers"]
    assert (timer["name"], timer["global"]["count"], timer["last"]["count"]) == ("t", 3, 1)
    assert timer["global"]["min"] <= timer["global"]["avg"] <= timer["global"]["max"]


@pytest.mark.parametrize("enable", [0, -1])
def test_off(enable: int) -> None:
    book = ScriptBook(SCRIPT % enable, "benchmark")
    book.recv("OPTIONS").says("measured")
    assert not [one for one in book.modules["benchmark"].timers.values() if one.calls]


def test_one_timer_is_enabled_by_name() -> None:
    book = ScriptBook(SCRIPT % 0, "benchmark")
    module = book.modules["benchmark"]
    book.recv("OPTIONS", call_id="a")
    module.mi_enable_timer("t", 1)
    book.recv("OPTIONS", call_id="b")
    assert module.timers["t"].calls == 1
    with pytest.raises(MIError):
        module.mi_enable_timer("other", 1)


def test_not_started() -> None:
    ScriptBook('modparam("benchmark", "enable", 1) route { if (!bm_log_timer("t")) xlog("no"); }', "benchmark").recv(
        "OPTIONS").says("benchmark: timer=t was not started", "no")


def test_management() -> None:
    module = ScriptBook("route { exit; }", "benchmark").modules["benchmark"]
    module.mi_enable_global(1)
    module.mi_granularity(7)
    module.mi_loglevel(-1)
    assert (module.enable, module.granularity, module.loglevel) == (1, 7, -1)
    for call, value in ((module.mi_enable_global, 2), (module.mi_granularity, -1), (module.mi_loglevel, 9)):
        with pytest.raises(MIError):
            call(value)
