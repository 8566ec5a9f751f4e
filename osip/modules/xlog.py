"""Take the settings that scripts of 1.x gave the module xlog; its words are part of the language now."""
from __future__ import annotations

from osip.api import Module, param


class Xlog(Module):
    """Kept so that scripts of 1.x load; `xlog` and `xdbg` need no module."""

    buf_size = param(None, kind=int, ge=16, doc="Of 1.x: the global parameter xlog_buf_size.")
    force_color = param(None, kind=int, ge=0, le=1, doc="Of 1.x: the global parameter xlog_force_color.")

    def mod_init(self) -> None:
        """Hand over what the script sets here."""
        if self.buf_size is not None:
            self.env.config.xlog_buf_size = self.buf_size
        if self.force_color is not None:
            self.env.config.xlog_force_color = self.force_color
