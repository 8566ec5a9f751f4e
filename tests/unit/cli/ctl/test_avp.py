"""`osipctl avp`: listed, added and removed by the terms of opensipsctl."""
from __future__ import annotations

from typing import Any

import pytest


def test_avps(ctl: Any, rows: Any) -> None:
    for words in (("bob@h", "lang", 0, "de"), ("bob@h", "limit", 1, "5"), ("uuid-7", "lang", 0, "fr")):
        assert ctl("avp", "add", *words).exit_code == 0
    found = rows("avp", "list")
    assert [(r["uuid"], r["user"], r["attribute"], r["type"], r["value"]) for r in found] == [
        ("uuid-7", "", "lang", "text", "fr"), ("", "bob@h", "lang", "text", "de"), ("", "bob@h", "limit", "integer", "5")]
    assert [r["value"] for r in rows("avp", "list", "-u", "bob@h")] == ["de", "5"]
    assert [r["value"] for r in rows("avp", "list", "-a", "lang", "-v", "fr")] == ["fr"]
    assert [r["value"] for r in rows("avp", "list", "-t", 1)] == ["5"]
    assert [r["value"] for r in rows("avp", "list", "-u", "uuid-7")] == ["fr"]
    assert ctl("avp", "rm", "-u", "bob@h").stdout == "2 AVPs removed\n"
    assert ctl("avp", "rm", "-u", "bob@h").exit_code == 1 and len(rows("avp", "list")) == 1
    careless = ctl("avp", "rm")
    assert careless.exit_code == 2 and len(rows("avp", "list")) == 1


@pytest.mark.parametrize("words", [("bob@h", "n", 1, "x"), ("bob@h", "n", 2, "x"), ("bob@h", "x" * 33, 0, "x"), ("bob@", "n", 0, "x")])
def test_bad_avps(words: tuple[Any, ...], ctl: Any) -> None:
    assert ctl("avp", "add", *words).exit_code == 2


def test_another_table(ctl: Any) -> None:
    done = ctl("avp", "list", "-T", "mine")
    assert done.exit_code == 1 and "there is no osip.db" in done.stderr
