"""Take multipart bodies apart and put them together; pure (RFC 2046 section 5.1)."""
from __future__ import annotations

import re
from typing import NamedTuple

from osip.api import bare_type

BOUNDARY = "osip-part-7d2f"


class Part(NamedTuple):
    """One body part: its media type (as written), the other header lines, its content."""
    mime: str
    headers: bytes
    content: bytes


def parts_of(body: bytes, content_type: str | None) -> list[Part]:
    """Return the parts of a body; one that is not multipart is its own single part."""
    if not body:
        return []
    kind = bare_type(content_type)
    found = re.search(r'boundary="?([^";]+)"?', content_type or "", re.IGNORECASE)
    if not kind.startswith("multipart/") or found is None:
        return [Part(content_type or "", b"", body)]
    mark = b"--" + found[1].encode("utf-8", "surrogateescape")
    out = []
    for piece in body.split(mark)[1:]:
        if piece.startswith(b"--"):
            break
        out.append(_part(piece.removeprefix(b"\r\n").removesuffix(b"\r\n")))
    return out


def _part(piece: bytes) -> Part:
    if piece.startswith(b"\r\n"):
        return Part("text/plain", b"", piece[2:])
    head, _, content = piece.partition(b"\r\n\r\n")
    mime, others = "text/plain", []
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() in (b"content-type", b"c"):
            mime = value.strip().decode("utf-8", "surrogateescape")
        elif line:
            others.append(line + b"\r\n")
    return Part(mime, b"".join(others), content)


def join(parts: list[Part]) -> tuple[bytes, str]:
    """Return (body, content type) for parts: one alone stands bare, several become multipart/mixed."""
    if not parts:
        return b"", ""
    if len(parts) == 1 and not parts[0].headers:
        return parts[0].content, parts[0].mime
    out = []
    for part in parts:
        head = f"--{BOUNDARY}\r\nContent-Type: {part.mime}\r\n".encode("utf-8", "surrogateescape")
        out += (head, part.headers, b"\r\n", part.content, b"\r\n")
    out.append(f"--{BOUNDARY}--\r\n".encode())
    return b"".join(out), f"multipart/mixed;boundary={BOUNDARY}"
