"""Change the addresses of a session description to one that can be reached (RFC 8866 sections 5.2 and 5.7)."""
from __future__ import annotations

from osip.api import Ctx, ParseError, bare_type, body_parts, parse_sdp, set_body_parts
from osip.modules.nathelper import flag

NULL = ("0.0.0.0", "::")
SESSION = "application/sdp"


class Fix:
    """What to do to a description: the flags, the address, lines to add, which old addresses are not to be noted."""
    __slots__ = ("flags", "host", "no_proxy", "fields", "skip")

    def __init__(self, flags: frozenset[str], host: str, no_proxy: str, fields: str, skip: frozenset[str]) -> None:
        self.flags, self.host, self.no_proxy, self.fields, self.skip = flags, host, no_proxy, fields, skip

    def apply(self, body: bytes) -> bytes:
        """Return the description as it shall leave; ParseError when it is none."""
        sdp = parse_sdp(body)
        edits: list[tuple[int, int, bytes]] = []
        notes: list[str] = []
        for line in sdp.lines:
            if line.kind == "c" and flag.MEDIA_IP in self.flags:
                new, old = self._address(line.value, 2)
                note = "oldmediaip"
            elif line.kind == "o" and flag.ORIGIN_IP in self.flags:
                new, old = self._address(line.value, 5)
                note = "oldoip"
            else:
                continue
            if not new:
                continue
            edits.append((line.start, line.end, f"{line.kind}={new}".encode("utf-8", "surrogateescape")))
            text = f"a={note}:{old}"
            if line.kind not in self.skip and text not in notes:
                notes.append(text)
        if flag.ACTIVE in self.flags:
            notes.append("a=direction:active")
        if flag.NO_RTPPROXY in self.flags and self.no_proxy not in body.decode("utf-8", "replace"):
            notes.append(self.no_proxy)
        notes += [line for line in self.fields.replace("\r", "").split("\n") if line]
        return _spliced(body, edits, notes)

    def _address(self, value: str, at: int) -> tuple[str, str]:
        """Return the value with the address (word `at`) replaced, and the old address; "" when it stays."""
        words = value.split()
        if len(words) <= at or words[at - 1] not in ("IP4", "IP6"):
            return "", ""
        old, slash, ttl = words[at].partition("/")
        if old == self.host or (old in NULL and flag.NULL_IPS not in self.flags):
            return "", ""
        words[at - 1] = "IP6" if ":" in self.host else "IP4"
        words[at] = self.host + slash + ttl
        return " ".join(words), old


def _spliced(body: bytes, edits: list[tuple[int, int, bytes]], notes: list[str]) -> bytes:
    parts, pos = [], 0
    for start, end, text in edits:
        parts += (body[pos:start], text)
        pos = end
    parts.append(body[pos:])
    if notes and not body.endswith(b"\n"):
        parts.append(b"\r\n")
    parts += [note.encode("utf-8", "surrogateescape") + b"\r\n" for note in notes]
    return b"".join(parts)


def fix_body(ctx: Ctx, fix: Fix) -> bool:
    """Apply a fix to every session description of the body; False when there is none that can be read."""
    parts, found = body_parts(ctx), False
    for number, part in enumerate(parts):
        if bare_type(part.mime) != SESSION:
            continue
        try:
            content = fix.apply(part.content)
        except ParseError as error:
            ctx.env.log.info("nathelper: bad SDP stays as it is call_id=%s reason=%s", ctx.msg.get("Call-ID"),
                             error.reason)
            continue
        found = True
        parts[number] = part._replace(content=content)
    if found:
        set_body_parts(ctx, parts)
    return found
