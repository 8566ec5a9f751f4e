"""Emit conditions (dsl.md sections 9.1 and 9.2).

A condition can be true, false, or an error; an error takes the else side, and neither `!` nor `||` turns it into
true. A function in it that gives 0 stops the script. Where nothing of this can happen, plain Python tests are emitted.
Otherwise a condition is kept in three forms of which the cheapest that is right gets used:

- `test`: Python truth, in which an error or stop counts as false;
- `lax`: Python truth, in which an error or stop counts as true (for use under `!`);
- `state`: 1, 0 or -1 (error or stop).

The code of the last function is kept in the local `c`, which is 1 at first: `c == 0` tells a stop afterwards.
"""
from __future__ import annotations

import ipaddress
import operator
import re
from dataclasses import dataclass, replace
from typing import Any

from osip.core.exports.diagnostic import Span
from osip.core.exports.types import compile_pattern, posix
from osip.script import nodes as n
from osip.script import runtime
from osip.script.emit import call, expr, inline
from osip.script.emit.unit import Pen, Val
from osip.script.reference import Network, Words

_WORDS = re.compile(r"[\w /:;,@<>=&%!~-]+(?:\|[\w /:;,@<>=&%!~-]+){0,7}", re.ASCII)
"""Expressions that are only words: text is faster to search for them one by one."""


@dataclass(frozen=True, slots=True)
class Cond:
    """A condition in its three forms. `errs` and `stops`: what can happen in it; `open`: `test` without brackets.

    `fails` is for a call: a test for its failure or stop; `failed` the same for `!` before a call.
    """
    test: str
    lax: str
    state: str
    errs: bool = False
    stops: bool = False
    open: str = ""
    fails: str = ""
    failed: str = ""

    @property
    def sure(self) -> bool:
        """Tell whether it is always just true or false."""
        return not (self.errs or self.stops)


def sure(code: str) -> Cond:
    """Return a condition that cannot fail."""
    return Cond(code, code, f"(1 if {code} else 0)")


def maybe(code: str, stops: bool = False) -> Cond:
    """Return a condition from code that gives True, False or -1."""
    return Cond(f"{code} > 0", f"{code} != 0", code, True, stops)


def from_call(pen: Pen, code: str) -> Cond:
    """Return a condition from code that gives a function's code."""
    pen.asks = True
    return Cond(f"(c := {code}) > 0", f"(c := {code}) >= 0", f"(1 if (c := {code}) > 0 else 0 if c else -1)",
                False, True, fails=f"(c := {code}) <= 0")


def cond(pen: Pen, node: Any) -> Cond:
    """Emit any expression as a condition."""
    emit = _CONDITIONS.get(type(node))
    if emit is not None:
        return emit(pen, node)
    return _truth(pen, node)


def as_value(pen: Pen, node: Any) -> Val:
    """Emit a call or condition inside arithmetic or on the right of `=`: its code, or 1 and 0."""
    if isinstance(node, n.Call | n.RouteCall):
        made = call.traced(pen, node)
        code = made.as_int()
        if made.returns == "int":
            pen.asks = True
            code = f"(c := {code})" if not pen.rc else f"(c := _note(ctx, {code}))"
        return Val(code, "any", False, made.returns == "int")
    if isinstance(node, n.OldOperand):
        return _old_value(pen, node)
    found = cond(pen, node)
    if found.sure:
        return Val(f"(1 if {found.test} else 0)")
    return Val(f"_flag({found.state})", "any", True, found.stops)


# --- logic -----------------------------------------------------------------------------------------------------------

def _binary(pen: Pen, node: n.Binary) -> Cond:
    left, right = cond(pen, node.left), cond(pen, node.right)
    errs, stops = left.errs or right.errs, left.stops or right.stops
    temp = pen.temp("s") if not left.sure else ""
    if isinstance(node.left, n.Binary) and node.left.op == node.op:     # a long chain must not nest brackets deeply
        left = replace(left, test=left.open or left.test)
    if node.op in ("and", "&&"):
        state = f"({right.state} if ({temp} := {left.state}) > 0 else {temp})" if temp else \
            f"({right.state} if {left.test} else 0)"
        if left.sure:
            lax = f"({left.test} and {right.lax})"
        elif not left.errs:
            lax = f"({left.lax} and (c == 0 or {right.lax}))"
        else:
            lax = f"{state} != 0"
        inner = f"{left.test} and {right.test}"
        return Cond(f"({inner})", lax, state, errs, stops, inner)
    state = f"({temp} if ({temp} := {left.state}) else {right.state})" if temp else \
        f"(1 if {left.test} else {right.state})"
    inner = ""
    if left.sure:
        inner = f"{left.test} or {right.test}"
    elif not left.errs:
        inner = f"{left.test} or (c != 0 and {right.test})"
    test = f"({inner})" if inner else f"{state} > 0"
    return Cond(test, f"({left.lax} or {right.lax})", state, errs, stops, inner)


def _not(pen: Pen, node: n.Not) -> Cond:
    inner = cond(pen, node.operand)
    if inner.sure:
        return sure(f"(not {inner.test})")
    temp = pen.temp("s")
    state = f"({temp} if ({temp} := {inner.state}) < 0 else 1 - {temp})"
    return replace(inner, test=f"(not {inner.lax})", lax=f"(not {inner.test})", state=state, open="",
                   fails="", failed=inner.fails)


# --- leaves ----------------------------------------------------------------------------------------------------------

def _truth(pen: Pen, node: Any) -> Cond:
    """Emit a lone variable, number or bracketed arithmetic."""
    found = expr.value(pen, node.value if isinstance(node, n.Group) else node)
    if found.fails:
        return maybe(f"_truth({found.code})", found.stops)
    return sure(found.code)


def _call(pen: Pen, node: n.Call | n.RouteCall) -> Cond:
    made = call.traced(pen, node)
    if made.returns == "bool" and not pen.rc:
        return sure(made.code)
    if made.returns == "int":
        return from_call(pen, f"_note(ctx, {made.code})" if pen.rc else made.code)
    code = made.as_int()
    return sure(f"({f'_note(ctx, {code})' if pen.rc else code}) > 0")


def _action(pen: Pen, node: Any) -> Cond:
    """Emit an assignment as a condition: true when it could be made."""
    from osip.script.emit import (
        assign,  # an assignment's right side may again be a condition
    )
    code, stops = assign.test(pen, node)
    if pen.rc:
        code = f"_note(ctx, 1 if {code} else -1) > 0"
    if stops:
        return Cond(code, f"({code} or c == 0)", f"(1 if {code} else 0 if c else -1)", False, True)
    return sure(code)


def _nested(pen: Pen, node: Any) -> Cond:
    """Emit a statement as a condition: it becomes a small route of its own."""
    from osip.script.emit import route  # routes contain conditions
    name, is_async = route.nested(pen, node)
    code = f"(await {name}(ctx))" if is_async else f"{name}(ctx)"
    return from_call(pen, f"_note(ctx, {code})" if pen.rc else code)


# --- comparisons -----------------------------------------------------------------------------------------------------

_ORDER = {"<": "lt", ">": "gt", "<=": "le", ">=": "ge", "==": "eq", "!=": "ne"}


def _compare(pen: Pen, node: n.Compare) -> Cond:
    node = _old(node)
    if isinstance(node.right, n.OldOperand):
        return _myself(pen, node)
    quick = inline.comparison(pen, node)
    if quick is not None:
        return sure(quick)
    left = expr.value(pen, node.left)
    return _against(pen, node.op, left, node.right)


def _against(pen: Pen, op: str, left: Val, right: Any) -> Cond:
    if left.fails or left.summed:
        return maybe(f"_clash({'comparison with a computed value'!r})")
    if isinstance(right, n.Null):
        return sure(f"{left.code} is {'not ' if op in ('!=', '!~') else ''}None")
    if op in ("=~", "!~"):
        return _match(pen, op, left, right)
    if isinstance(right, n.Net):
        return _network(pen, op, left, right.text)
    if isinstance(right, n.Num):
        return _number(pen, op, left, right.value)
    if isinstance(right, n.Str | n.Word):
        return _text(pen, op, left, right.value if isinstance(right, n.Str) else right.name)
    other = expr.value(pen, right)
    forms = f", {left.form}, {other.form}" if left.form or other.form else ""
    return maybe(f"_both({_op(pen, op)}, {left.code}, {other.code}{forms})", other.stops)


def _op(pen: Pen, op: str) -> str:
    pen.unit.names.space["_" + _ORDER[op]] = getattr(operator, _ORDER[op])
    return "_" + _ORDER[op]


def _number(pen: Pen, op: str, left: Val, number: int) -> Cond:
    if left.type in ("i", "is"):
        if op in ("==", "!="):
            return sure(f"{left.code} {op} {number}")
        temp = pen.temp("v")
        return sure(f"(({temp} := {left.code}) is not None and {temp} {op} {number})")
    form = f", {left.form}" if left.form else ""
    return maybe(f"_with_number({_op(pen, op)}, {left.code}, {number}{form})")


def _text(pen: Pen, op: str, left: Val, text: str) -> Cond:
    if left.type in ("i", "lit"):
        return maybe(f"_clash({'invalid comparison of an integer with a string'!r})")
    if op in ("==", "!="):
        low = f"_low({left.code})"
        if left.text:
            temp = pen.temp("v")
            low = f"(({temp} := {left.code}) and {temp}.lower())"
        return sure(f"{low} {op} {text.lower()!r}")
    return sure(f"_with_text({_op(pen, op)}, {left.code}, {text.lower()!r})")


def _match(pen: Pen, op: str, left: Val, right: Any) -> Cond:
    if left.type in ("i", "lit"):
        return maybe(f"_clash({'invalid regular expression match of an integer'!r})")
    if isinstance(right, n.Str | n.Word):
        text = right.value if isinstance(right, n.Str) else right.name
        try:
            search = pattern(text).search
        except (re.error, OverflowError, RecursionError) as error:
            return maybe(f"_clash({f'bad regular expression {text!r}: {error}'!r})")
        if left.text and _WORDS.fullmatch(text):
            code = f"{pen.const(Words(text.split('|'), search).match, 'RE')}({left.code})"
            return sure(code if op == "=~" else f"(not {code})")
        if left.text:
            return sure(_search(pen, op, left.code, pen.const(search, "RE")))
        return sure(f"_{'matches' if op == '=~' else 'differs'}({pen.const(search, 'RE')}, {left.code})")
    other = expr.value(pen, right)
    patterns = runtime.Patterns(pattern)
    method = patterns.match if op == "=~" else patterns.differ
    return maybe(f"{pen.const(method, 'RE')}({left.code}, {other.code})", other.stops)


def _search(pen: Pen, op: str, code: str, search: str) -> str:
    """Emit the search in what surely is text or NULL: NULL matches nothing."""
    temp = pen.temp("v")
    if op == "=~":
        return f"(({temp} := {code}) is not None and {search}({temp}) is not None)"
    return f"(({temp} := {code}) is None or {search}({temp}) is None)"


def pattern(text: str) -> re.Pattern[str]:
    """Compile the right side of `=~`: no case, unanchored, a newline is an ordinary character."""
    return compile_pattern(posix(_absolute(text)), re.IGNORECASE | re.DOTALL)


def _absolute(text: str) -> str:
    # Python's `$` also matches before a last newline; POSIX means the very end.
    out, at, inside = [], 0, False
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            out.append(text[at:at + 2])
            at += 2
            continue
        if char == "[" and not inside:
            inside = True
            skip = 2 if text[at + 1:at + 2] == "^" else 1
            if text[at + skip:at + skip + 1] == "]":
                skip += 1
            out.append(text[at:at + skip])
            at += skip
            continue
        if inside and text.startswith("[:", at) and ":]" in text[at:]:
            end = text.index(":]", at) + 2
            out.append(text[at:end])
            at = end
            continue
        if char == "]":
            inside = False
        out.append(r"\Z" if char == "$" and not inside else char)
        at += 1
    return "".join(out)


def _network(pen: Pen, op: str, left: Val, text: str) -> Cond:
    try:
        net = ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return maybe(f"_clash({f'{text!r} is no IP address or network'!r})")
    if op not in ("==", "!="):
        return maybe(f"_clash({'an address can only be compared for equality'!r})")
    network = Network(net, ipaddress.ip_address)
    method = network.match if op == "==" else network.differ
    return maybe(f"{pen.const(method, 'NET')}({left.code})")


# --- old operands (dsl.md section 9.5) -------------------------------------------------------------------------------

_VARIABLES = {"uri": ("ru", None), "from_uri": ("fu", None), "to_uri": ("tu", None), "method": ("rm", None),
              "src_ip": ("si", None), "dst_ip": ("socket_in", "ip"), "src_port": ("sp", None),
              "dst_port": ("socket_in", "port"), "proto": ("socket_in", "proto"), "af": ("socket_in", "af"),
              "msg:len": ("ml", None)}


def _old(node: n.Compare) -> n.Compare:
    """Rewrite old operands to the variables that they stand for."""
    left, right = node.left, node.right
    if isinstance(left, n.OldOperand) and left.name == "myself":
        left, right = right, left
    if isinstance(right, n.OldOperand) and right.name == "max_len":
        right = n.Num(right.span, 65535, "65535")
    if isinstance(left, n.OldOperand):
        name = left.name
        if name in ("src_ip", "dst_ip") and isinstance(right, n.Str | n.Word):
            right = _address(right)
        left = _variable(left.span, name)
    return replace(node, left=left, right=right)


def _variable(span: Span, name: str) -> Any:
    if name == "status":                                # on a request upstream's token is the R-URI
        return n.OldOperand(span, "status")
    pvar, key = _VARIABLES.get(name, (name, None))
    return n.VarRef(span, pvar, key, text=f"${pvar}({key})" if key else f"${pvar}")


def _address(right: n.Str | n.Word) -> Any:
    text = right.value if isinstance(right, n.Str) else right.name
    try:
        ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return right
    return n.Net(right.span, text)


def _myself(pen: Pen, node: n.Compare) -> Cond:
    address = isinstance(node.left, n.VarRef) and node.left.name in ("si", "socket_in")
    code = f"_is_my_{'address' if address else 'uri'}(ctx, {expr.value(pen, node.left).code})"
    return sure(f"not {code}" if node.op == "!=" else code)


def _old_value(pen: Pen, node: n.OldOperand) -> Val:
    """Emit an old operand's value; `status` is `$rs` on a reply, `$ru` on a request."""
    if node.name != "status":
        return expr.value(pen, _variable(node.span, node.name))
    reply = expr.read(pen, n.VarRef(node.span, "rs", text="$rs")).code
    request = expr.read(pen, n.VarRef(node.span, "ru", text="$ru")).code
    return Val(f"({request} if ctx.msg.is_request else {reply})")


_CONDITIONS: dict[type, Any] = {n.Binary: _binary, n.Not: _not, n.Call: _call, n.RouteCall: _call, n.Compare: _compare,
                                n.Assign: _action, n.If: _nested, n.Block: _nested}
