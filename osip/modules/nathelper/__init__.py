"""Recognize phones behind NAT, mend what they say about themselves, and keep their bindings open with pings."""
from osip.modules.nathelper.module import Nathelper

__all__ = ["Nathelper"]
