"""Count Max-Forwards down and refuse requests that went too far (RFC 3261 section 16.3)."""
from osip.modules.maxfwd.module import Maxfwd

__all__ = ["Maxfwd"]
