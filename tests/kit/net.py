"""A network in memory: what the server sends lands in a box for each peer; a seed makes it lose and repeat."""
from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from osip.core.errors import OsipError, ParseError
from osip.core.net.endpoint import DEFAULT_PORTS, Dest, is_ip
from osip.core.sip.uri import parse_uri


class FakeNet:
    """Record what is sent, by `host:port`. `down` are addresses that refuse; `names` maps a name to its addresses.

    A name in `slow` needs a query: `resolve` says None and `resolve_wait` answers.
    """

    def __init__(self) -> None:
        self.boxes: dict[str, list[bytes]] = {}
        self.log: list[tuple[str, bytes]] = []
        self.down: set[str] = set()
        self.names: dict[str, list[str]] = {}
        self.slow: set[str] = set()
        self.deliver: Callable[[str, bytes], Any] | None = None

    def send(self, data: bytes, dest: Dest) -> bool:
        """Take a message from the server; with `deliver` it goes straight on to a peer."""
        where = f"{dest.host}:{dest.port}"
        if where in self.down:
            return False
        self.log.append((where, data))
        if self.deliver is not None:
            self.deliver(where, data)
        else:
            self.boxes.setdefault(where, []).append(data)
        return True

    def resolve(self, text: str, socket: Any = None) -> list[Dest] | None:
        """Resolve a literal or a known name at once."""
        uri = parse_uri(text)
        if not uri.is_sip:
            raise ParseError(f"cannot be resolved: {text}", 416)
        host = uri.param("maddr") or uri.host
        if host in self.slow:
            return None
        return self._found(uri, host)

    async def resolve_wait(self, text: str, socket: Any = None) -> list[Dest]:
        """Resolve a slow name."""
        uri = parse_uri(text)
        return self._found(uri, uri.host)

    def _found(self, uri: Any, host: str) -> list[Dest]:
        proto = (uri.param("transport") or "udp").lower()
        if uri.scheme == "sips":
            proto = "tls"
        hosts = [host] if is_ip(host) else self.names.get(host)
        if not hosts:
            raise OsipError(f"no address for {host}")
        return [Dest(proto, each, uri.port or DEFAULT_PORTS[proto]) for each in hosts]


class Weather:
    """Bad weather by seed: decides for each message how many copies arrive, and after how long."""

    def __init__(self, seed: int, loss: float = 0.1, repeat: float = 0.1, delay: float = 0.3) -> None:
        self.random = random.Random(seed)
        self.loss, self.repeat, self.delay = loss, repeat, delay

    def copies(self) -> list[float]:
        """Return the delays of the copies that arrive."""
        if self.random.random() < self.loss:
            return []
        count = 2 if self.random.random() < self.repeat else 1
        return [self.random.random() * self.delay for _ in range(count)]
