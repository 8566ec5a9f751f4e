"""Wait for events in scripts, or have a route run when they come. An event reaches whoever waits, in any worker."""
from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from fnmatch import translate
from typing import Any

from osip.api import (
    Ctx,
    Module,
    RequestRoute,
    Route,
    Scope,
    Var,
    avp_name,
    function,
    gauge,
    timer,
)

MOST = 10_000               # that wait at a time
HERE, ELSEWHERE = "event_routing:here", "event_routing:elsewhere"
_EVENT = int(Route.EVENT)
_MAGIC = re.compile(r"[*?\[]")
Params = dict[str, Any]


class Waiter:
    """One that waits: what the event's attributes must be, whom to tell, until when (monotonic seconds)."""
    __slots__ = ("exact", "globs", "is_once", "tell", "until")

    def __init__(self, filters: list[tuple[str, str]], tell: Callable[[Params], Any], until: float,
                 is_once: bool = False) -> None:
        self.exact = [(key, value) for key, value in filters if not _MAGIC.search(value)]
        self.globs = [(key, re.compile(translate(value)).match) for key, value in filters if _MAGIC.search(value)]
        self.tell, self.until, self.is_once = tell, until, is_once

    def wants(self, params: Params) -> bool:
        """Say whether an event has the attributes that are waited for."""
        return all(key in params and str(params[key]) == value for key, value in self.exact) \
            and all(key in params and match(str(params[key])) for key, match in self.globs)


class Queue:
    """All that wait for one event, found by their first exact attribute where they have one."""
    __slots__ = ("_by_value", "_others")

    def __init__(self) -> None:
        self._by_value: dict[tuple[str, str], list[Waiter]] = {}
        self._others: list[Waiter] = []

    def __iter__(self) -> Iterator[Waiter]:
        yield from self._others
        for found in self._by_value.values():
            yield from found

    def add(self, waiter: Waiter) -> None:
        """Add one."""
        (self._by_value.setdefault(waiter.exact[0], []) if waiter.exact else self._others).append(waiter)

    def remove(self, waiter: Waiter) -> bool:
        """Remove one; False when it is gone already."""
        found = self._by_value.get(waiter.exact[0], []) if waiter.exact else self._others
        if waiter not in found:
            return False
        found.remove(waiter)
        if waiter.exact and not found:
            del self._by_value[waiter.exact[0]]
        return True

    def of(self, params: Params) -> list[Waiter]:
        """Return those that want an event."""
        found = list(self._others)
        for key, value in params.items():
            found += self._by_value.get((key, str(value)), ())
        return [waiter for waiter in found if waiter.wants(params)]


class EventRouting(Module):
    """Events in routes: a call can wait until its callee has registered."""

    def mod_init(self) -> None:
        """Listen to what other workers wait for."""
        self._queues: dict[str, Queue] = {}
        self._count = 0
        self._wanted: dict[str, set[int]] = {}          # event -> other workers in which somebody waits for it
        bus = self.env.bus
        bus.subscribe("event_routing.want", lambda value: self._on_want(*value))
        bus.subscribe("event_routing.raised", lambda value: self._happened(*value))
        bus.share("event_routing.want", self._snapshot, self._load)

    async def destroy(self) -> None:
        """Forget all that wait."""
        for name in list(self._queues):
            self._leave(name)

    @gauge()
    def waiting(self) -> int:
        """Routes and calls that wait for an event."""
        return self._count

    # --- who waits -----------------------------------------------------------------------------------------------

    def _add(self, name: str, waiter: Waiter) -> bool:
        if self._count >= MOST:
            self.env.log.error("event_routing: %d wait already, one more for %s is refused", MOST, name)
            return False
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = Queue()
            self.env.events.subscribe(name, HERE, self._happened)
            self.env.bus.others("event_routing.want", (self.env.number, name, True))
        queue.add(waiter)
        self._count += 1
        return True

    def _remove(self, name: str, waiter: Waiter) -> None:
        queue = self._queues.get(name)
        if queue is not None and queue.remove(waiter):
            self._count -= 1
            if not any(True for _ in queue):
                self._leave(name)

    def _leave(self, name: str) -> None:
        self._count -= sum(1 for _ in self._queues.pop(name))
        self.env.events.unsubscribe(name, HERE)
        self.env.bus.others("event_routing.want", (self.env.number, name, False))

    def _happened(self, name: str, params: Params) -> None:
        queue = self._queues.get(name)
        if queue is None:
            return
        now = self.env.now
        for waiter in queue.of(params):
            if waiter.is_once or waiter.until <= now:
                self._remove(name, waiter)
            if waiter.until > now:
                waiter.tell(params)

    @timer(1.0, on=Scope.EACH)
    def sweep(self) -> None:
        """Forget those whose time is over."""
        now = self.env.now
        for name, queue in list(self._queues.items()):
            for waiter in [one for one in queue if one.until <= now and not one.is_once]:
                self._remove(name, waiter)

    # --- other workers -------------------------------------------------------------------------------------------

    def _on_want(self, number: int, name: str, is_wanted: bool) -> None:
        if number == self.env.number:
            return
        workers = self._wanted.setdefault(name, set())
        if is_wanted:
            workers.add(number)
            self.env.events.subscribe(name, ELSEWHERE, self._pass_on)
            return
        workers.discard(number)
        if not workers:
            del self._wanted[name]
            self.env.events.unsubscribe(name, ELSEWHERE)

    def _pass_on(self, name: str, params: Params) -> None:
        plain = {key: value if isinstance(value, (str, int)) or value is None else str(value)
                 for key, value in params.items()}
        self.env.bus.others("event_routing.raised", (name, plain))

    def _snapshot(self) -> Iterator[tuple[int, str]]:
        yield from ((self.env.number, name) for name in self._queues)
        yield from ((number, name) for name, workers in self._wanted.items() for number in workers)

    def _load(self, found: list[Any]) -> None:
        for number, name in found:
            self._on_want(number, name, True)

    # --- functions -----------------------------------------------------------------------------------------------

    @function("VQRFB")
    def notify_on_event(self, ctx: Ctx, event: str, filter: Var, route: RequestRoute, timeout: int) -> bool:
        """Run a route each time the event comes within some seconds; it sees the attributes as AVPs of their names.

        The filter's AVP values are `key=glob`. In the route the message and its transaction are those of now.
        """
        program = self.env.program
        run = program.named("route", route) if program is not None else None
        found = self._filters(ctx, filter)
        if run is None or found is None or timeout <= 0:
            if run is None or timeout <= 0:
                self.env.log.error("notify_on_event: route[%s] for %d seconds: there must be such a route, and "
                                   "some time", route, timeout)
            return False

        def tell(params: Params) -> None:
            tx = ctx.tx
            if tx is not None and tx.request is None:       # it has ended since
                return
            fresh = tx.make_ctx(_EVENT) if tx is not None else Ctx(self.env, ctx.msg, ctx.source, _EVENT)
            fresh.avps = {name: list(values) for name, values in ((fresh.avps or ctx.avps) or {}).items()}
            show(fresh, params)
            self.env.run_route(run, fresh)
        return self._add(event, Waiter(found, tell, self.env.now + timeout))

    @function()
    async def wait_for_event(self, ctx: Ctx, event: str, filter: Var, timeout: int) -> int:
        """Wait for an event: 1 it came and its attributes are AVPs, -1 an error, -2 it did not come in time."""
        found = self._filters(ctx, filter)
        if found is None or timeout <= 0:
            return -1
        came: asyncio.Future[Params] = asyncio.get_running_loop().create_future()
        waiter = Waiter(found, lambda params: came.done() or came.set_result(params), float("inf"), True)
        if not self._add(event, waiter):
            return -1
        try:
            async with asyncio.timeout(timeout):
                show(ctx, await came)
        except TimeoutError:
            return -2
        finally:
            self._remove(event, waiter)
        return 1

    def _filters(self, ctx: Ctx, filter: Var) -> list[tuple[str, str]] | None:
        """Read the values of a filter; None when one of them is none."""
        try:
            values: list[Any] = list((ctx.avps or {}).get(avp_name(filter.name)) or ())
        except ValueError:                              # another kind of variable has one value
            value = filter.get(ctx)
            values = [] if value is None else [value]
        found = []
        for text in map(str, values):
            key, equals, wanted = text.partition("=")
            if not key.strip() or not equals:
                self.env.log.error('event filter "%s" is none: write key=value, with * and ? in it if need be', text)
                return None
            found.append((key.strip(), wanted.strip()))
        return found


def show(ctx: Ctx, params: Params) -> None:
    """Let a route see the attributes of an event: as AVPs of their names, and by fetch_event_params."""
    ctx.event = params
    for name, value in params.items():
        if value is not None:
            ctx.avp(name)[:] = [value if isinstance(value, int) else str(value)]
