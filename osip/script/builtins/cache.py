"""Use the caches that cachedb modules offer (core_functions.md section 8).

`env.cache(id)` gives a store with `get`, `set`, `add`, `remove` and, for some back-ends, `raw_query`; each may answer at
once or has to be awaited.
"""
from __future__ import annotations

import inspect
from typing import Any

from osip.api import (
    Complaint,
    Ctx,
    MIError,
    Module,
    OsipError,
    Raw,
    Value,
    Var,
    function,
    mi,
)
from osip.script.builtins.value import number_of
from osip.script.builtins.variable_text import assign, parse_variables


async def _answer(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


class CoreCache(Module):
    """Words for key-value stores."""
    name = "core_cache"

    def mod_init(self) -> None:
        """Complain now and then only: a cache that is down fails for every message."""
        self._complain = Complaint(self.env.log, clock=lambda: self.env.now)

    def _fail(self, what: str, store: str, error: Exception) -> int:
        self._complain(f"{what} failed", "store=%s error=%s", store, error)
        return -1

    @function()
    async def cache_store(self, ctx: Ctx, store: str, key: str, value: str, ttl: int = 0) -> int:
        """Keep a value, for `ttl` seconds or for ever."""
        try:
            await _answer(self.env.cache(store).set(key, value, max(0, ttl)))
        except (OsipError, KeyError) as error:
            return self._fail("cache_store", store, error)
        return 1

    @function()
    async def cache_fetch(self, ctx: Ctx, store: str, key: str, out: Var) -> int:
        """Read a value into a variable: 1 found, -2 not found, -1 error."""
        try:
            value: Value = await _answer(self.env.cache(store).get(key))
        except (OsipError, KeyError) as error:
            return self._fail("cache_fetch", store, error)
        if value is None:
            return -2
        return 1 if out.set(ctx, value) is not False else -1

    @function()
    async def cache_remove(self, ctx: Ctx, store: str, key: str) -> int:
        """Forget a key; 1 also when it was absent."""
        try:
            await _answer(self.env.cache(store).remove(key))
        except (OsipError, KeyError) as error:
            return self._fail("cache_remove", store, error)
        return 1

    @function()
    async def cache_add(self, ctx: Ctx, store: str, key: str, increment: int, ttl: int,
                        out: Var | None = None) -> int:
        """Count up, making the counter when it is new; a `ttl` above 0 sets its expiry."""
        return await self._count("cache_add", ctx, store, key, increment, ttl, out)

    @function()
    async def cache_sub(self, ctx: Ctx, store: str, key: str, decrement: int, ttl: int,
                        out: Var | None = None) -> int:
        """Count down."""
        return await self._count("cache_sub", ctx, store, key, -decrement, ttl, out)

    async def _count(self, what: str, ctx: Ctx, store: str, key: str, step: int, ttl: int, out: Var | None) -> int:
        try:
            value = await _answer(self.env.cache(store).add(key, step, max(0, ttl)))
        except (OsipError, KeyError, ValueError) as error:
            return self._fail(what, store, error)
        return 1 if out is None or out.set(ctx, int(value)) is not False else -1

    @function()
    async def cache_counter_fetch(self, ctx: Ctx, store: str, key: str, out: Var) -> int:
        """Read a counter into a variable: 1 found, -2 not found, -1 error."""
        try:
            cache = self.env.cache(store)
            value: Value = await _answer(getattr(cache, "counter", cache.get)(key))
        except (OsipError, KeyError) as error:
            return self._fail("cache_counter_fetch", store, error)
        if value is None:
            return -2
        number = number_of(value)
        return 1 if number is not None and out.set(ctx, number) is not False else -1

    @function()
    async def cache_raw_query(self, ctx: Ctx, store: str, query: str, variables: Raw | None = None) -> int:
        """Run a query of the back-end's own language; columns go into AVPs, index 0 being row 0."""
        try:
            items = parse_variables(variables) if variables else []
            rows = await _answer(self.env.cache(store).raw_query(query))
        except (OsipError, KeyError, ValueError, AttributeError) as error:
            return self._fail("cache_raw_query", store, error)
        for row in reversed(rows or []):
            for (_, kind, name), value in zip(items, row, strict=False):
                assign(ctx, kind, name, value if isinstance(value, int) or value is None else str(value))
        return 1

    # --- management --------------------------------------------------------------------------------------------------

    async def _manage(self, store: str, what: str, *args: Any) -> Any:
        try:
            return await _answer(getattr(self.env.cache(store), what)(*args))
        except (OsipError, KeyError, ValueError) as error:
            raise MIError(400, f"cache {store}: {error}") from None

    @mi("store", group="cache", aliases=("cache_store",))
    async def mi_store(self, system: str, attr: str, value: str, expire: int = 0) -> None:
        """Keep a value in a cache (`local`, `redis:group`...), for `expire` seconds or for ever."""
        await self._manage(system, "set", attr, value, max(0, expire))

    @mi("fetch", group="cache", aliases=("cache_fetch",))
    async def mi_fetch(self, system: str, attr: str) -> dict[str, Any]:
        """Show a value of a cache."""
        value = await self._manage(system, "get", attr)
        if value is None:
            raise MIError(404, f'no value for "{attr}" in {system}')
        return {"key": attr, "value": str(value)}

    @mi("remove", group="cache", aliases=("cache_remove",))
    async def mi_remove(self, system: str, attr: str) -> None:
        """Forget a key of a cache; OK also when it was absent."""
        await self._manage(system, "remove", attr)
