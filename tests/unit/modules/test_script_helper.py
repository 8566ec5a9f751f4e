"""Calls through a script that knows nothing of dialogs."""
from __future__ import annotations

import pytest

from kit.script import ScriptBook, faults_of
from osip.api import ModuleError

MODULES = ("tm", "sl", "rr", "script_helper")
SCRIPT = 'route { if (is_method("INVITE")) $ru = "sip:bob@10.0.0.2"; xlog("main $rm"); t_relay(); }'
OURS = "Route: <sip:10.0.0.9;lr>\r\n"


def test_a_call() -> None:
    book = ScriptBook(SCRIPT, "sipmsgops", *MODULES)
    book.recv("INVITE").says("main INVITE")
    book.sent(100).sent("INVITE", "bob")
    assert book.got.get("Record-Route") is not None       # type: ignore[union-attr]
    book.answer("bob", 200).sent(200)
    book.recv("BYE", to_tag="tag-bob", headers=OURS, cseq=2).says()
    book.sent("BYE", "bob")


def test_without_a_route_it_is_not_here() -> None:
    book = ScriptBook(SCRIPT, "sipmsgops", *MODULES)
    book.recv("BYE", to_tag="x", cseq=2).sent(404)
    book.recv("ACK", to_tag="x", cseq=2).says()


def test_the_sequential_route_may_drop() -> None:
    text = 'modparam("script_helper", "sequential_route", "seq") route[seq] { xlog("seq $rm"); if (is_method("INFO")) drop(); } '
    book = ScriptBook(text + SCRIPT, "sipmsgops", *MODULES)
    book.recv("INFO", to_tag="x", headers=OURS, cseq=2).says("seq INFO")
    assert not book.net.log
    book.recv("BYE", to_tag="x", headers=OURS, cseq=3).says("seq BYE").sent("BYE", "bob")


def test_cancel_of_a_known_call() -> None:
    book = ScriptBook(SCRIPT, "sipmsgops", *MODULES)
    book.recv("INVITE").sent(100).sent("INVITE", "bob").answer("bob", 180).sent(180)
    book.recv("CANCEL").says("main INVITE")


async def test_the_route_must_be_there() -> None:
    book = ScriptBook('modparam("script_helper", "sequential_route", "none") ' + SCRIPT, "sipmsgops", *MODULES)
    with pytest.raises(ModuleError, match='"none" is no route'):
        await book.modules["script_helper"].child_init(book.env)


def test_dialogs_need_their_module() -> None:
    faults = faults_of('modparam("script_helper", "use_dialog", 1) ' + SCRIPT, "sipmsgops", *MODULES)
    assert any("dialog" in fault.message for fault in faults)
