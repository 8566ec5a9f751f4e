"""SIP over UDP (RFC 3261 section 18). Without this module nothing can listen on UDP."""
from __future__ import annotations

from osip.api import Env, Module, UdpTransport, param


class ProtoUdp(Module):
    """SIP over UDP (RFC 3261 section 18). Without this module nothing can listen on UDP."""
    transport = "udp"
    udp_port = param(5060, ge=1, le=65535, doc="Port of UDP sockets that name none.")

    def make_transport(self, env: Env) -> UdpTransport:
        """Return the transport of this worker; `net:waiting_udp` counts the bytes not read yet."""
        transport = UdpTransport(env.config)
        env.stats.register("net", "waiting_udp", lambda: transport.waiting)
        return transport
