"""Make a checked script ready to run: read, parse, load modules, apply parameters and settings, check.

Every step adds to one list of diagnostics; none stops at the first fault. `compile_script` does all of them.
"""
from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from osip.core.exports import loader
from osip.core.exports.diagnostic import Diagnostic, Severity
from osip.core.exports.registry import Registry
from osip.core.run.config import BlacklistRule, Config
from osip.script import avp_alias, nodes
from osip.script.check import check
from osip.script.check.depth import check_depth
from osip.script.check.loading import Load, check_needs, load_all
from osip.script.check.params import Setting, check_params
from osip.script.check.settings import Value, check_settings
from osip.script.check.sockets import Listen, check_aliases, check_sockets
from osip.script.old_tls import translate
from osip.script.parse import parse
from osip.script.secret import fill
from osip.script.source import Source

SNIPPET = "N703"
OF_THE_REST = frozenset({"E101", "E102", "E103", "E201", "E307", "E505"})
"""What a snippet may lack: functions, variables and transformations of modules, routes, sockets."""


@dataclass(slots=True)
class CheckResult:
    """What came out of a script: its tree, every finding in order of position, and the sockets to open."""
    script: nodes.Script
    diagnostics: list[Diagnostic] = field(default_factory=list)
    sockets: list[Listen] = field(default_factory=list)

    @property
    def errors(self) -> list[Diagnostic]:
        return [found for found in self.diagnostics if found.is_error]

    @property
    def ok(self) -> bool:
        """Say whether the script can be run: no finding is an error."""
        return not self.errors


def load_modules(script: nodes.Script, registry: Registry, base_dir: str = ".",
                 load: Load = loader.load) -> list[Diagnostic]:
    """Load the modules of a script into the registry; `base_dir` is where a relative `mpath` starts."""
    return list(load_all(script, registry, base_dir, load))


def apply_params(script: nodes.Script, registry: Registry) -> list[Diagnostic]:
    """Check every `modparam` and hand the good values to the registry; call after `load_modules`, before `create`."""
    found: list[Diagnostic] = []
    for result in check_params(script, registry):
        if isinstance(result, Setting):
            registry.set_param(result.spec, result.value)
        else:
            found.append(result)
    return found


def apply_settings(script: nodes.Script, config: Config, registry: Registry | None = None, *,
                   need_socket: bool = True, broken: bool = False) -> tuple[list[Listen], list[Diagnostic]]:
    """Check the global parameters, sockets and aliases; set the good ones in `config`; return the sockets to open.

    With `need_socket` off a script without `socket` is accepted (the command line may bring some); `broken` says that
    parsing found faults already.
    """
    found: list[Diagnostic] = []
    for result in check_settings(script):
        if isinstance(result, Value):
            config.set(result.name, result.value)
        else:
            found.append(result)
    registry = registry or Registry()
    listens: list[Listen] = []
    port: int = config.port                 # type: ignore[attr-defined]
    for listen in check_sockets(script, registry, port, need_socket, broken):
        (listens if isinstance(listen, Listen) else found).append(listen)     # type: ignore[arg-type]
    found += check_aliases(script, registry)
    config.aliases += [(item.proto, item.host, item.port, item.accept_subdomain)
                       for item in script.items if isinstance(item, nodes.Alias)]
    _take_definitions(script, config)
    return listens, found


def _take_definitions(script: nodes.Script, config: Config) -> None:
    """Hand over what is more than one value: blacklists and bonds."""
    for item in script.items:
        if isinstance(item, nodes.Blacklist):
            rules = tuple([BlacklistRule(rule.net, rule.negated, (rule.proto or "").lower(), rule.port, rule.pattern)
                           for rule in item.rules])
            config.blacklists.append((item.name, item.flags, rules))
        elif isinstance(item, nodes.SocketDef) and item.bond is not None:
            config.bonds[item.bond[0]] = item.bond[1]


def compile_script(path_or_text: str | os.PathLike[str] | Source, registry: Registry, config: Config, *,
                   defines: dict[str, str] | None = None, preprocessor: str | None = None, need_socket: bool = True,
                   load: Load = loader.load) -> CheckResult:
    """Read and check a script completely; the registry and the config are filled on the way.

    A `str` with a line end or a brace in it is the text itself, anything else a path.
    """
    source = _source(path_or_text, defines or {}, preprocessor)
    script, found = parse(source)
    base_dir = os.path.dirname(os.path.abspath(script.path)) if script.path else "."
    found = [*source.diagnostics, *found]
    broken = any(one.is_error for one in found)
    if broken and not script.items:
        return CheckResult(script, in_order(found, script))     # nothing could be read: one cause, one finding
    found += check_depth(script)
    if any(one.code == "E025" for one in found):
        return CheckResult(script, in_order(found, script))     # every other check would have to go as deep
    script, unfilled, secrets = fill(script, os.environ)
    script, old = translate(script)
    script, bad = avp_alias.translate(script)
    found += [*unfilled, *old, *bad]
    config.secrets |= secrets
    found += load_modules(script, registry, base_dir, load)
    gaps = {one.span for one in unfilled}           # a value that is not there cannot be wrong
    found += [one for one in apply_params(script, registry) if one.span not in gaps]
    found += check_needs(script, registry)
    listens, more = apply_settings(script, config, registry, need_socket=need_socket, broken=broken)
    found += [one for one in more if one.span not in gaps]
    found += check(script, registry, broken=broken, closed=need_socket)
    if any(one.code == SNIPPET for one in found):
        found = [_forgiven(one) for one in found]
    return CheckResult(script, in_order(found, script), listens)


def _forgiven(one: Diagnostic) -> Diagnostic:
    """Make a warning of what a snippet cannot help: the rest of its script is elsewhere (dsl.md section 14)."""
    return replace(one, severity=Severity.WARNING) if one.code in OF_THE_REST else one


def _source(given: str | os.PathLike[str] | Source, defines: dict[str, str], preprocessor: str | None) -> Source:
    if isinstance(given, Source):
        return given
    if isinstance(given, str) and ("\n" in given or "{" in given):
        return Source.from_text(given, "script.cfg", defines=defines, preprocessor=preprocessor)
    return Source.load(given, defines=defines, preprocessor=preprocessor)


def in_order(found: Iterable[Diagnostic], script: nodes.Script) -> list[Diagnostic]:
    """Sort findings by file and position, and drop those said twice about the same place."""
    files = {name: place for place, name in enumerate(script.files)}
    unique: dict[tuple[object, ...], Diagnostic] = {}
    for one in found:
        unique.setdefault((one.code, one.span.file, one.span.line, one.span.col, one.message), one)
    return sorted(unique.values(), key=lambda one: (files.get(one.span.file, -1), one.span.file, one.span.line,
                                                    one.span.col, one.code))
