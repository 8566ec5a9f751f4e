"""Notice addresses that send too much. See `tree` for how they are counted."""
from __future__ import annotations

import inspect
from typing import Any

from osip.api import (
    Complaint,
    Ctx,
    Hook,
    MIError,
    Module,
    Scope,
    SharedCounts,
    event,
    function,
    gauge,
    hook,
    is_ip,
    mi,
    param,
    python_level,
    timer,
)
from osip.modules.pike.tree import FINE, NEW, Tree


class Pike(Module):
    """Flood detection by source address.

    An address is blocked with its first request above the limit in one unit of time, and until a whole unit has
    passed in which it stayed below.
    """

    sampling_time_unit = param(2, ge=1, doc="Seconds of a unit of time.")
    reqs_density_per_unit = param(30, ge=1, doc="Requests that an address may send in a unit of time.")
    remove_latency = param(120, ge=1, live=True, doc="Seconds after its last request until an address is forgotten.")
    pike_log_level = param(1, ge=-3, le=9, live=True, doc="Level of the lines about addresses blocked and freed.")
    check_route = param("", live=True, doc="Check each request before the script; this route may exempt one by drop().")
    blocked_event = event("E_PIKE_BLOCKED", "An address has sent too much.", ip=str)

    def mod_init(self) -> None:
        """Start with an empty tree."""
        self.tree = Tree(self.reqs_density_per_unit)
        self._counts = SharedCounts(self.env, "pike")
        self._counts.on_remote = self._mark
        self._unit = -1
        self._complain = Complaint(self.env.log, clock=lambda: self.env.now)
        self._noted = (0, 0)                # lines in a second: which one, how many

    def reload_params(self, changes: dict[str, Any]) -> set[str]:
        """Take over another limit."""
        if "reqs_density_per_unit" in changes:
            self.tree.limit = self.reqs_density_per_unit = changes["reqs_density_per_unit"]
        return {"reqs_density_per_unit"} & set(changes)

    # --- counting ------------------------------------------------------------------------------------------------

    def _present(self) -> int:
        """Return the number of the present unit of time; the same in every worker."""
        unit = int(self.env.now // self.sampling_time_unit)
        if unit != self._unit:
            self._unit = unit
            self._counts.clear()
        return unit

    def _mark(self, address: str, amount: int = 1) -> int:
        code = self.tree.mark(address, self._present(), self.env.now, amount)
        if code == NEW and self.env.number == 0:        # every worker sees it; one tells
            self._note("pike: blocked ip=%s limit=%d seconds=%d", address, self.tree.limit, self.sampling_time_unit)
            self.blocked_event(ip=address)
        return code

    def _check(self, ctx: Ctx) -> int:
        address = ctx.source.host if ctx.source is not None else ""
        if not is_ip(address):
            return FINE
        unit = self._present()
        code = self._mark(address)
        if self.env.workers > 1 and unit == self._unit:
            self._counts.add(address)
        return code

    def _note(self, text: str, *args: Any) -> None:
        """Log at the level of the parameter, a bounded number of lines a second."""
        second = int(self.env.now)
        count = self._noted[1] + 1 if self._noted[0] == second else 1
        self._noted = (second, count)
        if count <= 20:
            self.env.log.log(python_level(self.pike_log_level), text, *args)
        elif count == 21:
            self._complain("pike", "more lines than 20 in a second are left out")

    @function("Q")
    def pike_check_req(self, ctx: Ctx) -> int:
        """Count the request: 1 all is well, -1 its address is blocked, -2 it is blocked from now on."""
        return self._check(ctx)

    @hook(Hook.REQUEST, order=10)
    def before_script(self, ctx: Ctx) -> bool:
        """Drop what a blocked address sends, when `check_route` is set."""
        return bool(self.check_route) and not self._is_exempt(ctx) and self._check(ctx) != FINE

    def _is_exempt(self, ctx: Ctx) -> bool:
        program = self.env.program
        route = program.named("route", self.check_route) if program is not None else None
        if route is None:
            self._complain("pike_check_route", "there is no route[%s]: every request is checked", self.check_route)
            return False
        try:
            code = route(ctx)
        except Exception as error:          # whatever a route does, the message must be decided
            self._complain("pike_check_route", "route[%s] failed", self.check_route, error=error)
            return False
        if inspect.iscoroutine(code):
            code.close()
            self._complain("pike_check_route", "route[%s] waits for something, which is not possible here: every "
                           "request is checked", self.check_route)
            return False
        is_exempt, ctx.dropped = bool(ctx.dropped), False
        return is_exempt

    # --- cleaning and management ---------------------------------------------------------------------------------

    @timer("sampling_time_unit")
    def clean(self) -> None:
        """Free those that have become quiet, and forget them later."""
        for address in self.tree.sweep(self._present(), self.env.now, self.remove_latency):
            if self.env.number == 0:
                self._note("pike: freed ip=%s", address)
        if self.tree.given_up:
            self._complain("pike_room", "addresses=%d were forgotten early: there is no room", self.tree.given_up)
            self.tree.given_up = 0

    @gauge("blocked_ips", shared=True)
    def blocked_ips(self) -> int:
        """Addresses that are blocked now."""
        return sum(1 for _ in self.tree.blocked(self._present()))

    @mi("list", aliases=("pike_list",))
    def mi_list(self) -> dict[str, Any]:
        """List the addresses that are blocked, with their requests in this unit of time and in the one before."""
        return {"IPs": [{"IP": address, "state": "BLOCKED", "present": node.present, "before": node.before}
                        for address, node in self.tree.blocked(self._present())]}

    @mi("rm", aliases=("pike_rm",), scope=Scope.EACH)
    def mi_rm(self, ip: str) -> None:
        """Forget an address: it may send again."""
        if not is_ip(ip):
            raise MIError(400, "Bad IP", f'"{ip}" is no address')
        known = self.tree.remove(ip.strip("[]"))
        if not known and self.env.number == 0:
            raise MIError(404, "IP not found")
