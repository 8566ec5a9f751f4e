"""Write the address that a message came from into its Contact, and find the way back."""
from __future__ import annotations

from urllib.parse import quote

from osip.api import Ctx, NameAddr, ParseError, origin, parse_uri
from osip.api import unescape_user as unescape

ORIGINAL = "org"
rewrite, source_uri = origin.rewrite_contacts, origin.source_uri


def fix(ctx: Ctx, params: str, preserve: bool) -> bool:
    """Put the source's address into every Contact; False when there is none to change."""
    source = ctx.source
    if source is None:
        return False
    found = False

    def change(address: NameAddr) -> str:
        nonlocal found
        uri = address.uri
        if not uri.is_sip:
            return str(address)
        found = True
        new = origin.at_source(uri, source)
        if preserve:
            new = new.with_param(ORIGINAL, quote(address.uri_text, safe=""))
        text = str(new)
        if params:
            text = _with(text, params)
        return f"{address.display} <{text}>{address.params_text}".lstrip()
    rewrite(ctx, change)
    return found


def _with(uri: str, params: str) -> str:
    """Append parameters to a URI, before its headers."""
    head, question, headers = uri.partition("?")
    return f"{head}{params if params[0] == ';' else ';' + params}{question}{headers}"


def restore(ctx: Ctx) -> bool:
    """Give an R-URI made by `fix` with preserve-uri its original form; the request goes to the address it had."""
    try:
        uri = parse_uri(ctx.ruri or "")
        hidden = uri.param(ORIGINAL) if uri.is_sip else None
        if not hidden:
            return False
        original = unescape(hidden)
        if not parse_uri(original).is_sip:
            return False
    except ParseError:
        return False
    ctx.target.uri = original
    ctx.target.du = str(uri.without_param(ORIGINAL))
    return True


def add_received(ctx: Ctx, in_uri: bool) -> bool:
    """Add the source as a `received` parameter to every Contact, or to its URI."""
    if ctx.source is None:
        return False
    where = source_uri(ctx.source)

    def change(address: NameAddr) -> str:
        if in_uri:
            text = _with(address.uri_text, "received=" + where.replace(";", "%3B").replace("=", "%3D"))
            return f"{address.display} <{text}>{address.params_text}".lstrip()
        head = str(address) if address.has_brackets else f"<{address.uri_text}>{address.params_text}"
        return f'{head};received="{where}"'
    return rewrite(ctx, change) > 0
