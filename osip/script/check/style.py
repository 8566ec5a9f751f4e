"""Check what is allowed and seldom meant: the opinionated rules of `osip lint`, on top of those of `osip check`.

The rules that follow the ways through the routes are in `course.py`, old spellings in `deprecated.py`.
"""
from __future__ import annotations

import re
from collections.abc import Iterator

from osip.core.exports.diagnostic import Diagnostic, Severity, Span
from osip.core.exports.registry import Registry
from osip.script import nodes
from osip.script.check.course import RELAYS, REPLIES
from osip.script.check.reference import arg_of, references
from osip.script.check.unit import Unit, inside, lines_of
from osip.script.check.word import did_you_mean, suggest
from osip.script.secret import is_filled

_NAMED = re.compile(r"\$\(?(var|avp)\(([^()$]*)\)")
_READ = re.compile(r"\$\(?avp\([^()]*\)")
_FREE = frozenset(("avpops", "sqlops", "exec", "event_routing", "sql_cacher", "auth_jwt", "mi_script"))
"""Modules that set AVPs whose names come from a database, an event or another program."""
_STAYS = frozenset({"has_totag", "do_accounting", "acc_log_request", "create_dialog", "t_on_failure"})
_RECORD = frozenset(("record_route", "record_route_preset", "topology_hiding"))
_FOLLOW = frozenset(("loose_route", "topology_hiding_match", "match_dialog"))
_DECIDE = frozenset(("lookup", "ds_select_dst", "ds_select_domain", "load_balance", "do_routing", *REPLIES))
_HOPS = frozenset(("mf_process_maxfwd_header", "is_maxfwd_lt"))
_URL = re.compile(r"[A-Za-z][\w+.-]*://[^/\s:@]*:([^@/\s]+)@")
_SECRET = re.compile(r"(?:^|_)(?:password|passwd|secret|credential|credentials)$")


# --- variables --------------------------------------------------------------------------------------------------------

def check_never_set(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Warn of `$var` that is read and set nowhere, and of `$avp` when no module can set it or a near name is set."""
    written, by_call, computed = _written(unit)
    reads: dict[tuple[str, str], list[Span]] = {}
    for ref in references(unit):
        var = ref.var
        if ref.writes or id(var) in by_call or var.name not in ("var", "avp"):
            continue
        if var.key and var.key_var is None and "$" not in var.key:
            reads.setdefault((var.name, _plain(var.key)), []).append(var.span)
    others = _set_elsewhere(unit, registry)
    for (kind, key), spans in reads.items():
        if (kind, key) in written or kind in computed:
            continue
        near = suggest(key, [name for other, name in sorted(written) if other == kind])
        if kind == "var" or near or others is not None and key not in others:
            yield Diagnostic("W630", f"${kind}({key}) is read but never set", spans[0], Severity.WARNING,
                             did_you_mean(f"${kind}({name})" for name in near), lines_of(spans[1:]))


def _set_elsewhere(unit: Unit, registry: Registry) -> set[str] | None:
    """Return the words that may name an AVP which a module sets; None when a module may set any."""
    loaded = {spec.name: spec for spec in registry.specs}
    foreign = any(not cls.__module__.startswith("osip.") for cls in registry.classes.values())
    if foreign or unit.failed or _FREE & set(loaded):
        return None
    texts = [_READ.sub(" ", text.value) for text in unit.all(nodes.Str)]
    texts += [str(param.default) for spec in loaded.values() for param in spec.params]
    return {word for text in texts for word in re.findall(r"[^\s,;:=()$]+", text)} | {"serial_branch"}


def _plain(key: str) -> str:
    return key[2:] if key[:2] in ("i:", "s:") else key


def _written(unit: Unit) -> tuple[set[tuple[str, str]], set[int], set[str]]:
    """Return the variables set somewhere, the mentions that functions set, and the kinds set by computed names."""
    written: set[tuple[str, str]] = set()
    by_call: set[int] = set()
    computed: set[str] = set()
    targets = [node.target for kind in (nodes.Assign, nodes.For) for node in unit.all(kind)]    # type: ignore
    texts = [item.value.value for item in unit.all(nodes.ModParam) if isinstance(item.value, nodes.Str)]
    for call in unit.all(nodes.Call):
        spec = unit.registry.function(call.name)
        for place, given in enumerate(call.args):
            arg = arg_of(spec, place) if spec is not None else None
            if arg is None or arg.kind in ("var", "raw", "any", "parsed", "static"):
                if isinstance(given, nodes.VarRef):
                    targets.append(given)
                    by_call.add(id(given))
                elif isinstance(given, nodes.Str):
                    texts.append(given.value)
    for var in targets:
        if var.key_var is not None or var.key and "$" in var.key:
            computed.add(var.name)
        elif var.key:
            written.add((var.name, _plain(var.key)))
    written.update((kind, _plain(key)) for text in texts for kind, key in _NAMED.findall(text))
    return written, by_call, computed


# --- relaying ---------------------------------------------------------------------------------------------------------

def check_relaying(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Warn of a relay in a script that never records its route, never follows one, or forgets CANCEL."""
    if unit.broken:
        return
    calls = unit.all(nodes.Call)
    names = {call.name for call in calls}
    relays = [call for call in calls if call.name in RELAYS and _is_request(unit, call)]
    if not relays:
        return
    first = relays[0]
    # Who follows Route and asks for nothing else of a call is a proxy that does not mean to stay in its path.
    if not names & _RECORD and ("loose_route" not in names or names & _STAYS):
        yield Diagnostic("W632", "calls are relayed, but record_route() is never called", first.name_span,
                         Severity.WARNING, "the further requests of a call will not pass here")
    elif not names & _FOLLOW:
        yield Diagnostic("W633", "requests within calls arrive, but loose_route() is never called", first.name_span,
                         Severity.WARNING, "record_route() brings them here; loose_route() sends them on")
    stateful = [call for call in relays if call.name == "t_relay"]
    if stateful and names & _DECIDE and not _knows_cancel(unit):
        yield Diagnostic("W634", "calls are relayed, but CANCEL is never looked at", stateful[0].name_span,
                         Severity.WARNING, 'early in the main route: if (is_method("CANCEL")) { t_relay(); exit; }')


def check_hops(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Warn of a relay in a script that never looks at Max-Forwards.

    t_relay() counts by itself, last of all: a script that does nothing before it needs no more.
    """
    calls = unit.all(nodes.Call)
    relays = [call for call in calls if call.name in RELAYS and _is_request(unit, call)]
    does_more = bool(_DECIDE & {call.name for call in calls}) or any(call.name == "forward" for call in relays)
    if unit.broken or not relays or not does_more or _knows_hops(unit):
        return
    yield Diagnostic("W640", "requests are relayed, but Max-Forwards is never checked", relays[0].name_span,
                     Severity.WARNING, "first in the main route: if (!mf_process_maxfwd_header(70)) "
                     '{ send_reply(483, "Too Many Hops"); exit; }')


def _knows_hops(unit: Unit) -> bool:
    if any(call.name in _HOPS for call in unit.all(nodes.Call)):
        return True
    if any(ref.var.name == "mf" or (ref.var.key or "").lower() == "max-forwards" for ref in references(unit)):
        return True
    return "maxfwd" in unit.failed


def _is_request(unit: Unit, call: nodes.Call) -> bool:
    owner = unit.route_of(call)
    return owner is not None and owner.kind == "route"


def _knows_cancel(unit: Unit) -> bool:
    return any("CANCEL" in text.value.upper() for text in unit.all(nodes.Str)) or any(
        word.name.upper() == "CANCEL" for word in unit.all(nodes.Word))


# --- secrets ----------------------------------------------------------------------------------------------------------

def check_secrets(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Warn of passwords written into the script."""
    for item in unit.script.items:
        if isinstance(item, nodes.ModParam) and isinstance(item.value, nodes.Str):
            yield from _secret(item.value, bool(_SECRET.search(item.param.value)))
        elif isinstance(item, nodes.Setting) and isinstance(item.value, nodes.Str):
            yield from _secret(item.value, False)


def _secret(text: nodes.Str, is_secret: bool) -> Iterator[Diagnostic]:
    value = text.value
    match = _URL.search(value)
    if not value or is_filled(text):
        return
    if match is not None:
        span = inside(text, match.start(1), len(match.group(1)))
    elif is_secret:
        span = text.span
    else:
        return
    yield Diagnostic("W636", "a password stands in the script", span, Severity.WARNING,
                     'take it from the environment, "${NAME}", or from a file, "file:/path"')


# --- conditions -------------------------------------------------------------------------------------------------------

def check_constant(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Warn of conditions that are always true or always false."""
    inner = {id(side) for node in unit.all(nodes.Binary) for side in (node.left, node.right)
             if isinstance(side, nodes.Binary) and side.op == node.op}
    for node in unit.all(nodes.Binary):
        if id(node) not in inner:
            yield from _contradiction(node)
    for kind in unit.all(nodes.If):
        if isinstance(kind.cond, nodes.Num) and not unit.broken:
            what = "true" if kind.cond.value else "false"
            yield Diagnostic("W638", f"this condition is always {what}", kind.cond.span, Severity.WARNING)


def _contradiction(node: nodes.Binary) -> Iterator[Diagnostic]:
    """Find `x != a || x != b` and `x == a && x == b`."""
    wanted = "==" if node.op == "and" else "!="
    seen: dict[str, str] = {}
    for part in _parts(node, node.op):
        if not isinstance(part, nodes.Compare) or part.op != wanted:
            continue
        subject = getattr(part.left, "text", "") or getattr(part.left, "name", "")
        value = _constant(part.right)
        if not subject or value is None:
            continue
        if seen.setdefault(subject, value) != value:
            yield Diagnostic("W638", f"this condition is always {'false' if node.op == 'and' else 'true'}", node.span,
                             Severity.WARNING, f'{subject} cannot be {"both" if node.op == "and" else "equal to both"}: '
                             f'did you mean "{"||" if node.op == "and" else "&&"}"?')
            return


def _parts(node: nodes.Node, op: str) -> Iterator[nodes.Node]:
    if isinstance(node, nodes.Binary) and node.op == op:
        yield from _parts(node.left, op)
        yield from _parts(node.right, op)
    else:
        yield node


def _constant(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Str):
        return node.value.lower()
    if isinstance(node, nodes.Num):
        return str(node.value)
    if isinstance(node, nodes.Net):
        return None if "/" in node.text else node.text.lower()
    return None


def check_order(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Warn of `a || b && c`: both have one rank here, so it means `(a || b) && c`."""
    for node in unit.all(nodes.Binary):
        left = node.left
        if node.op == "and" and isinstance(left, nodes.Binary) and left.op == "or" and not _closed(unit, left.span):
            yield Diagnostic("W639", '"||" and "&&" are mixed without brackets', node.span, Severity.WARNING,
                             "they have one rank: this reads (... || ...) && ...")


def _closed(unit: Unit, span: Span) -> bool:
    """Say whether a bracket closes right behind a span."""
    lines = unit.script.files.get(span.file, "").split("\n")
    if not 0 < span.end_line <= len(lines):
        return True
    rest = lines[span.end_line - 1][span.end_col - 1:] + " " + " ".join(lines[span.end_line:span.end_line + 3])
    return rest.lstrip().startswith(")")
