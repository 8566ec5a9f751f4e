"""Give names to what emitted code uses: one dict of globals a program, so that nothing is looked up at run time."""
from __future__ import annotations

import builtins
import keyword
import re
from typing import Any

_PYTHON = frozenset(keyword.kwlist) | frozenset(dir(builtins)) | {"ctx", "r", "c", "m"}
_LOCAL = re.compile(r"[a-z]\d+$")           # names that routes use for their own temporaries


class Namespace:
    """The globals of one program's emitted code. Names that start with `_` belong to the runtime."""

    def __init__(self, runtime: dict[str, Any]) -> None:
        self.space: dict[str, Any] = dict(runtime)
        self._count: dict[str, int] = {}

    def copy(self) -> Namespace:
        """Return another that begins with the same names: what is bound there is gone with it."""
        twin = Namespace(self.space)
        twin._count.update(self._count)
        return twin

    def bind(self, wanted: str, value: Any) -> str:
        """Bind an object to `wanted`, or to a name like it when that one is taken; return the name."""
        stem = re.sub(r"\W", "_", wanted, flags=re.ASCII)
        if stem in _PYTHON or _LOCAL.match(stem) or stem[:1] in ("", "_") or stem[0].isdigit():
            stem = "f_" + stem
        name, number = stem, 1
        while name in self.space and not same(self.space[name], value):
            number += 1
            name = f"{stem}_{number}"
        self.space[name] = value
        return name

    def const(self, value: Any, stem: str = "K") -> str:
        """Return code for a constant: its literal when it has one, else a fresh global."""
        if literal(value):
            return repr(value)
        for name, held in self.space.items():
            if held is value:
                return name
        self._count[stem] = number = self._count.get(stem, 0) + 1
        return self.bind(f"{stem}{number}", value)


def same(left: Any, right: Any) -> bool:
    """Tell whether two objects are one; bound methods are made anew at each access, so they compare by value."""
    return left is right or (type(left) is type(right) and hasattr(left, "__func__") and left == right)


def literal(value: Any) -> bool:
    """Tell whether `repr` of a value is Python code for it."""
    if type(value) is tuple:                # a named tuple prints as a call of its class
        return all(literal(item) for item in value)
    return value is None or type(value) in (str, int, bool, bytes, float)
