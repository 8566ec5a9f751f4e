"""Management over HTTP, on a real port: statuses, bodies, and what never reaches a command."""
from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from kit.peer import free_port
from kit.playbook import make_worker
from osip.api import Module, mi
from osip.core.run.management import CoreCommands
from osip.modules.httpd import Httpd
from osip.modules.mi_http import MiHttp

JSON = {"Content-Type": "application/json"}


class Pot(Module):
    """Counts what reached a command."""
    name = "pot"
    stirred = 0

    @mi("stir")
    def stir(self, how: str = "slowly") -> str:
        """Stir."""
        self.stirred += 1
        return how


@asynccontextmanager
async def serving(mi_http: dict[str, Any] | None = None, **httpd: Any) -> AsyncIterator[Any]:
    params = {"httpd": {"port": free_port(), **httpd}, "mi_http": mi_http or {}}
    worker, _, _ = make_worker((CoreCommands, Httpd, MiHttp, Pot), params)
    server = worker.registry.instances["httpd"]
    await server.child_init(worker.env)
    try:
        yield worker
    finally:
        await server.destroy()


def rpc(method: str, params: Any = None, ident: Any = 1) -> bytes:
    request = {"jsonrpc": "2.0", "method": method, "params": params or []}
    return json.dumps(request if ident is None else {**request, "id": ident}).encode()


async def post(worker: Any, body: bytes, method: str = "POST", headers: dict[str, str] | None = None, root: str = "mi",
               **more: Any) -> tuple[int, bytes, Any]:
    url = f"{worker.registry.instances['httpd'].url}/{root}"
    async with aiohttp.ClientSession() as client, \
            client.request(method, url, data=body, headers=JSON if headers is None else headers, **more) as response:
        return response.status, await response.read(), response.headers


async def test_a_command() -> None:
    async with serving() as worker:
        status, body, headers = await post(worker, rpc("pot:stir", ["fast"], 7))
        assert (status, json.loads(body)) == (200, {"jsonrpc": "2.0", "result": "fast", "id": 7})
        assert headers["Content-Type"] == "application/json"
        assert b"\n" not in body


@pytest.mark.parametrize(("body", "code"), [
    (b"nonsense", -32700), (b"", -32700), (b"[]", -32600), (b"{}", -32600), (rpc("none"), -32601),
    (rpc("stir", ["a", "b"]), -32602), (rpc("stir", {"who": "a"}), -32602), (b"\xff\xfe", -32700)])
async def test_errors_are_answers(body: bytes, code: int) -> None:
    async with serving() as worker:
        status, answer, _ = await post(worker, body)
        assert (status, json.loads(answer)["error"]["code"]) == (200, code)


@pytest.mark.parametrize(("method", "headers", "status"), [
    ("GET", JSON, 405), ("PUT", JSON, 405), ("DELETE", JSON, 405), ("POST", {"Content-Type": "text/plain"}, 400),
    ("POST", {"Content-Type": "application/x-www-form-urlencoded"}, 400),
    ("POST", {"Content-Type": "application/json; charset=utf-8"}, 200)])
async def test_what_reaches_a_command(method: str, headers: dict[str, str], status: int) -> None:
    async with serving() as worker:
        found, _, got = await post(worker, rpc("stir"), method, headers)
        assert found == status and worker.registry.instances["pot"].stirred == (status == 200)
        if status == 405:
            assert got["Allow"] == "POST"


async def test_a_notification_is_run_and_not_answered() -> None:
    async with serving() as worker:
        assert (await post(worker, rpc("stir", None, None)))[:2] == (204, b"")
        assert worker.registry.instances["pot"].stirred == 1


async def test_a_long_body_is_refused_and_a_shorter_one_served() -> None:
    async with serving(max_body=2048) as worker:
        assert (await post(worker, rpc("stir", ["x" * 4000])))[0] == 413
        assert worker.registry.instances["pot"].stirred == 0
        assert (await post(worker, rpc("stir", ["x" * 1000])))[0] == 200


async def test_password() -> None:
    async with serving(auth_username="me", auth_password="secret") as worker:
        assert (await post(worker, rpc("stir")))[0] == 401
        assert worker.registry.instances["pot"].stirred == 0
        assert (await post(worker, rpc("stir"), auth=aiohttp.BasicAuth("me", "secret")))[0] == 200


async def test_root_and_pretty_printing() -> None:
    async with serving({"root": "/control/", "pretty_printing": 1}) as worker:
        status, body, _ = await post(worker, rpc("stir"), root="control")
        assert status == 200 and b"\n" in body
        assert (await post(worker, rpc("stir")))[0] == 404
        url = worker.registry.instances["httpd"].url
        assert worker.env.announcements[0] == f"MI {url}/control"
