"""Pick from session descriptions and substitute by pattern: the `sdp.` and `re.` transformations (variables.md 9.7)."""
from __future__ import annotations

import re

from osip.api import Module, Value, posix, transform
from osip.core.exports.types import compile_pattern

_BACK_REFERENCE = re.compile(r"\\(.)", re.DOTALL)
_MEDIA = re.compile(r"^m=", re.MULTILINE)


def _streams(text: str) -> tuple[str, list[str]]:
    """Cut a description into its session part and its media sections."""
    starts = [found.start() for found in _MEDIA.finditer(text)]
    if not starts:
        return text, []
    ends = [*starts[1:], len(text)]
    return text[:starts[0]], [text[start:end] for start, end in zip(starts, ends, strict=True)]


def _chosen(streams: list[str], selector: str) -> list[int]:
    """Return the positions that a selector means: one by its number, all of a media type by its name."""
    selector = selector.strip()
    if selector.removeprefix("-").isdecimal():
        place = int(selector)
        return [place % len(streams)] if -len(streams) <= place < len(streams) else []
    return [at for at, text in enumerate(streams) if text[2:].split(None, 1)[:1] == [selector]]


def parse_expression(text: str) -> tuple[re.Pattern[str], str, bool]:
    """Compile `/match/repl/flags`; any delimiter, which a backslash takes its meaning away from."""
    if len(text) < 3:
        raise ValueError("expected /match/replacement/flags")
    mark = text[0]
    parts, part, pos = [], "", 1
    while pos < len(text):
        if text[pos] == "\\" and text[pos + 1:pos + 2] == mark:
            part += mark
            pos += 2
        elif text[pos] == "\\" and pos + 1 < len(text):
            part += text[pos:pos + 2]
            pos += 2
        elif text[pos] == mark:
            parts.append(part)
            part = ""
            pos += 1
        else:
            part += text[pos]
            pos += 1
    parts.append(part)
    if len(parts) != 3:
        raise ValueError("expected /match/replacement/flags")
    match, replacement, flags = parts
    if set(flags.strip()) - set("isg"):
        raise ValueError(f'unknown flags "{flags}", known are i, s, g')
    options = re.IGNORECASE if "i" in flags else 0
    options |= re.DOTALL if "s" in flags else re.MULTILINE
    return compile_pattern(posix(match), options), replacement, "g" in flags


class CoreTextTrans(Module):
    """The `sdp.` and `re.` transformations."""
    name = "core_text_trans"

    @transform("sdp.line")
    def sdp_line(value: Value, kind: Value, index: Value = 0) -> Value:
        """The n-th line that starts so, without its line end."""
        prefix = str(kind).strip()
        if len(prefix) == 1:
            prefix += "="
        lines = [line for line in str(value).splitlines() if line.startswith(prefix)]
        place = int(str(index).strip())
        return lines[place] if -len(lines) <= place < len(lines) else None

    @transform("sdp.stream")
    def sdp_stream(value: Value, selector: Value) -> Value:
        """A whole media section by its number, or the first of a media type."""
        _, streams = _streams(str(value))
        found = _chosen(streams, str(selector))
        return streams[found[0]] if found else None

    @transform("sdp.stream-delete")
    def sdp_stream_delete(value: Value, selector: Value) -> Value:
        """The description without a media section, or without all of a media type."""
        session, streams = _streams(str(value))
        found = _chosen(streams, str(selector))
        if not found:
            return None
        return session + "".join([text for at, text in enumerate(streams) if at not in found])

    @transform("re.subst")
    def re_subst(value: Value, expression: Value, *more: Value) -> Value:
        """The text with what matches replaced, `/match/replacement/flags`; unchanged when nothing matches.

        Variables in the expression are expanded by the emitter.
        """
        pattern, replacement, every = parse_expression(",".join([str(part) for part in (expression, *more)]).strip())

        def replaced(found: re.Match[str]) -> str:
            def reference(escape: re.Match[str]) -> str:
                char = escape.group(1)
                if not char.isdecimal():
                    return {"n": "\n", "r": "\r", "t": "\t"}.get(char, char)
                return (found.group(int(char)) or "") if int(char) <= pattern.groups else ""
            return _BACK_REFERENCE.sub(reference, replacement)
        return pattern.sub(replaced, str(value), count=0 if every else 1)
