"""The maps of changed texts."""
from __future__ import annotations

import pytest

from osip.script.rewrite import Rewrite, preprocess, tidy


def test_offsets_lead_back():
    change = Rewrite()
    change.add("abc", 0)
    change.add("XXXX", 3, 2)
    change.add("def", 5)
    change.done()
    assert change.text == "abcXXXXdef"
    assert [change.before(offset) for offset in range(10)] == [0, 1, 2, 3, 4, 4, 4, 5, 6, 7]


def test_nothing_to_do_is_none():
    assert tidy("route { f(\"x\"); }", {}, True) is None
    assert tidy("route { f(“x”); }", {}, False) is None
    assert tidy("route { f(\"&amp;\"); }", {}, True) is None


@pytest.mark.parametrize("command", ["exit 1", "echo broken >&2; exit 2", "no_such_command_here"])
def test_failing_command_gives_its_reason(command):
    reason = preprocess("x", command)
    assert isinstance(reason, str) and reason.startswith("exit status")
    assert "broken" not in command or "broken" in reason


def test_empty_output_is_an_empty_script():
    change = preprocess("x\ny\n", "true")
    assert not isinstance(change, str) and change.text == "" and change.before(0) == 0
