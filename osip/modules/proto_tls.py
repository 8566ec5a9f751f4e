"""SIP over TLS (RFC 3261 section 26, RFC 5922); the domains with their certificates are those of tls_mgm."""
from __future__ import annotations

from osip.api import (
    Env,
    Module,
    Scope,
    StreamLimits,
    TlsTransport,
    Traced,
    gauge,
    mi,
    needs,
    param,
    trusted_network,
)

_CHUNK = 65536
_NEVER_BLOCKS = "a send never blocks; what waits is bounded by tls_async_max_postponed_chunks"


class ProtoTls(Traced, Module):
    """SIP over TLS (RFC 3261 section 26, RFC 5922)."""
    transport = "tls"
    tls_port = param(5061, ge=1, le=65535, doc="Port of TLS sockets that name none.")
    tls_crlf_pingpong = param(1, ge=0, le=1, doc="Answer a double CRLF with a CRLF.")
    tls_crlf_drop = param(0, ge=0, le=1, doc="Drop double CRLFs without an answer.")
    tls_handshake_timeout = param(5000, ge=1, doc="Milliseconds in which a handshake must be done. OpenSIPS has 100, which "
                                                  "distant peers cannot meet.")
    tls_async_max_postponed_chunks = param(32, ge=1, doc="Most that waits to be sent on a connection, in 64 kB.")
    tls_max_handshakes = param(256, ge=1, doc="Handshakes that peers may have begun and not finished at a time; more are "
                                              "refused.")
    cert_check_on_conn_reusage = param(0, ge=0, le=1, doc="1: a connection of ours is used again only for the name and the "
                                                          "client domain that it was made for.")
    max_connections_per_address = param(0, ge=0, doc="Most connections that one address may have open; 0: no limit.")
    proxy_protocol_from = param(multiple=True, kind=str, parse=trusted_network,
                                doc="Address or network of load balancers that begin each connection with a PROXY header "
                                    "(versions 1 and 2); it says who the peer is.")
    tls_max_msg_chunks = param(4, removed="a message is bounded by its size and by tcp_max_msg_time")
    tls_send_timeout = param(100, removed=_NEVER_BLOCKS)
    tls_async = param(1, removed=_NEVER_BLOCKS)
    tls_mgm = needs("tls_mgm")

    @mi("trace", aliases=("tls_trace",), recipes=((), ("trace_mode",)), scope=Scope.EACH)
    def mi_trace(self, trace_mode: str | None = None) -> dict[str, str] | None:
        """Show whether connections are traced, or switch it: on, off."""
        return self.switched(trace_mode)

    @gauge()
    def handshakes_done(self) -> int:
        """Handshakes that succeeded."""
        return self._transport.handshakes_done if self._transport is not None else 0

    @gauge()
    def handshakes_failed(self) -> int:
        """Handshakes that failed, by a fault of the peer, by time, or because its certificate was not accepted."""
        return self._transport.handshakes_failed if self._transport is not None else 0

    @gauge()
    def handshakes_refused(self) -> int:
        """Connections that were closed at once because tls_max_handshakes were under way."""
        return self._transport.handshakes_refused if self._transport is not None else 0

    def __init__(self) -> None:
        super().__init__()
        self._transport: TlsTransport | None = None

    def make_transport(self, env: Env) -> TlsTransport:
        """Return the transport of this worker; `net:waiting_tls` counts the bytes of unfinished messages."""
        pong = bool(self.tls_crlf_pingpong and not self.tls_crlf_drop)
        limits = StreamLimits(env.config, self.tls_async_max_postponed_chunks * _CHUNK, pong,
                              self.max_connections_per_address, self.proxy_protocol_from)
        transport = TlsTransport(env.config, env.timers, limits, domains=self.tls_mgm,
                                 handshake_time=self.tls_handshake_timeout / 1000,
                                 handshakes=self.tls_max_handshakes, reuse_checked=bool(self.cert_check_on_conn_reusage))
        self._transport = transport
        if env.workers > 1:
            transport.on_session = self.tls_mgm.share
        env.stats.register("net", "waiting_tls", lambda: transport.waiting)
        self.tap(env, transport)
        return transport
