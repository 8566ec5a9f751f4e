"""Do what most scripts do before their main route: record routes, and carry requests inside dialogs on their own."""
from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from osip.api import (
    M_ACK,
    M_CANCEL,
    M_REGISTER,
    Ctx,
    Env,
    Hook,
    Module,
    ModuleError,
    hook,
    needs,
    param,
)


class ScriptHelper(Module):
    """In-dialog requests without a script."""

    sequential_route = param("", doc="Route to run for requests inside dialogs before they are relayed; `drop` in it "
                             "keeps them from being relayed.")
    use_dialog = param(0, ge=0, le=1, doc="1: create dialogs for INVITEs and match what belongs to them.")
    create_dialog_flags = param("", doc="Flags for create_dialog.")
    tm = needs("tm")
    rr = needs("rr")
    sl = needs("sl|signaling")
    dialog = needs("dialog", when="use_dialog")

    async def child_init(self, env: Env) -> None:
        """Look whether the route is there."""
        if self.sequential_route and env.program is not None and \
                env.program.named("route", self.sequential_route) is None:
            raise ModuleError(f'script_helper: sequential_route "{self.sequential_route}" is no route of the script')

    @hook(Hook.REQUEST, order=90)
    def before_route(self, ctx: Ctx) -> bool:
        """Take what needs no script; True when the main route need not run."""
        msg = ctx.msg
        if msg.method_id == M_CANCEL:
            if self.tm.t_check_trans(ctx) <= 0:
                return False
            self.tm.t_relay(ctx)
            return True
        if msg.to_tag:
            self.env.run_route(self._sequential, ctx)
            return True
        if msg.method_id not in (M_ACK, M_REGISTER):
            self.rr.record_route(ctx)
            if self.use_dialog and msg.method == "INVITE":
                self.dialog.create_dialog(ctx, self.create_dialog_flags or None)
        return False

    def _sequential(self, ctx: Ctx) -> Any:
        msg = ctx.msg
        followed = self.rr.loose_route(ctx) > 0
        if not followed:
            if msg.method_id != M_ACK:
                self.env.reply(ctx, 404, "Not here")
                return 0
            if self.tm.t_check_trans(ctx) <= 0:         # nothing that we know is acknowledged
                return 0
        route = self.env.program.named("route", self.sequential_route) \
            if self.sequential_route and self.env.program is not None else None
        code = 1 if route is None else route(ctx)
        if code.__class__ is not int:
            return self._wait(code, ctx)
        return self._relay(ctx)

    async def _wait(self, running: Awaitable[int], ctx: Ctx) -> int:
        await running
        return self._relay(ctx)

    def _relay(self, ctx: Ctx) -> int:
        if ctx.dropped:
            return 0
        if self.tm.t_relay(ctx) < 0 and ctx.msg.method_id != M_ACK:
            self.env.reply(ctx, 500, "Server Internal Error")
        return 0
