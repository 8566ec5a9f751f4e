"""Base class of every module: declarations in the class body, the state of one worker in the instance."""
from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any, ClassVar

from osip.core.exports import declare
from osip.core.exports.spec import API, Spec

if TYPE_CHECKING:
    from osip.core.exports.diagnostic import Diagnostic
    from osip.core.run.env import Env


class Module:
    """A loadable module. Subclass it once in a file; see `osip.api` for the declarations.

    `env` is set before `mod_init`; sockets, clients and tasks may be made from `child_init` on.
    """
    api: ClassVar[int] = API
    name: ClassVar[str] = ""
    transport: ClassVar[str] = ""
    spec: ClassVar[Spec]
    env: Env

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__dict__.get("name"):
            cls.name = _module_name(cls)
        cls.spec = collect(cls)

    def __init__(self) -> None:
        for spec in self.spec.params:
            setattr(self, spec.attr, list(spec.default or ()) if spec.multiple else spec.default)
        for stat in self.spec.stats:
            if not stat.computed:
                setattr(self, stat.attr, 0)

    def mod_init(self) -> None:
        """Validate parameters and build tables; runs once, before the workers fork. Raise ModuleError to refuse."""

    async def child_init(self, env: Env) -> None:
        """Open clients and start work, in each worker."""

    async def destroy(self) -> None:
        """Close what `child_init` opened."""

    def reload_params(self, changes: dict[str, Any]) -> set[str]:
        """Take over changed parameters (name -> new value) on a reload; return the names of those that now hold.

        Parameters declared `live` need nothing here: they are set before.
        """
        return set()

    def reload_check(self, program: Any) -> list[Diagnostic]:
        """Say what in a new program this running module cannot accept."""
        return []


def _module_name(cls: type) -> str:
    parts = cls.__module__.split(".")
    last = parts[-1]
    return parts[-2] if last in ("module", "__init__") and len(parts) > 1 else last


def collect(cls: type[Module]) -> Spec:
    """Gather the declarations of a class into its `Spec`."""
    found: dict[str, list[Any]] = {key: [] for key in (
        "functions", "params", "pvars", "transforms", "mi", "events", "stats", "timers", "hooks", "needs", "tables")}
    rooms = ((declare.FunctionDecl, "functions"), (declare.ParamDecl, "params"), (declare.PvarDecl, "pvars"),
             (declare.TransformDecl, "transforms"), (declare.MiDecl, "mi"), (declare.EventDecl, "events"),
             (declare.StatDecl, "stats"), (declare.GaugeDecl, "stats"), (declare.TimerDecl, "timers"),
             (declare.HookDecl, "hooks"))
    for decl in _declarations(cls):
        for kind, room in rooms:
            if isinstance(decl, kind):
                found[room].append(decl.spec(cls.name))
        if isinstance(decl, declare.NeedDecl):
            found["needs"].append(decl.spec())
        elif isinstance(decl, declare.TableDecl):
            found["tables"].append(decl.spec())
    doc = inspect.cleandoc(cls.__doc__ or sys.modules[cls.__module__].__doc__ or "")
    transport = cls.transport if isinstance(cls.transport, str) else ""     # `{uri.transport}` may be declared there
    return Spec(cls.name, doc, cls.api, transport=transport, **{k: tuple(v) for k, v in found.items()})


def _declarations(cls: type) -> list[declare.Declaration]:
    seen: dict[str, declare.Declaration] = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            if isinstance(value, declare.Declaration):
                seen[name] = value
            else:
                seen.pop(name, None)
    return list(seen.values())
