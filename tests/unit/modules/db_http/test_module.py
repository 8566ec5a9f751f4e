"""A server of the protocol, over a real socket."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp import web
from kit.peer import HOST, free_port
from kit.playbook import make_worker

from osip.api import ModuleError, StoreError, StoreLost
from osip.modules.db_http import DbHttp

T = sa.table("users", sa.column("name"), sa.column("age"))


@asynccontextmanager
async def served(seen: list[Any], reply: Any, **params: Any) -> AsyncIterator[Any]:
    async def on_request(request: web.Request) -> web.StreamResponse:
        seen.append((request.method, request.raw_path, await request.text(), request.headers.get("Authorization")))
        found = reply(request) if callable(reply) else reply
        if asyncio.iscoroutine(found):
            found = await found
        return found if isinstance(found, web.StreamResponse) else web.Response(text=found)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", on_request)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, HOST, port).start()
    worker, _, _ = make_worker((DbHttp,), {"db_http": params})
    try:
        yield worker.stores.sql(f"http://me:p%40ss@{HOST}:{port}/some/base/")
    finally:
        await worker.stores.close()
        await runner.cleanup()


async def test_questions_and_answers() -> None:
    seen: list[Any] = []
    async with served(seen, "string;int\nalice;30\nbob;\n") as sql:
        assert await sql.fetch(sa.select(T).where(T.c.age > 5).limit(2)) == [{"name": "alice", "age": 30},
                                                                           {"name": "bob", "age": None}]
        assert len(await sql.fetch(sa.select(T).limit(1))) == 1
        assert await sql.execute(T.insert(), [{"name": "x", "age": 1}, {"name": "y", "age": 2}]) == 2
        await sql.execute(T.update().values(age=3).where(T.c.name == "x"))
        await sql.ping()
    assert seen[0] == ("GET", "/some/base/users/?k=age&op=%3E&v=5&c=name,age", "", "Basic bWU6cEBzcw==")
    assert [one[:3] for one in seen[2:5]] == [
        ("POST", "/some/base/users/", "k=name,age&v=x,1&query_type=insert"),
        ("POST", "/some/base/users/", "k=name,age&v=y,2&query_type=insert"),
        ("POST", "/some/base/users/", "k=name&op=%3D&v=x&uk=age&uv=3&query_type=update")]


async def test_an_answer_that_comes_in_pieces() -> None:
    async def reply(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in (b"string;int\nal", b"ice;30\n", b"bob;4\n"):
            await response.write(part)
            await asyncio.sleep(0.05)
        return response
    async with served([], reply) as sql:
        assert await sql.fetch(sa.select(T)) == [{"name": "alice", "age": 30}, {"name": "bob", "age": 4}]


async def test_replacing() -> None:
    """Optional for servers: asked for with cap_replace only, by sql_replace of sqlops."""
    seen: list[Any] = []
    async with served(seen, "", cap_replace=1, value_delimiter=";") as sql:
        await sql.replace("users", {"name": "a;b", "age": None})
    assert seen[0][:3] == ("POST", "/some/base/users/", "k=name;age&v=a%3Bb;%00&query_type=replace")
    async with served(seen, "") as sql:
        with pytest.raises(StoreError, match="cap_replace"):
            await sql.replace("users", {"name": "x"})
    assert len(seen) == 1


async def test_raw_queries() -> None:
    seen: list[Any] = []
    async with served(seen, "int\n5\n") as sql:
        with pytest.raises(StoreError, match="cap_raw_query"):
            await sql.fetch("select 5")
    async with served(seen, "int\n5\n", cap_raw_query=1) as sql:
        assert await sql.fetch("select 5") == [{"0": 5}] and seen[-1][1] == "/some/base/?q=select%205&query_type=custom"


@pytest.mark.parametrize(("status", "kind"), [(400, StoreError), (401, StoreError), (302, StoreError), (503, StoreLost)])
async def test_failures(status: int, kind: type[Exception]) -> None:
    async with served([], web.Response(status=status)) as sql:
        with pytest.raises(kind, match=str(status)) as caught:
            await sql.fetch(sa.select(T))
        assert "p%40ss" not in str(caught.value)


async def test_silence_and_absence() -> None:
    async with served([], lambda request: asyncio.sleep(5), timeout=100) as sql:
        with pytest.raises(StoreLost):
            await sql.fetch(sa.select(T))
        with pytest.raises(StoreError, match="transactions"):
            await sql.run(lambda connection: None)
    worker, _, _ = make_worker((DbHttp,))
    sql = worker.stores.sql(f"http://{HOST}:{free_port()}")
    with pytest.raises(StoreLost):
        await sql.ping()
    await worker.stores.close()


def test_delimiters_differ() -> None:
    with pytest.raises(ModuleError, match="differ"):
        make_worker((DbHttp,), {"db_http": {"field_delimiter": "|"}})
