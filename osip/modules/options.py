"""Answer OPTIONS requests that are meant for this server (RFC 3261 section 11.2)."""
from __future__ import annotations

from typing import Any

from osip.api import M_OPTIONS, Ctx, Module, ParseError, Route, function, needs, param, parse_uri


class Options(Module):
    """Capabilities of this server."""

    accept = param("*/*", doc="Value of Accept in the 200.")
    accept_encoding = param("", doc="Value of Accept-Encoding; empty adds none.")
    accept_language = param("en", doc="Value of Accept-Language; empty adds none.")
    support = param("", doc="Value of Supported; empty adds none.")
    signaling = needs("signaling", optional=True)
    sl = needs("sl|tm|signaling")

    def mod_init(self) -> None:
        """Build the headers once."""
        pairs = (("Accept", self.accept), ("Accept-Encoding", self.accept_encoding),
                 ("Accept-Language", self.accept_language), ("Supported", self.support))
        self._lines = [f"{name}: {value}\r\n".encode() for name, value in pairs if value]

    def reload_params(self, changes: dict[str, Any]) -> set[str]:
        """Take every change: the headers are built anew."""
        for name, value in changes.items():
            setattr(self, name, value)
        self.mod_init()
        return set(changes)

    @function(routes=Route.REQUEST)
    def options_reply(self, ctx: Ctx) -> int:
        """Answer an OPTIONS whose R-URI has no user with 200 and our capabilities; -1 for any other request."""
        if ctx.msg.method_id != M_OPTIONS:
            return -1
        try:
            if parse_uri(ctx.ruri or "").user:
                return -1
        except ParseError:
            return -1
        before = ctx.reply_edits
        ctx.reply_edits = [*(before or ()), *self._lines]
        code = self.env.reply(ctx, 200, "OK")
        ctx.reply_edits = before
        return code
