"""Carry events from those who raise them to event routes and subscribers."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from osip.core.errors import OsipError
from osip.core.run.ctx import EVENT, Ctx
from osip.core.store.sql import hide

if TYPE_CHECKING:
    from osip.core.run.env import Env

Deliver = Callable[[str, dict[str, Any]], None]
MOST_SUBSCRIBERS = 1000         # of one event
_TOPIC = "events.subscribe"


@dataclass(slots=True)
class Subscriber:
    """One listener of an event: its address, when it ends (monotonic seconds, None = never), how to reach it."""
    address: str
    deliver: Deliver
    until: float | None = None
    asked: float | None = None          # seconds that were asked for


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
        env.bus.subscribe(_TOPIC, lambda value: self._take_over(*value))
        env.bus.share(_TOPIC, self._snapshot, lambda found: [self._take_over(*one) for one in found])

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
        record.subscribers = [*kept, Subscriber(address, deliver, until, None if until is None else until - now)]
        return True

    def connect(self, address: str) -> Deliver:
        """Return how to reach an address; ValueError or OsipError says why that cannot be."""
        prefix = address.partition(":")[0]
        transport = self.transports.get(prefix)
        if transport is None:
            raise ValueError(f'no loaded module takes addresses of "{prefix}": load the event_* module for it')
        return transport(address)

    def subscribe_everywhere(self, name: str, address: str, seconds: float | None = None) -> bool:
        """Subscribe an address in all workers, also in those that take the place of others later; False: too many.

        ValueError or OsipError says what is wrong with the address.
        """
        until = None if seconds is None else self._env.now + seconds
        if not self.subscribe(name, address, self.connect(address), until):
            return False
        self._env.bus.others(_TOPIC, (name, address, seconds))
        return True

    def _take_over(self, name: str, address: str, seconds: float | None) -> None:
        try:
            self.subscribe(name, address, self.connect(address), None if seconds is None else self._env.now + seconds)
        except (ValueError, OsipError) as error:
            self._env.log.error("event %s not subscribed to=%s error=%s", name, hide(address), error)

    def _snapshot(self) -> Iterator[tuple[str, str, float | None]]:
        now = self._env.now
        for record in self.records.values():
            for one in record.subscribers:
                if one.address.partition(":")[0] in self.transports and (one.until is None or one.until > now):
                    yield record.name, one.address, None if one.until is None else one.until - now

    def unsubscribe(self, name: str, address: str) -> bool:
        """Remove a subscriber; False when it was not there."""
        record = self.records.get(name)
        if record is None:
            return False
        kept = [s for s in record.subscribers if s.address != address]
        found = len(kept) < len(record.subscribers)
        record.subscribers = kept
        return found

    def is_wanted(self, name: str) -> bool:
        """Say whether anybody would hear of an event: then it is worth while to put it together."""
        record, program = self.records.get(name), self._env.program
        return bool((record is not None and record.subscribers) or (program is not None and program.events.get(name)))

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
                    env.log.error("event not delivered event=%s to=%s error=%s", name, hide(subscriber.address), error)
        routes = env.program.events.get(name) if env.program else None
        for route in routes or ():
            msg, source = (ctx.msg, ctx.source) if ctx is not None else env.make_dummy()
            run = Ctx(env, msg, source, EVENT)
            run.event = params
            env.run_route(route, run)
