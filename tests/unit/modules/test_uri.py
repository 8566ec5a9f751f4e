"""Old words on URIs: users by their credentials and by SQL, and look-ups that are not there."""
from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from kit.desk import Desk
from kit.message import request
from kit.passage import Box, pass_through
from osip.api import create_tables
from osip.modules.auth_db import AuthDb
from osip.modules.uri import Uri

AUTH = 'Proxy-Authorization: Digest username="{}", realm="example.com", nonce="n", uri="sip:x", response="r"\r\n'


Make = Callable[..., Any]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Return a maker of desks that share tables of users and of URIs."""
    desks: list[Desk] = []

    async def build(**params: Any) -> Desk:
        desk = Desk(Uri, folder=tmp_path, params={"uri": params})
        desks.append(desk)
        sql = desk.env.sql("")
        if await create_tables(sql, AuthDb.spec.tables):
            await sql.execute("insert into subscriber (username, domain) values ('bob', 'example.com')")
            await sql.execute("insert into uri (username, domain, uri_user) values ('carol', 'example.com', 'alice')")
        return desk
    yield build
    for desk in desks:
        await desk.close()


async def ask(desk: Desk, raw: bytes, word: str, *args: Any) -> int:
    """Call a word, by any of its names, and return what the script would see."""
    spec = next(f for f in Uri.spec.functions if word == f.name or word in f.aliases)
    found = getattr(desk["uri"], spec.attr)(desk.ctx(raw), *args)
    result = await found if spec.is_async else found
    return {True: 1, False: -1}[result] if isinstance(result, bool) else result


@pytest.mark.parametrize(("user", "args", "result", "counted"), [
    ("alice", ("is_user", "alice"), 1, (0, 0)), ("alice", ("is_user", "bob"), -1, (0, 0)), ("", ("is_user", "alice"),
        -1, (0, 0)),
    ("alice", ("db_check_from",), 1, (1, 0)), ("Alice@example.com", ("check_from",), 1, (1, 0)),
    ("alice", ("db_check_to",), -1, (0, 1)), ("bob", ("check_to",), 1, (1, 0)), ("", ("check_to",), -1, (0, 1)),
])
async def test_users(make: Make, user: str, args: tuple[str, ...], result: int, counted: tuple[int, int]) -> None:
    desk = await make()
    assert await ask(desk, request(headers=AUTH.format(user) if user else ""), *args) == result
    assert (desk.env.stats.get("uri:positive checks"), desk.env.stats.get("uri:negative_checks")) == counted


@pytest.mark.parametrize(("user", "use_domain", "word", "result"), [
    ("carol", 0, "check_from", 1), ("carol@example.com", 1, "check_from", 1), ("carol@other.org", 1, "check_from", -1),
    ("carol@other.org", 0, "check_from", 1), ("carol", 1, "check_to", -1), ("alice", 1, "check_from", -1)])
async def test_the_table_of_uris(make: Make, user: str, use_domain: int, word: str, result: int) -> None:
    desk = await make(use_uri_table=1, db_table="uri", use_domain=use_domain)
    assert await ask(desk, request(headers=AUTH.format(user)), word) == result


@pytest.mark.parametrize(("ruri", "use_domain", "result"), [
    ("sip:bob@example.com", 1, 1), ("sip:bob@other.org", 0, 1), ("sip:bob@other.org", 1, -1),
    ("sip:eve@example.com", 0, -1)])
async def test_does_uri_exist(make: Make, ruri: str, use_domain: int, result: int) -> None:
    desk = await make(use_domain=use_domain)
    assert await ask(desk, request(ruri=ruri), "does_uri_exist") == result


async def test_auth_id(make: Make) -> None:
    desk, auth, realm = await make(db_table="uri"), Box(), Box()
    assert await ask(desk, request(), "get_auth_id", "sip:alice@x", auth, realm) == 1
    assert (auth.values, realm.values) == (["carol"], ["example.com"])
    assert await ask(desk, request(), "get_auth_id", "sip:nobody@x", auth, realm) == -1
    assert await ask(desk, request(), "get_auth_id", "nonsense", auth, realm) == -1


async def test_a_database_without_the_table_is_logged(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    desk = await make(db_table="none")
    assert await ask(desk, request(), "does_uri_exist") == -1
    assert "db_does_uri_exist: " in caplog.text and "no such table" in caplog.text


@pytest.mark.parametrize("args", [
    ("aaa_does_uri_exist",), ("does_uri_user_exist", "x"),
])
def test_what_is_not_there_fails_and_says_so(args: tuple[Any, ...], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "osip.uri"):
        assert pass_through(Uri, request(), args).results == [-1]
    assert "auth_" in caplog.text


def test_the_words_shared_with_sipmsgops() -> None:
    found = pass_through(Uri, request(ruri="sip:b@10.0.0.2;a"), ("has_totag",), ("uri_param", "a"), ("add_uri_param",
        "x=1"))
    assert found.results == [-1, 1, 1] and found.sent.ruri == "sip:b@10.0.0.2;a;x=1"
