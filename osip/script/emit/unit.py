"""Hold what the emission of one program shares, and what the emission of one function keeps."""
from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from osip.core.exports.diagnostic import Span
from osip.script import flow, reference, runtime
from osip.script.emit.live import Live
from osip.script.emit.names import Namespace
from osip.script.emit.survey import Key, Survey
from osip.script.emit.writer import Writer

if TYPE_CHECKING:
    from osip.core.exports.registry import Registry
    from osip.core.run.env import Env


@dataclass(frozen=True, slots=True)
class Val:
    """Code that gives a value. `type` is that of variables.md (`lit` for number literals); `fails`: it may be ERR;
    `stops`: it calls a function whose 0 ends the script (kept in `c`)."""
    code: str
    type: str = "any"
    fails: bool = False
    stops: bool = False
    text: bool = False          # it is text or NULL, whatever happens
    null: bool = True           # it may be NULL
    summed: bool = False        # it is a sum of texts

    @property
    def form(self) -> int:
        """The runtime's form bits of this type."""
        return {"si": runtime.DUAL, "i": runtime.BARE, "lit": runtime.BARE}.get(self.type, 0)


class Unit:
    """The emission of one program."""

    def __init__(self, registry: Registry, env: Env, survey: Survey, live: Live) -> None:
        self.registry = registry
        self.env = env
        self.survey = survey
        self.live = live
        self.flow = flow.Flow(env, registry)
        self.names = Namespace(self._runtime())
        self.routes: dict[Key, str] = {}                # route -> its global

    def _runtime(self) -> dict[str, Any]:
        flow_ = self.flow
        space: dict[str, Any] = {
            "_vars": self.env.vars, "_var": self.env.vars.get,
            "_config": self.env.config, "_find": flow_.find, "_params": flow_.params,
            "_fresh": flow_.fresh,
            "_wait": flow_.wait, "_begin": flow_.begin, "_launch": flow_.launch, "_broken": flow_.broken,
            "_xlog": flow_.xlog, "_log": flow_.plain}
        for module, names in ((runtime, RUNTIME), (reference, REFERENCE), (flow, FLOW)):
            for name in names:
                space["_" + name] = getattr(module, name)
        return space

    def scratch(self) -> Unit:
        """Return a unit for text that comes and goes: the names it needs are not those of the program."""
        twin = copy(self)
        twin.names = self.names.copy()
        return twin

    def bound(self, module: str, attr: str) -> Any:
        """Return a bound method of a module's instance; None when there is no instance."""
        instance = self.registry.instances.get(module)
        return None if instance is None else getattr(instance, attr, None)


RUNTIME = ("ERR", "text", "low", "fold", "number", "with_number", "with_text", "both", "matches", "differs", "truth",
           "flag", "compound", "invert", "code", "bounded", "integer", "parsed_int", "string", "refuse", "decline",
           "convert", "transform", "transform_in", "clash")
REFERENCE = ("avp", "avp_at", "avp_push", "avp_renew", "avp_set_at", "keep", "assign", "assign_value", "index_of",
             "key_of", "set_flag", "reset_flag", "set_branch_flag", "reset_branch_flag", "note", "has_totag",
             "view_request", "view_reply", "is_my_uri", "is_my_address")
FLOW = ("looped", "unknown", "level_of", "wait_route")


class Pen:
    """Write one function: its lines, its temporaries, whether it may wait, whether `$rc` is kept."""

    def __init__(self, unit: Unit, span: Span, is_async: bool = False) -> None:
        self.unit = unit
        self.writer = Writer(span)
        self.is_async = is_async
        self.rc = False                 # the running statement's code must be stored
        self.asks = False               # the local `c` is used: it must be 1 at first
        self._temps = 0

    def temp(self, letter: str = "t") -> str:
        """Return the name of a fresh temporary."""
        self._temps += 1
        return f"{letter}{self._temps}"

    def line(self, text: str) -> None:
        """Add a line."""
        self.writer.line(text)

    def block(self, head: str) -> Block:
        """Open a block: `with pen.block("if x:"):`."""
        return Block(self, head)

    def const(self, value: Any, stem: str = "K") -> str:
        """Return code for a constant."""
        return self.unit.names.const(value, stem)

    def bind(self, name: str, value: Any) -> str:
        """Return the global under which an object is bound."""
        return self.unit.names.bind(name, value)


class Block:
    """An indented block of a `Pen`."""
    __slots__ = ("_head", "_pen")

    def __init__(self, pen: Pen, head: str) -> None:
        self._pen, self._head = pen, head

    def __enter__(self) -> None:
        self._pen.line(self._head)
        self._pen.writer.indent()

    def __exit__(self, *_: object) -> None:
        self._pen.writer.dedent()
