"""Find any exported name among the modules of one boot."""
from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from osip.core.errors import ModuleError
from osip.core.exports.module import Module
from osip.core.exports.spec import (
    FunctionSpec,
    MiSpec,
    ParamSpec,
    PvarSpec,
    Spec,
    TransformSpec,
)
from osip.core.exports.types import compile_pattern


class Registry:
    """All modules of one boot, in load order: specs by name and, once made, their instances."""

    def __init__(self, builtins: Iterable[type[Module]] = ()) -> None:
        self.classes: dict[str, type[Module]] = {}
        self.instances: dict[str, Module] = {}
        self.builtin_names: set[str] = set()
        self._functions: dict[str, FunctionSpec] = {}
        self._pvars: dict[str, PvarSpec] = {}
        self._transforms: dict[str, TransformSpec] = {}
        self._params: list[tuple[ParamSpec, Any]] = []
        for cls in builtins:
            self.add(cls)
            self.builtin_names.add(cls.name)

    def add(self, cls: type[Module]) -> None:
        """Register a module class; a second load of the same module changes nothing."""
        if cls.name in self.classes:
            return
        self.classes[cls.name] = cls
        spec = cls.spec
        for fn in spec.functions:
            for name in (fn.name, *fn.aliases):
                # A loaded module may take over a name that the language's own words only stand in for.
                self._functions[name] = fn
        for pv in spec.pvars:
            for name in (pv.name, *pv.aliases):
                self._pvars[name] = pv
        for tr in spec.transforms:
            self._transforms[tr.name] = tr

    @property
    def specs(self) -> list[Spec]:
        return [cls.spec for cls in self.classes.values()]

    @property
    def loaded(self) -> list[str]:
        """Names of the modules that the script loaded, without the language's own."""
        return [name for name in self.classes if name not in self.builtin_names]

    def spec(self, module: str) -> Spec | None:
        cls = self.classes.get(module)
        return cls.spec if cls else None

    def function(self, name: str) -> FunctionSpec | None:
        return self._functions.get(name)

    def awaited(self, spec: FunctionSpec, given: tuple[str | None, ...], functions: frozenset[str]) -> str:
        """Return the method for a call that may have to be awaited, "" for one that never has to.

        `given` are the texts of its literal arguments, None for others; `functions` those that the script calls.
        """
        choose = getattr(self.instances.get(spec.module), spec.waits, False) if spec.waits else False
        if callable(choose):
            return str(choose(given, functions))
        return spec.attr if spec.is_async or choose else ""

    def pvar(self, name: str) -> PvarSpec | None:
        return self._pvars.get(name)

    def transform(self, name: str) -> TransformSpec | None:
        """Return a transformation; `nameaddr.2.uri` is `nameaddr.uri` of the element 2."""
        found = self._transforms.get(name)
        if found is None and name.count(".") >= 2:
            head, number, tail = name.split(".", 2)
            base = self._transforms.get(f"{head}.{tail}")
            if base is not None and base.indexed and number.removeprefix("-").isdecimal():
                return replace(base, name=name, func=partial(base.func, index=int(number)))
        return found

    def function_names(self) -> list[str]:
        return list(self._functions)

    def pvar_names(self) -> list[str]:
        return list(self._pvars)

    def transform_names(self) -> list[str]:
        return list(self._transforms)

    def match_modules(self, pattern: str) -> list[Spec]:
        """Return the loaded modules whose whole name matches the regular expression of a `modparam`."""
        try:
            found = compile_pattern(pattern)
        except re.error:
            return []
        return [self.classes[name].spec for name in self.loaded if found.fullmatch(name)]

    def set_param(self, spec: ParamSpec, value: Any) -> None:
        """Remember a checked parameter value for the instances."""
        self._params.append((spec, value))

    def param_value(self, module: str, name: str) -> Any:
        """Return what a parameter will be (None when there is none): the value set last, else the default."""
        for spec, value in reversed(self._params):
            if spec.module == module and spec.attr == name:
                return value
        return next((spec.default for spec in self.classes[module].spec.params if spec.attr == name), None)

    def is_set(self, module: str, name: str) -> bool:
        """Say whether the script sets a parameter."""
        return any((spec.module, spec.attr) == (module, name) for spec, _ in self._params)

    def configured(self, spec: ParamSpec) -> Any:
        """Return what the script sets a parameter to: its value, the list of its values, or the default."""
        values = [value for one, value in self._params if (one.module, one.attr) == (spec.module, spec.attr)]
        if spec.multiple:
            return [*(spec.default or ()), *values]
        return values[-1] if values else spec.default

    def take_param(self, module: str, attr: str, value: Any) -> None:
        """Note that a running module holds a new value since a reload."""
        spec = next(one for one in self.classes[module].spec.params if one.attr == attr)
        kept = [(one, old) for one, old in self._params if (one.module, one.attr) != (module, attr)]
        self._params = kept + [(spec, one) for one in (value if spec.multiple else [value])]

    def create(self) -> None:
        """Make the instances, apply the parameters and inject what each module needs."""
        for name, cls in self.classes.items():
            self.instances[name] = cls()
        for spec, value in self._params:
            instance = self.instances[spec.module]
            if spec.removed:
                continue
            if spec.multiple:
                getattr(instance, spec.attr).append(value)
            else:
                setattr(instance, spec.attr, value)
        for instance in self.instances.values():
            self._inject(instance)

    def _inject(self, instance: Module) -> None:
        for need in instance.spec.needs:
            found = next((self.instances[name] for name in need.module.split("|") if name in self.instances), None)
            if found is None and not need.optional and (not need.when or getattr(instance, need.when)):
                raise ModuleError(f'module "{instance.name}" needs module "{need.module.replace("|", " or ")}": '
                                  f'add loadmodule "{need.module.split("|")[0]}.so" to the script')
            setattr(instance, need.attr, found)

    def start_order(self) -> list[Module]:
        """Return the instances so that each comes after those it needs."""
        done: dict[str, Module] = {}

        def visit(instance: Module, path: tuple[str, ...]) -> None:
            if instance.name in done or instance.name in path:
                return
            for need in instance.spec.needs:
                other = getattr(instance, need.attr, None)
                if isinstance(other, Module):
                    visit(other, (*path, instance.name))
            done[instance.name] = instance

        for instance in self.instances.values():
            visit(instance, ())
        return list(done.values())

    def mi_commands(self) -> list[MiSpec]:
        return [command for spec in self.specs for command in spec.mi]
