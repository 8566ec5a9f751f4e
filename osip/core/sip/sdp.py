"""Read session descriptions as lines in order, each with its place, to be edited (RFC 8866 section 5)."""
from __future__ import annotations

from typing import Final

from osip.core.errors import ParseError

_ADDRESS_TYPES: Final = ("IP4", "IP6")


class Line:
    """Hold one `x=value` line: its letter, its value as text, and its place in the body (line end excluded)."""

    __slots__ = ("kind", "value", "start", "end", "next")

    def __init__(self, kind: str, value: str, start: int, end: int, following: int) -> None:
        self.kind = kind
        self.value = value
        self.start = start
        self.end = end
        self.next = following       # where the next line starts

    def __repr__(self) -> str:
        return f"{self.kind}={self.value}"


class Section:
    """Hold the lines of the session level or of one media description; `start` and `end` bound them in the body."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        self.lines: list[Line] = []

    @property
    def start(self) -> int:
        """Return where the section starts."""
        return self.lines[0].start if self.lines else 0

    @property
    def end(self) -> int:
        """Return one past the section, its last line end included."""
        return self.lines[-1].next if self.lines else 0

    def find(self, kind: str) -> Line | None:
        """Return the first line of a letter."""
        for line in self.lines:
            if line.kind == kind:
                return line
        return None

    def attributes(self, name: str) -> list[str]:
        """Return the values of all `a=name:value` lines; "" for a flag."""
        out = []
        for line in self.lines:
            if line.kind == "a":
                key, _, value = line.value.partition(":")
                if key == name:
                    out.append(value)
        return out

    @property
    def address(self) -> str:
        """Return the address of the connection line, without a TTL; "" when there is none."""
        line = self.find("c")
        parts = line.value.split() if line is not None else []
        return parts[2].partition("/")[0] if len(parts) >= 3 and parts[1] in _ADDRESS_TYPES else ""

    @property
    def direction(self) -> str:
        """Return sendrecv, sendonly, recvonly or inactive; "" when the section does not say."""
        for line in self.lines:
            if line.kind == "a" and line.value in ("sendrecv", "sendonly", "recvonly", "inactive"):
                return line.value
        return ""


class Media(Section):
    """Hold one media description."""

    __slots__ = ("kind", "port", "protocol", "formats")

    def __init__(self, line: Line) -> None:
        super().__init__()
        parts = line.value.split()
        port = parts[1].partition("/")[0] if len(parts) >= 3 else ""
        if not (port.isascii() and port.isdigit()) or len(port) > 5:
            raise ParseError("bad SDP media line", 400, line.start)
        self.kind = parts[0]
        self.port = int(port)
        self.protocol = parts[2]
        self.formats = parts[3:]
        self.lines.append(line)

    def codec(self, number: str) -> str:
        """Return the `name/rate` that rtpmap gives a payload number; "" when none does."""
        for value in self.attributes("rtpmap"):
            payload, _, name = value.partition(" ")
            if payload == number:
                return name.strip()
        return ""


class Sdp:
    """Hold a session description: the session level and its media, over the bytes they came from."""

    __slots__ = ("raw", "session", "media")

    def __init__(self, raw: bytes, session: Section, media: list[Media]) -> None:
        self.raw = raw
        self.session = session
        self.media = media

    @property
    def lines(self) -> list[Line]:
        """Return all lines in order."""
        out = list(self.session.lines)
        for media in self.media:
            out += media.lines
        return out

    def address(self, media: Media) -> str:
        """Return where a media stream is received: its own connection line or the session's."""
        return media.address or self.session.address


def parse_sdp(body: bytes) -> Sdp:
    """Parse a session description; raise ParseError when a line is no `x=value` or no version line leads."""
    session = Section()
    media: list[Media] = []
    section: Section = session
    pos = 0
    for part in body.split(b"\n"):
        start, pos = pos, pos + len(part) + 1
        text = part.removesuffix(b"\r")
        if not text:
            continue
        if text[1:2] != b"=" or not text[:1].isalpha():
            raise ParseError("bad SDP line", 400, start)
        line = Line(chr(text[0]), text[2:].decode("utf-8", "surrogateescape"), start, start + len(text),
                    min(pos, len(body)))
        if line.kind == "m":
            section = Media(line)
            media.append(section)
        else:
            section.lines.append(line)
    if not session.lines or session.lines[0].kind != "v":
        raise ParseError("bad SDP: no version line", 400, 0)
    return Sdp(body, session, media)
