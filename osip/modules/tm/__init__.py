"""Keep transactions: stateful relaying, forking, retransmission, local replies and own requests (RFC 3261 16, 17)."""
from osip.modules.tm.module import Tm

__all__ = ["Tm"]
