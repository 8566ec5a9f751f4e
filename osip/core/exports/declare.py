"""Declare what a module exports: the decorators and class attributes of architecture.md section 8.

Each declaration is an object left in the class body; `Module.__init_subclass__` turns them into a `Spec`.
"""
from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from osip.core.exports.spec import (
    Column,
    EventSpec,
    FunctionSpec,
    Hook,
    HookSpec,
    MiSpec,
    NeedSpec,
    ParamSpec,
    PvarSpec,
    Role,
    Scope,
    StatKind,
    StatSpec,
    TableSpec,
    TimerSpec,
    TransformSpec,
)
from osip.core.exports.types import Route, args_of


def _doc(func: Callable[..., Any]) -> str:
    return inspect.cleandoc(func.__doc__ or "")


class Declaration:
    """Base of everything that a class body may hold; remembers the attribute it was bound to."""
    attr = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.attr = name


class _Marked(Declaration):
    """A declaration on a method: on the instance, the attribute is the bound method, or the `plain` function."""

    def __init__(self, func: Callable[..., Any], plain: Callable[..., Any] | None = None) -> None:
        self.func, self.plain = func, plain
        self.__doc__ = func.__doc__

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return self.plain or self.func.__get__(instance, owner)


class FunctionDecl(_Marked):
    def __init__(self, func: Callable[..., Any], routes: Route, name: str, aliases: tuple[str, ...],
                 deferred: str, waits: str, plain: Callable[..., Any] | None) -> None:
        super().__init__(func, plain)
        self.routes, self.name, self.aliases, self.deferred, self.waits = routes, name, aliases, deferred, waits

    def spec(self, module: str) -> FunctionSpec:
        args, returns = args_of(self.func, skip=2)
        variadic = any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(self.func).parameters.values())
        return FunctionSpec(self.name or self.attr, module, self.attr, self.routes, args, returns,
                            inspect.iscoroutinefunction(self.func), _doc(self.func), self.aliases, variadic,
                            self.deferred, self.waits)


def function(routes: Route | str = Route.ANY, *, name: str = "", aliases: tuple[str, ...] = (),
             deferred: str = "", waits: str = "", plain: Callable[..., Any] | None = None) -> Any:
    """Export a method `(self, ctx, args...)` to scripts; `routes` is a mask or its letters.

    The annotations give the kinds of the arguments, `async def` says that it may wait. A result above 0 is true, below
    0 false, 0 ends the script; `-> bool` and `-> None` are cheaper. `deferred` names another method with the same
    parameters, which `async()` and `launch()` call in its place. `waits` names an attribute of the module, set by
    `mod_init`: while it is true a plain method may give a coroutine instead of its result. It may also be a method, which names
    for each call the method that is to be awaited in this one's place (see `Registry.awaited`). `plain` is a function
    `(ctx, args...)` that does the work: scripts call it without the instance, and the method is only its declaration.
    """
    return lambda func: FunctionDecl(func, Route.of(routes), name, aliases, deferred, waits, plain)


class ParamDecl(Declaration):
    def __init__(self, default: Any, **options: Any) -> None:
        self.default, self.options = default, options

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else self.default

    def spec(self, module: str) -> ParamSpec:
        options = dict(self.options)
        kind = options.pop("kind", None)
        if kind is None:
            kind = int if isinstance(self.default, int) else str
        kinds = kind if isinstance(kind, tuple) else (kind,)
        name = options.pop("name", "") or self.attr
        return ParamSpec(name, module, self.attr, self.default, kinds, options.pop("doc", ""), **options)


def param(default: Any = None, *, kind: Any = None, ge: int | None = None, le: int | None = None,
          choices: tuple[Any, ...] = (), parse: Callable[[Any], Any] | None = None, multiple: bool = False,
          name: str = "", aliases: tuple[str, ...] = (), removed: str = "", live: bool = False, doc: str = "") -> Any:
    """Declare a parameter that `modparam` sets; on the instance the attribute is its value.

    The type is that of the default, or `kind` (int, str or a tuple of both). `parse` converts a value (ValueError with
    words when it is bad). With `multiple`, each `modparam` adds to a list. `removed` accepts it without effect. `live`
    says that the value is read at each use, so that a reload may change it.
    """
    return ParamDecl(default, kind=kind, ge=ge, le=le, choices=choices, parse=parse, multiple=multiple, name=name,
                     aliases=aliases, removed=removed, live=live, doc=doc)


class PvarDecl(_Marked):
    def __init__(self, func: Callable[..., Any], name: str, plain: Callable[..., Any] | None, **options: Any) -> None:
        super().__init__(func, plain)
        self.name, self.options, self.setter_attr = name, options, ""

    def setter(self, func: Callable[..., Any]) -> Any:
        """Add the assignment: a method `(self, ctx, [key], [index], value) -> bool | None` (False refuses)."""
        return PvarSetter(func, self)

    def spec(self, module: str) -> PvarSpec:
        return PvarSpec(self.name, module, self.attr, self.setter_attr, doc=_doc(self.func), **self.options)


class PvarSetter(_Marked):
    def __init__(self, func: Callable[..., Any], pvar: PvarDecl) -> None:
        super().__init__(func)
        self.pvar = pvar

    def __set_name__(self, owner: type, name: str) -> None:
        super().__set_name__(owner, name)
        self.pvar.setter_attr = name


def pvar(name: str, *, type: str = "s", key: str = "", key_parse: Callable[[str], Any] | None = None,
         index: bool = False, aliases: tuple[str, ...] = (), nullable: bool = True, ask: str = "",
         plain: Callable[..., Any] | None = None) -> Any:
    """Export a pseudo-variable: a method `(self, ctx, [key], [index])` returning str, int or None.

    `key` is "optional" or "required" when `$name(key)` is meant; `key_parse` converts a key, once when constant. With
    `index` the method gets None, an int, "*" (or, when assigning, "append"). `ask` names a method of the same parameters
    that gives a coroutine, or 1 when there is nothing to wait for; it is awaited before a statement that reads the variable.
    `plain` is a function `(ctx, [key], [index])` that reads it: the method is then only its declaration.
    """
    return lambda func: PvarDecl(func, name, plain, type=type, key=key, key_parse=key_parse, index=index, aliases=aliases,
                                 nullable=nullable, ask=ask)


class TransformDecl(Declaration):
    def __init__(self, func: Callable[..., Any], name: str, ask: Callable[[Any, Any], Any] | None = None) -> None:
        self.func, self.name, self.ask = func, name, ask

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else self.func

    def spec(self, module: str) -> TransformSpec:
        every = inspect.signature(self.func).parameters
        params = [p for p in list(every.values())[1:] if p.kind is not p.KEYWORD_ONLY]
        least = sum(p.default is p.empty and p.kind is not p.VAR_POSITIONAL for p in params)
        most = 99 if any(p.kind is p.VAR_POSITIONAL for p in params) else len(params)
        return TransformSpec(self.name, module, self.func, least, most, _doc(self.func), "ctx" in every,
                             "index" in every and every["index"].kind is inspect.Parameter.KEYWORD_ONLY, self.ask)


def transform(name: str, ask: Callable[[Any, Any], Any] | None = None) -> Any:
    """Export a transformation: a plain function `(value, *args)` without self; None means NULL.

    A keyword-only `ctx` asks for the running context; a keyword-only `index` makes `class.N.name` possible, too. What
    must be asked for elsewhere is asked for by `ask(value, ctx)`, a coroutine or 1, before the statement runs.
    """
    return lambda func: TransformDecl(func, name, ask)


class MiDecl(_Marked):
    def __init__(self, func: Callable[..., Any], name: str, **options: Any) -> None:
        super().__init__(func)
        self.name, self.options = name, options

    def spec(self, module: str) -> MiSpec:
        options = dict(self.options)
        args, _ = args_of(self.func, skip=1)
        recipes = options.pop("recipes") or _recipes(args)
        group = options.pop("group") or module
        return MiSpec(self.name or self.attr, group, module, self.attr, args, recipes, doc=_doc(self.func), **options)


def _recipes(args: tuple[Any, ...]) -> tuple[tuple[str, ...], ...]:
    least = max((i + 1 for i, arg in enumerate(args) if not arg.optional), default=0)
    names = tuple(arg.label for arg in args)
    return tuple(names[:count] for count in range(least, len(names) + 1))


def mi(name: str = "", *, aliases: tuple[str, ...] = (), group: str = "", scope: Scope = Scope.ANY,
       recipes: tuple[tuple[str, ...], ...] = (), named_only: bool = False, combine: str = "join",
       role: Role | None = None) -> Any:
    """Export a management command `group:name` (group defaults to the module) and its old flat names.

    The method takes typed parameters and returns JSON-ready data (None means "OK"); it may be `async def`; it raises
    `MIError`. `recipes` lists the allowed parameter-name lists; by default all mandatory plus leading optional ones.
    `scope` says in which workers it runs; what several answer is joined, with `combine="sum"` numbers are added. `role`
    says who may call it; without, only looking commands that core/mi/access.py knows are open to everybody.
    """
    return lambda func: MiDecl(func, name, aliases=aliases, group=group, scope=scope, recipes=recipes,
                               named_only=named_only, combine=combine, role=role)


class EventDecl(Declaration):
    """On the instance: a callable that raises the event with its parameters by keyword."""

    def __init__(self, name: str, doc: str, params: dict[str, type]) -> None:
        self.name, self.doc, self.params = name, doc, params

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self

        def raise_event(**values: Any) -> None:
            instance.env.events.raise_event(self.name, values)
        return raise_event

    def spec(self, module: str) -> EventSpec:
        return EventSpec(self.name, module, self.attr, tuple(self.params), self.doc)


def event(name: str, doc: str = "", **params: type) -> Any:
    """Declare an event; call the attribute with the parameters as keywords to raise it."""
    return EventDecl(name, doc, params)


class StatDecl(Declaration):
    def __init__(self, doc: str, name: str, kind: StatKind) -> None:
        self.doc, self.name, self.kind = doc, name, kind

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else 0

    def spec(self, module: str) -> StatSpec:
        return StatSpec(self.name or self.attr, module, self.attr, self.kind, self.doc)


class HeldStatDecl(StatDecl):
    """A statistic that another object of the instance counts."""

    def __init__(self, doc: str, name: str, kind: StatKind, holder: str) -> None:
        super().__init__(doc, name, kind)
        self.holder = holder

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else getattr(getattr(instance, self.holder), self.attr)

    def __set__(self, instance: object, value: int) -> None:
        setattr(getattr(instance, self.holder), self.attr, value)


def stat(doc: str, *, name: str = "", kind: StatKind = StatKind.COUNTER, holder: str = "") -> Any:
    """Declare a statistic; on the instance it is an int to count up (`self.exhausted += 1`).

    With `holder`, the name of an attribute that is there before `Module.__init__` runs, that object has the int.
    """
    return HeldStatDecl(doc, name, kind, holder) if holder else StatDecl(doc, name, kind)


class GaugeDecl(_Marked):
    def __init__(self, func: Callable[..., Any], name: str, shared: bool = False) -> None:
        super().__init__(func)
        self.name, self.shared = name, shared

    def spec(self, module: str) -> StatSpec:
        return StatSpec(self.name or self.attr, module, self.attr, StatKind.GAUGE, _doc(self.func), computed=True,
                        shared=self.shared)


def gauge(name: str = "", *, shared: bool = False) -> Any:
    """Declare a statistic that is computed on reading: a method `(self) -> int`.

    A `shared` one is the same in every worker (the size of a replicated table) and is not summed over them.
    """
    return lambda func: GaugeDecl(func, name, shared)


class TimerDecl(_Marked):
    def __init__(self, func: Callable[..., Any], every: float | str, scope: Scope) -> None:
        super().__init__(func)
        self.every, self.scope = every, scope

    def spec(self, module: str) -> TimerSpec:
        return TimerSpec(module, self.attr, self.every, self.scope, _doc(self.func))


def timer(every: float | str, on: Scope = Scope.EACH) -> Any:
    """Repeat a method `(self)`, plain or async; `every` is seconds, "30s", "500ms", or the name of a parameter."""
    return lambda func: TimerDecl(func, every, on)


class HookDecl(_Marked):
    def __init__(self, func: Callable[..., Any], point: Hook, order: int, methods: tuple[int, ...]) -> None:
        super().__init__(func)
        self.point, self.order, self.methods = point, order, methods

    def spec(self, module: str) -> HookSpec:
        return HookSpec(module, self.attr, self.point, self.order, self.methods)


def hook(point: Hook, order: int = 50, methods: tuple[int, ...] = ()) -> Any:
    """Take part at a fixed point of dispatch; lower orders run first.

    With `methods` (ids as `M_ACK`) a hook of requests sees those only, and costs the others nothing.
    """
    return lambda func: HookDecl(func, point, order, methods)


class Slot(Declaration):
    """A per-message place of one module: `ctx[self.slot]` reads (None when unset), `ctx[self.slot] = x` writes."""

    def __init__(self, kind: type | None = None) -> None:
        self.kind = kind


def slot(kind: type | None = None) -> Any:
    """Declare a per-message slot."""
    return Slot(kind)


class NeedDecl(Declaration):
    def __init__(self, module: str, when: str, optional: bool) -> None:
        self.module, self.when, self.optional = module, when, optional

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else None

    def spec(self) -> NeedSpec:
        return NeedSpec(self.attr, self.module, self.when, self.optional)


def needs(module: str, *, when: str = "", optional: bool = False) -> Any:
    """Ask for another module; on the instance the attribute is that module's instance (None when not loaded).

    `when` names a parameter: the need is real only when it is set. Alternatives are written `"tm|sl"`.
    """
    return NeedDecl(module, when, optional)


class TableDecl(Declaration):
    def __init__(self, spec: TableSpec) -> None:
        self._spec = spec

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else self._spec

    def spec(self) -> TableSpec:
        return self._spec


def table(name: str, version: int, columns: str, *, primary: str = "id", unique: str = "") -> Any:
    """Declare an SQL table in the short form of the reference: `"username char(64)='', expires i32u=0, path text?"`.

    Without other `primary`, an auto-increment `id` comes first.
    """
    cols = tuple(_column(text.strip()) for text in columns.split(", "))
    if primary == "id" and not any(col.name == "id" for col in cols):
        cols = (Column("id", "i32", unsigned=True), *cols)
    return TableDecl(TableSpec(name, version, cols, tuple(primary.split(",")),
                               tuple(filter(None, unique.split(",")))))


def _column(text: str) -> Column:
    name, rest = text.split(None, 1)
    rest, _, default = rest.partition("=")
    nullable = rest.endswith("?")
    base = rest.rstrip("?").strip()
    kind, _, size = base.partition("(")
    unsigned = kind.startswith("i") and kind.endswith("u")
    value = None if not _ else default.strip("'")
    if "=" not in text:
        value = None
    else:
        value = default.strip().strip("'")
    return Column(name, kind.rstrip("u") if unsigned else kind, int(size.rstrip(")") or 0) if size else 0,
                  unsigned, nullable, value)
