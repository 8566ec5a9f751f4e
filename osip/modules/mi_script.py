"""Run management commands from the script."""
from __future__ import annotations

import inspect
import shlex
from typing import Any

from osip.api import Ctx, MIError, Module, OsipError, TracedCommands, Var, avp_name, function, needs, param, rpc


class MiScript(TracedCommands, Module):
    """Management commands as a word of the script. What the script runs is not written to the audit log."""
    pretty_printing = param(0, ge=0, le=1, live=True, doc="Indent the results.")
    core = needs("core")

    @function()
    async def mi(self, ctx: Ctx, cmd: str, ret: Var | None = None, params: Var | None = None,
                 vals: Var | None = None) -> int:
        """Run a command, `"name word word"`, or with names in the AVP `params` and their values in the AVP `vals`.

        The result goes to `ret` as JSON. 1; a negative code when the command failed, then `ret` has code and message.
        """
        try:
            words = shlex.split(cmd)
        except ValueError:
            words = cmd.split()
        if not words:
            self.env.log.error("mi_script: the command is empty")
            return -1
        given: Any = words[1:]
        try:
            if params is not None:
                given = _named(ctx, params, vals)
            result = self.commands.run(words[0], given)
            if inspect.isawaitable(result):
                result = await result
        except MIError as error:
            self._tell(ctx, ret, {"code": error.code, "message": error.message, "data": error.data})
            return -abs(error.code) or -1
        except (OsipError, ValueError) as error:
            self._tell(ctx, ret, {"code": rpc.SERVER_ERROR, "message": "Server error", "data": str(error)})
            return rpc.SERVER_ERROR
        self._tell(ctx, ret, result)
        return 1

    def _tell(self, ctx: Ctx, ret: Var | None, value: Any) -> None:
        if ret is not None:
            text = value if isinstance(value, str) else rpc.encode(value, bool(self.pretty_printing)).decode()
            ret.set(ctx, text)


def _named(ctx: Ctx, params: Var, vals: Var | None) -> dict[str, Any]:
    """Pair the values of two AVPs, the first that was set with the first."""
    names, values = _values(ctx, params), _values(ctx, vals) if vals is not None else []
    if len(names) != len(values):
        raise MIError(-32602, "Invalid params", f"{len(names)} names in params and {len(values)} values in vals")
    return {str(name): value for name, value in zip(names, values, strict=True)}


def _values(ctx: Ctx, variable: Var) -> list[Any]:
    try:
        return list(ctx.avp(avp_name(variable.name)))
    except ValueError:
        value = variable.get(ctx)
        return [] if value is None else [value]
