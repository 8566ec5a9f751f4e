"""Give a request another From, To or CSeq on its way, and its responses the ones that the client knows."""
from __future__ import annotations

import re
from typing import Any

from osip.api import (H_CSEQ, H_FROM, H_RACK, H_TO, Ctx, Edits, Message, NameAddr, ParseError, parse_uri, quote)

MAX_CSEQ = (1 << 31) - 1
"""The largest CSeq number (RFC 3261 section 8.1.1.5)."""
_NUMBER = re.compile(rb"[0-9]+")
_RACK = re.compile(rb"([0-9]+\s+)([0-9]+)(\s+\S+)")


class Renamed:
    """The new value of From or To: a late edit, so that it can be found again when a Record-Route is written."""
    __slots__ = ("header", "old", "new", "display", "text")

    def __init__(self, header: int, old: NameAddr, uri: str, display: str | None) -> None:
        self.header, self.old, self.new, self.display = header, old.uri_text, uri or old.uri_text, display
        shown = old.display if display is None else display
        blank = " " if shown else ""
        self.text = f"{shown}{blank}<{self.new}>{old.params_text}".encode("utf-8", "surrogateescape")

    def __call__(self, out: Any) -> bytes:
        return self.text


class Counted:
    """The new number of CSeq: a late edit like `Renamed`."""
    __slots__ = ("old", "new")

    def __init__(self, old: int, new: int) -> None:
        self.old, self.new = old, new

    def __call__(self, out: Any) -> bytes:
        return b"%d" % self.new


def read_display(text: str | None) -> str | None:
    """Return a display name as it stands in a header, quoted; None stays None. ValueError when it cannot be one."""
    if not text:
        return text
    if any(ord(char) < 32 and char != "\t" or ord(char) == 127 for char in text):
        raise ValueError("a display name must not hold control characters")
    inner = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else None
    if inner is not None and not re.search(r'(?<!\\)(?:\\\\)*"|(?<!\\)(?:\\\\)*\\$', inner):
        return text
    return quote(text)


def rename(ctx: Ctx, header: int, uri: str, display: str | None) -> bool:
    """Give From or To another URI ("" keeps it) and display name (None keeps it, "" removes it)."""
    msg = ctx.msg
    try:
        old = msg.from_ if header == H_FROM else msg.to
        if uri:
            parse_uri(uri)
        display = read_display(display)
    except (ParseError, ValueError):
        return False
    if not uri and display is None:
        return False
    at = msg.ids.find(header)
    _, _, start, end = msg.headers[at]
    ctx.edit.override(start, end, Renamed(header, old, uri, display))
    return True


def count_up(ctx: Ctx, number: int, with_rack: bool = False) -> bool:
    """Set the CSeq number; with `with_rack` the RAck's goes up as much (RFC 3262 section 7.2)."""
    msg = ctx.msg
    old = msg.cseq
    if not 0 <= number <= MAX_CSEQ:
        return False
    start = _number_span(msg, H_CSEQ)
    ctx.edit.override(*start, Counted(old, number))
    at = msg.ids.find(H_RACK) if with_rack else -1
    if at >= 0:
        _, _, first, last = msg.headers[at]
        found = _RACK.search(msg.raw, first, last)
        if found is not None:
            ctx.edit.override(found.start(2), found.end(2), b"%d" % (int(found[2]) + number - old))
    return True


def _number_span(msg: Message, header: int) -> tuple[int, int]:
    _, _, start, end = msg.headers[msg.ids.find(header)]
    found = _NUMBER.search(msg.raw, start, end)
    if found is None:
        raise ParseError("bad CSeq header", offset=start)
    return found.span()


def changes(edits: Edits | None) -> list[Any]:
    """Return the `Renamed` and `Counted` among edits."""
    return [data for _, _, data in edits.items if data.__class__ in (Renamed, Counted)] if edits is not None else []


class Origin:
    """What a client put into its request; as a watcher of tm it puts the same into each response on its way back."""
    __slots__ = ("from_text", "to_text", "cseq", "with_names")

    def __init__(self, msg: Message, with_names: bool) -> None:
        to = msg.to
        self.from_text = msg.value(msg.ids.find(H_FROM))
        self.to_text = str(NameAddr(to.display, to.uri_text, "", to.has_brackets))
        self.cseq = msg.cseq
        self.with_names = with_names

    def __call__(self, tx: Any, what: int, status: int, ctx: Ctx) -> None:
        try:
            self.restore(ctx)
        except ParseError:                      # it goes on as it came: the client knows it by its branch and tags
            return

    def restore(self, ctx: Ctx) -> None:
        """Edit a response."""
        msg = ctx.msg
        if msg.cseq != self.cseq:
            ctx.edit.override(*_number_span(msg, H_CSEQ), b"%d" % self.cseq)
        if not self.with_names:
            return
        at = msg.ids.find(H_FROM)
        if msg.value(at) != self.from_text:
            ctx.edit.set_value(at, self.from_text)
        at = msg.ids.find(H_TO)
        text = self.to_text + msg.to.params_text
        if msg.value(at) != text:
            ctx.edit.set_value(at, text)
