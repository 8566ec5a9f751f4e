"""Run management commands by name: pick the recipe, convert the parameters, call the method (MI section 1)."""
from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable
from typing import Any, Protocol

from osip.core.errors import MIError
from osip.core.exports.module import Module
from osip.core.exports.registry import Registry
from osip.core.exports.spec import MiSpec
from osip.core.mi import access
from osip.core.mi.access import LOCAL, Caller
from osip.core.mi.audit import Audit, redacted

NOT_FOUND, BAD_PARAMS, SERVER_ERROR, AMBIGUOUS = -32601, -32602, -32000, -32001


class Performer(Protocol):
    """Runs commands for somebody: `Commands`, or what stands before it."""

    async def perform(self, name: str, params: Any = None, caller: Caller = LOCAL) -> Any:
        """Run a command."""


class Commands:
    """All commands of one worker: canonical `group:name`, registered old names, and bare names when unambiguous."""

    def __init__(self, registry: Registry) -> None:
        self.specs: dict[str, MiSpec] = {}
        self._targets: dict[str, Module] = {}
        self._old: dict[str, str] = {}
        self._bare: dict[str, list[str]] = {}
        self.audit = Audit()
        for instance in registry.instances.values():
            for spec in instance.spec.mi:
                self._add(spec, instance)

    def _add(self, spec: MiSpec, instance: Module) -> None:
        name = spec.canonical
        self.specs[name] = spec
        self._targets[name] = instance
        for alias in spec.aliases:
            self._old[alias] = name
        self._bare.setdefault(spec.name, []).append(name)

    def names(self, prefix: str = "") -> list[str]:
        """Return the canonical names, those that start with `prefix`."""
        return sorted(name for name in self.specs if name.startswith(prefix))

    def spellings(self, prefix: str = "") -> list[str]:
        """Return canonical and old names, those that start with `prefix`: what tools complete and check."""
        return sorted(name for name in {*self.specs, *self._old} if name.startswith(prefix))

    def find(self, name: str) -> MiSpec:
        """Return the command meant by any accepted spelling; MIError when none or several are."""
        full = name if name in self.specs else self._old.get(name)
        if full is None:
            candidates = self._bare.get(name, [])
            if len(candidates) > 1:
                raise MIError(AMBIGUOUS, "Method ambiguous", ", ".join(sorted(candidates)))
            if not candidates:
                raise MIError(NOT_FOUND, "Method not found")
            full = candidates[0]
        return self.specs[full]

    def run(self, name: str, params: list[Any] | dict[str, Any] | None = None) -> Any | Awaitable[Any]:
        """Run a command; the result (JSON-ready), or an awaitable of it. MIError says what is wrong."""
        spec = self.find(name)
        values = bind(spec, params if params is not None else [])
        result = getattr(self._targets[spec.canonical], spec.attr)(**values)
        if inspect.isawaitable(result):
            return _finish(result)
        return "OK" if result is None else result


    async def perform(self, name: str, params: Any = None, caller: Caller = LOCAL) -> Any:
        """Run a command for somebody: look whether he may, write it down, leave of the result what he may see."""
        params = params if params is not None else []
        spec: MiSpec | None = None
        given: dict[str, Any] = params if isinstance(params, dict) else {}
        try:
            spec = self.find(name)
            given = bind(spec, params)
            access.check(spec, given, caller)
        except MIError as error:
            self.audit.refused(caller, spec.canonical if spec else name, redacted(spec, given), str(error.code))
            raise
        began, outcome = time.perf_counter(), "failed"
        try:
            result = self.run(spec.canonical, params)
            if inspect.isawaitable(result):
                result = await result
            outcome = "ok"
        except MIError as error:
            outcome = str(error.code)
            raise
        finally:
            self.audit.done(caller, spec, given, outcome, time.perf_counter() - began)
        return access.visible(spec, result, caller)


async def _finish(result: Awaitable[Any]) -> Any:
    value = await result
    return "OK" if value is None else value


def bind(spec: MiSpec, params: list[Any] | dict[str, Any]) -> dict[str, Any]:
    """Match parameters to a recipe of the command and convert their types."""
    if isinstance(params, dict):
        if not any(set(params) == set(recipe) for recipe in spec.recipes) and not _within(spec, params):
            raise MIError(BAD_PARAMS, "Invalid params", "Named parameters do not match")
        given = params
    else:
        if spec.named_only and params:
            raise MIError(BAD_PARAMS, "Invalid params", "Command only supports named parameters")
        given = _positional(spec, params)
    kinds = {arg.label: arg.kind for arg in spec.args}
    return {name: _convert(name, value, kinds[name]) for name, value in given.items()}


def _within(spec: MiSpec, params: dict[str, Any]) -> bool:
    labels = {arg.label for arg in spec.args}
    needed = {arg.label for arg in spec.args if not arg.optional}
    return needed <= set(params) <= labels


def _positional(spec: MiSpec, params: list[Any]) -> dict[str, Any]:
    fitting = [recipe for recipe in spec.recipes if len(recipe) == len(params)]
    if len(fitting) > 1:
        raise MIError(BAD_PARAMS, "Invalid params", "Ambiguous call, use named parameters instead")
    if not fitting:
        only = spec.args[0] if len(spec.args) == 1 else None
        if only is not None and only.kind == "list" and params:
            return {only.label: params}         # `get_statistics a b` packs its words into the array
        raise MIError(BAD_PARAMS, "Invalid params", "Too few or too many parameters")
    return dict(zip(fitting[0], params, strict=True))


def _convert(name: str, value: Any, kind: str) -> Any:
    if kind == "int":
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise MIError(BAD_PARAMS, "Invalid params", f'parameter "{name}" must be a number')
        try:
            return int(value, 0) if isinstance(value, str) else value
        except ValueError:
            raise MIError(BAD_PARAMS, "Invalid params", f'parameter "{name}" must be a number') from None
    if kind == "str":
        if isinstance(value, (dict, list)) or value is None:
            raise MIError(BAD_PARAMS, "Invalid params", f'parameter "{name}" must be a string')
        return str(value)
    if kind == "list":
        return value if isinstance(value, list) else [value]
    return value
