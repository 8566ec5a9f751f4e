"""Reply without state, and absorb the ACKs to such replies by their To tag (RFC 3261 sections 8.2.7 and 16.11)."""
from osip.modules.sl.module import Sl

__all__ = ["Sl"]
