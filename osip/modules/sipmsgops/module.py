"""Declare sipmsgops: words on headers, bodies, codecs, option lists and replies; edits show only in what is sent."""
from __future__ import annotations

import re
import time
from collections.abc import Callable
from fnmatch import translate as glob_to_regex

import orjson

from osip.api import (H_PRIVACY, BodyPart, Ctx, HeaderWords, Media, Module, ParseError, UriWords, Var, body_parts,
                      function, parts_of, set_body_parts)
from osip.modules.sipmsgops import sdp
from osip.modules.sipmsgops.validate import validate

REQUESTS = "QRFBL"
SDP = "application/sdp"


class Sipmsgops(HeaderWords, UriWords, Module):
    """Header, body, codec and reply words (textops in 1.x)."""

    # --- replies -----------------------------------------------------------------------------------------------------

    @function("QFBE")
    def append_to_reply(self, ctx: Ctx, txt: str) -> int:
        """Add header lines to the local reply to this request."""
        _reply_lines(ctx).append(_line(txt))
        return 1

    @function("QFBLE")
    def append_time(self, ctx: Ctx) -> int:
        """Add a Date header to the local reply."""
        stamp = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(self.env.wall()))
        _reply_lines(ctx).append(f"Date: {stamp}\r\n".encode())
        return 1

    @function("QFBE")
    def append_body_to_reply(self, ctx: Ctx, txt: str) -> int:
        """Set the body of the local reply; add its Content-Type with append_to_reply."""
        ctx.reply_body = txt.encode("utf-8", "surrogateescape")
        return 1

    @function("R")
    def change_reply_status(self, ctx: Ctx, code: int, reason: str) -> int:
        """Change status and reason of the reply before it is relayed; -1 when its kind would change."""
        msg = ctx.msg
        old = msg.status
        if not 100 <= code <= 699 or (old < 300 or code < 300) and old // 100 != code // 100:
            return -1
        end = msg.raw.index(b"\n")
        end -= msg.raw[end - 1] == 13
        ctx.edit.override(8, end, f"{code} {reason}".encode("utf-8", "surrogateescape"))
        return 1

    # --- headers -----------------------------------------------------------------------------------------------------

    @function("QFB")
    def append_urihf(self, ctx: Ctx, prefix: str, suffix: str) -> int:
        """Add a header line of the prefix, the R-URI and the suffix."""
        ctx.edit.append_hf(f"{prefix}{ctx.ruri}{suffix}")
        return 1

    @function(REQUESTS)
    def is_privacy(self, ctx: Ctx, privacy_type: str) -> bool:
        """Say whether Privacy asks for user, header, session, none, critical or id."""
        wanted = privacy_type.strip().lower()
        return any(wanted == word.strip().lower() for value in ctx.msg.get_all(H_PRIVACY)
                   for word in re.split("[;,]", value))

    @function(REQUESTS)
    def list_hdr_has_option(self, ctx: Ctx, hdr: str, option: str) -> bool:
        """Say whether a comma-separated header holds an option."""
        return any(option.strip().lower() == one.strip().lower() for value in ctx.msg.get_all(hdr)
                   for one in value.split(","))

    @function(REQUESTS)
    def list_hdr_add_option(self, ctx: Ctx, hdr: str, option: str) -> int:
        """Add an option to the first header of a name; -1 when there is none."""
        at = ctx.msg.find(hdr)
        if at < 0:
            return -1
        end = ctx.msg.headers[at][3]
        text = f", {option}" if ctx.msg.value(at) else f" {option}"
        ctx.edit.insert(end, text.encode("utf-8", "surrogateescape"))
        return 1

    @function(REQUESTS)
    def list_hdr_remove_option(self, ctx: Ctx, hdr: str, option: str) -> bool:
        """Remove an option from all headers of a name; an emptied header goes."""
        msg, wanted, found = ctx.msg, option.strip().lower(), False
        for at in msg.find_all(hdr):
            options = [one.strip() for one in msg.value(at).split(",")]
            kept = [one for one in options if one.lower() != wanted]
            if len(kept) == len(options):
                continue
            found = True
            if kept:
                ctx.edit.set_value(at, ", ".join(kept))
            else:
                ctx.edit.remove_header_at(at)
        return found

    @function(REQUESTS)
    def get_glob_headers_values(self, ctx: Ctx, glob: str, names: Var, values: Var) -> bool:
        """Put names and values of the headers that match a shell pattern into two AVPs."""
        matches = re.compile(glob_to_regex(glob), re.IGNORECASE).match
        found = [at for at in range(len(ctx.msg.headers)) if matches(ctx.msg.name(at))]
        for at in reversed(found):      # an AVP's newest value is its index 0
            names.set(ctx, ctx.msg.name(at))
            values.set(ctx, ctx.msg.value(at))
        return bool(found)

    @function(REQUESTS)
    def sip_to_json(self, ctx: Ctx, out: Var) -> int:
        """Put the whole message as JSON into a variable."""
        msg = ctx.msg
        headers: dict[str, list[str]] = {}
        for at in range(len(msg.headers)):
            headers.setdefault(msg.name(at), []).append(msg.value(at))
        first = msg.text(0, msg.head_start).rstrip("\r\n")
        data = {"first_line": first, "headers": headers, "body": msg.text(msg.body_start, msg.body_end)}
        try:
            text = orjson.dumps(data).decode()
        except (TypeError, orjson.JSONEncodeError):
            return -1                   # bytes that are no UTF-8 have no JSON
        out.set(ctx, text)
        return 1

    @function("QRFB")
    def sipmsg_validate(self, ctx: Ctx, flags: str | None = None, reason: Var | None = None) -> int:
        """Check the message by RFC 3261: 1, or the negative number of what is wrong."""
        code, why = validate(ctx.msg, flags or "")
        if reason is not None and why:
            reason.set(ctx, why)
        return code

    # --- body parts --------------------------------------------------------------------------------------------------

    @function(REQUESTS)
    def has_body_part(self, ctx: Ctx, mime: str | None = None) -> bool:
        """Say whether a body part (of a type) is there."""
        return any(part.is_a(mime) for part in parts_of(ctx.msg.body, ctx.msg.content_type))

    @function(REQUESTS, aliases=("add_body",))
    def add_body_part(self, ctx: Ctx, body: str, mime: str, headers: str | None = None) -> int:
        """Add a body part; a message that has a body becomes multipart."""
        lines = _line(headers) if headers else b""
        part = BodyPart(mime, lines, body.encode("utf-8", "surrogateescape"))
        set_body_parts(ctx, [*body_parts(ctx), part])
        return 1

    @function(REQUESTS, aliases=("strip_body",))
    def remove_body_part(self, ctx: Ctx, mime: str | None = None, revert: str | None = None) -> bool:
        """Remove the parts of a type (all without one); with "revert" those of any other type."""
        parts = body_parts(ctx)
        kept = [part for part in parts if part.is_a(mime) == bool(revert)]
        if len(kept) == len(parts):
            return False
        set_body_parts(ctx, kept)
        return True

    @function(REQUESTS)
    def get_updated_body_part(self, ctx: Ctx, mime: str | None, out: Var) -> bool:
        """Put a body part, as changed so far, into a variable."""
        for part in body_parts(ctx):
            if part.is_a(mime):
                out.set(ctx, part.content.decode("utf-8", "surrogateescape"))
                return True
        return False

    # --- codecs and streams ------------------------------------------------------------------------------------------

    @function(REQUESTS)
    def codec_exists(self, ctx: Ctx, name: str, clock: str | None = None) -> bool:
        """Say whether the SDP offers a codec."""
        return self._sdp(ctx, lambda text: sdp.has_codec(text, sdp.by_name(name, clock)))

    @function(REQUESTS)
    def codec_exists_re(self, ctx: Ctx, names: re.Pattern) -> bool:
        """Say whether the SDP offers a codec whose name matches."""
        return self._sdp(ctx, lambda text: sdp.has_codec(text, _matching(names)))

    @function(REQUESTS)
    def codec_delete(self, ctx: Ctx, name: str, clock: str | None = None) -> bool:
        """Remove a codec from the SDP."""
        return self._change(ctx, lambda text: sdp.delete_codecs(text, sdp.by_name(name, clock)))

    @function(REQUESTS)
    def codec_delete_re(self, ctx: Ctx, names: re.Pattern) -> bool:
        """Remove the codecs whose names match."""
        return self._change(ctx, lambda text: sdp.delete_codecs(text, _matching(names)))

    @function(REQUESTS)
    def codec_delete_except_re(self, ctx: Ctx, names: re.Pattern) -> bool:
        """Remove the codecs whose names do not match."""
        keep = _matching(names)
        return self._change(ctx, lambda text: sdp.delete_codecs(text, lambda n, c: not keep(n, c)))

    @function(REQUESTS)
    def codec_move_up(self, ctx: Ctx, name: str, clock: str | None = None) -> bool:
        """Move a codec to the front."""
        return self._change(ctx, lambda text: sdp.move_codecs(text, sdp.by_name(name, clock), True))

    @function(REQUESTS)
    def codec_move_up_re(self, ctx: Ctx, names: re.Pattern) -> bool:
        """Move the codecs whose names match to the front."""
        return self._change(ctx, lambda text: sdp.move_codecs(text, _matching(names), True))

    @function(REQUESTS)
    def codec_move_down(self, ctx: Ctx, name: str, clock: str | None = None) -> bool:
        """Move a codec to the end."""
        return self._change(ctx, lambda text: sdp.move_codecs(text, sdp.by_name(name, clock), False))

    @function(REQUESTS)
    def codec_move_down_re(self, ctx: Ctx, names: re.Pattern) -> bool:
        """Move the codecs whose names match to the end."""
        return self._change(ctx, lambda text: sdp.move_codecs(text, _matching(names), False))

    @function(REQUESTS)
    def stream_exists(self, ctx: Ctx, media: re.Pattern, proto: re.Pattern | None = None) -> bool:
        """Say whether a media line matches."""
        meant = _stream(media, proto)
        return self._sdp(ctx, lambda text: sdp.delete_streams(text, meant) is not None)

    @function(REQUESTS)
    def stream_delete(self, ctx: Ctx, media: re.Pattern, proto: re.Pattern | None = None) -> bool:
        """Remove the matching media descriptions."""
        return self._change(ctx, lambda text: sdp.delete_streams(text, _stream(media, proto)))

    @function(REQUESTS)
    def is_audio_on_hold(self, ctx: Ctx) -> int:
        """Say how audio is held: 1 null address, 2 sendonly or inactive, -1 not held."""
        for part in body_parts(ctx):
            if part.is_a(SDP):
                try:
                    return sdp.hold_kind(part.content)
                except ParseError:
                    return -1
        return -1

    def _sdp(self, ctx: Ctx, test: Callable[[bytes], bool]) -> bool:
        for part in body_parts(ctx):
            if part.is_a(SDP):
                try:
                    return test(part.content)
                except ParseError:
                    return False
        return False

    def _change(self, ctx: Ctx, change: Callable[[bytes], bytes | None]) -> bool:
        parts = body_parts(ctx)
        for at, part in enumerate(parts):
            if part.is_a(SDP):
                try:
                    new = change(part.content)
                except ParseError:
                    return False
                if new is None:
                    return False
                parts[at] = part._replace(content=new)
                set_body_parts(ctx, parts)
                return True
        return False


def _line(text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    return data if data.endswith(b"\n") else data + b"\r\n"


def _reply_lines(ctx: Ctx) -> list[bytes]:
    if ctx.reply_edits is None:
        ctx.reply_edits = []
    return ctx.reply_edits


def _matching(names: re.Pattern[str]) -> sdp.Matches:
    return lambda name, clock: names.search(name) is not None


def _stream(media: re.Pattern[str], proto: re.Pattern[str] | None) -> Callable[[Media], bool]:
    return lambda m: media.search(m.kind) is not None and (proto is None or proto.search(m.protocol) is not None)
