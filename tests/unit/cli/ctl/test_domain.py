"""`osipctl domain`: in the table, and in the running server."""
from __future__ import annotations

from typing import Any

import click
import pytest

from osip.cli.ctl.domain import checked_domain


def test_table(ctl: Any, rows: Any) -> None:
    done = ctl("domain", "add", "H.example.", "gold", "--subdomains")
    assert done.stdout == "h.example: added\n" and "osipctl domain reload" in done.stderr
    ctl("domain", "add", "10.0.0.1")
    assert ctl("domain", "add", "h.example").exit_code == 1
    found = rows("domain", "showdb")
    assert [(r["domain"], r["attributes"], r["subdomains"]) for r in found] == [("10.0.0.1", "", "no"),
                                                                                ("h.example", "gold", "yes")]
    assert ctl("domain", "rm", "h.example").exit_code == 0 and len(rows("domain", "showdb")) == 1
    gone = ctl("domain", "rm", "h.example")
    assert gone.exit_code == 1 and "osipctl domain showdb" in gone.stderr


def test_server(ctl: Any, rows: Any, played: Any) -> None:
    played.answers = {"domain_dump": {"Domains": [{"name": "h", "attributes": "x"}]}, "domain_reload": "OK"}
    assert rows("domain", "show") == [{"domain": "h", "attributes": "x"}]
    assert ctl("domain", "reload").exit_code == 0 and played.asked[-1] == ("domain_reload", [])


@pytest.mark.parametrize(("text", "good"), [
    ("a.b", True), ("A-1.b", True), ("::1", True), ("10.0.0.1", True), ("localhost", True), ("a b", False), ("a..b", False),
    ("", False), ("a@b", False), ("x" * 65, False), ("ä.de", False)])
def test_names(text: str, good: bool) -> None:
    if good:
        assert checked_domain(text) == text.lower()
    else:
        with pytest.raises(click.UsageError):
            checked_domain(text)
