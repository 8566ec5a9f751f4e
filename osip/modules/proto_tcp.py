"""SIP over TCP (RFC 3261 section 18, keep-alives of RFC 5626, connection reuse of RFC 5923)."""
from __future__ import annotations

from osip.api import (
    Env,
    Module,
    Scope,
    StreamLimits,
    TcpTransport,
    Traced,
    mi,
    param,
    trusted_network,
)

_CHUNK = 65536
_NEVER_BLOCKS = "a send never blocks; what waits is bounded by tcp_async_max_postponed_chunks"


class ProtoTcp(Traced, Module):
    """SIP over TCP (RFC 3261 section 18, keep-alives of RFC 5626, connection reuse of RFC 5923)."""
    transport = "tcp"
    tcp_port = param(5060, ge=1, le=65535, doc="Port of TCP sockets that name none.")
    tcp_crlf_pingpong = param(1, ge=0, le=1, doc="Answer a double CRLF with a CRLF.")
    tcp_crlf_drop = param(0, ge=0, le=1, doc="Drop double CRLFs without an answer.")
    tcp_async_max_postponed_chunks = param(32, ge=1, doc="Most that waits to be sent on a connection, in 64 kB.")
    max_connections_per_address = param(0, ge=0, doc="Most connections that one address may have open; 0: no limit.")
    proxy_protocol_from = param(multiple=True, kind=str, parse=trusted_network,
                                doc="Address or network of load balancers that begin each connection with a PROXY header "
                                    "(versions 1 and 2); it says who the peer is.")
    tcp_max_msg_chunks = param(4, removed="a message is bounded by its size and by tcp_max_msg_time")
    tcp_send_timeout = param(100, removed=_NEVER_BLOCKS)
    tcp_async = param(1, removed=_NEVER_BLOCKS)
    tcp_async_local_write_timeout = param(10, removed=_NEVER_BLOCKS)
    tcp_async_local_connect_timeout = param(10, removed="set the global parameter tcp_connect_timeout")

    @mi("trace", aliases=("tcp_trace",), recipes=((), ("trace_mode",)), scope=Scope.EACH)
    def mi_trace(self, trace_mode: str | None = None) -> dict[str, str] | None:
        """Show whether connections are traced, or switch it: on, off."""
        return self.switched(trace_mode)

    def make_transport(self, env: Env) -> TcpTransport:
        """Return the transport of this worker; `net:waiting_tcp` counts the bytes of unfinished messages."""
        pong = bool(self.tcp_crlf_pingpong and not self.tcp_crlf_drop)
        limits = StreamLimits(env.config, self.tcp_async_max_postponed_chunks * _CHUNK, pong,
                              self.max_connections_per_address, self.proxy_protocol_from)
        transport = TcpTransport(env.config, env.timers, limits)
        env.stats.register("net", "waiting_tcp", lambda: transport.waiting)
        self.tap(env, transport)
        return transport
