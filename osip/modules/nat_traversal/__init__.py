"""Keep the way to endpoints behind NAT open for as long as there is a reason: registration, subscription, call."""
from osip.modules.nat_traversal.module import NatTraversal

__all__ = ["NatTraversal"]
