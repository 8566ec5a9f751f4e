"""Set, reset and test message, branch and script flags (dsl.md section 10, core_functions.md section 6)."""
from __future__ import annotations

from typing import Any

from osip.api import (
    Ctx,
    FlagName,
    Module,
    OsipError,
    Target,
    Value,
    function,
    pvar,
    slot,
)
from osip.script.builtins.value import Index, number_of


def _branch_and_flag(ctx: Ctx, flag: str, index: Any) -> tuple[Target | None, str]:
    """Sort out the two argument orders: `(flag, idx)`, and `(idx, flag)` of scripts up to 2.x."""
    if index is None:
        return ctx.target, flag
    number = number_of(index)
    if number is None:                                      # setbflag(1, NAT): only the old order can read so
        return branch_at(ctx, number_of(flag)), str(index)
    if isinstance(index, int) and flag.isdecimal():
        # Both are numbers: the old order, unless there is no such branch and the new one fits.
        old = branch_at(ctx, int(flag))
        if old is not None:
            return old, str(index)
    return branch_at(ctx, number), flag


def branch_at(ctx: Ctx, index: int | None) -> Target | None:
    """Return a branch counted from the R-URI branch 0; negative from the last; None when absent."""
    appended = ctx.targets or ()
    if index is None or not -len(appended) - 1 <= index <= len(appended):
        return None
    if index < 0:
        index += len(appended) + 1
    return ctx.target if index == 0 else appended[index - 1]


class CoreFlags(Module):
    """Flags of the message, of branches and of the script run."""
    name = "core_flags"

    sflags = slot(int)

    # --- message flags -------------------------------------------------------------------------------------------

    @function()
    def setflag(self, ctx: Ctx, flag: FlagName) -> None:
        """Set a message flag."""
        ctx.flags |= self.env.message_flags.bit(flag)

    @function()
    def resetflag(self, ctx: Ctx, flag: FlagName) -> None:
        """Clear a message flag."""
        ctx.flags &= ~self.env.message_flags.bit(flag)

    @function()
    def isflagset(self, ctx: Ctx, flag: FlagName) -> bool:
        """Say whether a message flag is set."""
        return ctx.flags & self.env.message_flags.bit(flag) != 0

    # --- branch flags --------------------------------------------------------------------------------------------

    @function(aliases=("setbranchflag",))
    def setbflag(self, ctx: Ctx, flag: FlagName, index: int | str | None = None) -> bool:
        """Set a branch flag, of the R-URI branch unless an index is given."""
        branch, flag = _branch_and_flag(ctx, flag, index)
        if branch is None:
            return False
        branch.bflags |= self.env.branch_flags.bit(flag)
        return True

    @function(aliases=("resetbranchflag",))
    def resetbflag(self, ctx: Ctx, flag: FlagName, index: int | str | None = None) -> bool:
        """Clear a branch flag."""
        branch, flag = _branch_and_flag(ctx, flag, index)
        if branch is None:
            return False
        branch.bflags &= ~self.env.branch_flags.bit(flag)
        return True

    @function(aliases=("isbranchflagset",))
    def isbflagset(self, ctx: Ctx, flag: FlagName, index: int | str | None = None) -> bool:
        """Say whether a branch flag is set."""
        branch, flag = _branch_and_flag(ctx, flag, index)
        return branch is not None and branch.bflags & self.env.branch_flags.bit(flag) != 0

    # --- script flags (scripts up to 2.1) ------------------------------------------------------------------------

    @function(aliases=("setscriptflag",))
    def setsflag(self, ctx: Ctx, flag: FlagName) -> None:
        """Set a flag that lives for this run of the top route."""
        ctx[self.sflags] = (ctx[self.sflags] or 0) | self.env.script_flags.bit(flag)

    @function(aliases=("resetscriptflag",))
    def resetsflag(self, ctx: Ctx, flag: FlagName) -> None:
        """Clear a script flag."""
        ctx[self.sflags] = (ctx[self.sflags] or 0) & ~self.env.script_flags.bit(flag)

    @function(aliases=("isscriptflagset",))
    def issflagset(self, ctx: Ctx, flag: FlagName) -> bool:
        """Say whether a script flag is set."""
        return (ctx[self.sflags] or 0) & self.env.script_flags.bit(flag) != 0

    # --- variables -----------------------------------------------------------------------------------------------

    @pvar("mf")
    def mf(self, ctx: Ctx) -> Value:
        """The names of the set message flags, blank-separated."""
        return self.env.message_flags.listing(ctx.flags)

    @pvar("bf")
    def bf(self, ctx: Ctx) -> Value:
        """The names of the set flags of branch 0, blank-separated."""
        return self.env.branch_flags.listing(ctx.target.bflags)

    @pvar("sf")
    def sf(self, ctx: Ctx) -> Value:
        """The names of the set script flags, blank-separated."""
        return self.env.script_flags.listing(ctx[self.sflags] or 0)

    @pvar("msg.flag", type="i", key="required")
    def msg_flag(self, ctx: Ctx, flag: str) -> Value:
        """1 when the message flag is set, else 0."""
        bit = self._bit(self.env.message_flags, flag)
        return None if bit is None else int(ctx.flags & bit != 0)

    @msg_flag.setter
    def set_msg_flag(self, ctx: Ctx, flag: str, value: Value) -> bool:
        bit = self._bit(self.env.message_flags, flag)
        if bit is None:
            return False
        ctx.flags = ctx.flags | bit if _is_on(value) else ctx.flags & ~bit
        return True

    @pvar("branch.flag", type="i", key="required", index=True, aliases=("msg.branch.flag",))
    def branch_flag(self, ctx: Ctx, flag: str, index: Index) -> Value:
        """1 when the branch flag is set, else 0; index 0 is the R-URI branch, none the last."""
        bit = self._bit(self.env.branch_flags, flag)
        if bit is None:
            return None
        if index == "*":
            return ", ".join(str(int(b.bflags & bit != 0)) for b in (ctx.target, *(ctx.targets or ())))
        branch = branch_at(ctx, index if isinstance(index, int) else -1)
        return None if branch is None else int(branch.bflags & bit != 0)

    @branch_flag.setter
    def set_branch_flag(self, ctx: Ctx, flag: str, index: Index, value: Value) -> bool:
        bit = self._bit(self.env.branch_flags, flag)
        branch = branch_at(ctx, index if isinstance(index, int) else -1)
        if branch is None or bit is None:
            return False
        branch.bflags = branch.bflags | bit if _is_on(value) else branch.bflags & ~bit
        return True

    def _bit(self, table: Any, flag: str) -> int | None:
        # A computed name may be one too many at run time; that is a failing access, not a broken route.
        try:
            return table.bit(str(flag))
        except OsipError as error:
            self.env.log.error("%s", error)
            return None


def _is_on(value: Value) -> bool:
    return value is not None and value != 0 and value != "0" and value != ""
