"""Run management commands in the workers that they concern, and make one answer of several."""
from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from typing import Any

from osip.core.errors import MIError, OsipError
from osip.core.exports.registry import Registry
from osip.core.exports.spec import MiSpec, Scope
from osip.core.mi.commands import Commands
from osip.core.run.bus import MeshBus

SECONDS, OWNER_SECONDS = 5.0, 60.0       # an owner may have to wait for an answer from the network
_TOPIC = "mi"


class GatheredCommands(Commands):
    """The commands of one of several workers; `run` knows in which ones each has to run."""

    def __init__(self, registry: Registry, bus: MeshBus) -> None:
        super().__init__(registry)
        self._bus = bus
        self.opened: asyncio.Event | None = None        # what others ask of a worker that starts waits for it
        bus.serve(_TOPIC, lambda peer, value: self._asked(*value))

    def run(self, name: str, params: list[Any] | dict[str, Any] | None = None) -> Any | Awaitable[Any]:
        """Run a command where its scope says; the result (JSON-ready), or an awaitable of it."""
        spec = self.find(name)
        if spec.scope is Scope.ANY or not self._bus.links or (spec.scope is Scope.LEADER and self._bus.number == 0):
            return self.run_here(name, params)
        if spec.scope is Scope.LEADER:
            return self._bus.ask(0, _TOPIC, (name, params), SECONDS)
        return self._run_everywhere(spec, params)

    def run_here(self, name: str, params: list[Any] | dict[str, Any] | None = None) -> Any | Awaitable[Any]:
        """Run a command in this worker alone."""
        return super().run(name, params)

    async def _asked(self, name: str, params: list[Any] | dict[str, Any] | None) -> Any:
        if self.opened is not None:
            await self.opened.wait()
        return await self._here(name, params)

    async def _run_everywhere(self, spec: MiSpec, params: Any) -> Any:
        seconds = OWNER_SECONDS if spec.scope is Scope.OWNER else SECONDS
        others = [self._bus.ask(peer, _TOPIC, (spec.canonical, params), seconds) for peer in sorted(self._bus.links)]
        found = await asyncio.gather(self._here(spec.canonical, params), *others, return_exceptions=True)
        good = [one for one in found if not isinstance(one, BaseException)]
        if not good:
            raise _chosen(found)                # type: ignore[arg-type]
        for one in found:
            # A worker that has not what was asked for says so by MIError; another failure must not be hidden.
            if isinstance(one, BaseException) and not isinstance(one, (MIError, OsipError)):
                raise one
        return good[0] if spec.scope is Scope.OWNER else combine(good, spec.combine == "sum")

    async def _here(self, name: str, params: Any) -> Any:
        result = self.run_here(name, params)
        return await result if inspect.isawaitable(result) else result


def _chosen(errors: list[BaseException]) -> BaseException:
    """Return the error that says most: not that a worker has not what was asked for, if another one says more."""
    known = [one for one in errors if isinstance(one, MIError)]
    return next((one for one in known if one.code not in (404, 481)), known[0] if known else errors[0])


def combine(answers: list[Any], with_sums: bool = False) -> Any:
    """Make one answer of those of several workers: dicts are merged, lists joined, equal values kept.

    Numbers are added `with_sums`; of other values that differ the first stays.
    """
    first = answers[0]
    if all(isinstance(one, dict) for one in answers):
        keys = dict.fromkeys(key for one in answers for key in one)
        return {key: combine([one[key] for one in answers if key in one], with_sums) for key in keys}
    if all(isinstance(one, list) for one in answers):
        return [item for one in answers for item in one]
    if with_sums and all(type(one) in (int, float) for one in answers):
        return sum(answers)
    return first
