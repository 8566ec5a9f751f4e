"""Know what the built-in modules that a script does not load would bring; asked only when a name is unknown."""
from __future__ import annotations

from osip.core.exports import loader
from osip.core.exports.registry import Registry
from osip.core.exports.spec import Spec


class Stock:
    """The specs of the built-in modules that are not loaded, read when first asked for."""
    __slots__ = ("_registry", "_specs")

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._specs: list[Spec] | None = None

    def specs(self) -> list[Spec]:
        """Return the spec of every built-in module that can be imported and is not loaded."""
        if self._specs is None:
            self._specs = []
            for name in loader.available():
                if name in self._registry.classes:
                    continue
                try:
                    self._specs.append(loader.load(name, [])[0].spec)
                except Exception:       # a module that cannot be imported here has nothing to offer as a hint
                    continue
        return self._specs

    def with_function(self, name: str) -> list[str]:
        """Name the unloaded modules that have this function."""
        return [spec.name for spec in self.specs()
                if any(name in (fn.name, *fn.aliases) for fn in spec.functions)]

    def function_names(self) -> dict[str, str]:
        """Return the functions of the unloaded modules, each with its module."""
        return {name: spec.name for spec in reversed(self.specs()) for fn in spec.functions
                for name in (fn.name, *fn.aliases)}

    def with_pvar(self, name: str) -> list[str]:
        """Name the unloaded modules that have this variable."""
        return [spec.name for spec in self.specs() if any(name in (pv.name, *pv.aliases) for pv in spec.pvars)]

    def with_transform(self, name: str) -> list[str]:
        """Name the unloaded modules that have this transformation."""
        return [spec.name for spec in self.specs() if any(name == tr.name for tr in spec.transforms)]


def loadmodule_hint(modules: list[str]) -> str:
    """Return the hint that names the missing `loadmodule` line."""
    lines = [f'loadmodule "{name}.so"' for name in modules[:3]]
    return "add " + " or ".join(lines)
