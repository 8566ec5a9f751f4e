"""Check literal arguments by their meaning: what can never work is an error, what is hardly meant a warning.

Each rule is for one argument of one function (core_functions.md, modules.md) and says in words what is wrong.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from osip.core.errors import ParseError
from osip.core.exports import loader
from osip.core.exports.diagnostic import Diagnostic, Severity
from osip.core.exports.registry import Registry
from osip.core.net.endpoint import is_ip, parse_endpoint
from osip.core.sip.uri import parse_uri
from osip.script import nodes
from osip.script.check.stock import loadmodule_hint
from osip.script.check.unit import Unit
from osip.script.check.word import did_you_mean, suggest

Fault = Callable[[str], str]
RELAY_FLAGS = ("no-auto-477", "no-dns-failover", "pass-reason-hdr", "allow-no-cancel")
_NUMBER = re.compile(r"\s*[-+]?(?:0[xX][0-9A-Fa-f]+|\d+)\s*")


def _status(text: str) -> str:
    number = _number(text)
    if number is None or not -2**31 <= number < 2**31:              # told with the kind of the argument
        return ""
    return "" if 100 <= number < 700 else f"{number} is no status of a reply: they go from 100 to 699"


def _positive(text: str) -> str:
    number = _number(text)
    return "" if number is None or number >= 0 else f"{number} characters cannot be removed"


def _port(text: str) -> str:
    number = _number(text)
    if number is None:
        return f'"{text}" is no port' if text else ""
    return "" if 0 <= number < 65536 else f"{number} is no port"


def _quality(text: str) -> str:
    return "" if not text or re.fullmatch(r"\s*(?:0(?:\.\d*)?|1(?:\.0*)?|\.\d+)\s*", text) else \
        f'"{text}" is no q value: they go from 0 to 1'


def _uri(text: str) -> str:
    try:
        parse_uri(text)
    except ParseError as error:
        return f'"{text}" is no URI: {error}' if not text.startswith("urn:") else ""
    return ""


FAULTS: dict[tuple[str, int], Fault] = {
    ("sl_send_reply", 0): _status, ("send_reply", 0): _status, ("t_reply", 0): _status,
    ("t_reply_with_body", 0): _status, ("strip", 0): _positive, ("strip_tail", 0): _positive,
    ("force_tcp_alias", 0): _port, ("setport", 0): _port, ("set_advertised_port", 0): _port,
    ("append_branch", 1): _quality, ("append_msg_branch", 1): _quality, ("seturi", 0): _uri, ("setdsturi", 0): _uri,
}
"""What can never work, by function and place of the argument."""


def _header_line(text: str) -> str:
    return "" if ":" in text or not text else "this is no header: the colon behind its name is missing"


def _methods(text: str) -> str:
    return "" if all(part.strip() for part in text.split("|")) else "a method is missing beside the \"|\""


def _route(text: str) -> str:
    return "" if text else "no route is named: what was armed before is given up"


DOUBTS: dict[tuple[str, int], Fault] = {
    ("t_on_failure", 0): _route, ("t_on_reply", 0): _route, ("t_on_branch", 0): _route,
    ("append_hf", 0): _header_line, ("insert_hf", 0): _header_line, ("is_method", 0): _methods,
}
"""What is hardly meant, by function and place of the argument."""


def check_literals(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Find literal arguments that can never work."""
    for name, place, given, text in _literals(unit, registry):
        if (name, place) in FAULTS and (fault := FAULTS[name, place](text)):
            yield Diagnostic("E408", fault, given.span)


def check_doubts(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Warn of literal arguments that are hardly meant."""
    for name, place, given, text in _literals(unit, registry):
        if (name, place) in DOUBTS and (doubt := DOUBTS[name, place](text)):
            yield Diagnostic("W645", doubt, given.span, Severity.WARNING)
        elif (name, place) == ("t_relay", 0):
            yield from _relay_flag(given, text, unit)
    for node in unit.all(nodes.Log):
        if node.level is not None and not -3 <= node.level.value <= 4:
            yield Diagnostic("W645", f"{node.level.value} is no log level: they go from -3 to 4", node.level.span,
                             Severity.WARNING)


def _literals(unit: Unit, registry: Registry) -> Iterator[tuple[str, int, nodes.Node, str]]:
    """Yield every literal argument: the function by its present name, place, node and text."""
    for call in unit.all(nodes.Call):
        spec = registry.function(call.name)
        if spec is None or len(call.args) > len(spec.args):         # the count is told already
            continue
        for place, given in enumerate(call.args):
            text = _constant(given, unit)
            if given is None or text is None:
                continue
            if spec.args[place].kind != "int" or _NUMBER.fullmatch(text):       # else the kind is told already
                yield spec.name, place, given, text


def _constant(given: nodes.Node | None, unit: Unit) -> str | None:
    if isinstance(given, nodes.Num):
        return str(given.value)
    return unit.constant(given) if isinstance(given, nodes.Str) else None


def _number(text: str) -> int | None:
    if not _NUMBER.fullmatch(text):
        return None
    text = text.strip()
    return int(text, 16) if "x" in text.lower() else int(text)


def _relay_flag(given: nodes.Node, text: str, unit: Unit) -> Iterator[Diagnostic]:
    """Warn of a host to relay to that looks like a misspelt flag."""
    near = suggest(text, RELAY_FLAGS) if re.fullmatch(r"\w+", text) else []
    if near and text not in {item.host for item in unit.script.items if isinstance(item, nodes.Alias)}:
        yield Diagnostic("W645", f'"{text}" is taken as the host to relay to', given.span, Severity.WARNING,
                         did_you_mean(near))


# --- names that another line has to define ---------------------------------------------------------------------------

_CACHES = frozenset(("cache_store", "cache_fetch", "cache_remove", "cache_add", "cache_sub", "cache_counter_fetch",
                     "cache_raw_query"))
_BACKENDS = frozenset(("redis", "mongodb", "sql", "memcached", "couchbase", "cassandra", "dynamodb"))
"""Schemes that a module brings; osip has "local" without one."""


def check_caches(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Find stores of the cache functions whose module is not loaded (core_functions.md section 8)."""
    told = set()
    for call in unit.all(nodes.Call):
        spec = registry.function(call.name)
        if spec is None or spec.name not in _CACHES or not call.args:
            continue
        given = call.args[0]
        scheme = (_constant(given, unit) or "").partition(":")[0]
        module = f"cachedb_{scheme}"
        if given is None or scheme not in _BACKENDS or module in registry.classes or module in unit.failed | told:
            continue
        told.add(module)
        have = module in loader.available()
        yield Diagnostic("E408", f'no module keeps the store "{scheme}"', given.span,
                         hint=loadmodule_hint([module]) if have else f'"{module}" is not part of this osip')


def check_blacklists(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Warn of blacklists that no dst_blacklist and no parameter of a module defines."""
    known = {"all", "dns", *(item.name for item in unit.script.items if isinstance(item, nodes.Blacklist))}
    texts = [item.value.value for item in unit.all(nodes.ModParam) if isinstance(item.value, nodes.Str)]
    words = {word for text in texts for word in re.findall(r"[\w.-]+", text)}
    for call in unit.all(nodes.Call):
        if call.name not in ("use_blacklist", "unuse_blacklist") or not call.args:
            continue
        name = _constant(call.args[0], unit)
        if name and name not in known | words and call.args[0] is not None:
            yield Diagnostic("W645", f'there is no blacklist "{name}"', call.args[0].span, Severity.WARNING,
                             did_you_mean(suggest(name, known)) or "dst_blacklist defines one")


def check_send_sockets(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Find literal sockets to send from that are none of ours; only where the script names each address of its own."""
    ours = [item for item in unit.script.items if isinstance(item, nodes.SocketDef)]
    if unit.broken or not unit.closed or not ours or not all(item.bond or _is_plain(item.host) for item in ours):
        return
    for call in unit.all(nodes.Call):
        spec = registry.function(call.name)
        given = call.args[0] if call.args else None
        if spec is None or spec.name != "force_send_socket" or given is None:
            continue
        text = given.name if isinstance(given, nodes.Word) else _constant(given, unit)
        if text and not any(_is_of(text, item) for item in ours):
            yield Diagnostic("E408", f'"{text}" is none of our sockets', given.span, hint="a socket line opens one")


def _is_plain(host: str) -> bool:
    return is_ip(host) and host not in ("0.0.0.0", "::")


def _is_of(text: str, item: nodes.SocketDef) -> bool:
    options = dict(item.options)
    if item.bond is not None:
        return text == f"bond:{item.bond[0]}"
    if text == options.get("tag"):
        return True
    try:
        wanted = parse_endpoint(text)
    except ValueError:
        return False
    shown, port = options.get("as") or ("", None)               # type: ignore[misc]
    ports = [pair for pair in item.ports if pair[0] <= wanted.port <= pair[1]]
    return ((not wanted.proto or item.proto is None or wanted.proto == item.proto.lower())
            and wanted.host.lower() in (item.host.lower(), str(shown).lower())
            and (not wanted.port or not item.ports or bool(ports) or wanted.port == port))
