"""Check global parameters, sockets and aliases (dsl.md section 3)."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from osip.core.exports.diagnostic import Diagnostic, Severity
from osip.core.exports.registry import Registry
from osip.core.run.config import BOOL, BY_NAME, INT, SETTINGS, SettingSpec
from osip.script import nodes
from osip.script.check.params import span_words
from osip.script.check.unit import Unit
from osip.script.check.word import did_you_mean, suggest

WORKERS_STAY = "the number of workers is fixed"
_PROFILE = "use_auto_scaling_profile"
_OWN = ("socket", "listen", "alias", "mpath", "dst_blacklist", "auto_scaling_profile")


class Value(NamedTuple):
    """One checked value of a global parameter."""
    spec: SettingSpec
    name: str
    value: Any


def check_settings(script: nodes.Script) -> Iterator[Diagnostic | Value]:
    """Yield a `Value` for every good global parameter, and findings for the others."""
    profiles = {item.name for item in script.items if isinstance(item, nodes.ScalingProfile)}
    for item in script.items:
        yield from _idle(item, profiles)
        if not isinstance(item, nodes.Setting):
            continue
        spec = BY_NAME.get(item.name)
        if spec is None:
            yield Diagnostic("E502", f'unknown global parameter "{item.name}"', item.name_span,
                             hint=did_you_mean(suggest(item.name, [*(s.name for s in SETTINGS), *_OWN])))
            continue
        if item.profile is not None and item.profile not in profiles:
            yield Diagnostic("E507", f'scaling profile "{item.profile}" is not defined', item.span,
                             hint=did_you_mean(suggest(item.profile, profiles)))
        yield from _notices(item, spec)
        yield _value(item, spec)


def _idle(item: nodes.Item, profiles: set[str]) -> Iterator[Diagnostic]:
    """Tell of what is no setting of its own and has nothing to act on here."""
    if isinstance(item, nodes.MemGroup):
        what, why = "mem-group", "memory is managed by Python"
    elif isinstance(item, nodes.ScalingProfile):
        what, why = "auto_scaling_profile", WORKERS_STAY
    elif isinstance(item, nodes.Setting) and item.profile in profiles or isinstance(
            item, nodes.SocketDef) and _PROFILE in dict(item.options):
        what, why = _PROFILE, WORKERS_STAY
    else:
        return
    yield Diagnostic("N705", f'"{what}" has no effect here: {why}', item.span, Severity.INFO)


def _notices(item: nodes.Setting, spec: SettingSpec) -> Iterator[Diagnostic]:
    if spec.inert:
        yield Diagnostic("N705", f'"{item.name}" has no effect here: {spec.inert}', item.name_span, Severity.INFO)
    elif item.name != spec.name:
        yield Diagnostic("N706", f'"{item.name}" is the old name of "{spec.name}"', item.name_span, Severity.INFO)


def _value(item: nodes.Setting, spec: SettingSpec) -> Diagnostic | Value:
    node = item.value
    if spec.kind in (INT, BOOL):
        if not isinstance(node, nodes.Num):
            what = "yes or no" if spec.kind == BOOL else "a number"
            plain = isinstance(node, nodes.Str) and node.value.strip().lstrip("-").isdigit()
            return Diagnostic("E503", f'"{item.name}" wants {what}', node.span,
                              hint="drop the quotes" if plain else "")
        return _number(item, spec, node)
    if isinstance(node, nodes.Num):
        text = node.text or str(node.value)
    else:
        text = {nodes.Str: "value", nodes.Word: "name", nodes.Net: "text"}.get(type(node), "")
        if not text:
            return Diagnostic("E503", f'"{item.name}" wants a text', node.span)
        text = getattr(node, text)
    if spec.choices and text not in spec.choices:
        return Diagnostic("E503", f'"{item.name}" must be one of {", ".join(spec.choices)}', node.span,
                          hint=did_you_mean(suggest(text, spec.choices)))
    if spec.fault is not None and text and (fault := spec.fault(text)):
        return Diagnostic("E503", f'"{item.name}" {fault}', node.span)
    return Value(spec, item.name, text)


def _number(item: nodes.Setting, spec: SettingSpec, node: nodes.Num) -> Diagnostic | Value:
    low, high = spec.ge, spec.le
    if (low is not None and node.value < low) or (high is not None and node.value > high):
        return Diagnostic("E503", f'"{item.name}" must be {span_words(low, high)}', node.span)
    return Value(spec, item.name, node.value)


def check_forward(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Refuse `forward()` when `disable_stateless_fwd` is set to yes (dsl.md section 15)."""
    setting = next((item for item in unit.script.items if isinstance(item, nodes.Setting)
                    and item.name == "disable_stateless_fwd"), None)
    if setting is None or not isinstance(setting.value, nodes.Num) or not setting.value.value:
        return
    for call in unit.all(nodes.Call):
        if call.name == "forward":
            yield Diagnostic("E506", 'forward() relays without a transaction, which "disable_stateless_fwd" forbids',
                             call.name_span, hint=f"set at line {setting.span.line}")
            return
