"""Emit statements (dsl.md section 6).

A statement is told where its code goes: nowhere (`DROP`), out of the route (`RETURN`, for the last one), or into the
local `r` (`KEEP`, inside loops). 0 leaves the route everywhere. Each function returns whether control never falls out
of what it emitted. `$rc` is stored only when the script reads it.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from osip.script import nodes as n
from osip.script.emit import assign, call, cond, expr
from osip.script.emit.survey import formatted, target_name, walk
from osip.script.emit.unit import Pen
from osip.script.flow import level_named

DROP, RETURN, KEEP = "drop", "return", "keep"


def body(pen: Pen, statements: Sequence[n.Stmt], dest: str) -> bool:
    """Emit a list of statements; only the last one's code matters to `RETURN`."""
    useful = [node for node in flat(statements) if not isinstance(node, n.Empty)]
    for place, node in enumerate(useful):
        last = place == len(useful) - 1
        if statement(pen, node, DROP if dest == RETURN and not last else dest):
            return True
    if not useful:
        pen.line("pass")
        if dest != RETURN:
            give(pen, dest, "1")
    return False


def flat(statements: Sequence[n.Stmt]) -> list[n.Stmt]:
    """Return statements with plain blocks taken apart."""
    found: list[n.Stmt] = []
    for node in statements:
        found += flat(node.body) if isinstance(node, n.Block) else [node]
    return found


def statement(pen: Pen, node: n.Stmt, dest: str) -> bool:
    """Emit one statement."""
    pen.writer.at = node.span
    if pen.unit.survey.traced:
        pen.line(call.trace(pen, node))
    if pen.is_async and pen.unit.survey.asking:
        _ask(pen, node)
    pen.rc = pen.unit.live.keeps(node)
    return bool(_STATEMENTS[type(node)](pen, node, dest))


def _ask(pen: Pen, node: n.Stmt) -> None:
    """Emit the waiting for what the transformations of a statement ask for; in loops, of the first round."""
    match node:
        case n.If() | n.While():
            own: object = node.cond
        case n.For():
            own = node.source
        case n.Switch():
            own = node.subject
        case _:
            own = node
    literal = [var for part in walk(own) if isinstance(part, n.Str) for var in formatted(part)]
    for var in [part for part in (*walk(own), *walk(tuple(literal))) if isinstance(part, n.VarRef)]:
        _ask_variable(pen, var)
        for place, one in enumerate(var.transforms):
            if pen.unit.survey.asks(one):
                spec = pen.unit.registry.transform(one.name)
                asked = pen.bind("ask_" + one.name, spec.ask)       # type: ignore[union-attr]
                value = expr.read(pen, replace(var, transforms=var.transforms[:place])).code
                with pen.block(f"if (await _wait(ctx, {asked}({value}, ctx))) == 0:"):
                    pen.line("return 0")


def _ask_variable(pen: Pen, var: n.VarRef) -> None:
    """Emit the waiting for what a variable itself asks for."""
    spec = pen.unit.registry.pvar(var.name)
    ask = spec and spec.ask and pen.unit.bound(spec.module, spec.ask)
    if not spec or not ask:
        return
    codes, guards = expr.keys(pen, spec, var, None)
    waits = f"(await _wait(ctx, {pen.bind('ask_' + var.name, ask)}({', '.join(['ctx', *codes])}))) == 0"
    with pen.block(f"if not ({' or '.join(guards)}) and {waits}:" if guards else f"if {waits}:"):
        pen.line("return 0")


def give(pen: Pen, dest: str, code: str) -> bool:
    """Emit where an action's code goes."""
    if dest == RETURN:
        pen.line(f"return {code}")
        return True
    targets = [*["ctx.rc"] * pen.rc, *["r"] * (dest == KEEP)]
    if targets:
        pen.line(f"{' = '.join(targets)} = {code}")
    return False


# --- actions ---------------------------------------------------------------------------------------------------------

def _call(pen: Pen, node: n.Call | n.RouteCall, dest: str) -> bool:
    made = call.call(pen, node) if isinstance(node, n.Call) else call.route_call(pen, node)
    if made.returns != "int":
        if dest == DROP and not pen.rc:
            pen.line(made.statement or made.code)
            return False
        if made.statement:
            pen.line(made.statement)
            return give(pen, dest, "1")
        return give(pen, dest, made.as_int())
    if dest == RETURN:
        pen.line(f"return {made.code}")
        return True
    if dest == DROP and not pen.rc:
        head = f"if {made.code} == 0:"
    else:
        give(pen, KEEP, made.code)
        head = "if r == 0:"
    with pen.block(head):
        pen.line("return 0")
    return False


def _assign(pen: Pen, node: n.Assign, dest: str) -> bool:
    keep, pen.rc = pen.rc, pen.unit.live.asks(node)
    code = assign.statement(pen, node)
    pen.rc = keep
    if not code:
        return give(pen, dest, "1")
    if dest == DROP and not pen.rc:
        pen.line(code.removesuffix(assign.DONE))
        return False
    return give(pen, dest, f"1 if {code} else -1")


def _xlog(pen: Pen, node: n.Xlog, dest: str) -> bool:
    level = _level(pen, node)
    guard = f"_config.xlog_level >= {level}"
    code = f"_xlog({level}, {expr.formatted(pen, expr.format_of(node.text))})"
    if dest != DROP or pen.rc:
        return give(pen, dest, f"{code} if {guard} else 1")
    with pen.block(f"if {guard}:"):
        pen.line(code)
    return False


def _level(pen: Pen, node: n.Xlog) -> str:
    if node.debug:
        return "4"
    if node.level is None:
        return "_config.xlog_print_level"
    if isinstance(node.level, n.Str):
        return repr(level_named(node.level.value))
    if isinstance(node.level, n.Num):
        return repr(node.level.value)
    temp = pen.temp("v")
    pen.line(f"{temp} = _level_of({expr.value(pen, node.level).code})")
    return temp


def _log(pen: Pen, node: n.Log, dest: str) -> bool:
    pen.line(f"_log({node.level.value if node.level is not None else 4}, {node.text.value!r})")
    return give(pen, dest, "1")


def _error(pen: Pen, node: n.ErrorLog, dest: str) -> bool:
    pen.line(f"_log(-1, {f'error: {node.first.value} {node.second.value}'!r})")
    return give(pen, dest, "1")


def _assert(pen: Pen, node: n.Assert, dest: str) -> bool:
    if pen.unit.env.config.enable_asserts:
        made = _condition(pen, node, node.cond)
        text = node.text.value if node.text is not None else ""
        with pen.block(f"if not ({made.test}):"):
            if made.stops:
                with pen.block("if c == 0:"):
                    pen.line("return 0")
            pen.line(f"return _broken(ctx, {text!r})")
    return give(pen, dest, "1")


# --- leaving ---------------------------------------------------------------------------------------------------------

def _return(pen: Pen, node: n.Return, dest: str) -> bool:
    if node.values and pen.unit.survey.returns:
        values = "".join(f"{expr.value(pen, value).code}, " for value in node.values)
        pen.line(f"ctx.returns = ({values})")
    if node.code is None:
        pen.line("return 1")
    elif isinstance(node.code, n.Num):
        pen.line(f"return {node.code.value}")
    else:
        pen.line(f"return _code({expr.value(pen, node.code).code})")
    return True


def _exit(pen: Pen, node: n.Exit, dest: str) -> bool:
    pen.line("return 0")
    return True


def _drop(pen: Pen, node: n.Drop, dest: str) -> bool:
    pen.line("ctx.dropped = True")
    pen.line("return 0")
    return True


def _break(pen: Pen, node: n.Break, dest: str) -> bool:
    pen.line("break")
    return True


def _async(pen: Pen, node: n.Async, dest: str) -> bool:
    timeout = f", {node.timeout.value}" if node.timeout is not None else ""
    pen.line(f"return _begin(ctx, {call.work(pen, node.call)}, {_route(pen, node.resume)}{timeout})")
    return True


def _launch(pen: Pen, node: n.Launch, dest: str) -> bool:
    codes = ["ctx", call.work(pen, node.call)]
    if node.report is not None:
        codes.append(_route(pen, node.report))
        if node.text is not None:
            codes.append(expr.formatted(pen, expr.format_of(node.text)))
    pen.line(f"_launch({', '.join(codes)})")
    return give(pen, dest, "1")


def _route(pen: Pen, target: Any) -> str:
    name = target_name(target)
    if name is None:
        return f"_find({expr.value(pen, target).code})"
    known = pen.unit.routes.get(("route", "" if name == "0" else name))
    return known if known is not None else f"_find({name!r})"


# --- branches and loops ----------------------------------------------------------------------------------------------

def _if(pen: Pen, node: n.If, dest: str) -> bool:
    ends, word = True, "if"
    step: n.Stmt | None = node
    while isinstance(step, n.If):                       # `else if` becomes `elif`: Python nests only so deep
        pen.writer.at = step.span
        made = _condition(pen, step, step.cond)
        test, outcome = made.test, "0"
        keep = pen.unit.live.keeps(step)
        if keep and made.errs and step.orelse is None:
            outcome = pen.temp("s")
            test = f"({outcome} := {made.state}) > 0"
        if made.failed:
            test = made.failed
        with pen.block(f"{word} {test}:"):
            if made.failed:
                with pen.block("if c == 0:"):
                    pen.line("return 0")
            ends &= branch(pen, step.then, dest, "1", keep)
        pen.writer.at = step.span           # what follows belongs to the condition, not to the arm
        if made.stops and not made.failed:
            with pen.block("elif c == 0:"):
                pen.line("return 0")
        step, word = step.orelse, "elif"
    if step is not None:
        with pen.block("else:"):
            ends &= branch(pen, step, dest, "0", keep)
        pen.writer.at = node.span
        return ends
    if dest == KEEP or keep and dest == DROP:
        with pen.block("else:"):
            _no_branch(pen, dest, outcome, keep)
    return False


def _condition(pen: Pen, node: n.Node, test: Any) -> cond.Cond:
    """Emit the condition of `node`, which may store other codes than `node` itself."""
    outer, pen.rc = pen.rc, pen.unit.live.asks(node)
    made = cond.cond(pen, test)
    pen.rc = outer
    return made


def branch(pen: Pen, node: n.Stmt, dest: str, outcome: str, keep: bool) -> bool:
    """Emit a branch; an empty one gives what no branch gives."""
    useful = [part for part in flat([node]) if not isinstance(part, n.Empty)]
    if useful:
        return body(pen, useful, dest)
    pen.line("pass")
    if dest != RETURN:
        _no_branch(pen, dest, outcome, keep)
    return False


def _no_branch(pen: Pen, dest: str, outcome: str, keep: bool) -> None:
    # The route's result is then 1, while `$rc` is the condition's own outcome (dsl.md section 8).
    if dest == KEEP:
        pen.line("r = 1")
    if keep:
        pen.line(f"ctx.rc = {outcome}")


def loop_dest(pen: Pen, dest: str) -> str:
    """Return where the code of a loop's body goes: the last round's counts."""
    if dest == DROP:
        return DROP
    pen.line("r = 1")
    return KEEP


def loop_end(pen: Pen, dest: str) -> bool:
    """Emit what follows a loop."""
    if dest == RETURN:
        pen.writer.at = pen.writer.spans[0]             # the route ends here, the loop is not entered again
        pen.line("return r")
        return True
    return False


def _while(pen: Pen, node: n.While, dest: str) -> bool:
    made = _condition(pen, node, node.cond)
    inner = loop_dest(pen, dest)
    if not [part for part in flat([node.body]) if not isinstance(part, n.Empty)]:
        with pen.block(f"if {made.test}:"):             # an empty body ends after one round
            pen.line("pass")
        if made.stops:
            with pen.block("elif c == 0:"):
                pen.line("return 0")
        return loop_end(pen, dest)
    limit = pen.unit.env.config.max_while_loops
    with pen.block(f"for _ in range({limit}):"):
        with pen.block(f"if not ({made.test}):"):
            if made.stops:
                with pen.block("if c == 0:"):
                    pen.line("return 0")
            pen.line("break")
        body(pen, [node.body], inner)
    pen.writer.at = node.span
    with pen.block("else:"):
        pen.line(f"_looped({limit})")
    return loop_end(pen, dest)


ROUNDS = 1 << 20
"""Most rounds of a `for`: a list that the body makes longer must not hang the worker."""


def _for(pen: Pen, node: n.For, dest: str) -> bool:
    spec = pen.unit.registry.pvar(node.source.name)
    if node.source.index != "*" or not (node.source.name == "avp" or spec is not None and spec.index):
        pen.line(f"_unknown({f'for: {node.source.text} is not a list: it needs [*]'!r})")
        return give(pen, dest, "-1")
    inner = loop_dest(pen, dest)
    place, item = pen.temp("i"), pen.temp("v")
    with pen.block(f"for {place} in range({ROUNDS}):"):
        with pen.block(f"if ({item} := {expr.read(pen, node.source, at=place).code}) is None:"):
            pen.line("break")
        if node.target.name == "var" and node.target.key_var is None:
            pen.line(f"_vars[{node.target.key!r}] = {item}")
        else:
            pen.line(assign.store(pen, node.target, item, node.target.name == "json"))
        body(pen, [node.body], inner)
    pen.writer.at = node.span
    return loop_end(pen, dest)


def _switch(pen: Pen, node: n.Switch, dest: str) -> bool:
    from osip.script.emit import switch  # its bodies are statements again
    return switch.switch(pen, node, dest)


_STATEMENTS: dict[type, Any] = {
    n.Call: _call, n.RouteCall: _call, n.Assign: _assign, n.If: _if, n.While: _while, n.For: _for, n.Switch: _switch,
    n.Break: _break, n.Return: _return, n.Exit: _exit, n.Drop: _drop, n.Assert: _assert, n.Log: _log, n.Xlog: _xlog,
    n.ErrorLog: _error, n.Async: _async, n.Launch: _launch,
    n.Empty: lambda pen, node, dest: False,
    n.Block: lambda pen, node, dest: body(pen, node.body, dest)}
