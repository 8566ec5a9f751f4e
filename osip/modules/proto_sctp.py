"""SIP over SCTP (RFC 4168), by the system's kernel."""
from __future__ import annotations

from osip.api import Env, Module, SctpTransport, param


class ProtoSctp(Module):
    """SIP over SCTP (RFC 4168), by the system's kernel. Without SCTP there, a socket that asks for it is an error."""
    transport = "sctp"
    sctp_port = param(5060, ge=1, le=65535, doc="Port of SCTP sockets that name none.")

    def make_transport(self, env: Env) -> SctpTransport:
        """Return the transport of this worker; `net:waiting_sctp` counts the bytes not read yet."""
        transport = SctpTransport(env.config)
        env.stats.register("net", "waiting_sctp", lambda: transport.waiting)
        return transport
