"""Check what is told of the changes that a statement makes."""
from __future__ import annotations

import pytest

from osip.testing.bench import Bench
from osip.testing.journal import Step
from osip.testing.watch import shown

HEAD = 'loadmodule "proto_udp.so"\nloadmodule "sipmsgops.so"\nloadmodule "maxfwd.so"\nroute {\n'


@pytest.mark.parametrize(("statement", "changes"), [
    ("$var(n) = 5;", ["$var(n) = 5 (was null)"]),
    ('$avp(a) = "x";', ['$avp(a) = "x" (was null)']),
    ('$ru = "sip:x@10.0.0.3";', ['$ru = "sip:x@10.0.0.3" (was "sip:bob@10.0.0.2")']),
    ('$du = "sip:10.0.0.4";', ['$du = "sip:10.0.0.4" (was null)']),
    ("setflag(ACC);", ['flags = "ACC" (was null)']),
    ("setbflag(NAT);", ['branch flags = "NAT" (was null)']),
    ('append_branch("sip:y@10.0.0.5");', ['branch 1 = "sip:y@10.0.0.5" (was null)']),
    ('append_hf("X: 1\\r\\n");', ["message: + X: 1"]),
    ('remove_hf("Contact");', ["message: - Contact: <sip:alice@10.0.0.1:5060>"]),
    ("mf_process_maxfwd_header(10);", ["message: Max-Forwards: 70 -> 69"]),
    ('append_to_reply("X: 2\\r\\n");', ['reply header 1 = "X: 2" (was null)']),
    ("$var(n) = $rm;", ['$var(n) = "OPTIONS" (was null)']),
])
def test_changes(statement: str, changes: list[str]) -> None:
    with Bench(text=f"{HEAD}{statement}\nexit;\n}}\n", watch=True) as made:
        made.send("OPTIONS sip:bob@10.0.0.2")
        first, second = made.journal.of(Step)
        assert first.changes == changes
        assert second.changes == []


def test_a_new_value_tells_the_old_one() -> None:
    with Bench(text=HEAD + "$avp(a) = 1; $avp(a) = 2;\n$var(x) = 1;\n$var(x) = null;\n}\n", watch=True) as made:
        made.send("OPTIONS sip:bob@10.0.0.2")
        assert [step.changes for step in made.journal.of(Step)] == [
            ["$avp(a) = 1 (was null)"], ["$avp(a) = [2, 1] (was 1)"], ["$var(x) = 1 (was null)"],
            ["$var(x) = null (was 1)"]]


def test_shown() -> None:
    assert [shown(value) for value in (None, 5, "x", b"a\r\n")] == ["null", "5", '"x"', '"a"']
