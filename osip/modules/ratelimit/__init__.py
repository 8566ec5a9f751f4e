"""Limit how much passes in a time, by named pipes."""
from osip.modules.ratelimit.module import Ratelimit

__all__ = ["Ratelimit"]
