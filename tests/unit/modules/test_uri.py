"""Old words on URIs: users by their credentials and by SQL, and look-ups that are not there."""
from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from kit.desk import Desk
from kit.message import request
from kit.passage import Box, pass_through
from kit.registration import register
from osip.api import H_AUTHORIZATION, Auth, create_tables
from osip.modules.auth.guard import Given
from osip.modules.auth_db import AuthDb
from osip.modules.uri import Uri
from osip.script.builtins.identity import CoreIdentity

VICTIM = 'Authorization: Digest username="alice", realm="other", nonce="n", uri="sip:x", response="r"\r\n'


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


async def ask(desk: Desk, raw: bytes, word: str, *args: Any, user: str = "") -> int:
    """Call a word, by any of its names, for a user that authenticated; return what the script would see."""
    spec = next(f for f in Uri.spec.functions if word == f.name or word in f.aliases)
    ctx = desk.ctx(raw)
    if user:
        ctx[desk.auth.accepted] = Given(0, Auth("Digest", {"username": user}), "example.com")
    found = getattr(desk["uri"], spec.attr)(ctx, *args)
    result = await found if spec.is_async else found
    return {True: 1, False: -1}[result] if isinstance(result, bool) else result


@pytest.mark.parametrize(("user", "args", "result", "counted"), [
    ("alice", ("is_user", "alice"), 1, (0, 0)), ("alice", ("is_user", "bob"), -1, (0, 0)), ("", ("is_user", "alice"),
        -1, (0, 0)),
    ("alice@x.org", ("is_user", "alice"), 1, (0, 0)), ("alice@x.org", ("is_user", "alice@x.org"), 1, (0, 0)),
    ("alice", ("db_check_from",), 1, (1, 0)), ("Alice@example.com", ("check_from",), 1, (1, 0)),
    ("alice", ("db_check_to",), -1, (0, 1)), ("bob", ("check_to",), 1, (1, 0)), ("", ("check_to",), -1, (0, 1)),
])
async def test_users(make: Make, user: str, args: tuple[str, ...], result: int, counted: tuple[int, int],
                     caplog: pytest.LogCaptureFixture) -> None:
    desk = await make()
    assert await ask(desk, request(headers=VICTIM), *args, user=user) == result, "unchecked credentials say nothing"
    assert (desk.env.stats.get("uri:positive checks"), desk.env.stats.get("uri:negative_checks")) == counted
    assert ("without an authorized user" in caplog.text) is (not user)


async def test_made_up_credentials_before_the_right_ones() -> None:
    desk = Desk(Uri, CoreIdentity, params={"auth": {"username_spec": "$u", "password_spec": "$p", "calculate_ha1": 1}},
                values={"$u": "eve", "$p": "secret"})
    line = desk.answer(desk.challenge("")[0], user="eve").msg.get(H_AUTHORIZATION)
    ctx = desk.ctx(register(aor="sip:alice@example.com", cseq=2, headers=f"{VICTIM}Authorization: {line}\r\n"))
    words, uri = desk["core_identity"], desk["uri"]
    assert words.au(ctx) == "alice" and words.auth_realm(ctx) == "other"            # as they stand in the message
    assert desk.auth.pv_www_authorize(ctx, "") == 1
    assert not await uri.db_check_from(ctx) and not await uri.db_check_to(ctx)
    assert not uri.is_user(ctx, "alice") and uri.is_user(ctx, "eve")
    assert words.au(ctx) == words.auth_username(ctx) == words.accounting_user(ctx) == "eve"
    assert words.auth_realm(ctx) == "example.com" and words.auth_domain(ctx) is None


async def test_without_auth_nobody_is_authorized(make: Make) -> None:
    desk = await make()
    desk["uri"].auth = None
    assert await ask(desk, request(headers=VICTIM), "check_from", user="alice") == -1


@pytest.mark.parametrize(("user", "use_domain", "word", "result"), [
    ("carol", 0, "check_from", 1), ("carol@example.com", 1, "check_from", 1), ("carol@other.org", 1, "check_from", -1),
    ("carol", 1, "check_from", 1), ("carol@other.org", 0, "check_from", 1), ("carol", 1, "check_to", -1),
    ("alice", 1, "check_from", -1)])
async def test_the_table_of_uris(make: Make, user: str, use_domain: int, word: str, result: int) -> None:
    desk = await make(use_uri_table=1, use_domain=use_domain)
    assert await ask(desk, request(), word, user=user) == result


@pytest.mark.parametrize(("ruri", "params", "result"), [
    ("sip:bob@example.com", {"use_domain": 1}, 1), ("sip:bob@other.org", {}, 1), ("sip:eve@example.com", {}, -1),
    ("sip:bob@other.org", {"use_domain": 1}, -1), ("sip:example.com", {}, -1),
    ("sip:alice@example.com", {"use_uri_table": 1}, 1), ("sip:bob@example.com", {"use_uri_table": 1}, -1)])
async def test_does_uri_exist(make: Make, ruri: str, params: dict[str, int], result: int) -> None:
    assert await ask(await make(**params), request(ruri=ruri), "does_uri_exist") == result


@pytest.mark.parametrize(("uri", "use_uri_table", "found"), [
    ("sip:alice@x", 1, ["carol", "example.com"]), ("sip:nobody@x", 1, None), ("nonsense", 1, None),
    ("sip:bob@x", 0, ["bob", "example.com"]), ("sip:alice@x", 0, None)])
async def test_auth_id(make: Make, uri: str, use_uri_table: int, found: list[str] | None) -> None:
    auth, realm = Box(), Box()
    desk = await make(use_uri_table=use_uri_table)
    assert await ask(desk, request(), "get_auth_id", uri, auth, realm) == (1 if found else -1)
    assert auth.values + realm.values == (found or [])


@pytest.mark.parametrize("use_uri_table", [0, 1])
async def test_the_embedded_table_is_made_when_a_word_asks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                                  use_uri_table: int) -> None:
    monkeypatch.chdir(tmp_path)
    desk = Desk(Uri, params={"uri": {"use_uri_table": use_uri_table}})
    assert not list(tmp_path.iterdir())         # has_totag() alone needs no file
    assert await ask(desk, request(), "does_uri_exist") == -1
    assert await desk.env.sql("").fetch("select * from " + ("uri" if use_uri_table else "subscriber")) == []
    await desk.close()


@pytest.mark.parametrize(("name", "said"), [("none", 'table "none" has version None'), ("uri", "has version 9")])
async def test_a_table_that_is_not_as_it_must_be_is_logged(make: Make, name: str, said: str,
                                                           caplog: pytest.LogCaptureFixture) -> None:
    desk = await make(db_table=name, use_uri_table=1)
    await desk.env.sql("").execute("update version set table_version = 9 where table_name = 'uri'")
    assert await ask(desk, request(), "does_uri_exist") == -1
    assert "db_does_uri_exist: " in caplog.text and said in caplog.text


@pytest.mark.parametrize("args", [
    ("aaa_does_uri_exist",), ("does_uri_user_exist", "x"),
])
def test_what_is_not_there_fails_and_says_so(args: tuple[Any, ...], caplog: pytest.LogCaptureFixture) -> None:
    assert pass_through(Uri, request(), args).results == [-1]
    assert "fails: there is no module for AAA yet" in caplog.text


def test_the_words_shared_with_sipmsgops() -> None:
    found = pass_through(Uri, request(ruri="sip:b@10.0.0.2;a"), ("has_totag",), ("uri_param", "a"), ("add_uri_param",
        "x=1"))
    assert found.results == [-1, 1, 1] and found.sent.ruri == "sip:b@10.0.0.2;a;x=1"
