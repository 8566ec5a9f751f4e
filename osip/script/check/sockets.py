"""Check the sockets and aliases of a script: transport loaded, port in range, nothing twice (dsl.md section 3.3)."""
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from osip.core.exports.diagnostic import Diagnostic, Severity, Span
from osip.core.exports.registry import Registry
from osip.core.net.endpoint import DEFAULT_PORTS, bracket, is_ip
from osip.core.net.listen import every
from osip.script import nodes
from osip.script.check.loading import failed_modules
from osip.script.check.word import did_you_mean, suggest

_PORTS = {**DEFAULT_PORTS, "bin": 5555, "bins": 5556, "smpp": 2775, "msrp": 2855, "msrps": 2856, "ipsec": 5062}


@dataclass(frozen=True, slots=True)
class Listen:
    """One socket to open: what `socket = ...` says, a single port, options by name.

    `host` is as written: an address, `*`, 0.0.0.0, a host or interface name. `adv_host` "" and `adv_port` 0 when not given.
    """
    proto: str
    host: str
    port: int
    adv_host: str = ""
    adv_port: int = 0
    tag: str = ""
    options: dict[str, object] = field(default_factory=dict)
    span: Span = Span("", 0, 0, 0, 0)

    @property
    def text(self) -> str:
        return f"{self.proto}:{bracket(self.host)}:{self.port}"


def transports(registry: Registry) -> set[str]:
    """Name the protocols that the loaded modules bring."""
    return {name for spec in registry.specs for name in re.split(r"[\s,|]+", spec.transport) if name}


def check_sockets(script: nodes.Script, registry: Registry, default_port: int = 0,
                  need_socket: bool = True, broken: bool = False) -> Iterator[Diagnostic | Listen]:
    """Yield a `Listen` for every port of every good socket definition, and findings for the others.

    With `broken` parsing found faults: a port that is out of range is one of them, and a socket may have got lost.
    """
    loaded, failed = transports(registry), failed_modules(script, registry)
    opened: dict[str, int] = {}
    defined = [item for item in script.items if isinstance(item, nodes.SocketDef)]
    for item in defined:
        if item.bond is None and item.host != "*" and (which := every(item.host)):
            yield Diagnostic("N710", f'"{item.host}" stands for every {which} of this machine, a socket for each',
                             item.span, Severity.INFO)
        for found in _check(item, registry, failed, default_port, broken):
            if isinstance(found, Listen):
                if found.text in opened:
                    yield Diagnostic("E501", f"socket {found.text} is defined twice", item.span,
                                     hint=f"first at line {opened[found.text]}")
                    continue
                opened[found.text] = item.span.line
            yield found
    if need_socket and not defined and not broken:
        yield _nothing(script, loaded)


def _nothing(script: nodes.Script, loaded: set[str]) -> Diagnostic:
    lines = "" if loaded else ' and loadmodule "proto_udp.so"'
    return Diagnostic("E505", "no socket to listen on", Span(script.path, 1, 1, 1, 2),
                      hint=f"add socket = {min(loaded, default='udp')}:127.0.0.1:5060{lines}")


def _check(item: nodes.SocketDef, registry: Registry, failed: set[str],
           default_port: int, broken: bool) -> Iterator[Diagnostic | Listen]:
    if item.bond is not None:
        return
    loaded = transports(registry)
    ports = [port for pair in item.ports for port in pair]
    if not all(0 < port < 65536 for port in ports):
        if not broken:
            yield Diagnostic("E501", "a socket needs a port from 1 to 65535, not 0", item.span)
        return
    if item.proto is None:                              # the old form without protocol: every plain transport
        protos = [proto for proto in ("udp", "tcp") if proto in loaded] or ["udp"]
    else:
        protos = [item.proto.lower()]
    for proto in protos:
        if proto == "hep_tls" and proto in loaded and "tls_mgm" not in {*failed, *registry.classes}:
            yield Diagnostic("E504", "hep_tls needs certificates", item.span,
                             hint='add loadmodule "tls_mgm.so" and its domain of type server')
        elif proto in loaded:
            yield from _listens(item, proto, usual_port(registry, proto, default_port))
        elif module_of(proto) not in failed:
            yield _missing(item, proto)


def module_of(proto: str) -> str:
    """Return the module that brings a protocol."""
    return "proto_hep" if proto.startswith("hep_") else f"proto_{proto}"


def _missing(item: nodes.SocketDef, proto: str) -> Diagnostic:
    if proto in _PORTS:
        return Diagnostic("E504", f'transport "{proto}" is not loaded', item.span,
                          hint=f'add loadmodule "{module_of(proto)}.so"')
    return Diagnostic("E504", f'unknown transport "{proto}"', item.span, hint=did_you_mean(suggest(proto, _PORTS)))


def usual_port(registry: Registry, proto: str, default_port: int = 0) -> int:
    """Return the port of sockets that name none: what the module's parameter says, else `port`, else the standard."""
    module = module_of(proto)
    name = "hep_port" if module == "proto_hep" else f"{proto}_port"
    spec = registry.spec(module)
    own = spec is not None and next((param for param in spec.params if param.name == name), None)
    if own and registry.param_value(module, name) != own.default:
        return int(registry.param_value(module, name))
    return default_port if default_port and _PORTS.get(proto) == 5060 else _PORTS.get(proto, 5060)


def _listens(item: nodes.SocketDef, proto: str, usual: int) -> Iterator[Listen]:
    options = dict(item.options)
    adv = options.pop("as", None)
    host, port = adv if isinstance(adv, tuple) else ("", None)
    tag = options.pop("tag", "")
    for first, last in item.ports or ((usual, usual),):
        for number in range(first, last + 1):
            yield Listen(proto, item.host, number, str(host), int(port or 0), str(tag), options, item.span)


def check_aliases(script: nodes.Script, registry: Registry) -> Iterator[Diagnostic]:
    """Check the parts of `alias` lines: a known protocol, a port in range, no broken address."""
    for item in script.items:
        if not isinstance(item, nodes.Alias):
            continue
        if item.proto is not None and item.proto.lower() not in {*_PORTS, *transports(registry)}:
            yield Diagnostic("E501", f'unknown protocol "{item.proto}" in an alias', item.span,
                             hint=did_you_mean(suggest(item.proto, _PORTS)))
        elif item.port is not None and not 0 <= item.port < 65536:
            yield Diagnostic("E501", f"port {item.port} of an alias is not in 0 to 65535", item.span)
        elif re.fullmatch(r"[\d.]+", item.host) and item.host.count(".") == 3 and not is_ip(item.host):
            yield Diagnostic("E501", f'"{item.host}" is not an IP address', item.span)
