"""Follow every way through the routes: answers that come twice or before a relay, headers read after they were edited.

What is followed is kept small: where the request may have been answered or relayed, and which headers may have been
edited. Ways join after an `if`; a way that leaves the script ends. A called route is followed with what is known at
the call, and its results are kept apart by sign, so that `if (!route(CHECK)) exit;` is understood.

An answer remembers what was asked before it was given (`is_method`, `$rU`). Where the same is asked again, or a state
of the script's own, the two may well exclude each other: the answer is then left out of account.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from osip.core.exports.diagnostic import Diagnostic, Severity, Span
from osip.core.exports.registry import Registry
from osip.script import nodes
from osip.script.check.reference import FORMATS, arg_of
from osip.script.check.unit import Unit

REPLIES = frozenset(("sl_send_reply", "send_reply", "t_reply", "t_reply_with_body", "sl_reply_error"))
RELAYS = frozenset(("t_relay", "forward"))
_ANSWERS = frozenset(("options_reply", "save"))
_CHALLENGES = frozenset(("www_challenge", "proxy_challenge", "aka_www_challenge", "aka_proxy_challenge"))
"""What answers and ends the script: code 0 (dsl.md section 8). It goes on only where nothing could be sent."""
_ADDS = frozenset(("append_hf", "insert_hf"))
_REMOVES = frozenset(("remove_hf",))
_READS = frozenset(("is_present_hf",))
_METHOD = "the method"
_OWN_STATE = "a state of the script"
_SUBJECTS = {"is_method": _METHOD, "rm": _METHOD, "method": _METHOD, "isflagset": _OWN_STATE, "isbflagset": _OWN_STATE,
             "is_avp_set": _OWN_STATE, "var": _OWN_STATE, "avp": _OWN_STATE, "shv": _OWN_STATE, "rc": _OWN_STATE,
             "retcode": _OWN_STATE, "return": _OWN_STATE, "msg.flag": _OWN_STATE, "msg.is_flag_set": _OWN_STATE}
_RESULTS = ("rc", "retcode")
_DEPTH = 40
_MOST = 12
"""How often a route is followed at most, each time from another state."""


class Act(NamedTuple):
    """A reply or relay, and what was asked on the way to it."""
    span: Span
    asked: frozenset[str] = frozenset()


class State(NamedTuple):
    """What may have happened on the ways to one place: a final reply by the script, any final answer, a relay."""
    replied: Act | None = None
    answered: Act | None = None
    relayed: Act | None = None
    edited: frozenset[tuple[str, Span]] = frozenset()


Ways = State | None
"""A state, or None where no way leads."""


def join(first: Ways, second: Ways) -> Ways:
    """Return what may have happened on either of two ways."""
    if first is None or second is None:
        return second if first is None else first
    return State(first.replied or second.replied, first.answered or second.answered,
                 first.relayed or second.relayed, first.edited | second.edited)


def guarded(before: State, after: Ways, asked: frozenset[str]) -> Ways:
    """Note what was asked before the acts that are new behind a branch."""
    if after is None or not asked:
        return after
    acts = [now if now is None or now == was else Act(now.span, now.asked | asked)
            for was, now in zip(before[:3], after[:3], strict=True)]
    return State(*acts, edited=after.edited)


def asking(state: State, asked: frozenset[str]) -> State:
    """Leave out of account the acts that may exclude a branch which asks the same."""
    acts = [act if act is None or not act.asked or not asked & (act.asked | {_OWN_STATE}) else None
            for act in state[:3]]
    return State(*acts, edited=state.edited)


def kept(before: State, after: Ways) -> Ways:
    """Bring the acts back that a branch left out of account."""
    if after is None:
        return None
    return State(*(now or was for was, now in zip(before[:3], after[:3], strict=True)), edited=after.edited)


class Both(NamedTuple):
    """The states behind a condition that held and one that did not."""
    yes: Ways
    no: Ways


class Frame:
    """What leaves a route, and what breaks out of its loops."""
    __slots__ = ("breaks", "no", "yes")

    def __init__(self) -> None:
        self.breaks: Ways = None
        self.yes: Ways = None
        self.no: Ways = None


def check_course(unit: Unit, registry: Registry) -> Iterator[Diagnostic]:
    """Warn of requests answered twice or relayed and answered, and of headers read after they were edited."""
    walk = Walk(unit, registry)
    for route in unit.routes:
        if route.kind != "route" or route.name in (None, "0"):
            walk.route(route, State())
    yield from walk.found.values()


class Walk:
    """One walk over all routes; `found` holds each finding once, by its place."""

    def __init__(self, unit: Unit, registry: Registry) -> None:
        self.unit, self.registry = unit, registry
        self.found: dict[tuple[str, Span], Diagnostic] = {}
        self._known: dict[tuple[int, State], Both] = {}
        self._results: dict[int, list[Both]] = {}
        self._told: dict[Span, Span] = {}               # the reply or relay that lacks its exit -> where that shows
        self._depth = 0

    # --- routes and blocks ------------------------------------------------------------------------------------------

    def route(self, route: nodes.RouteDef, state: State) -> Both:
        """Follow a route; return the states behind a positive and a negative result."""
        key = (id(route), state)
        if key in self._known:
            return self._known[key]
        walked = self._results.setdefault(id(route), [])
        if len(walked) >= _MOST:                        # enough seen: only whether it returns still counts
            return Both(state if walked[0].yes else None, state if walked[0].no else None)
        if self._depth >= _DEPTH:
            return Both(state, state)
        self._known[key] = Both(state, state)           # for a route that calls itself
        self._depth += 1
        frame = Frame()
        end = self.body(route.body, state, frame)
        self._depth -= 1
        self._known[key] = Both(join(frame.yes, end), join(frame.no, end))
        walked.append(self._known[key])
        return self._known[key]

    def body(self, body: tuple[nodes.Stmt, ...], state: Ways, frame: Frame) -> Ways:
        """Follow statements one after the other."""
        for statement in body:
            if state is None:
                return None
            state = self.statement(statement, state, frame)
        return state

    def statement(self, node: nodes.Node, state: State, frame: Frame) -> Ways:
        """Follow one statement."""
        if isinstance(node, nodes.Block):
            return self.body(node.body, state, frame)
        if isinstance(node, nodes.If):
            return self._choice(node, state, frame)
        if isinstance(node, (nodes.While, nodes.For, nodes.Switch)):
            return self._loop(node, state, frame)
        if isinstance(node, (nodes.Exit, nodes.Drop, nodes.Return, nodes.Break, nodes.Async)):
            return self._leave(node, state, frame)
        if isinstance(node, nodes.RouteCall):
            return self._result(state, *self.condition(node, state))
        return join(*self.condition(node, state))

    def _choice(self, node: nodes.If, state: State, frame: Frame) -> Ways:
        yes, no = self.condition(node.cond, state)
        asked = self._asked(node.cond)
        ends: list[Ways] = []
        for before, branch in ((yes, node.then), (no, node.orelse)):
            if before is None or branch is None:
                ends.append(before)
                continue
            after = self.statement(branch, asking(before, asked), frame)
            ends.append(kept(before, guarded(before, after, asked)))
        return join(*ends)

    @staticmethod
    def _result(state: State, yes: Ways, no: Ways) -> Ways:
        """Join the results of a route whose result nobody looks at here: `$rc` may be read further down."""
        if yes is None or no is None:
            return join(yes, no)
        acts = [was if first is None or second is None else first
                for was, first, second in zip(state[:3], yes[:3], no[:3], strict=True)]
        return State(*acts, edited=yes.edited | no.edited)

    def _asked(self, cond: nodes.Node) -> frozenset[str]:
        """Return what a condition asks: its functions and variables, those of one meaning under one name."""
        found = set()
        for inner in self.unit.walk(cond):
            name = getattr(inner, "name", None)
            if isinstance(inner, (nodes.Call, nodes.OldOperand, nodes.VarRef)) and name:
                key = f"({inner.key})" if isinstance(inner, nodes.VarRef) and inner.key else ""
                found.add(_SUBJECTS.get(name, name + key))
            elif isinstance(inner, nodes.RouteCall):
                found.add(_OWN_STATE)
        return frozenset(found)

    def _leave(self, node: nodes.Node, state: State, frame: Frame) -> None:
        if isinstance(node, nodes.Break):
            frame.breaks = join(frame.breaks, state)
        elif isinstance(node, nodes.Return):
            code = node.code.value if isinstance(node.code, nodes.Num) else 1 if node.code is None else None
            if code is None or code > 0:
                frame.yes = join(frame.yes, state)
            if code is None or code < 0:
                frame.no = join(frame.no, state)

    def _loop(self, node: nodes.While | nodes.For | nodes.Switch, state: State, frame: Frame) -> Ways:
        outer, frame.breaks = frame.breaks, None
        end: Ways = state
        if isinstance(node, nodes.Switch):
            end = self._cases(node, state, frame)
        elif isinstance(node, nodes.While):
            yes, end = self.condition(node.cond, state)
            end = join(end, None if yes is None else self.statement(node.body, yes, frame))
        else:
            end = join(end, self.statement(node.body, state, frame))
        end = join(end, frame.breaks)
        frame.breaks = outer
        return end

    def _cases(self, node: nodes.Switch, state: State, frame: Frame) -> Ways:
        asked = self._asked(node.subject)
        end: Ways = state
        fallen: Ways = None
        for case in node.cases:
            after = self.body(case.body, join(asking(state, asked), fallen), frame)
            fallen = kept(state, guarded(state, after, asked))
            end = fallen if case.label is None else end
        frame.breaks = guarded(state, frame.breaks, asked)
        return join(end, fallen)

    # --- conditions and calls ---------------------------------------------------------------------------------------

    def condition(self, node: nodes.Node, state: State) -> Both:
        """Follow an expression; return the states behind true and false."""
        if isinstance(node, nodes.Not):
            yes, no = self.condition(node.operand, state)
            return Both(no, yes)
        if isinstance(node, nodes.Binary):
            return self._binary(node, state)
        if isinstance(node, nodes.RouteCall):
            route = self.unit.defined("route").get(self._name(node))
            self._reads(node, state)
            return Both(state, state) if route is None else self.route(route, state)
        self._reads(node, state)
        if any(isinstance(inner, nodes.VarRef) and inner.name in _RESULTS for inner in self.unit.walk(node)):
            state = state._replace(answered=None, relayed=None)     # the script looks whether it went well
        after = state
        for inner in self.unit.walk(node):
            if isinstance(inner, nodes.Call):
                after = self._call(inner, after)
        if isinstance(node, nodes.Call):                # what failed has neither answered nor relayed
            if node.name in _CHALLENGES:
                return Both(None, state)
            return Both(after, after._replace(answered=state.answered, relayed=state.relayed))
        return Both(after, after)

    def _binary(self, node: nodes.Binary, state: State) -> Both:
        left = self.condition(node.left, state)
        go_on, stay = (left.yes, left.no) if node.op == "and" else (left.no, left.yes)
        if go_on is None:
            return Both(None, stay) if node.op == "and" else Both(stay, None)
        right = self.condition(node.right, go_on)
        if node.op == "and":
            return Both(right.yes, join(stay, right.no))
        return Both(join(stay, right.yes), right.no)

    def _name(self, node: nodes.RouteCall) -> str:
        if isinstance(node.target, nodes.Str):
            return self.unit.constant(node.target) or ""
        return str(getattr(node.target, "name", getattr(node.target, "value", "")))

    def _call(self, call: nodes.Call, state: State) -> State:
        name = call.name
        act = Act(call.name_span)
        if name in RELAYS:
            if state.replied is not None and self._is_news(state.replied, call):
                self._warn("W631", f"{name}() after a final reply", call.name_span,
                           f'the reply at line {state.replied.span.line} is not followed by "exit" on every way')
            return state._replace(relayed=act)
        if name in REPLIES and (name == "sl_reply_error" or self._status(call) >= 200):
            self._twice(call, state)
            return state._replace(replied=act, answered=act)
        if name in _CHALLENGES:
            self._twice(call, state)
        elif name in _ANSWERS and not (name == "save" and "r" in self._flags(call)):
            self._twice(call, state)
            return state._replace(answered=act)
        elif name in _ADDS or name in _REMOVES:
            header = self._header(call, name in _ADDS)
            if header:
                return state._replace(edited=state.edited | {(header, call.name_span)})
        return state

    def _is_news(self, act: Act, call: nodes.Call) -> bool:
        """Say whether the missing exit behind an act is not told yet, but for this very call."""
        return self._told.setdefault(act.span, call.name_span) == call.name_span

    def _twice(self, call: nodes.Call, state: State) -> None:
        """Warn of an answer to a request that is answered or relayed."""
        if state.answered is not None and self._is_news(state.answered, call):
            self._warn("W643", f"{call.name}() after a final reply", call.name_span,
                       f'the one at line {state.answered.span.line} is not followed by "exit" on every way')
        elif state.relayed is not None and self._is_news(state.relayed, call):
            self._warn("W642", f"{call.name}() after the request was relayed", call.name_span,
                       f"the relay at line {state.relayed.span.line} is not followed by \"exit\"; "
                       f"if (!...) asks whether it failed")

    @staticmethod
    def _flags(call: nodes.Call) -> str:
        """Return the flags of save(); with an `r`, or the word no-reply, it may answer nothing."""
        second = call.args[1] if len(call.args) > 1 else None
        return second.value if isinstance(second, nodes.Str) else ""

    def _status(self, call: nodes.Call) -> int:
        first = call.args[0] if call.args else None
        if isinstance(first, nodes.Num):
            return first.value
        return int(first.value) if isinstance(first, nodes.Str) and first.value.isdecimal() else 0

    def _header(self, call: nodes.Call, is_line: bool) -> str:
        first = call.args[0] if call.args else None
        if not isinstance(first, nodes.Str):
            return ""
        name = first.value.partition(":")[0] if is_line else first.value
        return "" if "$" in name or is_line and ":" not in first.value else name.strip().lower()

    # --- reads ------------------------------------------------------------------------------------------------------

    def _reads(self, node: nodes.Node, state: State) -> None:
        """Warn of headers that an expression reads although they were edited before it."""
        if not state.edited:
            return
        edits = dict(sorted(state.edited, key=lambda item: (item[1].line, item[1].col), reverse=True))
        for name, span in self._headers(node):
            if name.lower() in edits:
                self._warn("W635", f'"{name}" is read as it was received', span,
                           f"the edit at line {edits[name.lower()].line} shows only in what is sent")

    def _headers(self, node: nodes.Node) -> Iterator[tuple[str, Span]]:
        for inner in self.unit.walk(node):
            if isinstance(inner, nodes.VarRef):
                yield from _header_of(inner)
            elif isinstance(inner, nodes.Xlog):
                yield from self._in_text(inner.text)
            elif isinstance(inner, nodes.Call):
                if inner.name in _READS and inner.args and isinstance(inner.args[0], nodes.Str):
                    yield inner.args[0].value, inner.args[0].span
                spec = self.registry.function(inner.name)
                for place, given in enumerate(inner.args if spec else ()):
                    arg = arg_of(spec, place)                           # type: ignore[arg-type]
                    if arg is not None and arg.kind in FORMATS and isinstance(given, nodes.Str):
                        yield from self._in_text(given)

    def _in_text(self, text: nodes.Str) -> Iterator[tuple[str, Span]]:
        if "$" in text.value:
            for part in self.unit.format(text)[0].parts:
                if isinstance(part, nodes.VarRef):
                    yield from _header_of(part)

    def _warn(self, code: str, message: str, span: Span, hint: str) -> None:
        self.found.setdefault((code, span), Diagnostic(code, message, span, Severity.WARNING, hint))


def _header_of(var: nodes.VarRef) -> Iterator[tuple[str, Span]]:
    if var.name == "hdr" and var.key and var.key_var is None and var.context is None:
        yield var.key, var.span
