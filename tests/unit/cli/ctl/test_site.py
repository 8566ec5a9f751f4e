"""What the verbs share: users, tables under other names, what a failed command says."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from osip.cli.ctl.site import Site, Verbs, said
from osip.core.errors import MIError


@pytest.mark.parametrize(("text", "user"), [("bob@h", ("bob", "h")), ("sip:bob@h", ("bob", "h")), ("sips:bob@h", ("bob", "h")),
                                            (" bob@h ", ("bob", "h")), ("bob", ("bob", "d"))])
def test_users(text: str, user: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIP_DOMAIN", "d")
    assert Site().user(text) == user


def test_no_domain() -> None:
    with pytest.raises(click.UsageError, match="SIP_DOMAIN"):
        Site().user("bob")


def test_tables_under_other_names(here: Path) -> None:
    (here / "opensipsctlrc").write_text("ACL_TABLE=groups\n")
    assert Site().place("grp", "group", "ACL_TABLE", {}).name == "groups"
    assert Site().place("grp", "group", "NO_TABLE", {}).name == "grp"


def test_what_a_failed_command_says() -> None:
    assert said("x", MIError(404, "Not found")) == "x: 404 Not found"
    assert "osipctl mi which" in said("x", MIError(-32601, "Method not found"))


def test_the_form_may_stand_behind_the_verb(ctl: Any, played: Any) -> None:
    played.answers = {"uptime": {"Now": "x"}}
    assert ctl("-o", "json", "uptime").stdout == ctl("uptime", "-o", "json").stdout == '{\n  "Now": "x"\n}\n'
    assert ctl("-o", "json", "uptime", "-o", "yaml").stdout == "Now: x\n"


def test_groups_in_groups_take_the_form_too() -> None:
    @click.group(cls=Verbs)
    def outer() -> None:
        """Outer."""

    @outer.group()
    def inner() -> None:
        """Inner."""

    @inner.command()
    def verb() -> None:
        """Verb."""
    assert type(inner) is Verbs and [param.name for param in verb.params] == ["output"]
