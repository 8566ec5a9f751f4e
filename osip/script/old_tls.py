"""Read the TLS settings of 1.x: global `tls_*` parameters and `tls_server_domain[...]` blocks become TLS domains.

In 1.x TLS and the transports were part of the core. Here the settings turn into `modparam` lines of tls_mgm and
proto_tls, and the transports of the script's sockets are loaded when it loads none (dsl.md section 3.2). The global
ones make the default domains; blocks take from them what they do not say.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from osip.core.exports import loader
from osip.core.exports.diagnostic import Diagnostic, Severity, Span
from osip.core.net.endpoint import bracket
from osip.script import nodes
from osip.script.check.word import did_you_mean, suggest

_TEXTS = ("tls_certificate", "tls_private_key", "tls_ca_list", "tls_ca_dir", "tls_ciphers_list", "tls_dh_params",
          "tls_ec_curve", "tls_method")
_SWITCHES = {                                   # what it sets in domains of type server, and in those of type client
    "tls_verify": ("verify_cert", "verify_cert"), "tls_verify_client": ("verify_cert", ""),
    "tls_verify_server": ("", "verify_cert"), "tls_require_certificate": ("require_cert", ""),
    "tls_require_client_certificate": ("require_cert", "")}
_OTHERS = ("tls_port_no", "tls_handshake_timeout", "tls_client_domain_avp")
NAMES = frozenset((*_TEXTS, *_SWITCHES, *_OTHERS))
_SILENT = frozenset(("tls_log", "tls_send_timeout"))
_PAST = frozenset(("SSLV2", "SSLV3", "TLSV1"))
_SECURE = ("tls", "wss")
SERVER, CLIENT = "server", "client"
Found = list[Diagnostic]


def translate(script: nodes.Script) -> tuple[nodes.Script, Found]:
    """Return the script with the lines that its old TLS settings mean, and what there is to say of them."""
    settings = [item for item in script.items if isinstance(item, nodes.Setting) and item.name in NAMES]
    blocks = [item for item in script.items if isinstance(item, nodes.TlsDomain)]
    if not settings and not blocks:
        return script, []
    loaded = {loader.module_name(item.name.value) for item in script.items if isinstance(item, nodes.LoadModule)}
    sockets = [item for item in script.items if isinstance(item, nodes.SocketDef) and item.proto]
    if not any(name in loaded for name in ("tls_mgm", "proto_tls", "proto_wss")) \
            and not any((socket.proto or "").lower() in _SECURE for socket in sockets):
        return script, [_without_effect(item.name_span if isinstance(item, nodes.Setting) else item.span)
                        for item in (*settings, *blocks)]
    found: Found = []
    loads = list(_loads(sockets, loaded, found))
    params = list(_defaults(settings, found))
    if any(item.name in ("tls_handshake_timeout", "tls_port_no") for item in settings) \
            and "proto_tls" in loaded | {loader.module_name(one.name.value) for one in loads}:
        params += _of_proto(settings)
    for number, block in enumerate(blocks):
        params += _block(block, number, settings, found)
    return replace(script, items=(*loads, *script.items, *params)), found


def _without_effect(span: Span) -> Diagnostic:
    return Diagnostic("N705", "this has no effect here: the script has no TLS socket", span, Severity.INFO)


def _loads(sockets: list[nodes.SocketDef], loaded: set[str], found: Found) -> Iterator[nodes.LoadModule]:
    """Load the transports of a script that loads none, and tls_mgm."""
    wanted: dict[str, Span] = {}
    if not any(name.startswith("proto_") for name in loaded):
        for socket in sockets:
            proto = (socket.proto or "").lower()
            if proto in ("udp", "tcp", "tls"):
                wanted.setdefault(f"proto_{proto}", socket.span)
    if sockets and "tls_mgm" not in loaded:
        wanted["tls_mgm"] = next((one.span for one in sockets if (one.proto or "").lower() in _SECURE),
                                 sockets[0].span)
    for name, span in wanted.items():
        found.append(Diagnostic("N709", f'module "{name}" is loaded for this socket, as the script has TLS settings of 1.x',
                                span, Severity.INFO))
        yield nodes.LoadModule(span, nodes.Str(span, name))


def _param(module: str, name: str, value: str | int, span: Span) -> nodes.ModParam:
    shown: nodes.Str | nodes.Num = nodes.Num(span, value) if isinstance(value, int) else nodes.Str(span, value)
    return nodes.ModParam(span, nodes.Str(span, module), nodes.Str(span, name), shown)


def _of_proto(settings: list[nodes.Setting]) -> Iterator[nodes.ModParam]:
    for item in settings:
        if isinstance(item.value, nodes.Num):
            if item.name == "tls_port_no":
                yield _param("proto_tls", "tls_port", item.value.value, item.value.span)
            elif item.name == "tls_handshake_timeout":      # was in seconds
                yield _param("proto_tls", "tls_handshake_timeout", item.value.value * 1000, item.value.span)


def _defaults(settings: list[nodes.Setting], found: Found) -> Iterator[nodes.ModParam]:
    """Yield the default domains: of type server when there is a certificate, and of type client."""
    for item in settings:
        if item.name == "tls_client_domain_avp":
            text = _text(item)
            yield _param("tls_mgm", "client_tls_domain_avp", text if "$" in text else f"$avp({text})",
                         item.value.span)
    certificate = next((item for item in settings if item.name == "tls_certificate"), None)
    if certificate is not None:
        yield from _domain("default", SERVER, certificate.span, settings, found)
    if settings:
        yield from _domain("default_client", CLIENT, settings[0].span, settings, found)


def _block(block: nodes.TlsDomain, number: int, settings: list[nodes.Setting], found: Found) -> Iterator[nodes.ModParam]:
    known = frozenset(NAMES - set(_OTHERS) | _SILENT)
    for item in block.settings:
        if item.name not in known:
            found.append(Diagnostic("E502", f'unknown parameter "{item.name}" of a TLS domain', item.name_span,
                                    hint=did_you_mean(suggest(item.name, known))))
    kind = CLIENT if block.keyword == "tls_client_domain" else SERVER
    own = {item.name for item in block.settings}
    values = [*block.settings, *(item for item in settings if item.name not in own)]
    if block.port is None and kind == CLIENT:               # one with a name is only taken when the AVP says so
        name = block.host
        yield from _domain(name, kind, block.span, values, found)
        yield _param("tls_mgm", "match_sip_domain", f"[{name}]only-by-name.invalid", block.span)
        return
    name = f"{block.host}_{block.port or 0}_{number}".replace(":", ".")
    yield from _domain(name, kind, block.span, values, found)
    port = f":{block.port}" if block.port else ""
    yield _param("tls_mgm", "match_ip_address", f"[{name}]{bracket(block.host)}{port}", block.span)


def _domain(name: str, kind: str, span: Span, settings: list[nodes.Setting], found: Found) -> Iterator[nodes.ModParam]:
    yield _param("tls_mgm", f"{kind}_domain", name, span)
    asked = set()
    for item in settings:
        key = item.name if item.name == "tls_method" else item.name.removeprefix("tls_")
        if item.name in _SWITCHES:
            key = _SWITCHES[item.name][kind == CLIENT]
            if not key:
                continue
            value = str(item.value.value) if isinstance(item.value, nodes.Num) else _text(item)
        elif item.name in _TEXTS:
            value = _text(item)
            if item.name == "tls_method" and value.upper() in _PAST:
                found.append(Diagnostic("N705", f'"{value}" has no effect here: it is not safe; TLS 1.2 and newer are '
                                        "spoken", item.value.span, Severity.INFO))
                value = "SSLv23"
        else:
            continue
        asked.add(key)
        yield _param("tls_mgm", key, f"[{name}]{value}", item.value.span)
    if kind == SERVER and "require_cert" not in asked:      # as 1.x had it
        yield _param("tls_mgm", "require_cert", f"[{name}]0", span)


def _text(item: nodes.Setting) -> str:
    node = item.value
    if isinstance(node, nodes.Str):
        return node.value
    if isinstance(node, nodes.Num):
        return node.text or str(node.value)
    return str(getattr(node, "name", getattr(node, "text", "")))
