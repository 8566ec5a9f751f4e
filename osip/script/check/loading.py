"""Load the modules that a script names, and check what its `loadmodule` lines ask for (architecture.md section 9)."""
from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator

from osip.core.errors import ModuleError
from osip.core.exports import loader
from osip.core.exports.diagnostic import Diagnostic, Severity
from osip.core.exports.module import Module
from osip.core.exports.registry import Registry
from osip.script import nodes
from osip.script.check.word import did_you_mean, suggest
from osip.script.roster import roster

Load = Callable[[str, list[str], str], tuple[type[Module], str]]


def load_all(script: nodes.Script, registry: Registry, base_dir: str, load: Load) -> Iterator[Diagnostic]:
    """Walk `mpath` and `loadmodule` in order and add each module to the registry; one finding for each that fails."""
    mpaths: list[str] = []
    seen: dict[str, int] = {}
    refused: set[tuple[str, int]] = set()
    for item in script.items:
        if isinstance(item, nodes.Mpath):
            mpaths += [path.value for path in item.paths]
        elif isinstance(item, nodes.LoadModule):
            name = loader.module_name(item.name.value)
            if name in seen:
                yield Diagnostic("W610", f'module "{name}" is loaded twice', item.name.span, Severity.WARNING,
                                 f"first loaded at line {seen[name]}")
            elif (name, len(mpaths)) not in refused:
                yield from _load(item, name, registry, mpaths, base_dir, load)
            if name in registry.classes:
                seen.setdefault(name, item.span.line)
            else:
                refused.add((name, len(mpaths)))


def _load(item: nodes.LoadModule, name: str, registry: Registry, mpaths: list[str], base_dir: str,
          load: Load) -> Iterator[Diagnostic]:
    try:
        cls, origin = load(item.name.value, mpaths, base_dir)
    except ModuleError as error:
        yield _refused(item, name, str(error))
    except (Exception, SystemExit) as error:        # whatever a module does while it is imported is a finding
        trace = traceback.format_exc(limit=-3).rstrip()
        yield _refused(item, name, f'module "{name}" could not be loaded: {error}\n{trace}')
    else:
        registry.add(cls)
        if loader.shadows(name, origin):
            yield Diagnostic("W609", f'module "{name}" from {origin} hides the built-in one', item.name.span,
                             Severity.WARNING)


def _refused(item: nodes.LoadModule, name: str, text: str) -> Diagnostic:
    first, *trace = text.splitlines() or [""]
    if first.startswith(loader.NO_MODULE) and name and name in roster():
        return Diagnostic("E301", f'module "{name}" is not part of this osip', item.name.span,
                          hint="OpenSIPS has it; what the script takes from it is not checked")
    if first.startswith(loader.NO_MODULE):
        return Diagnostic("E301", f'unknown module "{name}"', item.name.span,
                          hint=did_you_mean(suggest(name, loader.available())))
    own = [line for line in trace if "<frozen importlib" not in line and line.strip(" ^~")]
    return Diagnostic("E302", first, item.name.span, notes=tuple(own))


def failed_modules(script: nodes.Script, registry: Registry) -> set[str]:
    """Name the modules that the script loads but that are not there; what hangs on them is not reported again."""
    wanted = {loader.module_name(item.name.value) for item in script.items if isinstance(item, nodes.LoadModule)}
    return wanted - set(registry.classes)


def check_needs(script: nodes.Script, registry: Registry) -> Iterator[Diagnostic]:
    """Find modules that need another one which the script does not load."""
    failed = failed_modules(script, registry)
    for item in script.items:
        if not isinstance(item, nodes.LoadModule):
            continue
        spec = registry.spec(loader.module_name(item.name.value))
        for need in spec.needs if spec else ():
            wanted = need.module.split("|")
            if need.optional or any(name in registry.classes or name in failed for name in wanted):
                continue
            if need.when and not registry.param_value(spec.name, need.when):
                continue
            why = f' when "{need.when}" is set' if need.when else ""
            yield Diagnostic("E307", f'module "{spec.name}" needs module "{" or ".join(wanted)}"{why}',
                             item.name.span, hint=f'add loadmodule "{wanted[0]}.so"')
