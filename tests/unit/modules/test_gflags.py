"""Flags that all messages share."""
from __future__ import annotations

import pytest

from kit.script import ScriptBook
from osip.api import MIError


def test_set_and_reset_from_the_script() -> None:
    book = ScriptBook('''
route {
    if (is_gflag(1)) { xlog("one "); reset_gflag(1); } else { set_gflag(1); xlog("none"); }
    if (!set_gflag(32)) xlog("no such");
    if (is_gflag(31)) xlog("last");
}''', "gflags")
    book.modules["gflags"].mask = 1 << 31
    book.recv("OPTIONS")
    bad = "gflags: flag=32 is not a number from 0 to 31"
    book.says("none", bad, "no such", "last").recv("OPTIONS", call_id="2").says("one ", bad, "no such", "last")
    assert book.modules["gflags"].mask == 1 << 31


def test_management() -> None:
    module = ScriptBook("route { exit; }", "gflags").modules["gflags"]
    module.mi_set(6)
    module.mi_reset(2)
    assert (module.mi_check(4), module.mi_check(6)) == ("TRUE", "FALSE")
    assert module.mi_get() == {"hex": "0x4", "dec": 4}
    with pytest.raises(MIError):
        module.mi_set(0)


def test_initial() -> None:
    book = ScriptBook('modparam("gflags", "initial", 5) route { if (is_gflag(0) && !is_gflag(1) && is_gflag(2)) '
                      'xlog("as told"); }', "gflags")
    book.recv("OPTIONS").says("as told")
