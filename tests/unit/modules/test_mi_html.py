"""Management as web pages, over a real port."""
from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from kit.peer import free_port
from kit.playbook import make_worker

from osip.api import MIError, Module, ModuleError, mi
from osip.core.run.management import CoreCommands
from osip.modules.httpd import Httpd
from osip.modules.httpd.gate import parse_access
from osip.modules.mi_html import MiHtml
from osip.modules.mi_http import MiHttp

TOKEN = "0123456789abcdef0123"


class Pot(Module):
    """Some commands."""
    name = "pot"

    @mi("stir", aliases=("pot_stir",))
    def stir(self, how: str, names: list[str] | None = None) -> dict[str, Any]:
        """Stir <b>it</b>."""
        if how == "never":
            raise MIError(404, "No <spoon>")
        return {"how": how, "names": names}


@asynccontextmanager
async def serving(*classes: type[Module], **httpd: Any) -> AsyncIterator[str]:
    worker, _, _ = make_worker((CoreCommands, Httpd, MiHtml, Pot, *classes), {"httpd": {"port": free_port(), **httpd}})
    server = worker.registry.instances["httpd"]
    await server.child_init(worker.env)
    try:
        yield f"{server.url}/mi"
    finally:
        await server.destroy()


async def ask(url: str, method: str = "GET", **more: Any) -> tuple[int, str]:
    async with aiohttp.ClientSession() as client, client.request(method, url, **more) as response:
        if response.status == 200:
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        return response.status, await response.text()


async def test_pages() -> None:
    async with serving() as url:
        status, text = await ask(url)
        assert status == 200 and '<a href="/mi/pot%3Astir">pot:stir</a> (pot_stir)' in text
        assert "Stir &lt;b&gt;it&lt;/b&gt;." in text and "<b>" not in text
        status, text = await ask(f"{url}/pot_stir")
        assert status == 200 and '<input name="how" required>' in text and '<input name="names">' in text
        assert 'action="/mi/pot%3Astir"' in text and "<pre>" not in text
        assert (await ask(f"{url}/<script>"))[0] == 404 and "<script>" not in (await ask(f"{url}/<script>"))[1]
        assert (await ask(url, "PUT"))[0] == 405


async def test_commands_are_run_by_post() -> None:
    async with serving() as url:
        status, text = await ask(f"{url}/pot:stir", "POST", data={"how": "<fast>", "names": "a b", "odd": "x"})
        assert status == 200 and "&lt;fast&gt;" in text and "<fast>" not in text and "&quot;b&quot;" in text
        assert "Error 404: No &lt;spoon&gt;" in (await ask(f"{url}/stir", "POST", data={"how": "never"}))[1]
        assert "Error -32602" in (await ask(f"{url}/stir", "POST", data={}))[1]
        assert "<pre>" not in (await ask(f"{url}/stir?how=fast"))[1]


async def test_roles_and_other_sites() -> None:
    reader = parse_access(f"name=al role=read token={TOKEN}")
    async with serving(access=[reader]) as url:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert "Error 403" in (await ask(f"{url}/stir", "POST", data={"how": "a"}, headers=headers))[1]
        assert "&quot;WD&quot;" in (await ask(f"{url}/pwd", "POST", data={}, headers=headers))[1]
        assert (await ask(url))[0] == 401
        evil = {**headers, "Origin": "http://evil.example"}
        assert (await ask(f"{url}/pwd", "POST", data={}, headers=evil))[0] == 403


async def test_one_path_for_one_module() -> None:
    with pytest.raises(ModuleError, match="two modules want"):
        async with serving(MiHttp):
            pass
