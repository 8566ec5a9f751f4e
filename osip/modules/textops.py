"""Regular-expression edits of the message text, and the header words that it held in 1.x."""
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from osip.api import Ctx, HeaderWords, Module, Parse, function, one_line, posix

REQUESTS = "QRFBL"


@dataclass(frozen=True, slots=True)
class Substitution:
    """A parsed `/pattern/replacement/flags`."""
    pattern: re.Pattern[bytes]
    replacement: str
    all: bool


def parse_substitution(text: str) -> Substitution:
    """Parse `/pattern/replacement/flags`; any character may delimit. ValueError with words when it is not one.

    Flags: `i` ignores case, `g` replaces every match, `s` takes the text as one string (else `^` and `$` match at line
    ends and nothing but a literal crosses them).
    """
    if not text:
        raise ValueError("write /pattern/replacement/flags")
    mark, parts, current, escaped = text[0], [], "", False
    for letter in text[1:]:
        if escaped:
            current += letter if letter == mark else "\\" + letter
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == mark and len(parts) < 2:
            parts.append(current)
            current = ""
        else:
            current += letter
    if len(parts) != 2:
        raise ValueError(f'"{mark}" must stand three times: {mark}pattern{mark}replacement{mark}flags')
    unknown = set(current) - set("igs")
    if unknown:
        raise ValueError(f'unknown flag "{min(unknown)}"; known: i g s')
    whole = "s" in current
    options = (re.DOTALL if whole else re.MULTILINE) | (re.IGNORECASE if "i" in current else 0)
    source = posix(parts[0])
    try:
        pattern = re.compile(_bytes(source if whole else one_line(source)), options)
    except re.error as error:
        raise ValueError(f"bad regular expression: {error}") from None
    most = max(map(int, re.findall(r"\\(\d)", parts[1])), default=0)
    if most > pattern.groups:
        raise ValueError(f"there is no group {most} in the pattern, it has {pattern.groups}")
    return Substitution(pattern, parts[1], "g" in current)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


_PLAIN = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}


def _expand(match: re.Match[bytes], text: str) -> bytes:
    # In one pass: what a group holds came from the network and is not read again.
    def written(found: re.Match[str]) -> str:
        return _PLAIN.get(found[1]) or (match[int(found[1])] or b"").decode("utf-8", "surrogateescape")
    return _bytes(re.sub(r"\\([nrt\\\d])", written, text))


Subst = Annotated[Substitution, Parse(parse_substitution)]


class Textops(HeaderWords, Module):
    """Search and replace in the message text; what is replaced shows only in what is sent."""

    # --- searching --------------------------------------------------------------------------------------------------

    @function(REQUESTS)
    def search(self, ctx: Ctx, pattern: re.Pattern) -> bool:
        """Say whether the whole message, its first line included, matches."""
        return pattern.search(_text(ctx, 0)) is not None

    @function(REQUESTS)
    def search_body(self, ctx: Ctx, pattern: re.Pattern) -> bool:
        """Say whether the body matches."""
        return pattern.search(_text(ctx, ctx.msg.body_start)) is not None

    @function(REQUESTS)
    def search_append(self, ctx: Ctx, pattern: re.Pattern, text: str) -> bool:
        """Add text behind the first match in headers and body."""
        return _append(ctx, pattern, text, ctx.msg.head_start)

    @function(REQUESTS)
    def search_append_body(self, ctx: Ctx, pattern: re.Pattern, text: str) -> bool:
        """Add text behind the first match in the body."""
        return _append(ctx, pattern, text, ctx.msg.body_start)

    # --- replacing --------------------------------------------------------------------------------------------------

    @function(REQUESTS)
    def replace(self, ctx: Ctx, pattern: re.Pattern, text: str) -> bool:
        """Replace the first match behind the first line."""
        return _replace(ctx, pattern, text, ctx.msg.head_start, 1)

    @function(REQUESTS)
    def replace_all(self, ctx: Ctx, pattern: re.Pattern, text: str) -> bool:
        """Replace every match behind the first line."""
        return _replace(ctx, pattern, text, ctx.msg.head_start, 0)

    @function(REQUESTS)
    def replace_body(self, ctx: Ctx, pattern: re.Pattern, text: str) -> bool:
        """Replace the first match in the body."""
        return _replace(ctx, pattern, text, ctx.msg.body_start, 1)

    @function(REQUESTS)
    def replace_body_all(self, ctx: Ctx, pattern: re.Pattern, text: str) -> bool:
        """Replace every match in the body, line by line."""
        return _replace(ctx, pattern, text, ctx.msg.body_start, 0)

    @function(REQUESTS)
    def replace_body_atonce(self, ctx: Ctx, pattern: re.Pattern, text: str) -> bool:
        """Replace every match in the body, taken as one string: `^` and `$` are its ends."""
        whole = re.compile(pattern.pattern, pattern.flags & ~re.MULTILINE | re.DOTALL)
        return _replace(ctx, whole, text, ctx.msg.body_start, 0)

    @function(REQUESTS)
    def subst(self, ctx: Ctx, expression: Subst) -> bool:
        """Substitute in headers and body: `/pattern/replacement/flags`."""
        return _substitute(ctx, expression, ctx.msg.head_start)

    @function(REQUESTS)
    def subst_body(self, ctx: Ctx, expression: Subst) -> bool:
        """Substitute in the body."""
        return _substitute(ctx, expression, ctx.msg.body_start)

    @function("QRFB")
    def subst_uri(self, ctx: Ctx, expression: Subst) -> bool:
        """Substitute in the R-URI."""
        old = ctx.ruri
        new = None if old is None else _substituted(expression, old)
        if new is None:
            return False
        ctx.target.uri = new
        return True

    @function("QRFB")
    def subst_user(self, ctx: Ctx, expression: Subst) -> bool:
        """Substitute in the user of the R-URI."""
        old = ctx.ruri
        if old is None:
            return False
        scheme, _, rest = old.partition(":")
        login, found, host = rest.rpartition("@")
        user, colon, password = login.partition(":")
        new = _substituted(expression, user)
        if new is None:
            return False
        ctx.target.uri = f"{scheme}:{new}{colon}{password}@{host}" if found or new else old
        return True

    # --- the 1.x names of body words --------------------------------------------------------------------------------

    @function(REQUESTS)
    def strip_body(self, ctx: Ctx) -> bool:
        """Remove the body (1.x; now remove_body_part of sipmsgops)."""
        if not ctx.msg.body:
            return False
        ctx.edit.set_body(b"")
        return True


def _text(ctx: Ctx, start: int) -> str:
    return ctx.msg.text(start, ctx.msg.body_end)


def _offsets(ctx: Ctx, start: int) -> Callable[[int], int]:
    """Return how to turn a place in the decoded text into one in the raw bytes."""
    text = _text(ctx, start)
    if text.isascii():
        return lambda at: start + at
    return lambda at: start + len(_bytes(text[:at]))


def _append(ctx: Ctx, pattern: re.Pattern[str], text: str, start: int) -> bool:
    found = pattern.search(_text(ctx, start))
    if found is None:
        return False
    ctx.edit.insert(_offsets(ctx, start)(found.end()), _bytes(text))
    return True


def _replace(ctx: Ctx, pattern: re.Pattern[str], text: str, start: int, limit: int) -> bool:
    where, done = _offsets(ctx, start), False
    for found in pattern.finditer(_text(ctx, start)):
        if found.end() > found.start():
            ctx.edit.replace(where(found.start()), where(found.end()), _bytes(text))
            done = True
            if limit:
                break
    return done


def _substitute(ctx: Ctx, expression: Substitution, start: int) -> bool:
    msg, done = ctx.msg, False
    for found in expression.pattern.finditer(msg.raw, start, msg.body_end):
        ctx.edit.replace(found.start(), found.end(), _expand(found, expression.replacement))
        done = True
        if not expression.all:
            break
    return done


def _substituted(expression: Substitution, text: str) -> str | None:
    new, count = expression.pattern.subn(lambda m: _expand(m, expression.replacement), _bytes(text),
                                         0 if expression.all else 1)
    return new.decode("utf-8", "surrogateescape") if count else None
