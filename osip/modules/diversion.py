"""Say in a Diversion header that a call was diverted, and why (RFC 5806)."""
from __future__ import annotations

from osip.api import H_DIVERSION, Ctx, Module, function, is_token, param, quote


class Diversion(Module):
    """The Diversion header; `$di`, `$dip` and `$dir` read it."""

    suffix = param("", live=True, doc="Text appended to each header that is added, such as `;privacy=full`.")

    @function(routes="QFL")
    def add_diversion(self, ctx: Ctx, reason: str, uri: str | None = None, counter: int | None = None) -> int:
        """Add a Diversion on top of those that are there (RFC 5806 section 3): by default of the R-URI as it came in.

        -1 when the reason or the URI cannot stand in a header.
        """
        msg = ctx.msg
        if not msg.is_request:
            return -1
        address = (msg.ruri if uri is None else uri).strip()        # type: ignore[union-attr]
        if not address.startswith(("<", '"')):
            address = f"<{address}>"
        if address == "<>" or not reason or _is_broken(address + reason + self.suffix):
            return -1
        text = f"Diversion: {address};reason={reason if is_token(reason) else quote(reason)}"
        if counter is not None:
            text += f";counter={counter}"
        self._put(ctx, (text + self.suffix + "\r\n").encode("utf-8", "surrogateescape"))
        return 1

    @staticmethod
    def _put(ctx: Ctx, line: bytes) -> None:
        msg, edit = ctx.msg, ctx.edit
        at = msg.ids.find(H_DIVERSION)
        pos = msg.headers[at][1] if at >= 0 else msg.blank
        # The latest diversion comes first, before one that was added a moment ago as well.
        place = next((number for number, (start, end, data) in enumerate(edit.items)
                      if start == end == pos and data.__class__ is bytes and data[:11] == b"Diversion: "), None)
        if place is None:
            edit.insert(pos, line)
        else:
            edit.items.insert(place, (pos, pos, line))


def _is_broken(text: str) -> bool:
    """Tell whether text would break the line it stands on."""
    return "\r" in text or "\n" in text or "\0" in text
