"""Take URIs and Via values apart: the `uri.` and `via.` transformations (variables.md sections 9.2 and 9.3)."""
from __future__ import annotations

from osip.api import Module, Value, bracket, transform
from osip.core.sip.params import build_params, unquote
from osip.core.sip.uri import Uri, parse_uri
from osip.core.sip.via import Via, parse_via


def _uri(value: Value) -> Uri:
    return parse_uri(str(value).strip())


def _via(value: Value) -> Via:
    return parse_via(str(value).strip())


def _param(value: Value, name: str) -> Value:
    return _uri(value).param(name) or None


class CoreUriTrans(Module):
    """The `uri.` and `via.` transformations; what does not parse gives NULL."""
    name = "core_uri_trans"

    @transform("uri.user")
    def user(value: Value) -> Value:
        """User part."""
        return _uri(value).user or None

    @transform("uri.host")
    def host(value: Value) -> Value:
        """Host."""
        return bracket(_uri(value).host) or None

    @transform("uri.domain")
    def domain(value: Value) -> Value:
        """Host."""
        return bracket(_uri(value).host) or None

    @transform("uri.passwd")
    def passwd(value: Value) -> Value:
        """Password."""
        return _uri(value).password or None

    @transform("uri.port")
    def port(value: Value) -> Value:
        """Port as written; NULL when there is none."""
        return _uri(value).port

    @transform("uri.params")
    def params(value: Value) -> Value:
        """All parameters, without the leading semicolon."""
        return build_params(_uri(value).params)[1:] or None

    @transform("uri.param")
    def param(value: Value, name: Value) -> Value:
        """One parameter; "" when it has no value."""
        return _uri(value).param(str(name).strip())

    @transform("uri.headers")
    def headers(value: Value) -> Value:
        """What follows the question mark."""
        return _uri(value).headers or None

    @transform("uri.transport")
    def uri_transport(value: Value) -> Value:
        """The transport parameter."""
        return _param(value, "transport")

    @transform("uri.ttl")
    def ttl(value: Value) -> Value:
        """The ttl parameter."""
        return _param(value, "ttl")

    @transform("uri.uparam")
    def uparam(value: Value) -> Value:
        """The user parameter."""
        return _param(value, "user")

    @transform("uri.maddr")
    def maddr(value: Value) -> Value:
        """The maddr parameter."""
        return _param(value, "maddr")

    @transform("uri.method")
    def method(value: Value) -> Value:
        """The method parameter."""
        return _param(value, "method")

    @transform("uri.lr")
    def lr(value: Value) -> Value:
        """The value of the lr parameter."""
        return _param(value, "lr")

    @transform("uri.r2")
    def r2(value: Value) -> Value:
        """The value of the r2 parameter."""
        return _param(value, "r2")

    @transform("uri.schema")
    def schema(value: Value) -> Value:
        """The scheme."""
        return _uri(value).scheme

    # --- Via -----------------------------------------------------------------------------------------------------

    @transform("via.name")
    def via_name(value: Value) -> Value:
        """The protocol's name, SIP."""
        _via(value)
        return str(value).strip().partition("/")[0].strip()

    @transform("via.version")
    def via_version(value: Value) -> Value:
        """The protocol's version, 2.0."""
        return _via(value).version

    @transform("via.transport")
    def via_transport(value: Value) -> Value:
        """The transport."""
        return _via(value).transport

    @transform("via.host")
    def via_host(value: Value) -> Value:
        """The host of sent-by."""
        return bracket(_via(value).host)

    @transform("via.domain")
    def via_domain(value: Value) -> Value:
        """The host of sent-by."""
        return bracket(_via(value).host)

    @transform("via.port")
    def via_port(value: Value) -> Value:
        """The port of sent-by as written; NULL when there is none."""
        return _via(value).port

    @transform("via.comment")
    def via_comment(value: Value) -> Value:
        """A comment in brackets at the end (RFC 2543)."""
        text = str(value).strip()
        if not text.endswith(")") or "(" not in text:
            return None
        return text[text.rindex("(") + 1:-1]

    @transform("via.params")
    def via_params(value: Value) -> Value:
        """All parameters, without the leading semicolon."""
        return build_params(_via(value).params)[1:] or None

    @transform("via.param")
    def via_param(value: Value, name: Value) -> Value:
        """One parameter; "" when it has no value."""
        found = _via(value).param(str(name).strip())
        return unquote(found) if found else found

    @transform("via.branch")
    def via_branch(value: Value) -> Value:
        """The branch parameter."""
        return _via(value).branch or None

    @transform("via.received")
    def via_received(value: Value) -> Value:
        """The received parameter."""
        return _via(value).received or None

    @transform("via.rport")
    def via_rport(value: Value) -> Value:
        """The rport parameter; "" when it has no value."""
        return _via(value).rport
