"""Challenge requests and check the credentials that answer (RFC 3261 section 22, RFC 7616, RFC 8760)."""
from osip.modules.auth.module import AuthModule

__all__ = ["AuthModule"]
