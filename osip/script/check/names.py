"""Check that every function, variable and transformation exists, and that variables are spelt as declared."""
from __future__ import annotations

import difflib
from collections.abc import Iterator

from osip.core.errors import OsipError
from osip.core.exports import loader
from osip.core.exports.diagnostic import Diagnostic, Span
from osip.core.exports.loader import module_name
from osip.core.exports.registry import Registry
from osip.core.exports.spec import PvarSpec
from osip.script import nodes
from osip.script.check.reference import format_faults, references
from osip.script.check.stock import loadmodule_hint
from osip.script.check.transform import check_transforms, transform_name
from osip.script.check.unit import Unit, lines_of
from osip.script.check.word import did_you_mean, suggest
from osip.script.complaint import STATEMENTS
from osip.script.roster import owners

_CONTEXTS = ("request", "reply")


def check_functions(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Find calls of functions that no loaded module has; one finding for each name."""
    unknown: dict[str, list[Span]] = {}
    awaited = {id(node.call) for kind in (nodes.Async, nodes.Launch) for node in unit.all(kind)}    # type: ignore
    for call in unit.all(nodes.Call):
        if id(call) in awaited and call.name in STATEMENTS:
            continue                            # told by routes.check_async
        if registry.function(call.name) is None:
            unknown.setdefault(call.name, []).append(call.name_span)
    lines = _load_lines(unit)
    for name, spans in unknown.items():
        modules = unit.stock.with_function(name)
        near = suggest(name, [*registry.function_names(), *STATEMENTS])
        if unit.failed and (modules or not _close(name, near)):
            continue                            # it may well be a function of the module that failed to load
        if modules:
            yield Diagnostic("E101", f'function "{name}" belongs to module "{modules[0]}", which is not loaded',
                             spans[0], hint=loadmodule_hint(modules), notes=lines_of(spans[1:]))
            continue
        known = [] if _close(name, near) else owners(name)
        if known:
            yield Diagnostic("E101", _of_another(f'function "{name}"', known), spans[0], notes=lines_of(spans[1:]))
            continue
        hint = _near_functions(near, registry, lines) if near else _near_stock(name, unit)
        yield Diagnostic("E101", f'unknown function "{name}"', spans[0], hint=hint, notes=lines_of(spans[1:]))


def _of_another(what: str, known: list[str]) -> str:
    """Say that OpenSIPS has a name and osip has not: the whole module, or only this of it."""
    missing = [module for module in known if module not in loader.available()]
    return f'{what} belongs to module "{missing[0]}", which is not part of this osip' if missing else \
        f'{what} of module "{known[0]}" is not part of this osip'


def _load_lines(unit: Unit) -> dict[str, int]:
    return {module_name(item.name.value): item.span.line
            for item in reversed(unit.script.items) if isinstance(item, nodes.LoadModule)}


def _close(name: str, near: list[str]) -> bool:
    return bool(near) and difflib.SequenceMatcher(None, name, near[0]).ratio() >= 0.92


def _near_functions(near: list[str], registry: Registry, lines: dict[str, int]) -> str:
    text = did_you_mean(near)
    owners = dict.fromkeys(spec.module for name in near if (spec := registry.function(name)))
    loaded = [name for name in owners if name in lines]
    if not text or len(owners) != 1 or not loaded:
        return text
    every = {1: "", 2: "both: "}.get(len(near), "all: ")
    return f"{text}  {every}module {loaded[0]}, loaded at line {lines[loaded[0]]}"


def _near_stock(name: str, unit: Unit) -> str:
    owners = unit.stock.function_names()
    near = suggest(name, owners, 1)
    return f"{did_you_mean(near)}  module {owners[near[0]]}, not loaded" if near else ""


def check_variables(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Find variables that do not exist or are spelt against their declaration, also inside format strings."""
    yield from format_faults(unit)
    unknown: dict[str, list[Span]] = {}
    for ref in references(unit):
        if not ref.var.name:                    # malformed, which was said
            continue
        spec = registry.pvar(ref.var.name)
        if spec is None:
            unknown.setdefault(ref.var.name, []).append(ref.var.span)
        else:
            yield from _spelling(ref.var, spec, ref.writes)
        if ref.var.context is not None and ref.var.context not in _CONTEXTS:
            yield Diagnostic("E107", f'unknown context "<{ref.var.context}>"', ref.var.span,
                             hint=did_you_mean(suggest(ref.var.context, _CONTEXTS)) or "known: <request>, <reply>")
        yield from check_transforms(ref.var, unit, registry)
    for name, spans in unknown.items():
        found = _unknown_variable(name, spans, unit, registry)
        if found is not None:
            yield found


def _unknown_variable(name: str, spans: list[Span], unit: Unit, registry: Registry) -> Diagnostic | None:
    modules = unit.stock.with_pvar(name)
    notes = lines_of(spans[1:])
    if modules:
        if unit.failed:
            return None
        return Diagnostic("E102", f'variable "${name}" belongs to module "{modules[0]}", which is not loaded',
                          spans[0], hint=loadmodule_hint(modules), notes=notes)
    known = owners(f"${name}")
    if known:
        if unit.failed.intersection(known):
            return None
        return Diagnostic("E102", _of_another(f'variable "${name}"', known), spans[0], notes=notes)
    near = suggest(name, registry.pvar_names())
    head = name.rpartition(".")[0]
    while head and registry.pvar(head) is None:
        head = head.rpartition(".")[0]
    if head:                                    # a dot belongs to the name (variables.md section 1)
        return Diagnostic("E102", f'unknown variable "${name}"', spans[0], notes=notes,
                          hint=f'for "${head}" followed by text write $({head}){name[len(head):]}')
    if unit.failed and not _close(name, near):
        return None
    return Diagnostic("E102", f'unknown variable "${name}"', spans[0], notes=notes,
                      hint=did_you_mean(f"${one}" for one in near))


def _spelling(var: nodes.VarRef, spec: PvarSpec, writes: bool) -> Iterator[Diagnostic]:
    name = var.name
    if spec.key == "required" and not var.key:
        yield Diagnostic("E104", f'variable "${name}" needs a name in brackets', var.span, hint=f"write ${name}(...)")
    elif not spec.key and var.key is not None:
        yield Diagnostic("E104", f'variable "${name}" takes nothing in brackets', var.span,
                         hint=f"for a bracket after it write $({name})(...)")
    elif var.key and var.key_var is None and spec.key_parse is not None and "$" not in var.key:
        try:
            spec.key_parse(var.key)
        except (ValueError, OsipError) as error:
            yield Diagnostic("E104", f'"${name}" does not know "{var.key}": {error}', var.span)
    if var.index is None:
        return
    if not spec.index:
        yield Diagnostic("E105", f'variable "${name}" has a single value and takes no index', var.span)
    elif var.index == "append" and not writes:
        yield Diagnostic("E105", 'the index "append" can only be assigned to', var.span)


def fault_of(form: nodes.Format, registry: Registry) -> str:
    """Return what is wrong with the variables of a text that came to be at run time; "" when nothing is."""
    for var in (node for part in form.parts for node in _below(part) if isinstance(node, nodes.VarRef)):
        spec = registry.pvar(var.name)
        if spec is None:
            return f'unknown variable "${var.name}"'
        found = next(_spelling(var, spec, False), None)
        if found is not None:
            return found.message
        for item in var.transforms:
            known = registry.transform(item.name) or registry.transform(transform_name(item.name))
            if known is None:
                return f'unknown transformation "{item.name}"'
            if not known.min_args <= len(item.args) <= known.max_args and item.args[-1:] != ("",):
                return f'transformation "{item.name}" with a wrong number of arguments'
    return ""


def _below(node: object) -> Iterator[object]:
    if isinstance(node, tuple):
        for item in node:
            yield from _below(item)
    elif isinstance(node, nodes.Node):
        yield node
        for name in node.__dataclass_fields__:
            yield from _below(getattr(node, name))
