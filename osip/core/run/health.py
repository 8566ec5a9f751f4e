"""Tell whether the server is alive and ready: started, not draining, a script, open sockets, stores that answer."""
from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from osip.core.errors import OsipError

if TYPE_CHECKING:
    from osip.core.run.env import Env
    from osip.core.store.sql import Stores

Check = Callable[[], Awaitable[str]]
FRESH = 2.0                 # seconds for which an answer of the stores holds: whoever asks often asks us, not them
DEADLINE = 2.0
PROBE_KEY = "osip.readyz"
_NO_ANSWER = f"no answer within {DEADLINE:g} seconds"


class Pinged(Protocol):
    """A store that can be asked whether it is there."""

    async def ping(self) -> None:
        """Return when it answers, raise OsipError when not."""


class Health:
    """What stands between this worker and being ready."""

    def __init__(self, env: Env, stores: Stores, clock: Callable[[], float] = time.monotonic) -> None:
        self._env, self._stores, self._clock = env, stores, clock
        self._checks: dict[str, Check] = {}
        self._told: dict[str, str] = {}
        self._told_at = float("-inf")
        self._asking: asyncio.Task[dict[str, str]] | None = None
        self.is_up = False

    def add(self, name: str, check: Check) -> None:
        """Ask `check()` too, which returns "" or what is wrong; it has two seconds."""
        self._checks[name] = check

    async def faults(self) -> dict[str, str]:
        """Return what keeps the server from being ready, by its name; empty when it is."""
        found = self._own_faults()
        if self._clock() - self._told_at >= FRESH:
            if self._asking is None:        # one question at a time, however many ask
                self._asking = asyncio.get_running_loop().create_task(self._ask())
            try:
                self._told = await asyncio.shield(self._asking)
            finally:
                if self._asking is not None and self._asking.done():
                    self._asking = None
        return {**found, **self._told}

    def _own_faults(self) -> dict[str, str]:
        env, found = self._env, {}
        if not self.is_up:
            found["server"] = "starting"
        elif env.dispatch.draining:
            found["server"] = "draining: it finishes what is in flight and stops"
        if env.program is None:
            found["script"] = "not loaded"
        if self.is_up:
            closed = [socket.text for socket in env.sockets if socket.transport is None]
            if closed:
                found["sockets"] = f"not open: {', '.join(closed)}"
        return found

    async def _ask(self) -> dict[str, str]:
        checks = {f"database {number}": _pinged(sql) for number, sql in enumerate(self._stores.opened(), 1)}
        checks |= {f"cache {id}": _asked(cache) for id, cache in self._env.caches.opened().items()}
        checks |= self._checks
        answers = await asyncio.gather(*(_in_time(check) for check in checks.values()))
        self._told_at = self._clock()
        return {name: fault for name, fault in zip(checks, answers, strict=True) if fault}


def _pinged(store: Pinged) -> Check:
    async def check() -> str:
        await store.ping()
        return ""
    return check


def _asked(cache: Any) -> Check:
    """Return a check that asks a cache for a key that need not be there."""
    async def check() -> str:
        answer = cache.get(PROBE_KEY)
        if inspect.isawaitable(answer):
            await answer
        return ""
    return check


async def _in_time(check: Check) -> str:
    try:
        async with asyncio.timeout(DEADLINE):
            return await check()
    except TimeoutError:
        return _NO_ANSWER
    except OsipError as error:
        return str(error)
    except Exception as error:          # a broken check must not look like a healthy store
        return f"cannot be asked: {error!r}"
