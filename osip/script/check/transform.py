"""Check transformations: known, with as many arguments as they take, each of its kind (variables.md section 9)."""
from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator

from osip.core.exports.diagnostic import Diagnostic
from osip.core.exports.registry import Registry
from osip.core.exports.spec import TransformSpec
from osip.script import nodes
from osip.script.builtins.text_trans import parse_expression
from osip.script.check.stock import loadmodule_hint
from osip.script.check.unit import Unit
from osip.script.check.word import did_you_mean, suggest


def transform_name(name: str) -> str:
    """Return the declared name of a transformation: without the number in `nameaddr.0.uri`."""
    return re.sub(r"\.-?\d+(?=\.|$)", "", name)


def check_transforms(var: nodes.VarRef, unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Find what is wrong with the transformations of one variable."""
    for item in var.transforms:
        spec = registry.transform(item.name) or registry.transform(transform_name(item.name))
        if spec is None:
            modules = unit.stock.with_transform(item.name)
            if not modules and unit.failed:
                continue
            hint = loadmodule_hint(modules) if modules else did_you_mean(
                suggest(item.name, registry.transform_names()))
            yield Diagnostic("E103", f'unknown transformation "{item.name}"', item.span, hint=hint)
            continue
        counted = _count(item, spec)
        if counted is not None:
            yield counted
        elif item.name == "re.subst" and isinstance(item.args[0], str) and "$" not in item.args[0]:
            yield from _expression(item, item.args[0])
        else:
            yield from _arguments(item, spec.name)


def _count(item: nodes.Transform, spec: TransformSpec) -> Diagnostic | None:
    given = len(item.args)
    least = _LEAST.get(spec.name, spec.min_args)
    if given < least:
        return Diagnostic("E108", f'transformation "{item.name}" needs {least} argument{"s" if least != 1 else ""}, '
                          f"{given} given", item.span)
    if given > spec.max_args and all(arg != "" for arg in item.args):
        return Diagnostic("E108", f'transformation "{item.name}" takes at most {spec.max_args} '
                          f'argument{"s" if spec.max_args != 1 else ""}, {given} given', item.span)
    return None


def _expression(item: nodes.Transform, text: str) -> Iterator[Diagnostic]:
    try:
        parse_expression(text.strip())
    except re.error as error:
        yield Diagnostic("E403", f"bad regular expression: {error.msg}", item.span)
    except ValueError as error:
        yield Diagnostic("E403", f"bad regular expression: {error}", item.span,
                         hint="write {re.subst,/match/replacement/flags}")


# --- the kinds of the arguments --------------------------------------------------------------------------------------

def _integer(text: str) -> str:
    return "" if re.fullmatch(r"\s*[-+]?(?:0[xX][0-9A-Fa-f]+|\d+)\s*", text) else "wants a number"


def _length(text: str) -> str:
    return _integer(text) or ("wants a length from 0" if text.strip().startswith("-") else "")


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return "wants an address or a network"
    return ""


_LEAST = {"s.substr": 2}
"""Arguments that upstream asks for and that have a default here."""
_KINDS: dict[tuple[str, int], Callable[[str], str]] = {
    ("s.substr", 0): _integer, ("s.substr", 1): _integer, ("s.select", 0): _integer, ("s.index", 1): _integer,
    ("s.rindex", 1): _integer, ("s.fill.left", 1): _integer, ("s.fill.right", 1): _integer, ("s.width", 0): _length,
    ("param.valueat", 0): _integer, ("param.name", 0): _integer, ("csv.value", 0): _integer,
    ("sdp.line", 1): _integer, ("ip.matches", 0): _network,
}


def _arguments(item: nodes.Transform, name: str) -> Iterator[Diagnostic]:
    for place, given in enumerate(item.args):
        kind = _KINDS.get((name, place))
        if kind is not None and isinstance(given, str) and "$" not in given and (fault := kind(given)):
            yield Diagnostic("E108", f'transformation "{item.name}" {fault}, not "{given.strip()}"', item.span)
            return
    if name == "s.select" and all(isinstance(part, str) and "$" not in part for part in item.args):
        if len(",".join(map(str, item.args[1:]))) != 1:
            yield Diagnostic("E108", 'transformation "s.select" wants one character as separator', item.span)
