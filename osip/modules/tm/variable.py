"""Declare the pseudo-variables of tm (variables.md section 8)."""
from __future__ import annotations

from collections.abc import Callable
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
        """Opaque id of the transaction: the worker and its number there."""
        return ctx.tx.id if isinstance(ctx.tx, Transaction) else None

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

    # --- $tm.branch.* -----------------------------------------------------------------------------------------------

    @staticmethod
    def _nth(ctx: Ctx, index: int | str | None) -> Branch | None:
        """Return a branch by number (`n/active` counts in the present round), else the current one."""
        tx = ctx.tx
        if not isinstance(tx, Transaction):
            return None
        number, first = max(ctx.branch_index, 0), 0
        if isinstance(index, int):
            number = index
        elif index is not None:
            digits, _, where = str(index).partition("/")
            if not digits.strip().isdigit():
                return None
            number, first = int(digits), tx.round_start if where.strip() == "active" else 0
        found = tx.branches[first:]
        return found[number] if -len(found) <= number < len(found) else None

    def _value(self, ctx: Ctx, index: int | str | None, read: Callable[[Branch], Value]) -> Value:
        """Return what `read` gives for the branch that an index means; for "*" that of all, joined."""
        tx = ctx.tx
        if index == "*" and isinstance(tx, Transaction):
            found = [str(value) for branch in tx.branches if (value := read(branch)) is not None]
            return ", ".join(found) if found else None
        branch = self._nth(ctx, index)
        return None if branch is None else read(branch)

    @pvar("tm.branch.uri", index=True)
    def branch_uri(self, ctx: Ctx, index: int | str | None) -> Value:
        """Request-URI of a branch of the transaction."""
        request = ctx.tx.request if isinstance(ctx.tx, Transaction) else None
        received = request.ruri if request is not None else None
        return self._value(ctx, index, lambda branch: branch.target.uri or received)

    @pvar("tm.branch.duri", index=True)
    def branch_duri(self, ctx: Ctx, index: int | str | None) -> Value:
        """Destination URI of a branch."""
        return self._value(ctx, index, lambda branch: branch.target.du)

    @pvar("tm.branch.path", index=True)
    def branch_path(self, ctx: Ctx, index: int | str | None) -> Value:
        """Path of a branch."""
        return self._value(ctx, index, lambda branch: branch.target.path)

    @pvar("tm.branch.q", index=True, type="i")
    def branch_q(self, ctx: Ctx, index: int | str | None) -> Value:
        """q of a branch in thousandths; NULL when it has none."""
        return self._value(ctx, index, lambda branch: branch.target.q if branch.target.q >= 0 else None)

    @pvar("tm.branch.flags", index=True)
    def branch_flags(self, ctx: Ctx, index: int | str | None) -> Value:
        """Names of the branch flags that are set."""
        return self._value(ctx, index, lambda branch: ctx.env.branch_flags.listing(branch.target.bflags))

    @pvar("tm.branch.socket", index=True)
    def branch_socket(self, ctx: Ctx, index: int | str | None) -> Value:
        """Socket that a branch was sent from."""
        return self._value(ctx, index, lambda branch: branch.dest.socket.text
                           if branch.dest is not None and branch.dest.socket is not None else None)

    @pvar("tm.branch.last_received", index=True, type="i")
    def branch_last_received(self, ctx: Ctx, index: int | str | None) -> Value:
        """Last code received on a branch."""
        return self._value(ctx, index, lambda branch: branch.status)

    @pvar("tm.branch.type", index=True)
    def branch_type(self, ctx: Ctx, index: int | str | None) -> Value:
        """`sip`; phony branches are not counted among the branches here."""
        return self._value(ctx, index, lambda branch: "sip")

    @pvar("tm.branch.attr", key="required", index=True, type="any")
    def branch_attr(self, ctx: Ctx, key: str, index: int | str | None) -> Value:
        """A free attribute of a branch, set with $msg.branch.attr before."""
        return self._value(ctx, index, lambda branch: (branch.target.attrs or {}).get(key))

    @branch_attr.setter
    def set_branch_attr(self, ctx: Ctx, key: str, index: int | str | None, value: Value) -> bool:
        """Set it; null removes it."""
        branch = self._nth(ctx, index)
        if branch is None:
            return False
        attrs = branch.target.attrs = branch.target.attrs or {}
        attrs.pop(key, None)
        if value is not None:
            attrs[key] = value
        return True

    @pvar("tm.branch.flag", key="required", index=True, type="i")
    def branch_flag(self, ctx: Ctx, key: str, index: int | str | None) -> Value:
        """1 when a branch flag is set, else 0."""
        return self._value(ctx, index, lambda branch: int(bool(branch.target.bflags & ctx.env.branch_flags.bit(key))))

    @branch_flag.setter
    def set_branch_flag(self, ctx: Ctx, key: str, index: int | str | None, value: Value) -> bool:
        """Set or reset it."""
        branch = self._nth(ctx, index)
        if branch is None:
            return False
        bit = ctx.env.branch_flags.bit(key)
        branch.target.bflags = branch.target.bflags | bit if value not in (None, 0, "0", "") else \
            branch.target.bflags & ~bit
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
            return ", ".join([str(value) for value in reversed(values)])
        place = _place(values, index if isinstance(index, int) else 0)
        return None if place is None else values[place]

    @bavp.setter
    def set_bavp(self, ctx: Ctx, key: str, index: int | str | None, value: Value) -> bool:
        """Push a value; with an index replace it; null removes."""
        branch = self._branch(ctx)
        if branch is None:
            return False
        if branch.bavps is None:
            branch.bavps = {}
        values = branch.bavps.setdefault(key, [])
        if isinstance(index, int):
            place = _place(values, index)
            if place is not None:
                values[place:place + 1] = [] if value is None else [value]
            return place is not None
        if index == "*":
            values.clear()
        if value is None:
            if index is None:
                del values[-1:]
            return index != "append"
        values.insert(0 if index == "append" else len(values), value)
        return True


def _place(values: list[str | int], index: int) -> int | None:
    """Return where the n-th newest value stands, the oldest being first; None when there is none."""
    count = len(values)
    if not -count <= index < count:
        return None
    return count - 1 - index if index >= 0 else -index - 1
