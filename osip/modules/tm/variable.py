"""Declare the pseudo-variables of tm (variables.md section 8)."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osip.api import Ctx, Route, Value, pvar
from osip.modules.tm.transaction import Plan, Transaction

if TYPE_CHECKING:
    from osip.modules.tm.branch import Branch

FAILURE, ONREPLY, BRANCH = int(Route.FAILURE), int(Route.ONREPLY), int(Route.BRANCH)


class Variables:
    """Variables over the transaction of the message being handled."""
    if TYPE_CHECKING:
        times: Any

        def armed(self, ctx: Ctx) -> Transaction | Plan:
            """Return where arming goes; defined by the module."""

    @staticmethod
    def _branch(ctx: Ctx) -> Branch | None:
        tx = ctx.tx
        if tx is None or not 0 <= ctx.branch_index < len(tx.branches):
            return None
        found: Branch = tx.branches[ctx.branch_index]
        return found

    @pvar("T_branch_idx", type="i")
    def t_branch_idx(self, ctx: Ctx) -> int | None:
        """Index of the current branch, from 0, in branch, onreply and failure routes."""
        return ctx.branch_index if ctx.branch_index >= 0 else None

    @pvar("T_reply_code", type="i")
    def t_reply_code(self, ctx: Ctx) -> int:
        """Request route: last code sent; onreply route: this one; failure route: the winning one; 0 if none."""
        return self.code_of(ctx)

    @staticmethod
    def code_of(ctx: Ctx) -> int:
        """Return the code that t_check_status and $T_reply_code mean."""
        if ctx.kind in (FAILURE, ONREPLY):
            return ctx.reply_code or (ctx.msg.status if not ctx.msg.is_request else 0)      # type: ignore[union-attr]
        return ctx.tx.status if ctx.tx is not None and not ctx.tx.is_local else 0

    @pvar("T_ruri")
    def t_ruri(self, ctx: Ctx) -> str | None:
        """Request-URI of the current branch."""
        branch = self._branch(ctx)
        if branch is not None and branch.target.uri is not None:
            return branch.target.uri
        request = ctx.tx.request if ctx.tx is not None and not ctx.tx.is_local else None
        return request.ruri if request is not None else None

    @pvar("T_id")
    def t_id(self, ctx: Ctx) -> str | None:
        """Opaque id of the transaction."""
        return f"0:{ctx.tx.label}" if isinstance(ctx.tx, Transaction) else None

    @pvar("T_branch_last_reply_code", type="i", index=True)
    def t_branch_last_reply_code(self, ctx: Ctx, index: int | str | None) -> int | None:
        """Last code received on a branch; without index the current one."""
        tx = ctx.tx
        if not isinstance(tx, Transaction):
            return None
        number = index if isinstance(index, int) else max(ctx.branch_index, 0)
        if number < 0:
            number += len(tx.branches)
        return tx.branches[number].status if 0 <= number < len(tx.branches) else None

    @pvar("T_fr_timeout", type="is")
    def t_fr_timeout(self, ctx: Ctx) -> int:
        """Seconds to wait for a response; null sets the parameter's value again."""
        return self._timeout(ctx, "answer")

    @t_fr_timeout.setter
    def set_t_fr_timeout(self, ctx: Ctx, value: Value) -> bool:
        """Set it for this transaction."""
        return self._set_timeout(ctx, "answer", value)

    @pvar("T_fr_inv_timeout", type="is")
    def t_fr_inv_timeout(self, ctx: Ctx) -> int:
        """Seconds to wait for a final response to an INVITE that rings."""
        return self._timeout(ctx, "ring")

    @t_fr_inv_timeout.setter
    def set_t_fr_inv_timeout(self, ctx: Ctx, value: Value) -> bool:
        """Set it for this transaction."""
        return self._set_timeout(ctx, "ring", value)

    def _timeout(self, ctx: Ctx, name: str) -> int:
        if isinstance(ctx.tx, Transaction):
            return int(getattr(ctx.tx.times, name))
        own = getattr(self.armed(ctx), name)
        return int(getattr(self.times, name) if own is None else own)

    def _set_timeout(self, ctx: Ctx, name: str, value: Value) -> bool:
        default = int(getattr(self.times, name))
        if value is None:
            number = default
        elif isinstance(value, int):
            number = value
        elif value.strip().isdigit():
            number = int(value)
        else:
            return False
        if number <= 0:
            return False
        armed = self.armed(ctx)
        if isinstance(armed, Transaction):
            armed.set_times(**{"answer": None, "ring": None, name: number})
        else:
            setattr(armed, name, number)
        return True

    # --- $bavp ---------------------------------------------------------------------------------------------------

    @pvar("bavp", type="is", key="required", index=True)
    def bavp(self, ctx: Ctx, key: str, index: int | str | None) -> Value:
        """AVPs of the current branch; index 0 is the newest."""
        branch = self._branch(ctx)
        values = branch.bavps.get(key) if branch is not None and branch.bavps else None
        if not values:
            return None
        if index == "*":
            return ",".join(str(value) for value in reversed(values))
        number = index if isinstance(index, int) else 0
        return values[-1 - number] if 0 <= number < len(values) else None

    @bavp.setter
    def set_bavp(self, ctx: Ctx, key: str, index: int | str | None, value: Value) -> bool:
        """Push a value; with an index replace it; null removes."""
        branch = self._branch(ctx)
        if branch is None:
            return False
        if branch.bavps is None:
            branch.bavps = {}
        values = branch.bavps.setdefault(key, [])
        if index == "*":
            values.clear()
        if value is None:
            if isinstance(index, int) and 0 <= index < len(values):
                del values[-1 - index]
            elif index is None and values:
                values.pop()
            return True
        if isinstance(index, int):
            if not 0 <= index < len(values):
                return False
            values[-1 - index] = value
        elif index == "append":
            values.insert(0, value)
        else:
            values.append(value)
        return True
