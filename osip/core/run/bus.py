"""Carry messages between workers. With one worker the bus is a direct call."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

Receiver = Callable[[Any], None]


class Bus(Protocol):
    """Topics with receivers; what is published reaches every worker, the sender included."""

    def subscribe(self, topic: str, receiver: Receiver) -> None:
        """Call `receiver(value)` for each value published under `topic`."""

    def publish(self, topic: str, value: Any) -> None:
        """Give `value` to all receivers of `topic` in all workers."""


class LocalBus:
    """The bus of a single worker."""

    def __init__(self) -> None:
        self._receivers: dict[str, list[Receiver]] = {}

    def subscribe(self, topic: str, receiver: Receiver) -> None:
        """Call `receiver(value)` for each value published under `topic`."""
        self._receivers.setdefault(topic, []).append(receiver)

    def publish(self, topic: str, value: Any) -> None:
        """Give `value` to all receivers of `topic`."""
        for receiver in self._receivers.get(topic, ()):
            receiver(value)
