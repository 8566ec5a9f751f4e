"""Hold the typed tree of a script: what `parse` makes and `check`, `emit` and `format` read.

The tree knows no module: names are strings until they are checked. Every node carries the `Span` it was read from,
in the file the operator wrote (inclusion and normalising do not change it).
"""
from __future__ import annotations

from dataclasses import dataclass, field

from osip.core.exports.diagnostic import Span


@dataclass(frozen=True, slots=True)
class Node:
    span: Span


# --- literals and variables ------------------------------------------------------------------------------------------

@dataclass(frozen=True, slots=True)
class Str(Node):
    """A string literal. `value` has its escapes done; `quote` is `"` or `'`; `raw` is the text between the quotes."""
    value: str
    quote: str = '"'
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Num(Node):
    """A signed number; `text` is what was written (`0x1F`, `yes`)."""
    value: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Null(Node):
    """`null`."""


@dataclass(frozen=True, slots=True)
class Word(Node):
    """A bare word: host name, flag name, method, route name (dsl.md sections 7 and 9.5)."""
    name: str


@dataclass(frozen=True, slots=True)
class Net(Node):
    """An unquoted IP address or network, without the brackets of an IPv6 address."""
    text: str


@dataclass(frozen=True, slots=True)
class Transform(Node):
    """One `{class.name,arg,...}`; `args` are literal texts or variables, in order."""
    name: str
    args: tuple[str | VarRef, ...] = ()
    raw: str = ""


@dataclass(frozen=True, slots=True)
class VarRef(Node):
    """A pseudo-variable: `$name`, `$name(key)`, `$(<context>name(key)[index]{transform})`.

    `key` is the text between the brackets (None without brackets); `key_var` is set when that text is one variable.
    `index` is an int, `"*"`, `"append"`, a variable, or None.
    """
    name: str
    key: str | None = None
    key_var: VarRef | None = None
    index: int | str | VarRef | None = None
    context: str | None = None
    transforms: tuple[Transform, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Format(Node):
    """A format string taken apart: literal texts and variables, in order."""
    parts: tuple[str | VarRef, ...]


# --- expressions ------------------------------------------------------------------------------------------------------

@dataclass(frozen=True, slots=True)
class Binary(Node):
    """`and`/`or` (one level, left-associative)."""
    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Not(Node):
    operand: Expr


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """`left op right`; op is one of `== != < > <= >= =~ !~`."""
    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Arith(Node):
    """`left op right`; op is one of `+ - * / % & | ^ << >>`."""
    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Invert(Node):
    """`~operand`."""
    operand: Expr


@dataclass(frozen=True, slots=True)
class Group(Node):
    """`[ arithmetic ]` used as a truth value."""
    value: Expr


@dataclass(frozen=True, slots=True)
class OldOperand(Node):
    """`uri`, `method`, `src_ip`, `msg:len` ... (dsl.md section 9.5), and `myself`, `max_len` as right sides."""
    name: str


# --- statements -------------------------------------------------------------------------------------------------------

@dataclass(frozen=True, slots=True)
class Block(Node):
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True)
class Empty(Node):
    """A lone `;`."""


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`name(arg, ...)` of a module or core function; an argument left out is None."""
    name: str
    args: tuple[Expr | None, ...]
    name_span: Span


@dataclass(frozen=True, slots=True)
class RouteCall(Node):
    """`route(NAME, arg ...)`; `target` is Word, Num, Str or VarRef."""
    target: Expr
    args: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Assign(Node):
    """`target op value`; op is `=`, `:=`, `+=` ...; `value` may be Null."""
    target: VarRef
    op: str
    value: Expr


@dataclass(frozen=True, slots=True)
class If(Node):
    cond: Expr
    then: Stmt
    orelse: Stmt | None = None


@dataclass(frozen=True, slots=True)
class While(Node):
    cond: Expr
    body: Stmt


@dataclass(frozen=True, slots=True)
class For(Node):
    target: VarRef
    source: VarRef
    body: Stmt


@dataclass(frozen=True, slots=True)
class Case(Node):
    """One `case label:`; `label` is None for `default:`."""
    label: Num | Str | None
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True)
class Switch(Node):
    subject: VarRef
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Break(Node):
    """`break`."""


@dataclass(frozen=True, slots=True)
class Return(Node):
    """`return`, `return(code, value ...)`; without code `code` is None."""
    code: Expr | None = None
    values: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Exit(Node):
    """`exit`."""


@dataclass(frozen=True, slots=True)
class Drop(Node):
    """`drop`."""


@dataclass(frozen=True, slots=True)
class Assert(Node):
    cond: Expr
    text: Str | None = None


@dataclass(frozen=True, slots=True)
class Log(Node):
    """`log([level,] "text")`: literal text."""
    level: Num | None
    text: Str


@dataclass(frozen=True, slots=True)
class Xlog(Node):
    """`xlog([level,] "fmt")` and `xdbg("fmt")`; `level` is Str, VarRef or None; adjacent texts are joined."""
    level: Expr | None
    text: Str
    debug: bool = False


@dataclass(frozen=True, slots=True)
class ErrorLog(Node):
    """`error("a", "b")`."""
    first: Str
    second: Str


@dataclass(frozen=True, slots=True)
class Async(Node):
    """`async(f(...), resume [, timeout])`."""
    call: Call
    resume: Expr
    timeout: Num | None = None


@dataclass(frozen=True, slots=True)
class Launch(Node):
    """`launch(f(...) [, report [, "text"]])`."""
    call: Call
    report: Expr | None = None
    text: Str | None = None


Expr = (Str | Num | Null | Word | Net | VarRef | Binary | Not | Compare | Arith | Invert | Group | OldOperand | Call
        | RouteCall | Assign | If | Block)
Stmt = (Block | Empty | Call | RouteCall | Assign | If | While | For | Switch | Break | Return | Exit | Drop | Assert
        | Log | Xlog | ErrorLog | Async | Launch)


# --- top level --------------------------------------------------------------------------------------------------------

@dataclass(frozen=True, slots=True)
class Setting(Node):
    """`name = value` of a global parameter; `value` is Num, Str, Word (also dotted host) or Net."""
    name: str
    value: Expr
    name_span: Span
    profile: str | None = None          # use_auto_scaling_profile


@dataclass(frozen=True, slots=True)
class SocketDef(Node):
    """`socket = proto:addr:ports options` (dsl.md section 3.3). `proto` is None in the old bare form.

    `ports` holds (first, last) pairs; `options` maps an option name to its value (True for bare ones); `as` maps to a
    (host, port or None) pair.
    """
    keyword: str
    proto: str | None
    host: str
    ports: tuple[tuple[int, int], ...] = ()
    options: tuple[tuple[str, object], ...] = ()
    bond: tuple[str, tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Alias(Node):
    """One name of `alias = ...`; `proto` and `port` None mean any."""
    proto: str | None
    host: str
    port: int | None = None
    accept_subdomain: bool = False


@dataclass(frozen=True, slots=True)
class BlacklistRule(Node):
    negated: bool
    net: str
    proto: str | None = None
    port: int = 0
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Blacklist(Node):
    name: str
    flags: tuple[str, ...]
    rules: tuple[BlacklistRule, ...]


@dataclass(frozen=True, slots=True)
class MemGroup(Node):
    name: str
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScalingProfile(Node):
    name: str
    up: tuple[int, int, int, int | None]            # up to, percent, cycles, within
    down: tuple[int, int, int] | None = None        # down to, percent, cycles


@dataclass(frozen=True, slots=True)
class TlsDomain(Node):
    """A 1.x block `tls_server_domain[ip:port] { k = v }`; `keyword` is its first word; `host` may be a plain name."""
    keyword: str
    host: str
    port: int | None
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class Mpath(Node):
    paths: tuple[Str, ...]


@dataclass(frozen=True, slots=True)
class LoadModule(Node):
    name: Str


@dataclass(frozen=True, slots=True)
class ModParam(Node):
    module: Str
    param: Str
    value: Str | Num


@dataclass(frozen=True, slots=True)
class RouteDef(Node):
    """A route block. `kind` is the keyword; `name` is None for the unnamed (`route`, `route[0]` gives "0")."""
    kind: str
    name: str | None
    body: tuple[Stmt, ...]
    name_span: Span
    interval: int | None = None
    mode: str | None = None             # event_route: sync, async


Item = (Setting | SocketDef | Alias | Blacklist | MemGroup | ScalingProfile | TlsDomain | Mpath | LoadModule | ModParam
        | RouteDef)


@dataclass(frozen=True, slots=True)
class Script:
    """A whole script: its items in order, and the text of every file by path (for reports)."""
    path: str
    items: tuple[Item, ...]
    files: dict[str, str] = field(default_factory=dict)

    def routes(self) -> list[RouteDef]:
        """Return the route blocks, in order."""
        return [item for item in self.items if isinstance(item, RouteDef)]
