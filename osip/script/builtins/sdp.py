"""Read and change the session description by lines: `$sdp` and its like (variables.md section 5, RFC 8866).

A selector is `prefix[n]`, the n-th line that starts so (0 when not given), and then perhaps `/token[n]`, the n-th
blank-separated word of it that starts so. In a stream's selector `media[n]` comes first: the n-th stream of a media
type. Unlike `$rb`, these see what the script has changed so far.
"""
from __future__ import annotations

import re
from typing import NamedTuple

from osip.api import BodyPart, Ctx, Module, ParseError, Value, body_parts, pvar, set_body_parts

MIME = "application/sdp"
_STEP = re.compile(r"([^\[\]/]*)(?:\[(\d+)\])?")


class Pick(NamedTuple):
    """One step of a selector: the n-th of what starts with `prefix`."""
    prefix: str
    number: int

    def find(self, texts: list[str]) -> int:
        """Return the position of what is meant; -1 when there is none."""
        places = [at for at, text in enumerate(texts) if text.startswith(self.prefix)]
        return places[self.number] if self.number < len(places) else -1


class Span(NamedTuple):
    """A stretch of lines, end excluded."""
    start: int
    end: int


def parse_selector(text: str, most: int = 2) -> tuple[Pick, ...]:
    """Parse `prefix[n]/token[n]`; ValueError when it is malformed."""
    steps = []
    for piece in text.strip().split("/", most - 1):
        found = _STEP.fullmatch(piece)
        if found is None:
            raise ValueError(f'"{text}" is no selector: write prefix[n]/token')
        steps.append(Pick(found[1], int(found[2] or 0)))
    return tuple(steps)


def parse_stream(text: str) -> tuple[Pick, ...]:
    """Parse `media[n]/prefix[n]/token[n]`."""
    return parse_selector(text, 3)


def sections(lines: list[str]) -> list[Span]:
    """Return the stretches of the session level and of each stream."""
    starts = [at for at, line in enumerate(lines) if line.startswith("m=")]
    ends = [*starts, len(lines)]
    return [Span(0, ends[0]), *map(Span, starts, ends[1:])]


def stream_at(lines: list[str], pick: Pick) -> int:
    """Return the index of a stream; -1 when there is none."""
    return Pick("m=" + pick.prefix, pick.number).find([lines[span.start] for span in sections(lines)[1:]])


class CoreSdp(Module):
    """The session description, its lines and streams."""
    name = "core_sdp"

    @pvar("sdp")
    def sdp(self, ctx: Ctx) -> Value:
        """The session description with the changes so far; assigning replaces or adds it, null removes it."""
        found = _part(ctx)
        return None if found is None else _text(found[1].content)

    @sdp.setter
    def set_sdp(self, ctx: Ctx, value: Value) -> bool:
        parts, found = _parts(ctx), _part(ctx)
        if value is None:
            if found is None:
                return False
            del parts[found[0]]
        elif found is None:
            parts.append(BodyPart(MIME, b"", _bytes(str(value))))
        else:
            parts[found[0]] = found[1]._replace(content=_bytes(str(value)))
        set_body_parts(ctx, parts)
        return True

    @pvar("sdp.line", key="required", key_parse=parse_selector)
    def line(self, ctx: Ctx, path: tuple[Pick, ...]) -> Value:
        """A line, `prefix[n]`, or a word of it, `prefix[n]/token`; null removes it."""
        lines = _lines(ctx)
        return _read(lines, Span(0, len(lines)), path)

    @line.setter
    def set_line(self, ctx: Ctx, path: tuple[Pick, ...], value: Value) -> bool:
        lines = _lines(ctx)
        return self._write(ctx, lines, Span(0, len(lines)), path, value)

    @pvar("sdp.session", key="required", key_parse=parse_selector)
    def session(self, ctx: Ctx, path: tuple[Pick, ...]) -> Value:
        """A line of the session level, as `$sdp.line`."""
        lines = _lines(ctx)
        return _read(lines, sections(lines)[0], path)

    @session.setter
    def set_session(self, ctx: Ctx, path: tuple[Pick, ...], value: Value) -> bool:
        lines = _lines(ctx)
        return self._write(ctx, lines, sections(lines)[0], path, value)

    @pvar("sdp.stream", key="required", key_parse=parse_stream)
    def stream(self, ctx: Ctx, path: tuple[Pick, ...]) -> Value:
        """A stream, `media[n]`, or a line of it, `media[n]/prefix[n]/token`; null removes it."""
        lines = _lines(ctx)
        at = stream_at(lines, path[0])
        return None if at < 0 else _read(lines, sections(lines)[at + 1], path[1:])

    @stream.setter
    def set_stream(self, ctx: Ctx, path: tuple[Pick, ...], value: Value) -> bool:
        lines = _lines(ctx)
        at = stream_at(lines, path[0])
        return at >= 0 and self._write(ctx, lines, sections(lines)[at + 1], path[1:], value)

    @pvar("sdp.stream.idx", type="i", key="required", key_parse=parse_stream)
    def stream_index(self, ctx: Ctx, path: tuple[Pick, ...]) -> Value:
        """The place of a stream among all, from 0."""
        at = stream_at(_lines(ctx), path[0])
        return None if at < 0 else at

    def _write(self, ctx: Ctx, lines: list[str], span: Span, path: tuple[Pick, ...], value: Value) -> bool:
        if not lines or not _put(lines, span, path, None if value is None else str(value)):
            return False
        return self.set_sdp(ctx, "".join([line + "\r\n" for line in lines]))


# --- lines -----------------------------------------------------------------------------------------------------------

def _read(lines: list[str], span: Span, path: tuple[Pick, ...]) -> Value:
    inside = lines[span.start:span.end]
    if not path:
        return "".join([line + "\r\n" for line in inside])
    at = path[0].find(inside)
    if at < 0 or len(path) == 1:
        return None if at < 0 else inside[at]
    words = inside[at].split()
    place = path[1].find(words)
    return None if place < 0 else words[place]


def _put(lines: list[str], span: Span, path: tuple[Pick, ...], value: str | None) -> bool:
    """Replace what a path means; a line that is not there is added behind the others when it fits the selector."""
    if not path:
        lines[span.start:span.end] = [] if value is None else value.splitlines()
        return True
    at = path[0].find(lines[span.start:span.end])
    if len(path) > 1:
        return at >= 0 and _put_word(lines, span.start + at, path[1], value)
    if at < 0:
        if value is None or not value.startswith(path[0].prefix):
            return False
        lines.insert(span.end, value)
    else:
        lines[span.start + at:span.start + at + 1] = [] if value is None else [value]
    return True


def _put_word(lines: list[str], at: int, pick: Pick, value: str | None) -> bool:
    words = lines[at].split()
    place = pick.find(words)
    if place < 0:
        if value is None:
            return False
        words.append(value)
    else:
        words[place:place + 1] = [] if value is None else [value]
    lines[at] = " ".join(words)
    return True


# --- the body --------------------------------------------------------------------------------------------------------

def _parts(ctx: Ctx) -> list[BodyPart]:
    """Return the parts of the body; none when a broken Content-Length does not tell where it ends."""
    try:
        return body_parts(ctx)
    except ParseError:
        return []


def _part(ctx: Ctx) -> tuple[int, BodyPart] | None:
    for at, part in enumerate(_parts(ctx)):
        if part.is_a(MIME):
            return at, part
    return None


def _lines(ctx: Ctx) -> list[str]:
    found = _part(ctx)
    return _text(found[1].content).splitlines() if found is not None else []


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
