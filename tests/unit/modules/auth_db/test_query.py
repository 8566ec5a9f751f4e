"""Which columns go where."""
from __future__ import annotations

import pytest

from osip.modules.auth_db.query import auth_id_row, parse_credentials, uri_row, user_row


@pytest.mark.parametrize(("text", "pairs"), [
    ("", []), ("rpid", [("rpid", "rpid")]), ("$avp(x)=col;col2", [("x", "col"), ("col2", "col2")]),
    (" $avp(x) = col ; ", [("x", "col")]), ("$avp(s:x)=c", [("x", "c")])])
def test_load_credentials(text: str, pairs: list[tuple[str, str]]) -> None:
    assert parse_credentials(text) == pairs


@pytest.mark.parametrize("text", ["$avp(x)", "$avp(x)=", "$var(x)=col", "x=col"])
def test_bad_load_credentials(text: str) -> None:
    with pytest.raises(ValueError):
        parse_credentials(text)


def flat(statement: object) -> str:
    return " ".join(str(statement).split())


def test_statements() -> None:
    found = flat(user_row("people", "name", "dom", ["ha1", "rpid", "name"]))
    assert found.startswith("SELECT people.ha1, people.rpid, people.name FROM people WHERE "
                            "people.name = :user AND people.dom = :domain")
    assert ":domain" not in flat(user_row("people", "name", "", ["ha1"]))
    assert "uri.u = :uri_user" in flat(uri_row("uri", "n", "d", "u"))
    assert "WHERE uri.u = :uri_user" in flat(auth_id_row("uri", "n", "d", "u"))
