"""Change the codecs and streams of a session description; pure: a body in, a body out (RFC 8866, RFC 3264)."""
from __future__ import annotations

from collections.abc import Callable

from osip.api import Media, Sdp, parse_sdp

STATIC = {"0": "PCMU/8000", "3": "GSM/8000", "4": "G723/8000", "5": "DVI4/8000", "6": "DVI4/16000", "7": "LPC/8000",
          "8": "PCMA/8000", "9": "G722/8000", "10": "L16/44100", "11": "L16/44100", "12": "QCELP/8000",
          "13": "CN/8000", "14": "MPA/90000", "15": "G728/8000", "16": "DVI4/11025", "17": "DVI4/22050",
          "18": "G729/8000", "25": "CelB/90000", "26": "JPEG/90000", "28": "nv/90000", "31": "H261/90000",
          "32": "MPV/90000", "33": "MP2T/90000", "34": "H263/90000"}
"""RFC 3551 section 6: payload numbers that need no rtpmap."""

Matches = Callable[[str, str], bool]
"""(codec name, clock) -> is it meant."""


def codec_of(media: Media, number: str) -> tuple[str, str]:
    """Return (name, clock) of a payload number; empty when nothing says."""
    text = media.codec(number) or STATIC.get(number, "")
    name, _, rest = text.partition("/")
    return name, rest.partition("/")[0]


def by_name(name: str, clock: str | None) -> Matches:
    """Match one codec by its name and, when given, its clock."""
    wanted, rate = name.lower(), (clock or "").strip()
    return lambda found, found_rate: found.lower() == wanted and rate in ("", found_rate)


def has_codec(body: bytes, matches: Matches) -> bool:
    """Say whether any stream offers a codec."""
    return any(_numbers(media, matches) for media in parse_sdp(body).media)


def _numbers(media: Media, matches: Matches) -> list[str]:
    return [number for number in media.formats if matches(*codec_of(media, number))]


def delete_codecs(body: bytes, matches: Matches) -> bytes | None:
    """Remove codecs with their rtpmap, fmtp and rtcp-fb lines; None when nothing changed.

    A stream that would lose its last codec gets port 0: a media line without formats is not allowed.
    """
    return _rewrite(body, matches, _without)


def move_codecs(body: bytes, matches: Matches, up: bool) -> bytes | None:
    """Move codecs to the front (or the end) of their streams; None when nothing changed."""
    def order(formats: list[str], meant: list[str]) -> list[str]:
        rest = [number for number in formats if number not in meant]
        return meant + rest if up else rest + meant
    return _rewrite(body, matches, order)


def _without(formats: list[str], meant: list[str]) -> list[str]:
    return [number for number in formats if number not in meant]


def _rewrite(body: bytes, matches: Matches, order: Callable[[list[str], list[str]], list[str]]) -> bytes | None:
    sdp = parse_sdp(body)
    edits: list[tuple[int, int, bytes]] = []
    for media in sdp.media:
        meant = _numbers(media, matches)
        new = order(media.formats, meant) if meant else media.formats
        if new == media.formats:
            continue
        line = media.lines[0]
        head = line.value.split()
        port = "0" if not new else head[1]
        text = " ".join(["m=" + head[0], port, head[2], *(new or media.formats[:1])])
        edits.append((line.start, line.end, text.encode("utf-8", "surrogateescape")))
        gone = set(media.formats) - set(new or media.formats[:1])
        edits += [(one.start, one.next, b"") for one in media.lines if _names_payload(one.value, gone)]
    return _apply(sdp, edits) if edits else None


def _names_payload(value: str, gone: set[str]) -> bool:
    name, _, rest = value.partition(":")
    return name in ("rtpmap", "fmtp", "rtcp-fb") and rest.split(" ", 1)[0] in gone


def delete_streams(body: bytes, meant: Callable[[Media], bool]) -> bytes | None:
    """Remove whole media descriptions; None when none was meant."""
    sdp = parse_sdp(body)
    edits = [(media.start, media.end, b"") for media in sdp.media if meant(media)]
    return _apply(sdp, edits) if edits else None


def hold_kind(body: bytes) -> int:
    """Say how audio is held: 1 by a null address, 2 by sendonly or inactive, -1 not at all."""
    sdp = parse_sdp(body)
    for media in sdp.media:
        if media.kind != "audio":
            continue
        if sdp.address(media) in ("0.0.0.0", "::"):
            return 1
        if (media.direction or sdp.session.direction) in ("sendonly", "inactive"):
            return 2
    return -1


def _apply(sdp: Sdp, edits: list[tuple[int, int, bytes]]) -> bytes:
    parts, at = [], 0
    for start, end, data in sorted(edits):
        parts += (sdp.raw[at:start], data)
        at = end
    parts.append(sdp.raw[at:])
    return b"".join(parts)
