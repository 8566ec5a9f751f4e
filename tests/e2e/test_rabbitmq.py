"""Events and messages of scripts through a real RabbitMQ, which also goes away and comes back."""
from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from kit.message import request
from kit.passage import Box
from kit.playbook import make_worker
from kit.rabbit import rabbit

from osip.api import Ctx, parse
from osip.modules.event_rabbitmq import EventRabbitmq, parse_server


async def take(queue: Any) -> Any:
    for _ in range(500):
        found = await queue.get(fail=False)
        if found is not None:
            await found.ack()
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("nothing arrived")


class Avp(Box):
    """An AVP by reference."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = f"$avp({name})"


@pytest.mark.peer("rabbitmq")
@pytest.mark.timeout(240)
async def test_broker(tmp_path: Path, caplog: Any) -> None:
    with rabbit(tmp_path) as port:
        uri = f"amqp://guest:guest@127.0.0.1:{port}/"
        env = make_worker((EventRabbitmq,), {"event_rabbitmq": {"connect_timeout": 5000, "server_id": [
            parse_server(f"[one] uri={uri}; exchange=amq.topic; retries=1"), parse_server(f"[bad] uri={uri}; exchange=none")]}})[0].env
        module: Any = env.modules["event_rabbitmq"]
        connection = await aio_pika.connect(uri)
        channel = await connection.channel()
        queue = await channel.declare_queue("osip-events")
        await queue.bind("amq.topic", "calls.#")
        deliver = module._connect_address(f"rabbitmq:guest:guest@127.0.0.1:{port}/osip-events")
        deliver("E_X", {"a": 1})
        found = await take(queue)
        assert json.loads(found.body) == {"jsonrpc": "2.0", "method": "E_X", "params": {"a": 1}}
        ctx = Ctx(env, parse(request()), None)
        ctx.avp("n").extend(["second", "first"])
        ctx.avp("v").extend(["2", 1])
        assert await module.rabbitmq_publish(ctx, "one", "calls.new", "hello", "text/plain", Avp("n"), Avp("v")) == 1
        found = await take(queue)
        assert (found.body, found.content_type, found.headers) == (b"hello", "text/plain", {"first": 1, "second": "2"})
        assert await module.rabbitmq_publish(ctx, "one", "calls.new", "x", None, Avp("n")) == -1
        assert await module.rabbitmq_publish(ctx, "bad", "calls.new", "x") == -1 and "NOT_FOUND" in caplog.text
        await connection.close()
    assert await module.rabbitmq_publish(ctx, "one", "calls.new", "lost") == -1
    deliver("E_X", {"a": 2})
    (box, _), = module._by_uri.values()
    await box.drained()
    assert box.lost == 1
    again = tmp_path / "again"
    again.mkdir()
    with rabbit(again, port):
        connection = await aio_pika.connect(uri)
        channel = await connection.channel()
        queue = await channel.declare_queue("osip-events")
        deliver("E_X", {"a": 3})
        assert json.loads((await take(queue)).body)["params"] == {"a": 3}
        assert "guest:guest" not in caplog.text
        await connection.close()
        await module.destroy()
