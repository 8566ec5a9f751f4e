"""Requests to a real HTTP server on loopback."""
from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from kit.message import request
from kit.passage import Box
from kit.peer import free_port
from kit.playbook import make_worker
from osip.api import Ctx, ModuleError, parse
from osip.modules.rest_client import RestClient


class Site:
    """A server that tells what it got."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.waiting = asyncio.Event()
        self.url = ""

    async def answer(self, asked: web.Request) -> web.Response:
        match asked.path:
            case "/slow":
                self.waiting.set()
                await self.release.wait()
            case "/big":
                return web.Response(body=b"x" * 4096)
            case "/version":
                return web.Response(text=f"{asked.version.major}.{asked.version.minor}")
            case "/moved":
                raise web.HTTPFound("/other")
        text = f"{asked.method} {asked.headers.get('X-Key', '-')} {asked.headers.get('Content-Type', '-')} {await asked.text()}"
        return web.Response(text=text, status=404 if asked.path == "/none" else 200, content_type="text/x-told")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made, app = Site(), web.Application()
    app.router.add_route("*", "/{tail:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    made.url = f"http://127.0.0.1:{port}"
    yield made
    made.release.set()
    await runner.cleanup()


@pytest.fixture
async def module() -> AsyncIterator[Any]:
    worker, _, _ = make_worker((RestClient,))
    made: Any = worker.env.modules["rest_client"]
    await made.child_init(worker.env)
    yield made
    await made.destroy()


def ctx_of(module: Any) -> Ctx:
    return Ctx(module.env, parse(request()), None)


async def test_get(site: Site, module: Any) -> None:
    ctx, body, ctype, code = ctx_of(module), Box(), Box(), Box()
    assert module.rest_append_hf(ctx, "X-Key: secret")
    assert await module.rest_get(ctx, site.url + "/a", body, ctype, code) == 1
    assert (body.values, ctype.values, code.values) == (["GET secret - "], ["text/x-told; charset=utf-8"], [0, 200])
    assert await module.rest_get(ctx, site.url + "/none", body, None, code) == 1        # the header was for one request
    assert body.values[-1] == "GET - - " and code.values[-1] == 404


@pytest.mark.parametrize(("wanted", "spoken"), [(0, "1.1"), (1, "1.0"), (2, "1.1"), (3, "1.1")])
async def test_http_version(site: Site, wanted: int, spoken: str, caplog: pytest.LogCaptureFixture) -> None:
    """There is no HTTP/2: who asks for it is told so at start."""
    worker, _, _ = make_worker((RestClient,), {"rest_client": {"curl_http_version": wanted}})
    made: Any = worker.env.modules["rest_client"]
    await made.child_init(worker.env)
    body = Box()
    assert await made.rest_get(ctx_of(made), site.url + "/version", body) == 1 and body.values == [spoken]
    await made.destroy()
    assert ("asks for HTTP/2" in caplog.text) is (wanted > 2)


async def test_post_and_put(site: Site, module: Any) -> None:
    ctx, body = ctx_of(module), Box()
    assert await module.rest_post(ctx, site.url, "a=b", None, body) == 1
    assert await module.rest_put(ctx, site.url, "{}", "application/json", body) == 1
    assert body.values == ["POST - application/x-www-form-urlencoded a=b", "PUT - application/json {}"]


async def test_redirects_are_not_followed(site: Site, module: Any) -> None:
    code = Box()
    assert await module.rest_get(ctx_of(module), site.url + "/moved", Box(), None, code) == 1
    assert code.values[-1] == 302


async def test_failures(site: Site, module: Any, caplog: Any) -> None:
    ctx, code = ctx_of(module), Box()
    url = f"http://user:hidden@127.0.0.1:{free_port()}/?token=hidden"
    assert await module.rest_get(ctx, url, Box(), None, code) == -1 and code.values == [0]
    assert "hidden" not in caplog.text and "rest_client: GET 127.0.0.1:" in caplog.text
    assert await module.rest_get(ctx, "nonsense", Box()) == -10
    module.max_transfer_size = 1
    assert await module.rest_get(ctx, site.url + "/big", Box()) == -10
    assert "larger than max_transfer_size=1" in caplog.text


async def test_slow_server(site: Site, module: Any) -> None:
    module.curl_timeout = 0.05
    assert await module.rest_get(ctx_of(module), site.url + "/slow", Box()) == -3


async def test_no_connection_in_time(module: Any) -> None:
    with socket.socket() as full:               # nobody accepts and its queue is full: connecting waits
        full.bind(("127.0.0.1", free_port()))
        full.listen(0)
        port = full.getsockname()[1]
        held = []
        for _ in range(3):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
            held.append(one)
        module.connection_timeout = 0.05
        assert await module.rest_get(ctx_of(module), f"http://127.0.0.1:{port}/", Box()) == -2
        for one in held:
            one.close()


async def test_bounds(site: Site, module: Any) -> None:
    ctx = ctx_of(module)
    module.max_async_transfers = 1
    first = asyncio.ensure_future(module.rest_get(ctx, site.url + "/slow", Box()))
    await site.waiting.wait()
    assert await module.rest_get(ctx, site.url, Box()) == -10
    site.release.set()
    assert await first == 1
    assert await module.rest_get(ctx, site.url, Box()) == 1
    module.no_concurrent_connects = 1
    module._connecting.add(site.url[7:])
    assert await module.rest_get(ctx, site.url, Box()) == -4


async def test_headers_and_tls_domains_are_checked(module: Any) -> None:
    ctx = ctx_of(module)
    assert not module.rest_append_hf(ctx, "no header") and not module.rest_append_hf(ctx, "A: b\r\nC: d")
    assert not module.rest_init_client_tls(ctx, "dom")


def test_authorities_must_exist() -> None:
    with pytest.raises(ModuleError, match="ssl_capath"):
        make_worker((RestClient,), {"rest_client": {"ssl_capath": "/none/such"}})


@pytest.mark.parametrize(("text", "escaped"), [("a b/é", "a%20b%2F%C3%A9"), ("x", "x"), (None, None)])
def test_escape(text: str | None, escaped: str | None) -> None:
    assert RestClient.escape.func(text) == escaped and RestClient.unescape.func(escaped) == text      # type: ignore[attr-defined]


async def test_transfers_are_traced(site: Site, module: Any) -> None:
    told: list[tuple[str, str]] = []

    class Tracer:
        def tell(self, ctx: Ctx, kind: str, text: str) -> None:
            told.append((kind, text))
    module.tracer = Tracer()
    box = Box()
    await module.rest_post(ctx_of(module), site.url.replace("//", "//user:secret@") + "/echo?x=1", "hello", None, box)
    await module.rest_get(ctx_of(module), "http://127.0.0.1:1/none", box)
    assert [kind for kind, _ in told] == ["rest", "rest"]
    head, _, rest = told[0][1].partition("\n")
    assert head.startswith("POST http://***@127.0.0.1") and head.endswith("?x=1") and "secret" not in told[0][1]
    assert rest.startswith("hello\n\n") and "GET http://127.0.0.1:1/none" in told[1][1]
