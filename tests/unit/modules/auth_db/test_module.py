"""Users and their URIs in SQLite."""
from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from kit.desk import Desk
from kit.message import request
from kit.passage import Box
from kit.registration import register

from osip.api import ModuleError, create_tables, digest_ha1
from osip.modules.auth_db import AuthDb

Make = Callable[..., Any]
INSERT = ("insert into subscriber (username, domain, password, ha1, ha1_sha256, ha1_sha512t256) "
          "values (:u, :d, :p, :a, :b, :c)")


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Return a maker of desks with two users called bob, of different domains, and one without hashes."""
    desks: list[Desk] = []

    async def build(**params: Any) -> Desk:
        desk = Desk(AuthDb, folder=tmp_path, params={"auth_db": params})
        desks.append(desk)
        sql = desk.env.sql("")
        await create_tables(sql, [AuthDb.spec.tables[0], AuthDb.spec.tables[1]])
        if not await sql.fetch("select * from subscriber"):
            for domain, password in (("other.org", "else"), ("example.com", "secret")):
                hashes = [digest_ha1("bob", domain, password, name) for name in ("MD5", "SHA-256", "SHA-512-256")]
                await sql.execute(INSERT, {"u": "bob", "d": domain, "p": password, **dict(zip(
                    "abc", hashes, strict=True))})
            await sql.execute("insert into subscriber (username, domain) values ('bare', 'example.com')")
            await sql.execute("insert into uri (username, domain, uri_user) values ('bob', 'example.com', 'sales')")
        await desk["auth_db"].child_init(desk.env)
        return desk
    yield build
    for desk in desks:
        await desk.close()


@pytest.mark.parametrize("algorithm", ["md5", "sha-256", "sha-512-256"])
@pytest.mark.parametrize(("user", "password", "result"), [("bob", "secret", 1), ("bob@example.com", "secret", -2),
    ("bob", "else", -2), ("bob", "", -2), ("eve", "secret", -1), ("bare", "", -2), ("bob@nowhere", "secret", -1)])
async def test_authorize(make: Make, algorithm: str, user: str, password: str, result: int) -> None:
    desk = await make()
    ctx = desk.answer(desk.challenge("", ("auth",), (algorithm,))[0], user, password)
    assert await desk["auth_db"].www_authorize(ctx, "", "subscriber") == result
    assert (desk.auth.identity(ctx) is not None) == (result > 0)


@pytest.mark.parametrize(("user", "result"), [("bob", 1), ("bob@example.com", 1), ("bob@other.org", -2)])
async def test_plain_passwords(make: Make, user: str, result: int) -> None:
    desk = await make(calculate_ha1=1, password_column="password")
    ctx = desk.answer(desk.challenge("", (), ("sha-256",), proxy=True)[0], user, proxy=True)
    assert await desk["auth_db"].proxy_authorize(ctx, "", "subscriber") == result
    assert await desk["auth_db"].www_authorize(ctx, "", "subscriber") == -4


async def test_the_domain_may_be_left_out(make: Make) -> None:
    desk = await make(use_domain=0)
    [one] = desk.challenge("elsewhere")
    ctx = desk.answer(one)
    assert await desk["auth_db"].www_authorize(ctx, "elsewhere", "subscriber") == -2, "found, but hashed for a realm"
    assert await desk["auth_db"].www_authorize(desk.answer(one, "eve"), "elsewhere", "subscriber") == -1


async def test_stale_needs_no_database(make: Make) -> None:
    desk = await make()
    [one] = desk.challenge("")
    desk.seconds += 60
    assert await desk["auth_db"].www_authorize(desk.answer(one), "", "no_such_table") == -3


async def test_columns_go_into_avps(make: Make) -> None:
    desk = await make(load_credentials=[("who", "username"), ("number", "id"), ("domain", "domain")])
    ctx = desk.answer(desk.challenge("")[0], password="wrong")
    assert await desk["auth_db"].www_authorize(ctx, "", "subscriber") == -2 and not ctx.avps
    ctx = desk.answer(desk.challenge("")[0])
    assert await desk["auth_db"].www_authorize(ctx, "", "subscriber") == 1
    assert ctx.avps == {"who": ["bob"], "number": [2], "domain": ["example.com"]}


@pytest.mark.parametrize("word", ["www_authorize", "db_does_uri_exist", "db_get_auth_id", "db_is_from_authorized"])
async def test_a_lost_database_is_a_result_and_a_log_line(make: Make, caplog: Any, word: str) -> None:
    desk = await make()
    module = desk["auth_db"]
    ctx = desk.answer(desk.challenge("")[0])
    assert await module.www_authorize(ctx, "", "subscriber") == 1
    for table in ("subscriber", "uri"):
        await desk.env.sql("").execute(f"drop table {table}")
    args = {"www_authorize": ("", "subscriber"), "db_does_uri_exist": ("sip:bob@example.com", "subscriber"),
            "db_get_auth_id": ("uri", "sip:a@b", Box(), Box()), "db_is_from_authorized": ("uri",)}[word]
    again = ctx if word != "www_authorize" else desk.answer(desk.challenge("")[0])
    assert await getattr(module, word)(again, *args) == -5
    assert "auth_db" in caplog.text and "call_id=reg-1" in caplog.text


async def test_versions_are_checked(make: Make) -> None:
    desk = await make()
    sql = desk.env.sql("")
    await sql.execute("create table other as select * from subscriber")
    ctx = desk.ctx(register())
    assert await desk["auth_db"].db_does_uri_exist(ctx, "sip:bob@example.com", "other") == -5
    await sql.execute("update version set table_version = 7 where table_name = 'subscriber'")
    with pytest.raises(ModuleError, match="auth_db: .*has version 7, version 8 is needed"):
        await make()
    free = await make(skip_version_check=1)
    assert await free["auth_db"].db_does_uri_exist(ctx, "sip:bob@example.com", "other") == 1


@pytest.mark.parametrize(("uri", "result"), [("sip:bob@example.com", 1), ("sip:bob@nowhere", -1),
    ("sip:eve@example.com", -1), ("nonsense", -1)])
async def test_does_uri_exist(make: Make, uri: str, result: int) -> None:
    desk = await make()
    assert await desk["auth_db"].db_does_uri_exist(desk.ctx(request()), uri, "subscriber") == result


@pytest.mark.parametrize(("aor", "result"), [("sip:sales@example.com", 1), ("sip:bob@example.com", -1)])
async def test_who_may_use_a_uri(make: Make, aor: str, result: int) -> None:
    desk = await make()
    module = desk["auth_db"]
    ctx = desk.answer(desk.challenge("")[0])
    raw = ctx.msg.raw.replace(b"<sip:bob@example.com>", f"<{aor}>".encode())
    ctx = desk.ctx(raw)
    assert await module.db_is_to_authorized(ctx, "uri") == -1, "not authorized yet"
    assert await module.www_authorize(ctx, "example.com", "subscriber") == 1
    assert await module.db_is_to_authorized(ctx, "uri") == result
    assert await module.db_is_from_authorized(ctx, "uri") == result


async def test_auth_id(make: Make) -> None:
    desk = await make()
    auth, realm = Box(), Box()
    ctx = desk.ctx(request())
    assert await desk["auth_db"].db_get_auth_id(ctx, "uri", "sip:sales@example.com", auth, realm) == 1
    assert (auth.values, realm.values) == (["bob"], ["example.com"])
    for uri in ("sip:none@example.com", "nonsense"):
        assert await desk["auth_db"].db_get_auth_id(ctx, "uri", uri, auth, realm) == -1
