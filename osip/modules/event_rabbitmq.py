"""Publish events and messages of scripts to RabbitMQ (AMQP 0-9-1); needs `pip install osip[amqp]`.

An address is `rabbitmq:[user:password@]host[:port]/[exchange?exchange=…;…]routing_key`.
"""
from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

from osip.api import (Ctx, Env, Module, ModuleError, OsipError, Outbox, Posting, Var, avp_name, function,
                      hide_password, param, rpc)

Deliver = Callable[[str, dict[str, Any]], None]
_ADDRESS = re.compile(r"(?:([^:@/]*):([^@/]*)@)?(\[[^\]]+\]|[^:/]+)(?::(\d+))?/(?:([^/?]*)\?)?(.*)")
CONTENT = "application/json"


class Server:
    """A broker: how to reach it, and the channel once it is open."""
    __slots__ = ("uri", "exchange", "connection", "channel", "retries")

    def __init__(self, uri: str, exchange: str = "", retries: int = 0) -> None:
        self.uri, self.exchange, self.retries = uri, exchange, retries
        self.connection: Any = None
        self.channel: Any = None


def parse_server(text: str) -> tuple[str, Server]:
    """Read `[id] uri = amqp://…; exchange=…; frames=…; retries=…; heartbeat=…`."""
    found = re.match(r"\s*\[\s*([\w-]+)\s*\](.*)", text, re.DOTALL)
    if found is None:
        raise ValueError(f'"{hide_password(text)}" is no server: write "[id] uri = amqp://user:password@host; exchange=name"')
    values = {}
    for part in filter(None, (part.strip() for part in found[2].split(";"))):
        key, equals, value = part.partition("=")
        if not equals or key.strip() not in ("uri", "exchange", "frames", "retries", "heartbeat", "tls_domain"):
            raise ValueError(f'"{key.strip()}" is none of uri, exchange, frames, retries, heartbeat, tls_domain')
        values[key.strip()] = value.strip()
    if not re.match(r"amqps?://", values.get("uri", "")):
        raise ValueError(f'server "{found[1]}" needs uri=amqp://… or amqps://…')
    uri = values["uri"]
    if "heartbeat" in values:
        uri += ("&" if "?" in uri else "?") + f"heartbeat={int(values['heartbeat'])}"
    return found[1], Server(uri, values.get("exchange", ""), int(values.get("retries", "0")))


class EventRabbitmq(Module):
    """Events and messages over AMQP."""

    sync_mode = param(0, kind=(int, str), removed="telling an event never holds a message up")
    heartbeat = param(0, ge=0, doc="Seconds between heartbeats; 0: those of the broker.")
    connect_timeout = param(500, ge=1, live=True, doc="Milliseconds for connecting.")
    timeout = param(0, ge=0, live=True, doc="Milliseconds until the broker must have confirmed; 0 = 5000.")
    use_tls = param(0, ge=0, le=1, doc="1: connect by TLS.")
    server_id = param(multiple=True, kind=str, parse=parse_server, doc='Broker for rabbitmq_publish: "[id] uri = '
                      'amqp://…; exchange=…; retries=…; heartbeat=…".')

    def mod_init(self) -> None:
        """Look for the library and take the kind of address."""
        try:
            import aio_pika
        except ImportError:
            raise ModuleError("event_rabbitmq needs the Python package aio-pika: pip install osip[amqp]") from None
        self._amqp: Any = aio_pika
        self.servers: dict[str, Server] = dict(self.server_id)
        self._by_uri: dict[tuple[str, str], tuple[Outbox, Server]] = {}
        self.env.events.transports["rabbitmq"] = self._connect_address

    async def child_init(self, env: Env) -> None:
        """Connect to nobody before it is needed."""
        self._by_uri = {}

    async def destroy(self) -> None:
        """Close the connections."""
        for box, _ in self._by_uri.values():
            box.close()
        for server in [*self.servers.values(), *(server for _, server in self._by_uri.values())]:
            await self._close(server)

    # --- brokers -------------------------------------------------------------------------------------------------

    async def _close(self, server: Server) -> None:
        connection, server.connection, server.channel = server.connection, None, None
        if connection is not None:
            try:
                await asyncio.wait_for(connection.close(), 2)
            except (TimeoutError, OSError, self._amqp.exceptions.AMQPError):
                return

    async def _channel(self, server: Server) -> Any:
        if server.channel is None or server.channel.is_closed or server.connection.is_closed:
            await self._close(server)
            server.connection = await asyncio.wait_for(self._amqp.connect(server.uri), self.connect_timeout / 1000)
            server.channel = await server.connection.channel(publisher_confirms=True)
        return server.channel

    async def _publish(self, server: Server, key: str, body: bytes, ctype: str, headers: dict[str, Any]) -> None:
        """Publish and wait for the broker's confirmation; OsipError when there was none."""
        limit = (self.timeout or 5000) / 1000
        try:
            channel = await self._channel(server)
            exchange = await asyncio.wait_for(channel.get_exchange(server.exchange, ensure=False), limit) \
                if server.exchange else channel.default_exchange
            await asyncio.wait_for(exchange.publish(self._amqp.Message(
                body, content_type=ctype, headers=headers), key, mandatory=False), limit)
        except TimeoutError:
            await self._close(server)
            raise OsipError(f"{hide_password(server.uri)}: no answer in time") from None
        except (OSError, self._amqp.exceptions.AMQPError, RuntimeError) as error:
            await self._close(server)
            raise OsipError(f"{hide_password(server.uri)}: {hide_password(str(error)) or type(error).__name__}") from None

    # --- events --------------------------------------------------------------------------------------------------

    def _connect_address(self, address: str) -> Deliver:
        found = _ADDRESS.fullmatch(address.partition(":")[2])
        if found is None or not found[6]:
            raise ValueError(f'"{hide_password(address)}" is no address: write rabbitmq:[user:password@]host[:port]/routing_key')
        login = f"{found[1]}:{found[2]}@" if found[1] is not None else ""
        uri = f"amqp{'s' if self.use_tls else ''}://{login}{found[3]}{':' + found[4] if found[4] else ''}/"
        if self.heartbeat:
            uri += f"?heartbeat={self.heartbeat}"
        exchange, key = found[5] or "", found[6]
        if "=" in exchange:
            exchange = dict(part.partition("=")[::2] for part in exchange.split(";")).get("exchange", "")
        kept = self._by_uri.get((uri, exchange))
        if kept is None:
            server = Server(uri, exchange)
            kept = self._by_uri[uri, exchange] = (Outbox(self.env, f"event_rabbitmq {hide_password(uri)}", lambda item: self._publish(
                server, item[0], item[1], CONTENT, {})), server)
        return Posting(kept[0], lambda name, params: (key, rpc.notification(name, params)))

    # --- scripts -------------------------------------------------------------------------------------------------

    @function()
    async def rabbitmq_publish(self, ctx: Ctx, server_id: str, routing_key: str, message: str,
                               content_type: str | None = None, headers: Var | None = None,
                               headers_vals: Var | None = None) -> int:
        """Publish a message to a broker (server_id) and wait for its confirmation; headers come from two AVPs. 1 or -1."""
        server = self.servers.get(server_id)
        if server is None:
            self.env.log.error("event_rabbitmq: no server_id %s; there are: %s", server_id, ", ".join(self.servers) or "none")
            return -1
        names, values = _list(ctx, headers), _list(ctx, headers_vals)
        if len(names) != len(values):
            self.env.log.error("event_rabbitmq: %d names of headers, but %d values", len(names), len(values))
            return -1
        body = message.encode("utf-8", "surrogateescape")
        for attempt in range(server.retries + 1):
            try:
                await self._publish(server, routing_key, body, content_type or "", dict(zip(map(str, names), values, strict=True)))
                return 1
            except OsipError as error:
                if attempt == server.retries:
                    self.env.log.error("event_rabbitmq: %s", error)
        return -1


def _list(ctx: Ctx, variable: Var | None) -> list[Any]:
    if variable is None:
        return []
    try:
        return ctx.avp(avp_name(variable.name))[::-1]
    except ValueError:
        value = variable.get(ctx)
        return [] if value is None else [value]
