"""SIP over secure WebSocket (RFC 7118); the domains with their certificates are those of tls_mgm."""
from __future__ import annotations

from osip.api import (
    Env,
    Module,
    Scope,
    StreamLimits,
    Traced,
    WsLimits,
    WssTransport,
    mi,
    needs,
    param,
    trusted_network,
)

_CHUNK = 65536
_NEVER_BLOCKS = "a send never blocks; what waits on a connection is bounded"
QUEUED_CHUNKS = 32


class ProtoWss(Traced, Module):
    """SIP over secure WebSocket (RFC 7118)."""
    transport = "wss"
    wss_port = param(443, ge=1, le=65535, doc="Port of wss sockets that name none.")
    wss_max_msg_chunks = param(4, ge=1, doc="Most WebSocket fragments of one message; more close the connection (1009).")
    wss_resource = param("/", doc="Path that the handshake must ask for, and that connections of ours ask for.")
    require_origin = param(1, ge=0, le=1, doc="Refuse handshakes without an Origin header, as no browser sends them.")
    wss_handshake_timeout = param(5000, ge=1, doc="Milliseconds in which the WebSocket handshake must be done. OpenSIPS "
                                                  "has 100, which distant browsers cannot meet.")
    wss_tls_handshake_timeout = param(5000, ge=1, doc="Milliseconds in which the TLS handshake must be done. OpenSIPS "
                                                      "has 100, which distant browsers cannot meet.")
    cert_check_on_conn_reusage = param(0, ge=0, le=1, doc="1: a connection of ours is used again only for the name and the "
                                                          "client domain that it was made for.")
    max_connections_per_address = param(0, ge=0, doc="Most connections that one address may have open; 0: no limit.")
    proxy_protocol_from = param(multiple=True, kind=str, parse=trusted_network,
                                doc="Address or network of load balancers that begin each connection with a PROXY header "
                                    "(versions 1 and 2); it says who the peer is.")
    wss_send_timeout = param(100, removed=_NEVER_BLOCKS)
    tls_mgm = needs("tls_mgm")

    @mi("trace", aliases=("wss_trace",), recipes=((), ("trace_mode",)), scope=Scope.EACH)
    def mi_trace(self, trace_mode: str | None = None) -> dict[str, str] | None:
        """Show whether connections are traced, or switch it: on, off."""
        return self.switched(trace_mode)

    def make_transport(self, env: Env) -> WssTransport:
        """Return the transport of this worker; `net:waiting_wss` counts the bytes of unfinished messages."""
        web = WsLimits(self.wss_resource, bool(self.require_origin), self.wss_max_msg_chunks,
                       handshake_time=self.wss_handshake_timeout / 1000)
        limits = StreamLimits(env.config, QUEUED_CHUNKS * _CHUNK, True, self.max_connections_per_address,
                              self.proxy_protocol_from)
        transport = WssTransport(env.config, env.timers, limits, web=web,
                                 domains=self.tls_mgm, handshake_time=self.wss_tls_handshake_timeout / 1000,
                                 reuse_checked=bool(self.cert_check_on_conn_reusage))
        if env.workers > 1:
            transport.on_session = self.tls_mgm.share
        env.stats.register("net", "waiting_wss", lambda: transport.waiting)
        self.tap(env, transport)
        return transport
