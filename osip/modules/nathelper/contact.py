"""Write the address that a message came from into its Contact, and find the way back."""
from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from osip.api import (H_CONTACT, Ctx, NameAddr, ParseError, Source, Uri, bracket, parse_name_addr, parse_uri,
                      split_commas)
from osip.api import unescape_user as unescape

ORIGINAL = "org"
_INVALID = ".invalid"
_WEB = ("ws", "wss")


def source_uri(source: Source) -> str:
    """Return where a message came from as a URI; the transport stands there unless it is UDP."""
    proto = source.socket.proto
    transport = f";transport={proto}" if proto != "udp" else ""
    return f"sip:{bracket(source.host)}:{source.port}{transport}"


def rewrite(ctx: Ctx, change: Callable[[NameAddr], str]) -> int:
    """Replace each Contact value by what `change` makes of it; return how many changed."""
    msg, changed = ctx.msg, 0
    for at in msg.find_all(H_CONTACT):
        values = split_commas(msg.value(at))
        new = []
        for value in values:
            text = value
            if value.strip() != "*":
                try:
                    text = change(parse_name_addr(value))
                except ParseError:
                    pass                    # a tel URI or worse: nothing that could be mended
            changed += text != value
            new.append(text)
        if new != values:
            ctx.edit.set_value(at, ", ".join(new))
    return changed


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
        new = uri.replace(host=source.host, port=source.port)
        proto = source.socket.proto
        # Browsers say transport=ws on wss, too (RFC 7118 section 5); the way back has but one of the two.
        if proto in _WEB or (uri.host.lower().endswith(_INVALID) and proto != "udp"):
            new = _with_transport(new, proto)
        if preserve:
            new = new.with_param(ORIGINAL, quote(address.uri_text, safe=""))
        text = str(new)
        if params:
            text = _with(text, params)
        return f"{address.display} <{text}>{address.params_text}".lstrip()
    rewrite(ctx, change)
    return found


def _with_transport(uri: Uri, proto: str) -> Uri:
    """Return a URI with this transport, where it stood already or at the end."""
    if not uri.has_param("transport"):
        return uri.with_param("transport", proto)
    return uri.replace(params=tuple((name, proto if name.lower() == "transport" else value)
                                    for name, value in uri.params))


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
