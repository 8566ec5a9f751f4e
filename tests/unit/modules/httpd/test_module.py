"""The HTTP server: where it may listen, who may ask, and what it refuses."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from kit.peer import free_port
from kit.playbook import FakeProgram, make_worker
from osip.core.errors import ModuleError
from osip.core.run.management import CoreCommands
from osip.modules.httpd import Httpd
from osip.modules.httpd.gate import parse_access

TOKEN = "0123456789abcdef0123"
ACCESS = [
    parse_access(f"name=al role=read token={TOKEN}"),
    parse_access(f"name=bo role=operate token={TOKEN}x domains=b.example"),
]


@asynccontextmanager
async def serving(serve: Any = None, for_tenants: bool = False, **params: Any) -> AsyncIterator[Any]:
    """Run the module with `serve` under /x."""
    worker, _, _ = make_worker((CoreCommands, Httpd), {"httpd": {"port": free_port(), **params}})
    worker.set_program(FakeProgram())
    httpd = worker.registry.instances["httpd"]
    if serve is not None:
        httpd.register("/x/", serve, for_tenants=for_tenants)
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


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/x", 200, "GET "),
        ("/x/", 200, "GET "),
        ("/x/below/it", 200, "GET "),
        ("/", 404, "nothing at /\n"),
        ("/y", 404, "nothing at /y\n"),
        ("/x%2fy", 200, "GET "),
    ],
)
async def test_roots(path: str, status: int, text: str) -> None:
    async with serving(hello) as httpd:
        assert await ask(httpd.url + path) == (status, text)
        assert httpd.list_root_path() == ["/x"]


@pytest.mark.parametrize(
    ("user", "password", "status"),
    [("me", "secret", 200), ("me", "wrong", 401), ("you", "secret", 401), ("", "", 401)],
)
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


@pytest.mark.parametrize(
    "params",
    [
        {"ip": "127.0.0.1"},
        {"ip": "::1"},
        {"ip": "localhost"},
        {"ip": "127.0.0.9"},
        {"ip": "0.0.0.0", "auth_username": "me", "auth_password": "x", "tls_cert_file": "a", "tls_key_file": "b"},
        {"ip": "::", "access": ACCESS, "tls_cert_file": "a", "tls_key_file": "b"},
    ],
)
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
        httpd._roots.clear()
        httpd.register("x", hello)
        assert (await ask(httpd.url + "/x"))[0] == 200


async def test_ipv6() -> None:
    async with serving(hello, ip="::1") as httpd:
        assert httpd.url.startswith("http://[::1]:")
        assert (await ask(httpd.url + "/x"))[0] == 200


async def test_tls(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "k.pem",
            "-out",
            "c.pem",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    files = {"tls_cert_file": str(tmp_path / "c.pem"), "tls_key_file": str(tmp_path / "k.pem")}
    async with serving(hello, **files) as httpd:
        assert httpd.url.startswith("https://")
        assert (await ask(httpd.url + "/x", ssl=False))[0] == 200
    async with serving(hello, tls_ciphers="ECDHE-RSA-AES256-GCM-SHA384", **files) as httpd:
        for offered, is_taken in (("ECDHE-RSA-AES256-GCM-SHA384", True), ("ECDHE-RSA-AES128-GCM-SHA256", False)):
            client = ssl.create_default_context()
            client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
            client.maximum_version = ssl.TLSVersion.TLSv1_2
            client.set_ciphers(offered)
            if is_taken:
                assert (await ask(httpd.url + "/x", ssl=client))[0] == 200
            else:
                with pytest.raises(aiohttp.ClientError):
                    await ask(httpd.url + "/x", ssl=client)
    async with serving(hello, tls_ciphers="SECURE256:+SECURE192:-VERS-ALL:+VERS-TLS1.2", **files) as httpd:
        assert (await ask(httpd.url + "/x", ssl=False))[0] == 200 and "written for GnuTLS" in caplog.text
    with pytest.raises(ModuleError, match="knows no cipher"):
        async with serving(hello, tls_ciphers="NO-SUCH-THING", **files):
            pass
    with pytest.raises(ModuleError, match="cannot use"):
        async with serving(hello, tls_cert_file=str(tmp_path / "none.pem"), tls_key_file=str(tmp_path / "k.pem")):
            pass


async def whoami(request: Any) -> Any:
    from aiohttp import web

    caller = request["caller"]
    return web.Response(
        text=f"{caller.name} {caller.role.name} {sorted(caller.domains or ())} {caller.peer.split(':')[0]}"
    )


@pytest.mark.parametrize(
    ("header", "for_tenants", "status", "text"),
    [
        (f"Bearer {TOKEN}", False, 200, "al READ [] 127.0.0.1"),
        ("Bearer wrong", True, 401, "wrong credentials\n"),
        (f"Bearer {TOKEN}x", True, 200, "bo OPERATE ['b.example'] 127.0.0.1"),
        ("", True, 401, "no credentials\n"),
        (f"Bearer {TOKEN}x", False, 403, "/x shows all domains; bo is limited to some\n"),
    ],
)
async def test_who_asks(header: str, for_tenants: bool, status: int, text: str) -> None:
    async with serving(whoami, for_tenants, access=ACCESS) as httpd:
        assert await ask(httpd.url + "/x", headers={"Authorization": header} if header else {}) == (status, text)
        assert (await ask(httpd.url + "/none", headers={"Authorization": header} if header else {}))[0] in (
            status,
            404,
        )


async def test_without_names_all_are_local_and_admin() -> None:
    async with serving(whoami) as httpd:
        assert await ask(httpd.url + "/x") == (200, "local ADMIN [] 127.0.0.1")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "10.0.0.1"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "127.0.0.1:7", "Origin": "http://127.0.0.1:7"}, 200),
    ],
)
async def test_pages_of_other_sites_are_refused(headers: dict[str, str], status: int) -> None:
    async with serving(hello) as httpd:
        assert (await ask(httpd.url + "/x", headers=headers))[0] == status
    async with serving(hello, access=ACCESS) as httpd:
        found = await ask(httpd.url + "/x", headers={**headers, "Authorization": f"Bearer {TOKEN}"})
        assert found[0] == (403 if "evil" in headers.get("Origin", "") or headers.get("Origin") == "null" else 200)


async def test_probes() -> None:
    async with serving(hello) as httpd:
        env = httpd.env
        assert await ask(httpd.url + "/livez") == (200, "ok\n")
        assert await ask(httpd.url + "/readyz") == (503, "not ready\nserver: starting\n")
        assert await ask(httpd.url + "/startupz") == (503, "not ready\nserver: starting\n")
        assert (await ask(httpd.url + "/readyz", "POST"))[0] == 405
        env.health.is_up = True
        for socket in env.sockets:
            socket.transport = object()
        assert await ask(httpd.url + "/readyz") == (200, "ok\n") == await ask(httpd.url + "/startupz")
        env.dispatch.draining = True
        status, text = await ask(httpd.url + "/readyz")
        assert status == 503 and "draining" in text and await ask(httpd.url + "/livez") == (200, "ok\n")


async def test_probes_need_no_token_and_tell_strangers_no_reasons() -> None:
    async with serving(access=ACCESS) as httpd:

        async def broken() -> str:
            return "mysql://10.0.0.5 refuses"

        httpd.env.health.is_up = True
        httpd.env.health.add("database 1", broken)
        for socket in httpd.env.sockets:
            socket.transport = object()
        assert await ask(httpd.url + "/readyz") == (503, "not ready\ndatabase 1\n")
        for token, text in ((TOKEN, "database 1: mysql://10.0.0.5 refuses"), (f"{TOKEN}x", "database 1")):
            found = await ask(httpd.url + "/readyz", headers={"Authorization": f"Bearer {token}"})
            assert found == (503, f"not ready\n{text}\n")


@pytest.mark.parametrize("body", ["plain", "chunked", "gzip"])
async def test_ten_megabytes_are_refused(body: str) -> None:
    async def take(request: Any) -> Any:
        await request.read()
        return await hello(request)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(160):
            yield b" " * 65536

    data: Any = {"plain": b" " * 10_485_760, "chunked": pieces(), "gzip": gzip.compress(b" " * 10_485_760)}[body]
    async with serving(take) as httpd:
        try:
            found = await ask(
                httpd.url + "/x", "POST", data=data, headers={"Content-Encoding": "gzip"} if body == "gzip" else {}
            )
            assert found[0] == 413
        except (aiohttp.ClientConnectionError, ConnectionError):
            pass  # it was told while it was still sending
        assert await ask(httpd.url + "/x", "POST", data=b"a") == (200, "POST a")


async def raw(httpd: Any, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", httpd.port)
    writer.write(data)
    async with asyncio.timeout(5):
        answer = await reader.read(200)
    writer.close()
    return answer


@pytest.mark.parametrize(
    "path",
    [
        b"/x/../../etc/passwd",
        b"//x/..//y",
        b"/%2e%2e/x",
        b"/x%00y",
        b"/\xff",
        b"/" + b"a" * 9000,
        b"http://evil/x",
        b"*",
        b"/x\r\nX: 1",
        b"/..",
        b"/./x/./",
        b"/%",
        b"/%zz",
        b"/x?" + b"a=1&" * 1500,
    ],
)
async def test_odd_paths_reach_nothing_or_the_root(path: bytes) -> None:
    async with serving(hello) as httpd:
        answer = await raw(httpd, b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert answer[:12] in (
            b"HTTP/1.1 200",
            b"HTTP/1.1 400",
            b"HTTP/1.1 404",
            b"HTTP/1.1 403",
            b"HTTP/1.0 400",
            b"HTTP/0.9 200",
        )
        assert b"root:" not in answer and (await ask(httpd.url + "/x"))[0] == 200


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01",
        b"GET\r\n\r\n",
        b"\r\n" * 1000,
        b"POST /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"GET /x HTTP/9.9\r\n\r\n",
        b"GET /x HTTP/1.1\r\n" + b"A: b\r\n" * 500 + b"\r\n",
        b"GET /x HTTP/1.1\r\nA: " + b"b" * 9000 + b"\r\n\r\n",
    ],
)
async def test_broken_requests(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(hello, conn_timeout=1) as httpd:
        for _ in range(2):
            answer = await raw(httpd, data + b"\r\n\r\n")
            assert not answer or answer[9:10] == b"4", answer
        assert (await ask(httpd.url + "/x"))[0] == 200
    assert len(caplog.records) <= 2


async def test_tokens_change_with_a_reload() -> None:
    new = parse_access(f"name=al role=admin token={TOKEN}new")
    async with serving(whoami, access=ACCESS) as httpd:

        async def ask_with(token: str) -> int:
            return (await ask(httpd.url + "/x", headers={"Authorization": f"Bearer {token}"}))[0]

        assert httpd.reload_params({"access": [new], "port": 1}) == {"access"}
        assert (await ask_with(TOKEN), await ask_with(f"{TOKEN}new")) == (401, 200)
        assert httpd.reload_params({"access": [new, new]}) == set() and httpd.access == [new]
        assert await ask_with(f"{TOKEN}new") == 200
        httpd.ip = "0.0.0.0"
        assert httpd.reload_params({"access": []}) == set(), "it would let strangers in"
        assert await ask_with("") == 401


async def test_a_path_belongs_to_one() -> None:
    async with serving(hello) as httpd:
        with pytest.raises(ModuleError, match='two modules want the path "/x"'):
            httpd.register("/x", hello)
