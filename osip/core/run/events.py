"""Carry events from those who raise them to event routes and subscribers."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from osip.core.run.ctx import EVENT, Ctx

if TYPE_CHECKING:
    from osip.core.run.env import Env

Deliver = Callable[[str, dict[str, Any]], None]
MOST_SUBSCRIBERS = 1000         # of one event


@dataclass(slots=True)
class Subscriber:
    """One listener of an event: its address, when it ends (monotonic seconds, None = never), how to reach it."""
    address: str
    deliver: Deliver
    until: float | None = None


@dataclass(slots=True)
class EventRecord:
    name: str
    id: int
    subscribers: list[Subscriber] = field(default_factory=list)


class Events:
    """The events of one worker. Transports (`event_*` modules) register the prefix of their addresses."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self.records: dict[str, EventRecord] = {}
        self.transports: dict[str, Callable[[str], Deliver]] = {}

    def declare(self, name: str) -> EventRecord:
        """Return the record of an event, made on first use."""
        record = self.records.get(name)
        if record is None:
            record = self.records[name] = EventRecord(name, len(self.records))
        return record

    def subscribe(self, name: str, address: str, deliver: Deliver, until: float | None = None) -> bool:
        """Add or renew a subscriber of an event; False when it has too many."""
        record = self.declare(name)
        now = self._env.now
        kept = [s for s in record.subscribers if s.address != address and (s.until is None or s.until > now)]
        if len(kept) >= MOST_SUBSCRIBERS:
            return False
        record.subscribers = [*kept, Subscriber(address, deliver, until)]
        return True

    def unsubscribe(self, name: str, address: str) -> bool:
        """Remove a subscriber; False when it was not there."""
        record = self.records.get(name)
        if record is None:
            return False
        kept = [s for s in record.subscribers if s.address != address]
        found = len(kept) < len(record.subscribers)
        record.subscribers = kept
        return found

    def raise_event(self, name: str, params: dict[str, Any], ctx: Ctx | None = None) -> None:
        """Tell all subscribers and run the event's routes; never raises."""
        env = self._env
        record = self.records.get(name)
        if record is not None and record.subscribers:
            record.subscribers = [s for s in record.subscribers if s.until is None or s.until > env.now]
            for subscriber in record.subscribers:
                try:
                    subscriber.deliver(name, params)
                except Exception as error:
                    env.log.error("event not delivered event=%s to=%s error=%s", name, subscriber.address, error)
        routes = env.program.events.get(name) if env.program else None
        for route in routes or ():
            msg, source = (ctx.msg, ctx.source) if ctx is not None else env.make_dummy()
            run = Ctx(env, msg, source, EVENT)
            run.event = params
            env.run_route(route, run)
