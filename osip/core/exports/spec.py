"""Freeze what a module declares: one `Spec` for each module, read by checker, emitter, MI, CLI and docs."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, IntEnum, StrEnum
from typing import Any

from osip.core.exports.types import Arg, Route

API = 1
"""Version of the module API; a module built for another one is refused at load."""


class Scope(Enum):
    """Where in a group of workers something runs."""
    ANY = "any"             # whichever worker got the request
    EACH = "each"           # all workers, results gathered
    LEADER = "leader"       # worker 0 only
    OWNER = "owner"         # the worker that has what is asked for: all are asked, one answers without an error


class Role(IntEnum):
    """What a caller of management commands may do; each role may do what those below it may."""
    READ = 1                # look
    OPERATE = 2             # change what the server knows: contacts, states, levels
    ADMIN = 3               # change what the server is: script, certificates, its end


class Hook(StrEnum):
    """The fixed points at which a module may take part in the life of a message."""
    REQUEST = "request"             # (ctx) before the main route
    RESPONSE = "response"           # (ctx) -> bool: True when the response was taken
    SCRIPT_END = "script_end"       # (ctx) after the main route ended
    BEFORE_WAIT = "before_wait"     # (ctx) a route is about to wait: make the request stateful
    AFTER_WAIT = "after_wait"       # (ctx) a route that waited goes on, or has ended in its wait
    UNSENT = "unsent"               # (data, dest) what send() took was lost with its connection
    DRAIN = "drain"                 # () -> int: pieces of work in flight, asked while the server stops
    IN_USE = "in_use"               # (socket) -> int: pieces of work in flight over a socket that is to be closed
    KNOWN = "known"                 # (msg) -> bool: a request of work in flight, asked when new ones are refused


class StatKind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """A script function. `attr` is the method; `returns` is int, bool or none (only int can stop the script)."""
    name: str
    module: str
    attr: str
    routes: Route
    args: tuple[Arg, ...]
    returns: str
    is_async: bool
    doc: str
    aliases: tuple[str, ...] = ()
    variadic: bool = False
    deferred: str = ""                  # the method that async() and launch() call; "" is `attr`
    waits: str = ""                     # attribute of the module that says whether a call may have to be awaited

    @property
    def required(self) -> int:
        """Count the arguments that must be given (up to the last mandatory one)."""
        return max((i + 1 for i, arg in enumerate(self.args) if not arg.optional), default=0)


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """A module parameter set by `modparam`; `kinds` holds int, str or both."""
    name: str
    module: str
    attr: str
    default: Any
    kinds: tuple[type, ...]
    doc: str
    ge: int | None = None
    le: int | None = None
    choices: tuple[Any, ...] = ()
    parse: Callable[[Any], Any] | None = None
    multiple: bool = False
    aliases: tuple[str, ...] = ()
    removed: str = ""               # why it has no effect any more; accepted with a notice
    live: bool = False              # read at each use: a reload may change it


@dataclass(frozen=True, slots=True)
class PvarSpec:
    """A pseudo-variable. `type` is s, i, si, is or any (variables.md); `key` is "", "optional" or "required"."""
    name: str
    module: str
    getter: str
    setter: str
    type: str
    key: str
    key_parse: Callable[[str], Any] | None
    index: bool
    doc: str
    aliases: tuple[str, ...] = ()
    nullable: bool = True           # may `= null` be assigned
    ask: str = ""                   # the method that is awaited before a statement that reads it


@dataclass(frozen=True, slots=True)
class TransformSpec:
    """A transformation `{class.name,args}`: a function (value, *args) -> value.

    With `takes_ctx` it is called with `ctx=` as well; an `indexed` one is also known as `class.N.name`. `ask` (value,
    ctx) gives a coroutine, or 1 when there is nothing to wait for; it is awaited before the statement runs.
    """
    name: str
    module: str
    func: Callable[..., Any]
    min_args: int
    max_args: int
    doc: str
    takes_ctx: bool = False
    indexed: bool = False
    ask: Callable[[Any, Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class MiSpec:
    """A management command. `recipes` are the allowed lists of parameter names."""
    name: str                       # bare name, without the group
    group: str
    module: str
    attr: str
    args: tuple[Arg, ...]
    recipes: tuple[tuple[str, ...], ...]
    scope: Scope
    doc: str
    aliases: tuple[str, ...] = ()
    named_only: bool = False
    combine: str = "join"           # how the answers of Scope.EACH become one: join, or sum (numbers are added)
    role: Role | None = None        # what its caller must be; None: as core/mi/access.py says

    @property
    def canonical(self) -> str:
        return f"{self.group}:{self.name}"


@dataclass(frozen=True, slots=True)
class EventSpec:
    name: str
    module: str
    attr: str
    params: tuple[str, ...]
    doc: str


@dataclass(frozen=True, slots=True)
class StatSpec:
    """A statistic: an int attribute of the instance, or a method when `computed`."""
    name: str
    group: str
    attr: str
    kind: StatKind
    doc: str
    computed: bool = False
    shared: bool = False                # every worker reads the same: not to be summed


@dataclass(frozen=True, slots=True)
class TimerSpec:
    """Repeating work: `every` is seconds, a text such as "30s", or the name of a parameter (0 = off)."""
    module: str
    attr: str
    every: float | str
    scope: Scope
    doc: str


@dataclass(frozen=True, slots=True)
class HookSpec:
    module: str
    attr: str
    hook: Hook
    order: int
    methods: tuple[int, ...] = ()       # of requests, by id; () for all


@dataclass(frozen=True, slots=True)
class NeedSpec:
    """A dependency: `when` names a parameter that must be set for it to matter."""
    attr: str
    module: str
    when: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One SQL column: `type` is i8..i64, f64, float, char, text, blob or dt, with a size for char."""
    name: str
    type: str
    size: int = 0
    unsigned: bool = False
    nullable: bool = False
    default: str | None = None


@dataclass(frozen=True, slots=True)
class TableSpec:
    name: str
    version: int
    columns: tuple[Column, ...]
    primary: tuple[str, ...]
    unique: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spec:
    """All that one module declares."""
    name: str
    doc: str
    api: int = API
    functions: tuple[FunctionSpec, ...] = ()
    params: tuple[ParamSpec, ...] = ()
    pvars: tuple[PvarSpec, ...] = ()
    transforms: tuple[TransformSpec, ...] = ()
    mi: tuple[MiSpec, ...] = ()
    events: tuple[EventSpec, ...] = ()
    stats: tuple[StatSpec, ...] = ()
    timers: tuple[TimerSpec, ...] = ()
    hooks: tuple[HookSpec, ...] = ()
    needs: tuple[NeedSpec, ...] = ()
    tables: tuple[TableSpec, ...] = ()
    transport: str = ""             # the protocol that the module makes available (proto_udp: "udp")
    extras: dict[str, Any] = field(default_factory=dict)

    def param(self, name: str) -> ParamSpec | None:
        """Return the parameter of this name or old name."""
        for spec in self.params:
            if spec.name == name or name in spec.aliases:
                return spec
        return None
