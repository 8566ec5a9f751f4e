"""Read and rewrite the request-URI and the next hop of branch 0 (core_functions.md section 3, variables.md section 3).

All of it is live, not an edit: the next read sees what was written. Appended branches are not touched.
"""
from __future__ import annotations

from osip.api import Ctx, Module, ParseError, Value, Var, bracket, function, pvar
from osip.core.sip.uri import Uri, parse_uri
from osip.script.builtins import reader
from osip.script.builtins.value import (
    UriMemo,
    default_port,
    number_of,
    text_of,
    transport,
)


def _split_host_port(text: str) -> tuple[str, int | None] | None:
    """Take `host[:port]` apart; None when it is malformed."""
    host, colon, port = text, "", ""
    if text.startswith("["):
        host, closed, rest = text.partition("]")
        if not closed or (rest and rest[0] != ":"):
            return None
        host, colon, port = host + closed, rest[:1], rest[1:]
    elif text.count(":") == 1:
        host, colon, port = text.partition(":")
    if not host or (colon and not _is_port(port)):
        return None
    return host, int(port) if colon else None


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) < 65536


class CoreUri(Module):
    """The request-URI and the next hop."""
    name = "core_uri"

    def __init__(self) -> None:
        super().__init__()
        self._received, self._next = UriMemo(), UriMemo()

    def _uri(self, ctx: Ctx) -> Uri | None:
        return reader.ruri(ctx)                         # type: ignore[no-any-return]

    def _change(self, ctx: Ctx, **parts: object) -> bool:
        """Replace parts of the R-URI; False when it is not a URI with such parts."""
        uri = self._uri(ctx)
        if uri is None or uri.opaque or (uri.scheme == "tel" and "user" not in parts):
            return False
        if "host" in parts:
            parts["params"] = tuple([pair for pair in uri.params if pair[0].lower() != "maddr"])
        ctx.target.uri = uri.replace(**parts).build()
        return True

    def _originals(self, ctx: Ctx) -> Uri | None:
        return self._received.parse(ctx.msg.ruri) if ctx.msg.is_request else None

    def _hop(self, ctx: Ctx) -> Uri | None:
        return self._next.parse(ctx.target.du)

    # --- $ru and its parts ---------------------------------------------------------------------------------------

    @pvar("ru", aliases=("ruri",), nullable=False, plain=reader.ru)
    def ru(self, ctx: Ctx) -> Value:
        """The current request-URI; NULL on replies."""

    @ru.setter
    def set_ru(self, ctx: Ctx, value: Value) -> bool:
        if not value or not isinstance(value, str) or ctx.ruri is None:
            return False
        ctx.target.uri = value
        return True

    @pvar("rU", aliases=("ruri.user",), plain=reader.ru_user)
    def ru_user(self, ctx: Ctx) -> Value:
        """The user part of the request-URI."""

    @ru_user.setter
    def set_ru_user(self, ctx: Ctx, value: Value) -> bool:
        user = text_of(value)
        return self._change(ctx, user=user) if user else self._change(ctx, user="", password="")

    @pvar("rd", aliases=("ruri.domain",), nullable=False, plain=reader.ru_domain)
    def ru_domain(self, ctx: Ctx) -> Value:
        """The host of the request-URI; writing also removes a maddr parameter."""

    @ru_domain.setter
    def set_ru_domain(self, ctx: Ctx, value: Value) -> bool:
        return bool(value) and self._change(ctx, host=str(value))

    @pvar("rp", type="si")
    def ru_port(self, ctx: Ctx) -> Value:
        """The port of the request-URI, else its protocol's default as an integer."""
        return _port(self._uri(ctx))

    @ru_port.setter
    def set_ru_port(self, ctx: Ctx, value: Value) -> bool:
        port = number_of(value)
        if value is not None and (port is None or not 0 <= port < 65536):
            return False
        return self._change(ctx, port=port)

    @pvar("rP", type="si")
    def ru_proto(self, ctx: Ctx) -> Value:
        """The transport of the request-URI, else the implied protocol."""
        uri = self._uri(ctx)
        return None if uri is None else transport(uri)

    @pvar("rT")
    def ru_transport(self, ctx: Ctx) -> Value:
        """NULL: an obsolete name."""
        return None

    @pvar("ru_q", type="is", nullable=False)
    def ru_q(self, ctx: Ctx) -> Value:
        """The q of the R-URI branch in thousandths; -1 when unspecified."""
        return ctx.target.q

    @ru_q.setter
    def set_ru_q(self, ctx: Ctx, value: Value) -> bool:
        q = number_of(value)
        if q is None:
            return False
        ctx.target.q = max(-1, min(q, 1000))
        return True

    # --- the R-URI as received -----------------------------------------------------------------------------------

    @pvar("ou", aliases=("ouri",))
    def ou(self, ctx: Ctx) -> Value:
        """The request-URI as received."""
        return ctx.msg.ruri if ctx.msg.is_request else None

    @pvar("oU", aliases=("ouri.user",))
    def ou_user(self, ctx: Ctx) -> Value:
        """The user part of the received request-URI."""
        uri = self._originals(ctx)
        return None if uri is None else uri.user or None

    @pvar("od", aliases=("ouri.domain",))
    def ou_domain(self, ctx: Ctx) -> Value:
        """The host of the received request-URI."""
        uri = self._originals(ctx)
        return None if uri is None else bracket(uri.host) or None

    @pvar("op", type="si")
    def ou_port(self, ctx: Ctx) -> Value:
        """The port of the received request-URI, else its protocol's default."""
        return _port(self._originals(ctx))

    @pvar("oP", type="si")
    def ou_proto(self, ctx: Ctx) -> Value:
        """The transport of the received request-URI, else the implied protocol."""
        uri = self._originals(ctx)
        return None if uri is None else transport(uri)

    # --- $du and its parts ---------------------------------------------------------------------------------------

    @pvar("du", aliases=("duri",), plain=reader.du)
    def du(self, ctx: Ctx) -> Value:
        """The next hop; when set it decides where the request goes."""

    @du.setter
    def set_du(self, ctx: Ctx, value: Value) -> bool:
        if value is None:
            ctx.target.du = None
            return True
        return self.setdsturi(ctx, str(value))

    @pvar("dd", nullable=False)
    def du_domain(self, ctx: Ctx) -> Value:
        """The host of the next hop; writing needs `$du` to be set."""
        uri = self._hop(ctx)
        return None if uri is None else bracket(uri.host) or None

    @du_domain.setter
    def set_du_domain(self, ctx: Ctx, value: Value) -> bool:
        uri = self._hop(ctx)
        return uri is not None and bool(value) and self.setdsturi(ctx, uri.replace(host=str(value)).build())

    @pvar("dp", type="si")
    def du_port(self, ctx: Ctx) -> Value:
        """The port of the next hop, else its protocol's default."""
        return _port(self._hop(ctx))

    @du_port.setter
    def set_du_port(self, ctx: Ctx, value: Value) -> bool:
        uri, port = self._hop(ctx), number_of(value)
        if uri is None or (value is not None and (port is None or not 0 <= port < 65536)):
            return False
        return self.setdsturi(ctx, uri.replace(port=port).build())

    @pvar("dP", type="si")
    def du_proto(self, ctx: Ctx) -> Value:
        """The protocol of the next hop."""
        uri = self._hop(ctx)
        return None if uri is None else transport(uri)

    # --- functions -----------------------------------------------------------------------------------------------

    @function(aliases=("rewriteuri",))
    def seturi(self, ctx: Ctx, uri: str) -> bool:
        """Replace the request-URI."""
        return self.set_ru(ctx, uri)

    @function(aliases=("rewritehost", "seth"))
    def sethost(self, ctx: Ctx, host: str) -> bool:
        """Replace the host of the R-URI; a maddr parameter goes, everything else stays."""
        return bool(host) and self._change(ctx, host=host)

    @function(aliases=("rewritehostport", "sethp"))
    def sethostport(self, ctx: Ctx, hostport: str) -> bool:
        """Replace host and port of the R-URI; the old port goes even when none is given."""
        found = _split_host_port(hostport)
        return found is not None and self._change(ctx, host=found[0], port=found[1])

    @function(aliases=("rewriteuser", "setu"))
    def setuser(self, ctx: Ctx, user: str) -> bool:
        """Replace the user part of the R-URI; "" removes it. A password stays."""
        return self.set_ru_user(ctx, user)

    @function(aliases=("rewriteuserpass", "setup"))
    def setuserpass(self, ctx: Ctx, userpass: str) -> bool:
        """Replace user and password of the R-URI by `user` or `user:password`."""
        user, _, password = userpass.partition(":")
        return bool(user) and self._change(ctx, user=user, password=password)

    @function(aliases=("rewriteport", "setp"))
    def setport(self, ctx: Ctx, port: str) -> bool:
        """Replace the port of the R-URI."""
        return self.set_ru_port(ctx, port)

    @function()
    def prefix(self, ctx: Ctx, text: str) -> bool:
        """Put text before the user part of the R-URI, making one when it has none."""
        uri = self._uri(ctx)
        return uri is not None and self._change(ctx, user=text + uri.user)

    @function()
    def strip(self, ctx: Ctx, count: int) -> bool:
        """Remove leading characters of the R-URI's user part."""
        return self._cut(ctx, count, False)

    @function()
    def strip_tail(self, ctx: Ctx, count: int) -> bool:
        """Remove trailing characters of the R-URI's user part."""
        return self._cut(ctx, count, True)

    def _cut(self, ctx: Ctx, count: int, tail: bool) -> bool:
        uri = self._uri(ctx)
        if uri is None or count < 0:
            return False
        user = uri.user
        if count > len(user):
            self.env.log.warning("strip: %d characters asked of user %r", count, user)
        return self.set_ru_user(ctx, user[:max(0, len(user) - count)] if tail else user[count:])

    @function()
    def revert_uri(self, ctx: Ctx) -> None:
        """Go back to the R-URI as received; next hop and branches stay."""
        ctx.target.uri = None

    @function(aliases=("setduri",))
    def setdsturi(self, ctx: Ctx, uri: str) -> bool:
        """Set the next hop; -1 when it does not parse."""
        try:
            parsed = parse_uri(uri)
        except ParseError:
            self.env.log.warning("next hop refused, not a URI: %r", uri)
            return False
        if not parsed.is_sip:
            return False
        ctx.target.du = uri
        return True

    @function(aliases=("resetduri",))
    def resetdsturi(self, ctx: Ctx) -> None:
        """Clear the next hop."""
        ctx.target.du = None

    @function(aliases=("isduriset",))
    def isdsturiset(self, ctx: Ctx) -> bool:
        """Say whether a next hop is set."""
        return bool(ctx.target.du)

    @function(plain=reader.is_myself)
    def is_myself(self, ctx: Ctx, host: str, port: int | None = None) -> bool:
        """Say whether a host (and port, 0 for any) is one of our sockets, advertised names or aliases."""

    @function()
    def construct_uri(self, ctx: Ctx, proto: str, user: str | None, domain: str, port: str | None,
                      params: str | None, out: Var) -> bool:
        """Compose `proto:user@domain:port;params` into a variable; an empty protocol or domain adds nothing."""
        if not proto or not domain:
            return True
        text = f"{proto}:{user}@{domain}" if user else f"{proto}:{domain}"
        if port:
            text += f":{port}"
        if params:
            text += f";{params}"
        return out.set(ctx, text) is not False


def _port(uri: Uri | None) -> Value:
    if uri is None or uri.opaque or uri.scheme == "tel":
        return None
    return default_port(uri) if uri.port is None else str(uri.port)
