"""Script words that more than one module exports: header edits and tests (sipmsgops and, in 1.x, textops and uri).

They are mixed into a `Module`; every edit is queued and shows only in what is sent (variables.md section 10).
"""
from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate as glob_to_regex

from osip.core.exports.declare import function
from osip.core.run.ctx import Ctx
from osip.core.sip.multipart import Part, bare_type, join, parts_of
from osip.core.sip.names import METHOD_IDS
from osip.core.sip.uri import Uri, parse_uri

REQUESTS = "QRFBL"


class HeaderWords:
    """Add, remove and look for header lines."""

    @function(REQUESTS)
    def append_hf(self, ctx: Ctx, text: str, anchor: str | None = None) -> int:
        """Add header lines behind the last header, or behind the first one named `anchor`."""
        if anchor is not None and ctx.msg.find(anchor) < 0:
            anchor = None
        ctx.edit.append_hf(text, anchor)
        return 1

    @function(REQUESTS)
    def insert_hf(self, ctx: Ctx, text: str, anchor: str | None = None) -> int:
        """Add header lines before the first header, or before the first one named `anchor`."""
        ctx.edit.insert_hf(text, anchor)
        return 1

    @function(REQUESTS)
    def remove_hf(self, ctx: Ctx, hname: str) -> bool:
        """Remove all headers of a name; false when there was none."""
        return ctx.edit.remove_hf(hname) > 0 if ctx.msg.find(hname) >= 0 else False

    @function(REQUESTS)
    def remove_hf_re(self, ctx: Ctx, names: re.Pattern) -> bool:
        """Remove all headers whose name matches a regular expression."""
        return _remove_matching(ctx, names.search)

    @function(REQUESTS)
    def remove_hf_glob(self, ctx: Ctx, glob: str) -> bool:
        """Remove all headers whose name matches a shell pattern."""
        return _remove_matching(ctx, re.compile(glob_to_regex(glob), re.IGNORECASE).match)

    @function(REQUESTS)
    def is_present_hf(self, ctx: Ctx, hf_name: str) -> bool:
        """Say whether a header is there; compact and long names are the same."""
        return ctx.msg.find(hf_name) >= 0

    @function(REQUESTS)
    def is_method(self, ctx: Ctx, name: str) -> bool:
        """Say whether the method (of a reply: the CSeq's) is one of those separated by `|`."""
        msg = ctx.msg
        for one in name.split("|"):
            word = one.strip().upper()
            number = METHOD_IDS.get(word, 0)
            if (number and number == msg.method_id) or (not number and word == msg.method.upper()):
                return True
        return False

    @function(REQUESTS)
    def has_body(self, ctx: Ctx, mime: str | None = None) -> bool:
        """Say whether there is a body (of a type)."""
        msg = ctx.msg
        if not msg.body:
            return False
        return mime is None or bare_type(msg.content_type) == mime.strip().lower()

    @function(REQUESTS)
    def filter_body(self, ctx: Ctx, mime: str) -> bool:
        """Leave of the body only the first part of a type (1.x; now remove_body_part with "revert")."""
        parts = body_parts(ctx)
        kept = [part for part in parts if part.is_a(mime)][:1]
        if not kept:
            return False
        if len(kept) < len(parts):
            set_body_parts(ctx, kept)
        return True


class UriWords:
    """Look at To and at the R-URI's parameters."""

    @function(REQUESTS)
    def has_totag(self, ctx: Ctx) -> bool:
        """Say whether the request belongs to a dialog: To has a tag."""
        return bool(ctx.msg.to_tag)

    @function("QFBL", aliases=("uri_param",))
    def ruri_has_param(self, ctx: Ctx, param: str, value: str | None = None) -> bool:
        """Say whether the R-URI has a parameter; without `value`, one that has no value."""
        found = _ruri(ctx).param(param)
        return found is not None and found.lower() == (value or "").lower()

    @function("QFBL", aliases=("add_uri_param",))
    def ruri_add_param(self, ctx: Ctx, param: str) -> int:
        """Add `name[=value]` to the R-URI."""
        name, found, value = param.partition("=")
        if not name.strip():
            return -1
        ctx.target.uri = str(_ruri(ctx).with_param(name.strip(), value if found else None))
        return 1

    @function("QFBL", aliases=("del_uri_param",))
    def ruri_del_param(self, ctx: Ctx, param: str) -> bool:
        """Remove a parameter from the R-URI; false when it is not there."""
        uri = _ruri(ctx)
        if not uri.has_param(param):
            return False
        ctx.target.uri = str(uri.without_param(param))
        return True

    @function("QFBL", aliases=("tel2sip",))
    def ruri_tel2sip(self, ctx: Ctx) -> int:
        """Turn a tel R-URI into a sip one at the domain of From; 1 also when there is nothing to do."""
        uri = _ruri(ctx)
        if uri.scheme != "tel":
            return 1
        from_uri = ctx.msg.from_.uri
        digits = re.sub(r"[-.()]", "", uri.user)
        ctx.target.uri = f"sip:{digits}@{from_uri.host_port};user=phone"
        return 1

    @function("QFL")
    def is_uri_user_e164(self, ctx: Ctx, uri: str) -> bool:
        """Say whether a URI's user is `+` and 2 to 15 digits."""
        return re.fullmatch(r"\+\d{2,15}", parse_uri(uri).user) is not None


def body_parts(ctx: Ctx) -> list[Part]:
    """Return the body parts of the message as changed so far."""
    changed = ctx.body_parts
    return list(changed) if changed is not None else parts_of(ctx.msg.body, ctx.msg.content_type)


def set_body_parts(ctx: Ctx, parts: list[Part]) -> None:
    """Let the message leave with these body parts."""
    ctx.body_parts = parts
    body, mime = join(parts)
    ctx.edit.set_body(body, mime or None)


def _ruri(ctx: Ctx) -> Uri:
    return parse_uri(ctx.ruri or "")


def _remove_matching(ctx: Ctx, matches: Callable[[str], object]) -> bool:
    msg, edit, found = ctx.msg, ctx.edit, False
    for at in range(len(msg.headers)):
        if matches(msg.name(at)):
            found = edit.remove_header_at(at) or found
    return found
