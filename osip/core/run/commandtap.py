"""Tell a capture server which management commands came and how they ended: JSON in HEP packets of the kind 0x57.

A request and its answer have the same correlation. Secrets are blanked out as in the audit log, results that are secrets
are left out, and of a long result no more is told than a packet holds.
"""
from __future__ import annotations

import inspect
import itertools
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from osip.core.errors import MIError
from osip.core.exports.declare import needs, param
from osip.core.exports.spec import MiSpec
from osip.core.mi import rpc
from osip.core.mi.access import LOCAL, Caller
from osip.core.mi.audit import concealed, redacted
from osip.core.mi.commands import Commands, bind
from osip.core.net.endpoint import is_ip
from osip.core.net.hep import HepPacket

if TYPE_CHECKING:
    from osip.core.run.env import Env

HEP_MI = 0x57
_SCRIPT = Caller("script", via="script")


def parse_bwlist(text: str) -> tuple[bool, tuple[str, ...]]:
    """Read `w: command, …` (only these) or `b: command, …` (all but these); ValueError for others."""
    kind, colon, names = text.partition(":")
    if not colon or kind.strip().lower() not in ("w", "b"):
        raise ValueError(f'"{text}" is no list: write "w: ps, which" for these alone, "b: ps" for all but these')
    return kind.strip().lower() == "w", tuple(filter(None, (name.strip() for name in names.split(","))))


class CommandTap:
    """The commands as one module runs them that takes them from outside: each is told of."""

    def __init__(self, env: Env, module: Any) -> None:
        self._env, self._module = env, module
        self._count = itertools.count(1)
        self._is_white, names = module.trace_bwlist or (False, ())
        self._listed = frozenset(map(self._canonical, names))

    def _canonical(self, name: str) -> str:
        try:
            return self._env.mi.find(name).canonical
        except MIError as error:
            self._env.log.warning("%s: trace_bwlist: %s: %s", self._module.name, name, error.message)
            return name

    async def perform(self, name: str, params: Any = None, caller: Caller = LOCAL) -> Any:
        """Run a command for somebody, as `Commands.perform` does."""
        return await self._told(name, params, caller, lambda: self._env.mi.perform(name, params, caller))

    async def run(self, name: str, params: Any = None) -> Any:
        """Run a command for the script, as `Commands.run` does."""
        return await self._told(name, params, _SCRIPT, lambda: self._env.mi.run(name, params))

    async def _told(self, name: str, params: Any, caller: Caller, work: Callable[[], Any | Awaitable[Any]]) -> Any:
        spec, given = self._read(name, params)
        command = spec.canonical if spec is not None else name[:200]
        ident = ""
        if (command in self._listed) == self._is_white:
            ident = f"{self._module.name}-{self._env.pid}-{next(self._count)}"
            self._send(ident, caller, {"command": command, "who": caller.name,
                                       "params": concealed(None, json.loads(redacted(spec, given)))})
        code, reason, reply = rpc.SERVER_ERROR, "Server error", None
        try:
            result = work()
            if inspect.isawaitable(result):
                result = await result
            code, reason, reply = 200, "OK", result
            return result
        except MIError as error:
            code, reason, reply = error.code, error.message, error.data
            raise
        finally:
            if ident:
                self._send(ident, caller, {"command": command, "code": code, "reason": reason,
                                           "reply": concealed(spec, reply)}, is_reply=True)

    def _read(self, name: str, params: Any) -> tuple[MiSpec | None, dict[str, Any]]:
        """Return the command and its parameters by name; those that cannot be named are not told of."""
        given = params if isinstance(params, dict) else {}
        try:
            spec = self._env.mi.find(name)
        except MIError:
            return None, given
        try:
            return spec, bind(spec, params if params is not None else [])
        except MIError:
            return spec, given

    def _send(self, ident: str, caller: Caller, told: dict[str, Any], is_reply: bool = False) -> None:
        host, _, port = caller.peer.rpartition(":")
        host = host.strip("[]")
        there = (host, int(port)) if is_ip(host) and port.isdigit() else ("127.0.0.1", 0)
        here = ("::1" if ":" in there[0] else "127.0.0.1", 0)
        ends = (*here, *there) if is_reply else (*there, *here)
        payload = rpc.encode({"backend": self._module.name, **told})
        protocol = 17 if caller.via == "datagram" else 6
        self._module.proto_hep.send(self._module.trace_destination,
                                    HepPacket(*ends, payload, protocol, HEP_MI, correlation=ident))


class TracedCommands:
    """The parameters of modules that take management commands; they run what comes by `commands`."""
    trace_destination = param("", doc="A hep_id of proto_hep, which is told of the commands that come this way, and of "
                                      "their answers.")
    trace_bwlist = param("", parse=parse_bwlist, doc='Only these commands are told of, "w: ps, which", or all but these, '
                                                     '"b: get_statistics".')
    proto_hep = needs("proto_hep", when="trace_destination")
    _tap: CommandTap | None = None

    @property
    def commands(self) -> Commands | CommandTap:
        """What runs commands: each is told of when there is a destination."""
        module: Any = self
        if not self.trace_destination:
            found: Commands = module.env.mi
            return found
        if self._tap is None:
            self._tap = CommandTap(module.env, self)
        return self._tap
