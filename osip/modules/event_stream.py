"""Tell events as JSON-RPC over TCP, `tcp:host:port[/method]`, and in the body of a POST, `http://host[:port][/path]`.

`reliable_mode` asks for an answer to each. OpenSIPS has TCP only; by HTTP the method is always the event's name.
"""
from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

from osip.api import Env, Module, OsipError, Outbox, Posting, param, rpc

Deliver = Callable[[str, dict[str, Any]], None]
MAX_ANSWER = 65536
_URL = re.compile(r"https?://[^\s/?#@]+(?:[/?][^\s#]*)?")


class Stream:
    """One connection, made when it is needed."""
    __slots__ = ("host", "number", "port", "reader", "writer")

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None
        self.number = 0

    async def send(self, data: bytes, wait_for: int | None, timeout: float) -> None:
        """Send a message; with `wait_for`, wait for the answer of that id."""
        try:
            async with asyncio.timeout(timeout):
                if self.writer is None or self.writer.is_closing() or (self.reader is not None and self.reader.at_eof()):
                    self.reader, self.writer = await asyncio.open_connection(self.host, self.port, limit=MAX_ANSWER)
                self.writer.write(data)
                await self.writer.drain()
                if wait_for is not None:
                    await self._answer(wait_for)
        except TimeoutError:
            self.close()
            raise OsipError("no answer in time") from None
        except (OSError, ValueError):
            self.close()
            raise

    async def _answer(self, wanted: int) -> None:
        text, decoder = "", json.JSONDecoder()
        while self.reader is not None:
            part = await self.reader.read(4096)
            text += part.decode("utf-8", "replace")
            if not part or len(text) > MAX_ANSWER:
                raise OSError("the connection was closed" if not part else "the answer is too long")
            try:
                found, end = decoder.raw_decode(text.lstrip())
            except ValueError:
                continue                            # not whole yet
            text = text.lstrip()[end:]
            if _is_answer(found, wanted):
                return

    def close(self) -> None:
        """Close the connection."""
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


class Site:
    """One URL that events are posted to; its connection is kept and used again."""
    __slots__ = ("_aiohttp", "_session", "number", "url")

    def __init__(self, url: str) -> None:
        import aiohttp              # a tenth of a second: when somebody subscribes, not with the first event
        from yarl import URL

        self._aiohttp: Any = aiohttp
        self.url, self.number = URL(url), 0
        self._session: Any = None

    async def send(self, data: bytes, wait_for: int | None, timeout: float) -> None:
        """Post a message, which a status from 200 to 299 takes; with `wait_for`, the body must be the answer of that id."""
        aiohttp = self._aiohttp
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        try:
            async with self._session.post(self.url, data=data, headers={"Content-Type": "application/json"},
                                          timeout=aiohttp.ClientTimeout(timeout), allow_redirects=False) as response:
                body = await _body(response)
                if not 200 <= response.status < 300:
                    raise OsipError(f"HTTP status {response.status}")
        except TimeoutError:
            raise OsipError("no answer in time") from None
        if wait_for is not None and not _is_answer(json.loads(body), wait_for):
            raise OsipError("the body is no answer to this request")

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()


async def _body(response: Any) -> bytes:
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > MAX_ANSWER:
            raise OsipError("the answer is too long")
    return bytes(body)


def _is_answer(found: Any, wanted: int) -> bool:
    """Say whether a JSON value is the answer to a request; OsipError when it refuses."""
    if not isinstance(found, dict) or found.get("id") != wanted:
        return False
    if "error" in found:
        raise OsipError(f"refused: {found['error']}")
    return True


class EventStream(Module):
    """Events as JSON-RPC over TCP and HTTP."""

    reliable_mode = param(0, ge=0, le=1, live=True, aliases=("sync_mode",), doc="1: each event is a request that must be "
                          "answered.")
    event_param = param("", live=True, doc="Name of a parameter that carries the event's name.")
    timeout = param(1000, ge=1, live=True, doc="Milliseconds for connecting, sending and the answer.")

    def mod_init(self) -> None:
        """Take the kinds of address; `jsonrpc` is that of 2.x."""
        self._boxes: dict[tuple[str, int], tuple[Outbox, Stream]] = {}
        self._sites: dict[str, tuple[Outbox, Site]] = {}
        self.env.events.transports["tcp"] = self._connect
        self.env.events.transports["jsonrpc"] = self._connect
        self.env.events.transports["http"] = self._connect_http
        self.env.events.transports["https"] = self._connect_http

    async def child_init(self, env: Env) -> None:
        """Connect to nobody before it is needed."""
        self._boxes, self._sites = {}, {}

    async def destroy(self) -> None:
        """Close the connections."""
        for box, stream in self._boxes.values():
            box.close()
            stream.close()
        for box, site in self._sites.values():
            box.close()
            await site.close()

    def _connect(self, address: str) -> Deliver:
        kind, _, rest = address.partition(":")
        place, _, method = rest.partition("/") if kind == "tcp" else (rest.rpartition(":")[0], "", rest.rpartition(":")[2])
        host, _, port = place.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f'"{address}" is no address: write tcp:host:port[/method]')
        key = (host.strip("[]"), int(port))
        found = self._boxes.get(key)
        if found is None:
            stream = Stream(*key)
            found = self._boxes[key] = (Outbox(self.env, f"event_stream {place}", lambda item: self._send(stream, item)),
                                        stream)
        return Posting(found[0], lambda name, params: (method or name, name, dict(params)))

    def _connect_http(self, address: str) -> Deliver:
        found = self._sites.get(address)
        if found is None:
            try:
                if _URL.fullmatch(address) is None:
                    raise ValueError
                site = Site(address)
            except ValueError:
                raise ValueError(f'"{_shown(address)}" is no address: write http://host:port/path, without user and '
                                 "password") from None
            found = self._sites[address] = (Outbox(self.env, f"event_stream {_shown(address)}",
                                                   lambda item: self._send(site, item)), site)
        return Posting(found[0], lambda name, params: (name, name, dict(params)))

    async def _send(self, stream: Stream | Site, item: tuple[str, str, dict[str, Any]]) -> None:
        method, name, params = item
        if self.event_param:
            params = {self.event_param: name, **params}
        if not self.reliable_mode:
            await stream.send(rpc.notification(method, params), None, self.timeout / 1000)
            return
        stream.number += 1
        data = rpc.encode({"jsonrpc": "2.0", "id": stream.number, "method": method, "params": params})
        await stream.send(data, stream.number, self.timeout / 1000)


def _shown(url: str) -> str:
    """Return a URL without what may be secret in it: the query, and what stands before an @."""
    return re.sub(r"//[^/]*@", "//***@", url.partition("?")[0])
