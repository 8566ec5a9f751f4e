"""Tell events by XML-RPC: `xmlrpc:host:port[/path]:method`."""
from __future__ import annotations

import xmlrpc.client
from collections.abc import Callable
from typing import Any

from osip.api import Env, Module, OsipError, Outbox, Posting, param

Deliver = Callable[[str, dict[str, Any]], None]
MAX_INT = 2 ** 31
MAX_ANSWER = 65536


class EventXmlrpc(Module):
    """Events by XML-RPC calls."""

    sync_mode = param(0, kind=(int, str), removed="telling an event never holds a message up")
    use_struct_param = param(0, ge=0, le=1, live=True, doc="1: the parameters go in one struct, not one by one.")

    def mod_init(self) -> None:
        """Take the kind of address."""
        self._session: Any = None
        self._boxes: dict[str, Outbox] = {}
        self.env.events.transports["xmlrpc"] = self._connect

    async def child_init(self, env: Env) -> None:
        """Open the pool of connections."""
        import aiohttp

        self._boxes = {}
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10), cookie_jar=aiohttp.DummyCookieJar())

    async def destroy(self) -> None:
        """Close the pool."""
        for box in self._boxes.values():
            box.close()
        if self._session is not None:
            await self._session.close()

    def _connect(self, address: str) -> Deliver:
        place, _, method = address.partition(":")[2].rpartition(":")
        host = place.partition("/")[0]
        if not method or "/" in method or not host.rpartition(":")[2].isdigit():
            raise ValueError(f'"{address}" is no address: write xmlrpc:host:port[/path]:method')
        url = f"http://{place}" + ("" if "/" in place else "/RPC2")
        box = self._boxes.get(url)
        if box is None:
            box = self._boxes[url] = Outbox(self.env, f"event_xmlrpc {url}", lambda body: self._post(url, body))
        return Posting(box, lambda name, params: self._body(method, name, params))

    def _body(self, method: str, name: str, params: dict[str, Any]) -> bytes:
        plain = {key: value if isinstance(value, int) and -MAX_INT <= value < MAX_INT else
                 "" if value is None else _clean(str(value)) for key, value in params.items()}
        args: tuple[Any, ...] = (name, plain) if self.use_struct_param else (name, *plain.values())
        return xmlrpc.client.dumps(args, method).encode()

    async def _post(self, url: str, body: bytes) -> None:
        async with self._session.post(url, data=body, headers={"Content-Type": "text/xml"}) as answer:
            text = b""
            async for part in answer.content.iter_any():
                text += part
                if len(text) > MAX_ANSWER:
                    raise OsipError("the answer is too long")
            if answer.status != 200:
                raise OsipError(f"HTTP status {answer.status}")
            if b"<fault>" in text:
                raise OsipError("the call was answered with a fault")


def _clean(text: str) -> str:
    """Drop what XML cannot carry."""
    return "".join(sign for sign in text if sign >= " " or sign in "\t\n\r").encode("utf-8", "replace").decode()
