"""Take multipart bodies apart and put them together; bytes in, bytes out (RFC 2046 section 5.1)."""
from __future__ import annotations

import re
from typing import NamedTuple

BOUNDARY = "osip-part-7d2f"


def bare_type(text: str | None) -> str:
    """Return a media type without its parameters, in lower case; "" for none."""
    return (text or "").partition(";")[0].strip().lower()


class Part(NamedTuple):
    """One body part: its media type (as written), the other header lines, its content."""
    mime: str
    headers: bytes
    content: bytes

    def is_a(self, mime: str | None) -> bool:
        """Say whether the part has a media type (any for None)."""
        return mime is None or bare_type(self.mime) == mime.strip().lower()


def parts_of(body: bytes, content_type: str | None) -> list[Part]:
    """Return the parts of a body; one that is not multipart is its own single part."""
    if not body:
        return []
    kind = bare_type(content_type)
    found = re.search(r'boundary="?([^";]+)"?', content_type or "", re.IGNORECASE)
    if not kind.startswith("multipart/") or found is None:
        return [Part(content_type or "", b"", body)]
    mark = re.escape(b"--" + found[1].encode("utf-8", "surrogateescape"))
    line = re.compile(rb"(?:\A|\r?\n)" + mark + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    out, start = [], -1
    for border in line.finditer(body):
        if start >= 0:
            out.append(_part(body[start:border.start()]))
        start = border.end()
        if border[1]:
            return out
    return [*out, _part(body[start:].removesuffix(b"\r\n"))] if start >= 0 else out


def _part(piece: bytes) -> Part:
    # What follows the border's line end; the first empty line ends the headers.
    piece = piece.removeprefix(b"\r").removeprefix(b"\n")
    if piece.startswith((b"\r\n", b"\n")):
        return Part("text/plain", b"", piece.removeprefix(b"\r").removeprefix(b"\n"))
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
    border, number = BOUNDARY, 0
    while any(border.encode() in part.content for part in parts):
        number += 1
        border = f"{BOUNDARY}-{number}"
    out = []
    for part in parts:
        head = f"--{border}\r\nContent-Type: {part.mime}\r\n".encode("utf-8", "surrogateescape")
        out += (head, part.headers, b"\r\n", part.content, b"\r\n")
    out.append(f"--{border}--\r\n".encode())
    return b"".join(out), f"multipart/mixed;boundary={border}"
