"""Addresses and brokers, without one (the real one is in tests/e2e/test_rabbitmq.py)."""
from __future__ import annotations

from typing import Any

import pytest

from kit.message import request
from kit.peer import free_port
from kit.playbook import make_worker
from osip.api import Ctx, parse
from osip.api import hide_password as hide
from osip.modules.event_rabbitmq import EventRabbitmq, parse_server


def make(**params: Any) -> Any:
    return make_worker((EventRabbitmq,), {"event_rabbitmq": params})[0].env.modules["event_rabbitmq"]


@pytest.mark.parametrize(("address", "uri", "exchange"), [
    ("rabbitmq:127.0.0.1/key", "amqp://127.0.0.1/", ""), ("rabbitmq:a:b@h:5673/key", "amqp://a:b@h:5673/", ""),
    ("rabbitmq:h/ex?key", "amqp://h/", "ex"), ("rabbitmq:[::1]:5672/exchange=ex;x=y?key", "amqp://[::1]:5672/", "ex")])
def test_addresses(address: str, uri: str, exchange: str) -> None:
    module = make()
    module._connect_address(address)
    assert list(module._by_uri) == [(uri, exchange)]


@pytest.mark.parametrize("address", ["rabbitmq:h", "rabbitmq:h/", "rabbitmq:", "rabbitmq:/key"])
def test_bad_addresses(address: str) -> None:
    with pytest.raises(ValueError):
        make()._connect_address(address)


def test_tls_and_heartbeat() -> None:
    module = make(use_tls=1, heartbeat=7)
    module._connect_address("rabbitmq:h/key")
    assert list(module._by_uri) == [("amqps://h/?heartbeat=7", "")]


def test_servers() -> None:
    name, server = parse_server("[a-1] uri = amqp://u:p@h/ ; exchange=x; retries=2; heartbeat=3;")
    assert (name, server.uri, server.exchange, server.retries) == ("a-1", "amqp://u:p@h/?heartbeat=3", "x", 2)
    for text in ("uri=amqp://h", "[a] uri=http://h", "[a]", "[a] uri=amqp://u:secret@h; color=red", "[a] uri=amqp://h; retries=x"):
        with pytest.raises(ValueError) as caught:
            parse_server(text)
        assert "secret" not in str(caught.value)
    assert hide("amqp://u:secret@h/") == "amqp://u:***@h/"


async def test_no_broker(caplog: Any) -> None:
    module = make(server_id=[parse_server(f"[dead] uri=amqp://u:secret@127.0.0.1:{free_port()}/")])
    ctx = Ctx(module.env, parse(request()), None)
    assert await module.rabbitmq_publish(ctx, "dead", "key", "x") == -1
    assert await module.rabbitmq_publish(ctx, "none", "key", "x") == -1
    assert "no server_id none; there are: dead" in caplog.text and "secret" not in caplog.text
    deliver = module._connect_address(f"rabbitmq:u:secret@127.0.0.1:{free_port()}/key")
    deliver("E", {})
    (box, _), = module._by_uri.values()
    box._pause = 0
    await box.drained()
    assert box.lost == 1 and "secret" not in caplog.text
    await module.destroy()
