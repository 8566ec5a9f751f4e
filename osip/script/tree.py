"""Build the nodes of the AST: one method a rule of `osip.lark`, called by the parser as it reduces.

Each method gets the list of what its rule matched, tokens included, and returns a node. There is no state here;
what goes wrong is told to the `Reading` of the token at hand.
"""
from __future__ import annotations

from typing import Any

from osip.core.exports.diagnostic import Severity
from osip.script import nodes as n
from osip.script.complaint import statement_near
from osip.script.leaf import (
    Leaves,
    Part,
    Place,
    is_network,
    joined,
    number,
    of_type,
    port_number,
    stretch,
    string,
    text_of,
)
from osip.script.lexer import Token

BARE_CALLS = frozenset(("append_branch", "revert_uri", "resetdsturi", "isdsturiset"))


class Expressions(Leaves):
    """Build conditions and arithmetic."""

    def both(self, c: list[Any]) -> n.Binary:
        return n.Binary(stretch(c), "and", c[0], c[2])

    def either(self, c: list[Any]) -> n.Binary:
        return n.Binary(stretch(c), "or", c[0], c[2])

    def negate(self, c: list[Any]) -> n.Not:
        return n.Not(stretch(c), c[1])

    def parens(self, c: list[Any]) -> n.Expr:
        return c[1]

    def group(self, c: list[Any]) -> n.Group:
        return n.Group(stretch(c), c[1])

    def compare(self, c: list[Any]) -> n.Compare:
        return n.Compare(stretch(c), c[1].value, c[0], c[2])

    def compare_myself(self, c: list[Token]) -> n.Compare:
        return n.Compare(stretch(c), c[1].value, self.old_operand(c[:1]), self.old_operand(c[2:]))

    def old_operand(self, c: list[Token]) -> n.OldOperand:
        return n.OldOperand(c[0].span, c[0].value)

    old_value = old_operand

    def binary(self, c: list[Any]) -> n.Arith:
        return n.Arith(stretch(c), c[1].value, c[0], c[2])

    def invert(self, c: list[Any]) -> n.Invert:
        return n.Invert(stretch(c), c[1])


class Statements(Expressions):
    """Build statements and calls."""

    def body(self, c: list[Any]) -> n.Block:
        return n.Block(stretch(c), tuple(c[1:-1]))

    def empty(self, c: list[Token]) -> n.Empty:
        return n.Empty(c[0].span)

    def done(self, c: list[Any]) -> n.Stmt:
        return c[0]

    def bare_call(self, c: list[Token]) -> n.Stmt:
        name = c[0]
        if name.value in BARE_CALLS:
            return n.Call(name.span, name.value, (), name.span)
        meant = statement_near(name.value)
        if meant:
            name.reading.fault("E001", f'"{name.value}" is no word of the language', name.span,
                               f'did you mean "{meant}"?')
        else:
            name.reading.fault("E001", f'expected "(" after "{name.value}"', name.reading.source.after(name.end),
                               "a call needs its brackets, also without arguments")
        return n.Empty(name.span)               # said once: what it would have called is not looked for

    def if_stmt(self, c: list[Any]) -> n.If:
        return n.If(stretch(c), c[2], c[4], c[6] if len(c) > 5 else None)

    def while_stmt(self, c: list[Any]) -> n.While:
        return n.While(stretch(c), c[2], c[4])

    def for_stmt(self, c: list[Any]) -> n.For:
        return n.For(stretch(c), c[2], c[4], c[6])

    def switch_stmt(self, c: list[Any]) -> n.Switch:
        return n.Switch(stretch(c), c[2], tuple(c[5:-1]))

    def case(self, c: list[Any]) -> n.Case:
        if c[0].type == "DEFAULT":
            return n.Case(stretch(c), None, tuple(c[2:]))
        return n.Case(stretch(c), c[1], tuple(c[3:]))

    def leave(self, c: list[Any]) -> n.Stmt:
        span = stretch(c)
        if c[0].type == "EXIT":
            return n.Exit(span)
        if c[0].type == "DROP":
            return n.Drop(span)
        values = [item for item in c[1:] if type(item) is not Token]
        return n.Return(span, values[0] if values else None, tuple(values[1:]))

    def break_stmt(self, c: list[Token]) -> n.Break:
        return n.Break(c[0].span)

    def assign(self, c: list[Any]) -> n.Assign:
        return n.Assign(stretch(c), c[0], c[1].value, c[2])

    def f_call(self, c: list[Any]) -> n.Call:
        args: list[n.Expr | None] = []
        pending: n.Expr | None = None
        for item in c[2:-1]:
            if type(item) is Token:
                args.append(pending)
                pending = None
            else:
                pending = item
        if pending is not None or args:
            args.append(pending)
        return n.Call(stretch(c), c[0].value, tuple(args), c[0].span)

    def route_call(self, c: list[Any]) -> n.RouteCall:
        args = [item for item in c if type(item) is not Token]
        return n.RouteCall(stretch(c), args[0], tuple(args[1:]))

    def assert_stmt(self, c: list[Any]) -> n.Assert:
        return n.Assert(stretch(c), c[2], c[4] if len(c) > 4 else None)

    def log_stmt(self, c: list[Any]) -> n.Log:
        return n.Log(stretch(c), c[2] if len(c) > 4 else None, c[-2])

    def xlog_stmt(self, c: list[Any]) -> n.Xlog:
        level = None if type(c[2]) is Token else c[2]
        return n.Xlog(stretch(c), level, joined(of_type(c, "STR")), c[0].value == "xdbg")

    def error_stmt(self, c: list[Any]) -> n.ErrorLog:
        return n.ErrorLog(stretch(c), c[2], c[4])

    def async_stmt(self, c: list[Any]) -> n.Async:
        timeout = n.Num(c[6].span, number(c[6]), c[6].value) if len(c) > 6 else None
        return n.Async(stretch(c), c[2], c[4], timeout)

    def launch_stmt(self, c: list[Any]) -> n.Launch:
        return n.Launch(stretch(c), c[2], c[4] if len(c) > 4 else None, c[6] if len(c) > 6 else None)


class Builder(Statements):
    """Build the items of a script, and the script."""

    def script(self, c: list[Any]) -> list[Any]:
        return c

    def stray(self, c: list[Token]) -> None:
        return None

    def setting(self, c: list[Any]) -> n.Setting:
        return n.Setting(stretch(c), c[0].value, c[2], c[0].span, c[4].value if len(c) > 4 else None)

    def place(self, c: list[Any]) -> Place:
        head = c[0].value if type(c[0]) is Token else c[0].name
        ports = c[-1].value if isinstance(c[-1], Part) else ()
        if len(c) > 2 and isinstance(c[2], n.Word):
            return Place(stretch(c), head, c[2].name, ports)
        return Place(stretch(c), None, head, ports)

    def socket(self, c: list[Any]) -> n.SocketDef:
        place: Place = c[2]
        options = tuple(item.value for item in c[3:])
        return n.SocketDef(stretch(c), c[0].value, place.proto, place.host, place.ports, options)

    def bond(self, c: list[Token]) -> n.SocketDef:
        if c[2].value != "bond":
            c[2].reading.fault("E018", f'"{c[2].value}" cannot group sockets', c[2].span, 'only "bond" can')
        members = tuple(text_of(token) for token in of_type(c, "STR"))
        return n.SocketDef(stretch(c), c[0].value, "bond", c[4].value, bond=(c[4].value, members))

    def sock_opt(self, c: list[Any]) -> Part:
        head = c[0]
        if head.type == "AS":
            ports = c[-1].value if isinstance(c[-1], Part) else ()
            return Part(stretch(c), ("as", (c[1].name, ports[0][0] if ports else None)))
        if head.type == "SOCKET_FLAG":
            return Part(head.span, (head.value, True))
        if head.type == "USE_WORKERS":
            return Part(stretch(c), ("use_workers", number(c[1])))
        return Part(stretch(c), (head.value, number(c[1]) if c[1].type == "NUM" else c[1].value))

    def alias(self, c: list[Any]) -> list[n.Alias]:
        return c[2:]

    def alias_name(self, c: list[Any]) -> n.Alias:
        sub = type(c[-1]) is Token and c[-1].type == "SOCKET_FLAG"
        if isinstance(c[0], Place):
            place = c[0]
            port = place.ports[0][0] if place.ports else None
            if place.proto is not None and place.host == "any":             # host:any
                return n.Alias(stretch(c), None, place.proto, None, sub)
            return n.Alias(stretch(c), None if place.proto == "any" else place.proto, place.host, port, sub)
        last = of_type(c, "ID")[-1]
        if last.value != "any":
            last.reading.fault("E018", f'"{last.value}" is no port', last.span, 'a port is a number or "any"')
        words = [item.name for item in c if isinstance(item, n.Word)]
        proto = c[0].value if type(c[0]) is Token and c[0].value != "any" else None
        return n.Alias(stretch(c), proto, words[0], None, sub)

    def bl_flag(self, c: list[Token]) -> Part:
        return Part(c[0].span, c[0].value)

    def bl_net(self, c: list[Token]) -> Part:
        return Part(stretch(c), c[len(c) // 2])

    def bl_list(self, c: list[Any]) -> Part:
        return Part(stretch(c), [item for item in c if isinstance(item, n.BlacklistRule)])

    def bl_rule(self, c: list[Any]) -> n.BlacklistRule | Token:
        negated = type(c[0]) is Token and c[0].type == "NOT"
        nets = [item.value for item in c if isinstance(item, Part)]
        tokens = of_type(c, "ID", "NUM", "STR")
        if not nets:
            mark = c[-1]
            mark.reading.fault("E019", "a rule needs an IP address or network", stretch(c))
            return mark
        if not is_network(nets[0].value):
            nets[0].reading.fault("N704", f'"{nets[0].value}" is no valid network: this rule is left out',
                                  nets[0].span, severity=Severity.WARNING)
            return nets[0]
        fields: dict[str, Token] = {}
        for token in tokens:
            late = token.start > nets[0].start
            fields["pattern" if token.type == "STR" else "port" if late else "proto"] = token
        proto = fields["proto"].value if "proto" in fields else None
        port = fields.get("port")
        return n.BlacklistRule(
            stretch(c), negated, nets[0].value, None if proto == "any" else proto,
            port_number(port) if port is not None and port.type == "NUM" else 0,
            text_of(fields["pattern"]) if "pattern" in fields else "")

    def blacklist(self, c: list[Any]) -> n.Blacklist:
        flags = tuple(item.value.replace("-", "") for item in c
                      if isinstance(item, Part) and not isinstance(item.value, list))
        rules: list[n.BlacklistRule] = []
        for item in c:
            if isinstance(item, n.BlacklistRule):
                rules.append(item)
            elif isinstance(item, Part) and isinstance(item.value, list):
                rules.extend(item.value)
        return n.Blacklist(stretch(c), c[2].value, flags or ("readonly",), tuple(rules))

    def mem_group(self, c: list[Token]) -> n.MemGroup:
        names = [text_of(token) for token in of_type(c, "STR")]
        return n.MemGroup(stretch(c), names[0], tuple(names[1:]))

    def mpath(self, c: list[Token]) -> n.Mpath:
        return n.Mpath(stretch(c), tuple(string(token) for token in of_type(c, "STR")))

    def scaling(self, c: list[Any]) -> n.ScalingProfile:
        down = c[4].value if len(c) > 4 else None
        return n.ScalingProfile(stretch(c), c[2].value, c[3].value, down)

    def scale_up(self, c: list[Token]) -> Part:
        numbers = [number(token) for token in of_type(c, "NUM")]
        return Part(stretch(c), (*numbers[:3], numbers[3] if len(numbers) > 3 else None))

    def scale_down(self, c: list[Token]) -> Part:
        return Part(stretch(c), tuple(number(token) for token in of_type(c, "NUM")))

    def tls_domain(self, c: list[Any]) -> n.TlsDomain:
        place: Place = c[2]
        port = place.ports[0][0] if place.ports else None
        settings = tuple(item for item in c if isinstance(item, n.Setting))
        return n.TlsDomain(stretch(c), c[0].value, place.host, port, settings)

    def load_module(self, c: list[Token]) -> n.LoadModule:
        return n.LoadModule(stretch(c), string(c[1]))

    def mod_param(self, c: list[Any]) -> n.ModParam:
        value = c[6] if isinstance(c[6], n.Num) else joined(of_type(c[6:], "STR"))
        return n.ModParam(stretch(c), string(c[2]), string(c[4]), value)

    def route_name(self, c: list[Token]) -> Part:
        return Part(c[0].span, text_of(c[0]))

    def route_tag(self, c: list[Any]) -> Part:
        return Part(c[1].span, (c[1].value, c[3] if len(c) > 3 else None))

    def route_def(self, c: list[Any]) -> n.RouteDef:
        head, block = c[0], c[-1]
        if len(c) == 2:
            return n.RouteDef(stretch(c), head.value, None, block.body, head.span)
        name, extra = c[1].value
        interval = number(extra) if extra is not None and extra.type == "NUM" else None
        mode = extra.value if extra is not None and extra.type == "ID" else None
        return n.RouteDef(stretch(c), head.value, name, block.body, c[1].span, interval, mode)
