"""Say what stream connections may take."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from osip.core.net.proxied import TrustedPeers


UNFINISHED = 64 << 20
"""Bytes that all unfinished messages on the connections of a transport may take."""


class StreamLimits:
    """What stream connections may take, from the global parameters and those of the transport's module."""
    __slots__ = ("lifetime", "message_time", "connect_timeout", "connections", "queue", "pong", "aliases", "per_address",
                 "proxies", "unfinished")

    def __init__(self, config: Any, queue: int = 1 << 21, pong: bool = True, per_address: int = 0,
                 proxies: Iterable[str] = ()) -> None:
        self.lifetime = float(config.tcp_connection_lifetime)
        self.message_time = float(config.tcp_max_msg_time)
        self.connect_timeout = config.tcp_connect_timeout / 1000
        self.connections: int = config.tcp_max_connections
        self.aliases: int = config.tcp_accept_aliases
        self.queue = queue              # bytes that may wait to be sent on one connection
        self.pong = pong
        self.per_address = per_address  # connections that one address may have open; 0: as many as there is room for
        self.proxies = TrustedPeers(proxies)
        self.unfinished = UNFINISHED
