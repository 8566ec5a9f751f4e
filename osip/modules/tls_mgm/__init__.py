"""Keep the TLS domains: certificates, methods and whom to trust, for all transports over TLS."""
from osip.modules.tls_mgm.module import TlsMgm

__all__ = ["TlsMgm"]
