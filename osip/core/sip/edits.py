"""Change a message on its way out: edits laid over the raw bytes, spliced in one join (RFC 3261 section 16.6).

Nothing is changed in place. An edit is (start, end, replacement) on the bytes as received, so readers go on seeing
what came in, and a branch costs a copy of a short list.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, Final

from osip.core.accel import mypyc_attr
from osip.core.sip.message import READER, Message
from osip.core.sip.names import H_CONTENT_LENGTH, H_CONTENT_TYPE, H_MAX_FORWARDS
from osip.core.sip.via import complete_via

Replacement = bytes | Callable[[Any], bytes]
Edit = tuple[int, int, Replacement]

_PLACE: Final = itemgetter(0, 1)
_VALUE_START: Final[Any] = None if READER is None else READER.start
_NEW_VALUE: Final[Any] = None if READER is None else READER.new_value
_NUMBERS: Final = tuple([b"%d" % number for number in range(256)])


def encode(text: str | bytes) -> bytes:
    """Encode text the way messages are decoded; bytes pass through."""
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def value_start(msg: Message, number: int) -> int:
    """Return where the value of the first header of an id starts; -1 when there is none."""
    if _VALUE_START is not None:
        found = _VALUE_START(msg, number)
        if found is not None:
            start: int = found
            return start
    at = msg.ids.find(number)
    return msg.headers[at][2] if at >= 0 else -1


def _new_value(msg: Message, number: int, data: bytes) -> Any:
    """Return the edit that gives the first header of an id another value; None when there is none."""
    if _NEW_VALUE is not None:
        edit = _NEW_VALUE(msg, number, data)
        if edit is not None:
            return edit
    at = msg.ids.find(number)
    return (*msg.headers[at][2:], data) if at >= 0 else None


def header_lines(text: str | bytes) -> bytes:
    """Return header text as bytes that end with CRLF."""
    lines = encode(text)
    if lines.endswith(b"\r\n") or not lines:
        return lines
    return lines[:-1] + b"\r\n" if lines.endswith(b"\n") else lines + b"\r\n"


@mypyc_attr(free_list_len=1)
class Edits:
    """Collect edits on one message. `items` is their list in the order of the calls.

    `has_hops` tells that Max-Forwards has been set, so that nobody need look for that among them.
    """

    __slots__ = ("msg", "items", "has_hops")

    def __init__(self, msg: Message, items: Iterable[Edit] | None = None) -> None:
        self.msg = msg
        self.items: list[Edit] = [] if items is None else list(items)
        self.has_hops = False

    def __bool__(self) -> bool:
        return bool(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def copy(self) -> Edits:
        """Return edits that start from these; a branch lays its own over the request's this way."""
        new = Edits(self.msg, self.items)
        new.has_hops = self.has_hops
        return new

    def clear(self) -> None:
        """Forget all edits."""
        self.items.clear()
        self.has_hops = False

    def insert(self, pos: int, data: Replacement) -> None:
        """Insert before the byte at `pos`; inserts at one place keep the order of the calls."""
        self.items.append((pos, pos, data))

    def replace(self, start: int, end: int, data: Replacement) -> None:
        """Replace raw[start:end]."""
        self.items.append((start, end, data))

    def remove(self, start: int, end: int) -> None:
        """Remove raw[start:end]."""
        self.items.append((start, end, b""))

    def override(self, start: int, end: int, data: Replacement) -> None:
        """Replace raw[start:end] and whatever earlier edits did strictly inside it."""
        for first, last, _ in self.items:
            if first >= start and last <= end and not (first == last and (first == start or first == end)):
                self.items = [edit for edit in self.items
                              if edit[0] < start or edit[1] > end or (edit[0] == edit[1] and edit[0] in (start, end))]
                break
        self.items.append((start, end, data))

    def set_max_forwards(self, hops: int) -> None:
        """Set Max-Forwards, adding the header when there is none."""
        msg = self.msg
        self.has_hops = True
        value = _NUMBERS[hops] if 0 <= hops < 256 else b"%d" % hops
        edit = _new_value(msg, H_MAX_FORWARDS, value)
        if edit is not None:
            if self.items:
                self.override(edit[0], edit[1], value)
            else:
                self.items.append(edit)
            return
        line = b"Max-Forwards: %d\r\n" % hops
        for number, edit in enumerate(self.items):
            if isinstance(edit[2], bytes) and edit[2].startswith(b"Max-Forwards: "):
                self.items[number] = (edit[0], edit[1], line)
                return
        self.insert(msg.blank, line)

    def append_hf(self, text: str | bytes | Callable[[Any], bytes], after: int | str | None = None) -> None:
        """Add header lines behind the last header, or behind the first one of the given id or name."""
        at = -1 if after is None else self.msg.find(after)
        pos = self.msg.blank if at < 0 else self.msg.line_end(at)
        self.items.append((pos, pos, text if callable(text) else header_lines(text)))

    def insert_hf(self, text: str | bytes | Callable[[Any], bytes], before: int | str | None = None) -> None:
        """Add header lines before the first header, or before the first one of the given id or name."""
        at = -1 if before is None else self.msg.find(before)
        pos = self.msg.head_start if at < 0 else self.msg.headers[at][1]
        self.items.append((pos, pos, text if callable(text) else header_lines(text)))

    def remove_hf(self, key: int | str) -> int:
        """Remove all headers of an id or name; return how many were still there."""
        return sum([self.remove_header_at(at) for at in self.msg.find_all(key)])

    def remove_header_at(self, at: int) -> bool:
        """Remove the header line at an index; tell whether it was still there."""
        return self.drop(self.msg.headers[at][1], self.msg.line_end(at))

    def drop(self, start: int, end: int) -> bool:
        """Remove raw[start:end] and what was laid over it; tell whether it was still there."""
        if self.is_removed(start, end):
            return False
        self.override(start, end, b"")
        return True

    def is_removed(self, start: int, end: int) -> bool:
        """Tell whether an earlier edit already takes raw[start:end] away."""
        for first, last, data in self.items:
            if first <= start and last >= end and data == b"":
                return True
        return False

    def set_value(self, at: int, text: str | bytes) -> None:
        """Replace the value of the header at an index."""
        _, _, start, end = self.msg.headers[at]
        self.override(start, end, encode(text))

    def set_body(self, data: str | bytes, content_type: str | None = None) -> None:
        """Replace the body; Content-Length follows when the message is spliced, an empty body loses Content-Type."""
        msg = self.msg
        body = encode(data)
        self.items = [edit for edit in self.items if edit[0] < msg.body_start]
        self.items.append((msg.body_start, msg.body_end, body))
        at = msg.ids.find(H_CONTENT_TYPE)
        if content_type is not None:
            if at >= 0:
                self.override(msg.headers[at][1], msg.line_end(at), header_lines("Content-Type: " + content_type))
            else:
                self.append_hf("Content-Type: " + content_type)
        elif not body and at >= 0:
            self.remove_header_at(at)

    def add_via(self, line: Replacement) -> None:
        """Add a Via line on top of all headers."""
        pos = self.msg.head_start
        self.items.insert(0, (pos, pos, line))

    def set_received(self, host: str, port: int, force_rport: bool = False) -> None:
        """Fill `received` and `rport` into the topmost Via (RFC 3261 section 18.2.1, RFC 3581 section 4)."""
        start, end = self.msg.via1_span
        old = self.msg.raw[start:end]
        new = complete_via(old, host, port, force_rport)
        if new != old:
            self.override(start, end, new)


def merge(base: Edits, extra: Edits) -> Edits:
    """Lay `extra` over `base`: where both replace the same bytes, `extra` wins."""
    taken = {edit[:2] for edit in extra.items if edit[0] != edit[1]}
    kept = [edit for edit in base.items if edit[:2] not in taken]
    return Edits(base.msg, kept + extra.items)


def splice(raw: bytes, edits: Edits | Iterable[Edit], out: Any = None) -> bytes:
    """Apply edits to raw bytes; with an `Edits`, Content-Length follows a changed body.

    Where edits overlap, the one added first stands and the later is skipped. `out` is handed to replacements that
    are callables.
    """
    if isinstance(edits, Edits):
        if not edits.items:
            return raw
        return b"".join(message_parts(edits.msg, 0, edits.items, out))
    return b"".join(cut(raw, 0, len(raw), list(edits), out))


def message_parts(msg: Message, start: int, items: list[Edit], out: Any, add_length: bool = False) -> list[bytes]:
    """Return the parts of an edited message from `start` on; add or correct Content-Length when that is called for."""
    raw = msg.raw
    body_start = msg.body_start
    inside = [edit for edit in items if edit[0] >= body_start]
    if not inside:
        if add_length and msg.ids.find(H_CONTENT_LENGTH) < 0:
            items = [*items, (msg.blank, msg.blank, b"Content-Length: %d\r\n" % (msg.body_end - body_start))]
        return cut(raw, start, msg.body_end, items, out)
    body = cut(raw, body_start, msg.body_end, inside, out)
    length = b"%d" % sum(map(len, body))
    head = [edit for edit in items if edit[0] < body_start]
    at = msg.ids.find(H_CONTENT_LENGTH)
    if at >= 0:
        _, line, value_start, value_end = msg.headers[at]
        # First in the list, so that it stands against any other edit of that line.
        head = [(value_start, value_end, length), *[e for e in head if not (e[0] <= line and e[1] >= value_end)]]
    else:
        head.append((msg.blank, msg.blank, b"Content-Length: %b\r\n" % length))
    return cut(raw, start, body_start, head, out) + body


def cut(raw: bytes, start: int, end: int, items: list[Edit], out: Any) -> list[bytes]:
    """Return raw[start:end] with the edits in place, as parts to join."""
    parts: list[bytes] = []
    pos = start
    # By start and end, so that an insert at the start of a replaced stretch comes before it.
    for first, last, data in sorted(items, key=_PLACE) if len(items) > 1 else items:
        if first < pos or last > end or last < first:
            return cut(raw, start, end, _compatible(start, end, items), out)
        if first > pos:
            parts.append(raw[pos:first])
        parts.append(data if data.__class__ is bytes else data(out))  # type: ignore[operator,arg-type]
        pos = last
    parts.append(raw[pos:end])
    return parts


def _compatible(start: int, end: int, items: list[Edit]) -> list[Edit]:
    """Keep the edits within bounds that do not overlap one added before them."""
    kept: list[Edit] = []
    for edit in items:
        first, last, _ = edit
        if start <= first <= last <= end and not any([first < other[1] and other[0] < last for other in kept]):
            kept.append(edit)
    return kept
