"""Record-Route and Route (RFC 3261 sections 16.4, 16.6 and 16.12)."""
from osip.modules.rr.module import Rr

__all__ = ["Rr"]
