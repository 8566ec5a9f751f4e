"""Keep what scripts store: $var, $avp, $shv, parameters, return values, environment (variables.md section 2).

`:=` is an assignment with the index "*": on `$avp` it replaces all values.
"""
from __future__ import annotations

import os

from osip.api import Ctx, Module, Value, Var, function, pvar
from osip.script.builtins.value import Index, number_of, pick


def avp_name(text: str) -> str:
    """Take the old prefixes off an AVP's name: `i:5` is 5, `s:name` is name."""
    name = text[2:] if text[:2] in ("i:", "s:") else text
    if not name:
        raise ValueError("the name is missing")
    return name


def _position(text: str) -> int | str:
    """Read a parameter's key: a 1-based position, or a name in an event route."""
    number = number_of(text)
    return text if number is None else number


def _return_position(text: str) -> int:
    number = number_of(text)
    if number is None or number < 0:
        raise ValueError("expected the number of a return value, counted from 0")
    return number


class CoreVars(Module):
    """Script variables."""
    name = "core_vars"

    # --- $var and $shv -------------------------------------------------------------------------------------------

    @pvar("var", type="any", key="required")
    def var(self, ctx: Ctx, name: str) -> Value:
        """A script variable of this worker; it outlives the message."""
        return self.env.vars.get(name)

    @var.setter
    def set_var(self, ctx: Ctx, name: str, value: Value) -> bool:
        self.env.vars[name] = value
        return True

    @pvar("shv", type="any", key="required")
    def shv(self, ctx: Ctx, name: str) -> Value:
        """A variable shared by all workers; 0 before it is set."""
        return self.env.shared.get(name, 0)

    @shv.setter
    def set_shv(self, ctx: Ctx, name: str, value: Value) -> bool:
        if value is None:
            self.env.shared.pop(name, None)
        else:
            self.env.shared[name] = value
        return True

    # --- $avp ----------------------------------------------------------------------------------------------------

    @pvar("avp", type="any", key="required", key_parse=avp_name, index=True)
    def avp(self, ctx: Ctx, name: str, index: Index) -> Value:
        """A value of a list that follows the message and its transaction; index 0 is the newest."""
        values = ctx.avps.get(name) if ctx.avps else None
        if not values:
            return None
        return values[-1] if index is None else pick(values[::-1], index)

    @avp.setter
    def set_avp(self, ctx: Ctx, name: str, index: Index, value: Value) -> bool:
        values = ctx.avp(name)
        if isinstance(index, int):
            return _put(values, index, value)
        if value is None:
            if index is None:
                del values[-1:]
            elif index == "*":
                values.clear()
            return index != "append"
        if index == "append":
            values.insert(0, value)
            return True
        if index == "*":
            values.clear()
        values.append(value)
        return True

    # --- parameters and results of routes ------------------------------------------------------------------------

    @pvar("param", type="any", key="required", key_parse=_position)
    def param(self, ctx: Ctx, key: int | str) -> Value:
        """A parameter of the running route by position from 1; in an event route also by name."""
        params = ctx.params
        if ctx.event is not None and not params:
            return _event_param(ctx.event, key)
        if isinstance(params, dict):
            return _event_param(params, key)
        if isinstance(key, str):
            return None
        return params[key - 1] if 0 < key <= len(params) else None

    @pvar("return", type="any", key="required", key_parse=_return_position)
    def returned(self, ctx: Ctx, position: int) -> Value:
        """An extra value of the last route call, counted from 0."""
        return ctx.returns[position] if position < len(ctx.returns) else None

    @pvar("rc", type="is", aliases=("retcode",))
    def rc(self, ctx: Ctx) -> Value:
        """The code of the last executed action."""
        return ctx.rc

    # --- outside -------------------------------------------------------------------------------------------------

    @pvar("env", key="required")
    def environment(self, ctx: Ctx, name: str) -> Value:
        """A variable of the process environment."""
        return os.environ.get(name)

    @pvar("argv", key="required")
    def argv(self, ctx: Ctx, name: str) -> Value:
        """A value given on the command line with `-o name=value`."""
        return self.env.config.argv.get(name)

    # --- functions -----------------------------------------------------------------------------------------------

    @function(aliases=("avp_printf",))
    def pv_printf(self, ctx: Ctx, out: Var, text: str) -> bool:
        """Expand a text and assign it to a variable."""
        return out.set(ctx, text) is not False

    @function()
    def avp_print(self, ctx: Ctx) -> None:
        """Write all AVPs to the log, at debug level."""
        for name, values in (ctx.avps or {}).items():
            for value in reversed(values):
                self.env.log.debug("avp name=%s value=%r", name, value)

    @function()
    def get_timestamp(self, ctx: Ctx, seconds: Var, microseconds: Var) -> bool:
        """Assign seconds and microseconds of one clock reading."""
        total = int(self.env.wall() * 1_000_000)
        first = seconds.set(ctx, total // 1_000_000)
        return microseconds.set(ctx, total % 1_000_000) is not False and first is not False


def _put(values: list[str | int], index: int, value: Value) -> bool:
    """Replace or delete the n-th newest value; False when there is none."""
    count = len(values)
    if not -count <= index < count:
        return False
    place = count - 1 - index if index >= 0 else -index - 1     # the list has the oldest first
    if value is None:
        del values[place]
    else:
        values[place] = value
    return True


def _event_param(params: dict[str, Value], key: int | str) -> Value:
    if isinstance(key, str) or key in params:
        return params.get(key)                              # type: ignore[arg-type]  # a name may be a number
    names = list(params)
    return params[names[key - 1]] if 0 < key <= len(names) else params.get(str(key))
