"""Near names and their wording."""
from __future__ import annotations

import pytest

from osip.script.check.word import did_you_mean, suggest


@pytest.mark.parametrize("name, known, expected", [
    ("t_rely", ["t_on_reply", "t_reply", "t_relay", "exit"], ["t_relay", "t_reply"]),
    ("T_RELAY", ["t_relay"], ["t_relay"]),
    ("to_vm", ["to_voicemail", "tv"], ["to_voicemail"]),
    ("nothing_like_it", ["t_relay", "t_reply"], []),
    ("x", ["xlog"], []),
    ("drpo", ["drop", "drop_accounting"], ["drop"]), ("drpo", ["drop_accounting"], []),
    ("nofn", ["notify_on_event"], []), ("fi", ["if", "for"], ["if"]), ("xy", ["xz"], []),
])
def test_suggest(name, known, expected):
    assert suggest(name, known) == expected


@pytest.mark.parametrize("names, expected", [
    ([], ""),
    (["a"], 'did you mean "a"?'),
    (["a", "b"], 'did you mean "a" or "b"?'),
    (["a", "b", "c"], 'did you mean "a", "b" or "c"?'),
])
def test_did_you_mean(names, expected):
    assert did_you_mean(names) == expected
