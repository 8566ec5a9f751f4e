"""Read variables that parameters of modules name, such as `$avp(received_nh)` or `$ci`, without the compiled script.

Transformations and contexts are the script's own; here a variable is `$name`, `$name(key)` or `$(name(key)[index])`.
"""
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from osip.core.exports.registry import Registry
    from osip.core.exports.types import Value
    from osip.core.run.ctx import Ctx

_AVP = re.compile(r"\$\(?avp\(([^()]+)\)\)?")
_VARIABLE = re.compile(r"\$\$|\$\(([A-Za-z_]\w*)(?:\(([^()]*)\))?(?:\[(-?\d+|\*)\])?\)"
                       r"|\$([A-Za-z_]\w*(?:\.\w+)*)(?:\(([^()]*)\))?")


def avp_name(text: str) -> str:
    """Return the name of the AVP that a parameter gives as `$avp(name)`; ValueError when it gives none."""
    found = _AVP.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'"{text}" is not an AVP: write "$avp(name)"')
    name = found[1].strip()
    return name[2:] if name[:2] in ("i:", "s:") else name


class Variable:
    """One variable, found once and read or assigned through its module's method."""
    __slots__ = ("_get", "_set", "_keys", "text")

    def __init__(self, registry: Registry, text: str, name: str, key: str | None, index: str | None) -> None:
        spec = registry.pvar(name)
        if spec is None:
            raise ValueError(f'unknown variable "{text}"')
        if (key is None and spec.key == "required") or (key is not None and not spec.key):
            raise ValueError(f'variable "{text}" {"lacks its" if key is None else "takes no"} name in brackets')
        if index is not None and not spec.index:
            raise ValueError(f'variable "{text}" takes no index')
        instance = registry.instances[spec.module]
        self.text = text
        self._get = getattr(instance, spec.getter)
        self._set = getattr(instance, spec.setter) if spec.setter else None
        keys: list[Any] = []
        if spec.key:
            keys.append(spec.key_parse(key) if key is not None and spec.key_parse is not None else key)
        if spec.index:
            keys.append(int(index) if index not in (None, "*") else index)      # type: ignore[arg-type]
        self._keys = tuple(keys)

    def get(self, ctx: Ctx) -> Value:
        """Return the value now."""
        return self._get(ctx, *self._keys)                                      # type: ignore[no-any-return]

    def set(self, ctx: Ctx, value: Value) -> bool:
        """Assign; False when the variable refuses."""
        return self._set is not None and self._set(ctx, *self._keys, value) is not False


class Template:
    """A text with variables in it; a lone variable keeps its value's type."""
    __slots__ = ("parts",)

    def __init__(self, registry: Registry, text: str) -> None:
        self.parts: list[str | Variable] = []
        at = 0
        for found in _VARIABLE.finditer(text):
            if found.start() > at:
                self.parts.append(text[at:found.start()])
            at = found.end()
            if found[0] == "$$":
                self.parts.append("$")
            else:
                self.parts.append(Variable(registry, found[0], found[1] or found[4],
                                           found[2] if found[1] else found[5], found[3]))
        if at < len(text):
            self.parts.append(text[at:])

    def get(self, ctx: Ctx) -> Value:
        """Return the value of a lone variable, else the printed text (NULL prints as nothing)."""
        parts = self.parts
        if len(parts) == 1 and isinstance(parts[0], Variable):
            return parts[0].get(ctx)
        return "".join([part if isinstance(part, str) else _printed(part.get(ctx)) for part in parts])

    def set(self, ctx: Ctx, value: Value) -> bool:
        """Assign to a lone variable; False when this is anything else."""
        only = self.parts[0] if len(self.parts) == 1 else None
        return isinstance(only, Variable) and only.set(ctx, value)


def _printed(value: Value) -> str:
    return "" if value is None else str(value)
