"""Run what routes need beyond plain calls: sub-routes with parameters, waiting, async, launch, assert, logs."""
from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any

from osip.core.exports.spec import Hook
from osip.core.exports.types import Route, Value
from osip.core.run.log import ALERT
from osip.script.runtime import log, text, where

if TYPE_CHECKING:
    from osip.core.exports.registry import Registry
    from osip.core.run.ctx import Ctx
    from osip.core.run.env import Env
    from osip.core.run.program import RouteFn

NESTING = 100
TIMED_OUT = -2
_REQUEST_LIKE = Route.REQUEST | Route.FAILURE | Route.BRANCH | Route.STARTUP | Route.TIMER | Route.EVENT


def wait_hooks(registry: Registry, point: Hook) -> tuple[Callable[[Ctx], Any], ...]:
    """Return the bound `BEFORE_WAIT` or `AFTER_WAIT` hooks of all modules, in order."""
    found = [(hook.order, getattr(instance, hook.attr)) for instance in registry.instances.values()
             for hook in instance.spec.hooks if hook.hook is point]
    return tuple(call for _, call in sorted(found, key=lambda item: item[0]))


def result(value: Any) -> int:
    """Return the code of a function's result: bool and None count as yes, no and done."""
    if value.__class__ is int:
        return value
    return 1 if value is None or value is True else -1 if value is False else int(value)


class Flow:
    """What the routes of one program share: the environment, the hooks and the routes found by computed names."""
    __slots__ = ("_after", "_hooks", "env", "error", "log", "routes")

    def __init__(self, env: Env, registry: Registry) -> None:
        self.env = env
        self.log: Any = registry.instances.get("core_log") or PlainLog()
        self.routes: dict[str, RouteFn] = {}            # request routes, for computed names
        self.error: RouteFn | None = None
        self._hooks = wait_hooks(registry, Hook.BEFORE_WAIT)
        self._after = wait_hooks(registry, Hook.AFTER_WAIT)

    # --- sub-routes -----------------------------------------------------------------------------------------------

    def find(self, name: Value) -> RouteFn:
        """Return the request route of a computed name; an unknown one is logged and fails when run."""
        route = self.routes.get(text(name))
        if route is None:
            log.log(ALERT, "route(%s): there is no such route at=%s", text(name), where())
            return missing
        return route

    def params(self, ctx: Ctx, route: RouteFn, *values: Value) -> Any:
        """Run a route with its own parameters."""
        outer = ctx.params
        ctx.params = values
        try:
            found = route(ctx)
        except BaseException:
            ctx.params = outer
            raise
        if found.__class__ is int:
            ctx.params = outer
            return found
        return self._params_later(ctx, outer, found)

    @staticmethod
    async def _params_later(ctx: Ctx, outer: Any, waiting: Any) -> int:
        try:
            return await waiting
        finally:
            ctx.params = outer

    def fresh(self, ctx: Ctx, route: RouteFn, *values: Value) -> Any:
        """Run a route with its own parameters, and forget the return values of the last one."""
        ctx.returns = ()
        return self.params(ctx, route, *values)

    def tracked(self, label: str, route: RouteFn) -> RouteFn:
        """Return the route with the call stack kept in `ctx.stack`, at most 100 deep."""
        def run(ctx: Ctx) -> Any:
            stack = ctx.stack
            if stack is None:
                stack = ctx.stack = []
            if len(stack) >= NESTING:
                log.critical("%s: routes are nested more than %d deep at=%s", label, NESTING, where())
                return -1
            stack.append(label)
            try:
                found = route(ctx)
            except BaseException:
                stack.pop()
                raise
            if found.__class__ is int:
                stack.pop()
                return found
            return later(stack, found)

        async def later(stack: list[str], waiting: Any) -> int:
            try:
                return await waiting
            finally:
                stack.pop()
        run.__name__ = label
        return run

    # --- waiting --------------------------------------------------------------------------------------------------

    @types.coroutine
    def wait(self, ctx: Ctx, waiting: Any) -> Generator[Any, Any, int]:
        """Await a function's coroutine; the hooks run only if it does not answer at once.

        A hook that returns 0 says that the message is taken care of: the route ends.
        """
        if waiting.__class__ is int:
            return waiting
        try:
            step = waiting.send(None)
        except StopIteration as done:
            return result(done.value)
        if self.before_wait(ctx) == 0:
            waiting.close()
            return 0
        try:
            return result((yield from _go_on(waiting, step)))
        finally:
            self.after_wait(ctx)

    def before_wait(self, ctx: Ctx) -> int:
        """Run the `BEFORE_WAIT` hooks; 0 when one of them took the message."""
        for hook in self._hooks:
            if hook(ctx) == 0:
                return 0
        return 1

    def after_wait(self, ctx: Ctx) -> None:
        """Run the `AFTER_WAIT` hooks."""
        for hook in self._after:
            hook(ctx)

    def begin(self, ctx: Ctx, work: Callable[[], Any] | int, resume: RouteFn, timeout: int = 0) -> int:
        """Carry out `async(work(), resume, timeout)`: the script ends here, `resume` runs with the result."""
        found = work if work.__class__ is int else work()       # type: ignore[operator]
        if not asyncio.iscoroutine(found):
            return self._resume(ctx, result(found), resume)
        if self.before_wait(ctx) == 0:
            found.close()
            return 0
        self.env.spawn(self._finish(ctx, found, resume, timeout), "async")
        return 0

    async def _finish(self, ctx: Ctx, waiting: Coroutine[Any, Any, Any], resume: RouteFn, timeout: int) -> None:
        try:
            found = result(await (asyncio.wait_for(waiting, timeout) if timeout else waiting))
        except TimeoutError:
            found = TIMED_OUT
        except Exception as error:
            log.error("async function failed error=%r", error, exc_info=error)
            found = -1
        finally:
            self.after_wait(ctx)
        self._resume(ctx, found, resume)

    def _resume(self, ctx: Ctx, found: int, resume: RouteFn) -> int:
        ctx.rc = found
        ctx.stack = None
        self.env.run_route(resume, ctx)
        return 0

    def launch(self, ctx: Ctx, work: Callable[[], Any] | int, report: RouteFn | None = None,
               note: str | None = None) -> int:
        """Carry out `launch(work(), report, note)`: start it and go on; `report` runs later, without the message."""
        found = work if work.__class__ is int else work()       # type: ignore[operator]
        if asyncio.iscoroutine(found):
            self.env.spawn(self._report(ctx, found, report, note), "launch")
            return 1
        if report is not None:
            self._tell(ctx, result(found), report, note)
        return 1

    async def _report(self, ctx: Ctx, waiting: Coroutine[Any, Any, Any], report: RouteFn | None,
                      note: str | None) -> None:
        try:
            found = result(await waiting)
        except Exception as error:
            log.error("launched function failed error=%r", error, exc_info=error)
            found = -1
        if report is not None:
            self._tell(ctx, found, report, note)

    def _tell(self, ctx: Ctx, found: int, report: RouteFn, note: str | None) -> None:
        """Run a report route: without the message, which goes its own way; what was put out is in the AVPs (dsl.md 6)."""
        fresh = ctx.__class__(self.env, self.env.make_dummy()[0], None, int(Route.EVENT))
        fresh.avps = {name: list(values) for name, values in ctx.avps.items()} if ctx.avps else None
        fresh.rc = found
        fresh.params = (note,) if note is not None else ()
        self.env.run_route(report, fresh)

    # --- logs and assert ---------------------------------------------------------------------------------------------

    def xlog(self, level: int, line: str) -> int:
        """Write an `xlog` line; -1 when it is too long."""
        limit = self.env.config.xlog_buf_size
        if len(line) * 4 > limit and len(line.encode("utf-8", "surrogateescape")) > limit:
            log.error("xlog: the line exceeds xlog_buf_size=%d at=%s", limit, where())
            return -1
        self.log.xlog(level, line)
        return 1

    def plain(self, level: int, line: str) -> int:
        """Write a `log` line."""
        self.log.log(level, line)
        return 1

    def broken(self, ctx: Ctx, note: str) -> int:
        """Carry out a failed assert: log, run error_route, end the script (or the server)."""
        log.critical("assertion failed: %s at=%s", note, where())
        if self.env.config.abort_on_assert:
            self.env.shutdown(False)
            return 0
        if self.error is not None and ctx.kind & _REQUEST_LIKE:
            ctx.error = (4, 1, note or "assertion failed", 500, "server error")
            outer, ctx.kind = ctx.kind, int(Route.ERROR)
            self.env.run_route(self.error, ctx)
            ctx.kind = outer
        return 0


def missing(ctx: Ctx) -> int:
    """Stand in for a route that does not exist: fail."""
    return -1


async def wait_route(found: Any) -> int:
    """Await what a route of a computed name gave, if it waits."""
    return found if found.__class__ is int else await found


def _go_on(waiting: Any, step: Any) -> Generator[Any, Any, Any]:
    """Drive a coroutine on from the step that it gave last; return what it returns."""
    try:
        while True:
            try:
                sent = yield step
            except GeneratorExit:
                waiting.close()
                raise
            except BaseException as error:
                step = waiting.throw(error)
            else:
                step = waiting.send(sent)
    except StopIteration as done:
        return done.value


# --- results and logs ------------------------------------------------------------------------------------------------

def looped(limit: int) -> None:
    """Log that a `while` was ended."""
    log.error("while: more than %d rounds, going on after the loop at=%s", limit, where())


def unknown(what: str) -> int:
    """Log the use of a name that no loaded module has; return the code of a failed call."""
    log.error("%s at=%s", what, where())
    return -1


LEVELS = {-3: 50, -2: 50, -1: 40, 1: 30, 2: 25, 3: 20, 4: 10}
"""Level of the language -> level of Python's logging."""


class PlainLog:
    """Write `xlog` and `log` lines when the language's own log words are not loaded."""
    __slots__ = ()

    def xlog(self, level: int, line: str) -> int:
        """Write a line; return 1."""
        log.log(LEVELS.get(max(-3, min(level, 4)), 10), "%s", line)
        return 1

    log = xlog


def level_of(value: Value) -> int:
    """Return the level held in a variable: a number, or a name of which the third letter counts."""
    if value.__class__ is int:
        return value                    # type: ignore[return-value]
    return level_named(str(value)) if value is not None else 4


def level_named(name: str) -> int:
    """Return the level that a name such as `L_ERR` means; only its third letter is looked at."""
    return {"A": -3, "C": -2, "E": -1, "W": 1, "N": 2, "I": 3, "D": 4}.get(name[2:3].upper(), 4)
