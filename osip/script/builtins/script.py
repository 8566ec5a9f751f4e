"""Tell a script about itself: call stack, position, error, process (variables.md section 7).

`ctx.stack` holds the running routes from the top one to the innermost, each as its keyword with its name in brackets
(`route`, `route[RELAY]`).
"""
from __future__ import annotations

from osip import __version__
from osip.api import Ctx, Module, Raw, Value, function, pvar, slot
from osip.core.run.ctx import (
    BRANCH,
    ERROR,
    EVENT,
    FAILURE,
    LOCAL,
    ONREPLY,
    STARTUP,
    TIMER,
)
from osip.core.run.log import python_level
from osip.script.builtins.value import Index, number_of, pick

_KINDS = {FAILURE: "failure_route", ONREPLY: "onreply_route", BRANCH: "branch_route", ERROR: "error_route",
          LOCAL: "local_route", STARTUP: "startup_route", TIMER: "timer_route", EVENT: "event_route"}


def _name(entry: str) -> str:
    return entry.partition("[")[2].removesuffix("]")


def _type(entry: str) -> str:
    return entry.partition("[")[0]


class CoreScript(Module):
    """Where the script is, what went wrong, which process runs it."""
    name = "core_script"

    trace = slot(tuple)

    # --- position ------------------------------------------------------------------------------------------------

    def _stack(self, ctx: Ctx) -> list[str]:
        """Return the running routes, the innermost first."""
        return ctx.stack[::-1] if ctx.stack else [_KINDS.get(ctx.kind, "route")]

    @pvar("route", index=True)
    def route(self, ctx: Ctx, index: Index) -> Value:
        """The running route; index 0 is the innermost, -1 the top one, * the whole stack from the top."""
        if index == "*":
            return " > ".join(self._stack(ctx)[::-1])
        return pick(self._stack(ctx), index)

    @pvar("route.name", index=True)
    def route_name(self, ctx: Ctx, index: Index) -> Value:
        """The name of a running route; NULL when it has none."""
        if index == "*":
            return " > ".join([_name(entry) for entry in self._stack(ctx)[::-1]])
        entry = pick(self._stack(ctx), index)
        return None if entry is None else _name(str(entry)) or None

    @pvar("route.type", index=True)
    def route_type(self, ctx: Ctx, index: Index) -> Value:
        """The keyword of a running route."""
        if index == "*":
            return " > ".join([_type(entry) for entry in self._stack(ctx)[::-1]])
        entry = pick(self._stack(ctx), index)
        return None if entry is None else _type(str(entry))

    @pvar("cfg_line", type="is")
    def cfg_line(self, ctx: Ctx) -> Value:
        """The line of the running statement."""
        return ctx.line

    @pvar("cfg_file")
    def cfg_file(self, ctx: Ctx) -> Value:
        """The script's file."""
        return self.env.program.path if self.env.program else None

    # --- errors --------------------------------------------------------------------------------------------------

    @pvar("err.class", type="is")
    def err_class(self, ctx: Ctx) -> Value:
        """The class of the error that error_route handles: 1 parser, 4 assert; 0 for none."""
        return ctx.error[0] if ctx.error else 0

    @pvar("err.level", type="is")
    def err_level(self, ctx: Ctx) -> Value:
        """The level of the error, 1 critical to 5 low; 0 for none."""
        return ctx.error[1] if ctx.error else 0

    @pvar("err.info")
    def err_info(self, ctx: Ctx) -> Value:
        """What the error is, in words."""
        return ctx.error[2] if ctx.error else ""

    @pvar("err.rcode", type="is")
    def err_rcode(self, ctx: Ctx) -> Value:
        """The status to answer with; 0 for none."""
        return ctx.error[3] if ctx.error else 0

    @pvar("err.rreason")
    def err_rreason(self, ctx: Ctx) -> Value:
        """The reason phrase to answer with."""
        return ctx.error[4] if ctx.error else ""

    # --- process -------------------------------------------------------------------------------------------------

    @pvar("pp", type="is")
    def pp(self, ctx: Ctx) -> Value:
        """The process id."""
        return self.env.pid

    @pvar("version")
    def version(self, ctx: Ctx) -> Value:
        """The version of the server."""
        return f"osip {__version__}"

    # --- functions -----------------------------------------------------------------------------------------------

    @function()
    def script_trace(self, ctx: Ctx, level: int | None = None, text: Raw | None = None,
                     tag: str | None = None) -> None:
        """Note every executed action in the log from here on, with a text expanded each time; no arguments stop it."""
        ctx[self.trace] = None if level is None else (level, text or "", tag or "")

    def trace_step(self, ctx: Ctx, place: str, kind: str, action: str, text: str) -> None:
        """Write one line of a running trace; `place` is file:line, `text` the trace's text, expanded now."""
        state = ctx[self.trace]
        if state is not None:
            self.env.log.log(python_level(state[0]), "[Script Trace][%s][%s][%s %s] -> (%s)", place, state[2], kind,
                             action, text)

    @function()
    def setdebug(self, ctx: Ctx, level: int | None = None) -> bool:
        """Set the log level of this worker, or restore the configured one."""
        words = self.env.modules.get("core_log")
        return words is not None and words.set_log_level(ctx, number_of(level)) is not False
