"""Notice floods: see `osip.modules.pike.module`."""
from osip.modules.pike.module import Pike

__all__ = ["Pike"]
