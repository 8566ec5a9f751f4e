"""`osipctl dialplan`: rules in the table."""
from __future__ import annotations

from typing import Any

import pytest


def test_rules(ctl: Any, rows: Any) -> None:
    done = ctl("dialplan", "addrule", 1, 5, "regex", "^00([0-9]+)$", 1, "^00([0-9]+)$", "+\\1", "world")
    assert done.exit_code == 0 and "osipctl dialplan reload" in done.stderr
    assert ctl("dialplan", "addrule", 1, 6, 0, "112").exit_code == 0
    assert ctl("dialplan", "addrule", 2, 6, 0, "112").exit_code == 0
    assert ctl("dialplan", "addrule", 2, 6, "equal", "112").exit_code == 1
    assert rows("dialplan", "show", 1) == [
        {"id": 1, "plan": 1, "priority": 5, "match": "regex", "expression": "^00([0-9]+)$", "flags": 1,
         "substitute": "^00([0-9]+)$", "replacement": "+\\1", "attributes": "world", "state": "on"},
        {"id": 2, "plan": 1, "priority": 6, "match": "equal", "expression": "112", "flags": 0, "substitute": "",
         "replacement": "", "attributes": "", "state": "on"}]
    assert ctl("dialplan", "rmrule", 1, 5).stdout == "1 rule removed\n"
    assert ctl("dialplan", "rmrule", 1, 5).exit_code == 1
    assert ctl("dialplan", "rmdpid", 2).exit_code == 0 and [r["id"] for r in rows("dialplan", "show")] == [2]
    assert ctl("dialplan", "rm", stdin="n\n").exit_code == 1 and len(rows("dialplan", "show")) == 1
    assert ctl("dialplan", "rm", "--yes").exit_code == 0 and rows("dialplan", "show") == []


@pytest.mark.parametrize(("words", "told"), [
    ((1, 1, "regex", "("), "match_exp"), ((1, 1, "equal", "(", 0, "("), "subst_exp"), ((1, 1, 2, "x"), "'2'"),
    ((1, 1, 0, "x", 2), "2"), (("a", 1, 0, "x"), "'a'"), ((1, 1, 0, "x" * 65), "64 characters")])
def test_bad_rules(words: tuple[Any, ...], told: str, ctl: Any) -> None:
    done = ctl("dialplan", "addrule", *words)
    assert done.exit_code == 2 and told in done.stderr


def test_server(ctl: Any, played: Any) -> None:
    played.answers = {"dp_reload": "OK"}
    ctl("dialplan", "reload"), ctl("dp", "reload", "p")
    assert played.asked == [("dp_reload", []), ("dp_reload", {"partition": "p"})]
