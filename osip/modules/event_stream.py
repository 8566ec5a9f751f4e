"""Tell events over TCP as JSON-RPC: `tcp:host:port[/method]`; `reliable_mode` asks for an answer to each."""
from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from osip.api import Env, Module, OsipError, Outbox, param, rpc

Deliver = Callable[[str, dict[str, Any]], None]
MAX_ANSWER = 65536


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
            if isinstance(found, dict) and found.get("id") == wanted:
                if "error" in found:
                    raise OsipError(f"refused: {found['error']}")
                return

    def close(self) -> None:
        """Close the connection."""
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


class EventStream(Module):
    """Events over TCP."""

    reliable_mode = param(0, ge=0, le=1, live=True, aliases=("sync_mode",), doc="1: each event is a request that must be "
                          "answered.")
    event_param = param("", live=True, doc="Name of a parameter that carries the event's name.")
    timeout = param(1000, ge=1, live=True, doc="Milliseconds for connecting, sending and the answer.")

    def mod_init(self) -> None:
        """Take the kinds of address; `jsonrpc` is that of 2.x."""
        self._boxes: dict[tuple[str, int], tuple[Outbox, Stream]] = {}
        self.env.events.transports["tcp"] = self._connect
        self.env.events.transports["jsonrpc"] = self._connect

    async def child_init(self, env: Env) -> None:
        """Connect to nobody before it is needed."""
        self._boxes = {}

    async def destroy(self) -> None:
        """Close the connections."""
        for box, stream in self._boxes.values():
            box.close()
            stream.close()

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
        box = found[0]
        return lambda name, params: box.put((method or name, name, dict(params)))

    async def _send(self, stream: Stream, item: tuple[str, str, dict[str, Any]]) -> None:
        method, name, params = item
        if self.event_param:
            params = {self.event_param: name, **params}
        if not self.reliable_mode:
            await stream.send(rpc.notification(method, params), None, self.timeout / 1000)
            return
        stream.number += 1
        data = rpc.encode({"jsonrpc": "2.0", "id": stream.number, "method": method, "params": params})
        await stream.send(data, stream.number, self.timeout / 1000)
