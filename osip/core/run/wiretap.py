"""Tell what becomes of connections: by the event E_CORE_TCP_DISCONNECT, and to a capture server.

What is told to a capture server is how connections begin and end, as JSON in HEP packets of the kind 0x59; the SIP
messages on them are traced by the module tracer.
"""
from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

from osip.core.errors import MIError
from osip.core.exports.declare import needs, param
from osip.core.net.endpoint import Source
from osip.core.net.hep import PROTOCOLS, HepPacket
from osip.core.net.transport import Complaint
from osip.core.run.ctx import Ctx

if TYPE_CHECKING:
    from osip.core.net.connections import Connection
    from osip.core.run.env import Env

HEP_NET = 0x59
GONE = "E_CORE_TCP_DISCONNECT"
CLOSED, FAILED = "closed", "failed"


class WireTap:
    """What is told about the connections of one transport."""

    def __init__(self, env: Env, module: Any, transport: Any) -> None:
        self._env, self._module = env, module
        self.is_on = bool(module.trace_on)
        self._traced: set[int] = set()              # connections whose beginning was told
        self._complain = Complaint(env.log, clock=lambda: env.now)
        transport.connections.watcher = self.happened

    def switch(self, mode: str | None) -> dict[str, str] | None:
        """Show or set whether connections are traced: on, off."""
        if mode is None:
            return {"State": "on" if self.is_on else "off"}
        if mode not in ("on", "off"):
            raise MIError(-32602, "Invalid params", "a mode is on or off")
        if mode == "on" and not self._module.trace_destination:
            raise MIError(400, "No destination",
                          f"set the parameter trace_destination of {self._module.name} to a hep_id")
        self.is_on = mode == "on"
        return None

    def happened(self, what: str, conn: Connection, why: str) -> None:
        """Tell of a connection: it was accepted or made, became a WebSocket, was closed, or could not be had."""
        env = self._env
        if what == CLOSED and env.events is not None and env.events.is_wanted(GONE):
            local = conn.local
            env.events.raise_event(GONE, {"src_ip": conn.host, "src_port": conn.port, "dst_ip": local.host,
                                          "dst_port": local.port, "proto": local.proto})
        if not self.is_on or not self._module.trace_destination:
            self._traced.discard(conn.id)
            return
        if what in (CLOSED, "websocket"):
            if conn.id not in self._traced:
                return
            if what == CLOSED:
                self._traced.discard(conn.id)
        elif not self._passes(conn):
            return
        elif what != FAILED:
            self._traced.add(conn.id)
        self._send(what, conn, why)

    def _passes(self, conn: Connection) -> bool:
        """Ask the filter route: a connection for which it ends with drop() is not traced."""
        env, name = self._env, self._module.trace_filter_route
        if not name or env.program is None:
            return True
        route = env.program.named("route", name)
        if route is None:
            self._complain("trace_filter_route", "there is no route[%s]: every connection is traced", name)
            return True
        ctx = Ctx(env, env.make_dummy()[0], Source(conn.local, conn.host, conn.port, conn.id))
        try:
            code: Any = route(ctx)
        except Exception as error:                  # a script's fault is no reason to lose a connection
            self._complain("trace_filter_route", "route[%s] failed", name, error=error)
            return True
        if inspect.iscoroutine(code):
            code.close()
            self._complain("trace_filter_route", "route[%s] waits for something, which is not possible here", name)
        return not ctx.dropped

    def _send(self, what: str, conn: Connection, why: str) -> None:
        env, local = self._env, conn.local
        told: dict[str, Any] = {"event": what, "proto": local.proto, "id": conn.id}
        if why:
            told["reason"] = why
        if what == CLOSED:
            told |= {"received": conn.received, "sent": conn.sent}
        session = conn.tls if what in ("accepted", "connected") else None
        if session is not None:
            told |= {"tls": session.version(), "cipher": (session.cipher() or ("",))[0]}
        here, there = (local.host, local.port), (conn.host, conn.port)
        ends = (*there, *here) if conn.accepted else (*here, *there)
        seconds, micro = divmod(int(env.wall() * 1e6), 1_000_000)
        packet = HepPacket(*ends, json.dumps(told).encode(), PROTOCOLS.get(local.proto, 6), HEP_NET, seconds, micro,
                           correlation=f"{local.proto}-{conn.id}-{conn.host}:{conn.port}")
        self._module.proto_hep.send(self._module.trace_destination, packet)


class Traced:
    """The parameters of modules whose connections can be traced; `tap` in `make_transport` begins it."""
    trace_destination = param("", doc="A hep_id of proto_hep, which is told how connections begin and end.")
    trace_on = param(0, ge=0, le=1, doc="1: tell from the start; management can switch it.")
    trace_filter_route = param("", live=True, doc="Route that is run for each new connection; after drop() it is not "
                                                  "traced.")
    proto_hep = needs("proto_hep", when="trace_destination")
    wiretap: WireTap | None = None

    def tap(self, env: Env, transport: Any) -> None:
        """Watch the connections of a transport."""
        self.wiretap = WireTap(env, self, transport)

    def switched(self, mode: str | None) -> dict[str, str] | None:
        """Carry out the management command `trace`."""
        if self.wiretap is None:
            raise MIError(500, "The server has not started yet")
        return self.wiretap.switch(mode)
