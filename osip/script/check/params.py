"""Check `modparam` lines: module, parameter, type and range of the value (dsl.md section 4)."""
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from osip.core.exports import loader
from osip.core.exports.diagnostic import Diagnostic, Severity
from osip.core.exports.registry import Registry
from osip.core.exports.spec import ParamSpec, Spec
from osip.core.exports.types import compile_pattern
from osip.script import nodes
from osip.script.check.loading import failed_modules
from osip.script.check.word import did_you_mean, suggest
from osip.script.secret import is_filled


SUCCESSORS = {
    ("tm", "fr_timer_avp"): "since 3.x the script sets the variable $T_fr_timeout",
    ("tm", "fr_inv_timer_avp"): "since 3.x the script sets the variable $T_fr_inv_timeout",
    ("uac", "auth_realm_avp"): 'now of module "uac_auth"',
    ("uac", "auth_username_avp"): 'now of module "uac_auth"',
    ("uac", "auth_password_avp"): 'now of module "uac_auth"',
    ("auth_db", "service_type"): 'now of module "auth_aaa"',
}
"""What took the place of a parameter of old versions (modules.md part C, variables.md)."""


class Setting(NamedTuple):
    """One checked value for one parameter of one module."""
    spec: ParamSpec
    value: Any


def check_params(script: nodes.Script, registry: Registry) -> Iterator[Diagnostic | Setting]:
    """Yield a `Setting` for every good `modparam` and module that it matches, and findings for the others."""
    failed = failed_modules(script, registry)
    lines: dict[str, int] = {}
    later = {loader.module_name(item.name.value): item.span.line
             for item in reversed(script.items) if isinstance(item, nodes.LoadModule)}
    for item in script.items:
        if isinstance(item, nodes.LoadModule):
            lines.setdefault(loader.module_name(item.name.value), item.span.line)
        elif isinstance(item, nodes.ModParam):
            yield from _check(item, registry, lines, later, failed)


def _check(item: nodes.ModParam, registry: Registry, lines: dict[str, int], later: dict[str, int],
           failed: set[str]) -> Iterator[Diagnostic | Setting]:
    pattern = item.module.value.replace("-", "_").removesuffix(".so")
    pattern = loader.SUCCESSORS.get(pattern, pattern)
    try:
        whole = compile_pattern(pattern)
    except re.error as error:
        yield Diagnostic("E306", f"bad module pattern: {error.msg}", item.module.span,
                         hint="the first argument is a regular expression over module names")
        return
    specs = registry.match_modules(pattern)
    if not specs:
        if not any(whole.fullmatch(name) for name in failed):
            yield _no_module(item, pattern)
        return
    ready = [spec for spec in specs if spec.name in lines or spec.name not in later]
    if not ready:
        yield Diagnostic("E305", f'modparam before the loadmodule of "{specs[0].name}"', item.module.span,
                         hint=f"loaded at line {later[specs[0].name]}; move this line below it")
        return
    yield from _check_param(item, ready)


def _no_module(item: nodes.ModParam, pattern: str) -> Diagnostic:
    plain = pattern.isidentifier()
    what = f'module "{item.module.value}" is not loaded' if plain else f'no loaded module matches "{pattern}"'
    names = loader.available()
    if pattern in names:
        hint = f'add loadmodule "{pattern}.so" above this line'
    else:
        hint = did_you_mean(suggest(pattern, names)) if plain else ""
    return Diagnostic("E305", what, item.module.span, hint=hint)


def _check_param(item: nodes.ModParam, specs: list[Spec]) -> Iterator[Diagnostic | Setting]:
    name = item.param.value
    found = [(spec, param) for spec in specs if (param := spec.param(name)) is not None]
    if not found:
        known = [param.name for spec in specs for param in spec.params]
        yield Diagnostic("E303", f'module "{specs[0].name}" has no parameter "{name}"', item.param.span,
                         hint=SUCCESSORS.get((specs[0].name, name)) or did_you_mean(suggest(name, known)))
        return
    reported = False
    for spec, param in found:
        if param.removed:
            yield Diagnostic("N707", f'parameter "{name}" of module "{spec.name}" has no effect: {param.removed}',
                             item.param.span, Severity.INFO)
        elif name != param.name:
            yield Diagnostic("N708", f'parameter "{name}" of module "{spec.name}" is now called "{param.name}"',
                             item.param.span, Severity.INFO)
        result = _value(item, param)
        if isinstance(result, Setting) or not reported:
            yield result
        reported = reported or isinstance(result, Diagnostic)


def _value(item: nodes.ModParam, param: ParamSpec) -> Diagnostic | Setting:
    value, span = item.value.value, item.value.span
    if param.removed:
        return Setting(param, value)
    if isinstance(value, str) and str not in param.kinds and is_filled(item.value) and re.fullmatch(r"-?\d+", value):
        value = int(value)                      # a number from the environment has no other way to be written
    if type(value) not in param.kinds:
        if isinstance(value, int):
            return Diagnostic("E304", f'parameter "{param.name}" wants a string', span, hint=f'write "{value}"')
        number = f"; write {value.strip()} without quotes" if re.fullmatch(r"\s*-?\d+\s*", value) else ""
        return Diagnostic("E304", f'parameter "{param.name}" wants a number, this is a string{number}', span)
    if param.choices and value not in param.choices:
        return Diagnostic("E304", f'parameter "{param.name}" must be one of {", ".join(map(str, param.choices))}',
                          span)
    if isinstance(value, int) and (low := _range(param, value)):
        return Diagnostic("E304", f'parameter "{param.name}" must be {low}', span)
    if param.parse is not None:
        try:
            value = param.parse(value)
        except ValueError as error:
            return Diagnostic("E304", f'bad value of parameter "{param.name}": {error}', span)
    return Setting(param, value)


def _range(param: ParamSpec, value: int) -> str:
    if (param.ge is None or value >= param.ge) and (param.le is None or value <= param.le):
        return ""
    return span_words(param.ge, param.le)


def span_words(low: int | None, high: int | None) -> str:
    """Return the words for a range, of which one end may be open."""
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"from {low} to {high}"
