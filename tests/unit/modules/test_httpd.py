"""The HTTP server: where it may listen, who may ask, and what it refuses."""
from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from kit.peer import free_port
from kit.playbook import make_worker
from osip.core.errors import ModuleError
from osip.core.run.management import CoreCommands
from osip.modules.httpd import Httpd


@asynccontextmanager
async def serving(serve: Any = None, **params: Any) -> AsyncIterator[Any]:
    """Run the module with `serve` under /x."""
    worker, _, _ = make_worker((CoreCommands, Httpd), {"httpd": {"port": free_port(), **params}})
    httpd = worker.registry.instances["httpd"]
    if serve is not None:
        httpd.register("/x/", serve)
    await httpd.child_init(worker.env)
    try:
        yield httpd
    finally:
        await httpd.destroy()


async def hello(request: Any) -> Any:
    from aiohttp import web
    return web.Response(text=f"{request.method} {await request.text()}")


async def ask(url: str, method: str = "GET", **more: Any) -> tuple[int, str]:
    async with aiohttp.ClientSession() as client, client.request(method, url, **more) as response:
        return response.status, await response.text()


@pytest.mark.parametrize(("path", "status", "text"), [
    ("/x", 200, "GET "), ("/x/", 200, "GET "), ("/x/below/it", 200, "GET "), ("/", 404, "nothing at /\n"), ("/y", 404,
        "nothing at /y\n"),
    ("/x%2fy", 200, "GET ")])
async def test_roots(path: str, status: int, text: str) -> None:
    async with serving(hello) as httpd:
        assert await ask(httpd.url + path) == (status, text)
        assert httpd.list_root_path() == ["/x"]


@pytest.mark.parametrize(("user", "password", "status"), [
    ("me", "secret", 200), ("me", "wrong", 401), ("you", "secret", 401), ("", "", 401)])
async def test_password(user: str, password: str, status: int) -> None:
    async with serving(hello, auth_username="me", auth_password="secret", auth_realm="R") as httpd:
        login = aiohttp.BasicAuth(user, password)
        assert (await ask(httpd.url + "/x", auth=login))[0] == status
        for header in ("Bearer x", "Basic", "Basic !!!", "Basic bWU="):
            assert (await ask(httpd.url + "/x", headers={"Authorization": header}))[0] == 401
        async with aiohttp.ClientSession() as client, client.get(httpd.url + "/x") as response:
            assert response.status == 401 and response.headers["WWW-Authenticate"] == 'Basic realm="R"'


async def test_a_password_without_a_user_name_is_asked_for() -> None:
    async with serving(hello, auth_password="secret") as httpd:
        assert (await ask(httpd.url + "/x"))[0] == 401
        assert (await ask(httpd.url + "/x", auth=aiohttp.BasicAuth("", "secret")))[0] == 200


@pytest.mark.parametrize("ip", ["0.0.0.0", "::", "192.0.2.1", "example.com", ""])
def test_the_world_is_refused_without_password_and_tls(ip: str) -> None:
    for lacking in ({}, {"auth_username": "me", "auth_password": "x"}, {"tls_cert_file": "a", "tls_key_file": "b"}):
        with pytest.raises(ModuleError, match="may not listen"):
            make_worker((Httpd,), {"httpd": {"ip": ip, **lacking}})


@pytest.mark.parametrize("params", [
    {"ip": "127.0.0.1"}, {"ip": "::1"}, {"ip": "localhost"}, {"ip": "127.0.0.9"},
    {"ip": "0.0.0.0", "auth_username": "me", "auth_password": "x", "tls_cert_file": "a", "tls_key_file": "b"}])
def test_where_it_may_listen(params: dict[str, Any]) -> None:
    make_worker((Httpd,), {"httpd": params})


@pytest.mark.parametrize("params", [{"tls_cert_file": "a"}, {"tls_key_file": "a"}])
def test_half_of_tls_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ModuleError, match="both"):
        make_worker((Httpd,), {"httpd": params})


async def test_a_taken_port_is_told_with_what_to_do() -> None:
    async with serving(hello) as httpd:
        with pytest.raises(ModuleError, match="cannot listen on 127.0.0.1:.*Choose"):
            async with serving(hello, port=httpd.port):
                pass


async def test_a_slow_answer_ends() -> None:
    async def slow(request: Any) -> Any:
        await asyncio.Event().wait()
    async with serving(slow, conn_timeout=0.05) as httpd:
        assert (await ask(httpd.url + "/x"))[0] == 408


async def test_a_failing_answer_is_500_and_the_next_one_good() -> None:
    async def failing(request: Any) -> Any:
        raise RuntimeError("bug")
    async with serving(failing) as httpd:
        assert (await ask(httpd.url + "/x"))[0] == 500
        httpd.register("x", hello)
        assert (await ask(httpd.url + "/x"))[0] == 200


async def test_ipv6() -> None:
    async with serving(hello, ip="::1") as httpd:
        assert httpd.url.startswith("http://[::1]:")
        assert (await ask(httpd.url + "/x"))[0] == 200


async def test_tls(tmp_path: Path) -> None:
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "k.pem", "-out",
        "c.pem",
                           "-days", "2", "-subj", "/CN=localhost"], cwd=tmp_path, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    files = {"tls_cert_file": str(tmp_path / "c.pem"), "tls_key_file": str(tmp_path / "k.pem")}
    async with serving(hello, **files) as httpd:
        assert httpd.url.startswith("https://")
        assert (await ask(httpd.url + "/x", ssl=False))[0] == 200
    with pytest.raises(ModuleError, match="cannot use"):
        async with serving(hello, tls_cert_file=str(tmp_path / "none.pem"), tls_key_file=str(tmp_path / "k.pem")):
            pass
