"""SIP over WebSocket (RFC 7118), for browsers and for servers that speak it."""
from __future__ import annotations

from osip.api import (
    Env,
    Module,
    Scope,
    StreamLimits,
    Traced,
    WsLimits,
    WsTransport,
    mi,
    param,
    trusted_network,
)

_CHUNK = 65536
_NEVER_BLOCKS = "a send never blocks; what waits on a connection is bounded"
QUEUED_CHUNKS = 32


class ProtoWs(Traced, Module):
    """SIP over WebSocket (RFC 7118)."""
    transport = "ws"
    ws_port = param(80, ge=1, le=65535, doc="Port of ws sockets that name none.")
    ws_max_msg_chunks = param(4, ge=1, doc="Most WebSocket fragments of one message; more close the connection (1009).")
    ws_resource = param("/", doc="Path that the handshake must ask for, and that connections of ours ask for.")
    require_origin = param(1, ge=0, le=1, doc="Refuse handshakes without an Origin header, as no browser sends them.")
    ws_handshake_timeout = param(5000, ge=1, doc="Milliseconds in which the handshake must be done. OpenSIPS has 100, "
                                                 "which distant browsers cannot meet.")
    max_connections_per_address = param(0, ge=0, doc="Most connections that one address may have open; 0: no limit.")
    proxy_protocol_from = param(multiple=True, kind=str, parse=trusted_network,
                                doc="Address or network of load balancers that begin each connection with a PROXY header "
                                    "(versions 1 and 2); it says who the peer is.")
    ws_send_timeout = param(100, removed=_NEVER_BLOCKS)

    @mi("trace", aliases=("ws_trace",), recipes=((), ("trace_mode",)), scope=Scope.EACH)
    def mi_trace(self, trace_mode: str | None = None) -> dict[str, str] | None:
        """Show whether connections are traced, or switch it: on, off."""
        return self.switched(trace_mode)

    def make_transport(self, env: Env) -> WsTransport:
        """Return the transport of this worker; `net:waiting_ws` counts the bytes of unfinished messages."""
        web = WsLimits(self.ws_resource, bool(self.require_origin), self.ws_max_msg_chunks,
                       handshake_time=self.ws_handshake_timeout / 1000)
        limits = StreamLimits(env.config, QUEUED_CHUNKS * _CHUNK, True, self.max_connections_per_address,
                              self.proxy_protocol_from)
        transport = WsTransport(env.config, env.timers, limits, web=web)
        env.stats.register("net", "waiting_ws", lambda: transport.waiting)
        self.tap(env, transport)
        return transport
