"""Take one message through the server: parse, hooks, route, and what the rules say when no route decides.

Bytes from the network never raise past `receive` (architecture.md section 3).
"""
from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from osip.core.errors import ParseError
from osip.core.exports.registry import Registry
from osip.core.exports.spec import Hook, StatKind
from osip.core.run import forward, reply
from osip.core.run.ctx import ERROR, ONREPLY, Ctx
from osip.core.run.place import place_in
from osip.core.sip.message import READER, Request, Response, check, parse
from osip.core.sip.names import M_ACK, M_CANCEL, M_INVITE, METHOD_IDS

if TYPE_CHECKING:
    from osip.core.net.endpoint import LocalSocket, Source
    from osip.core.run.env import Env
    from osip.core.run.program import Program, RouteFn

_log = logging.getLogger("osip.core")
_PARSE: Final[Any] = parse
_TAKE: Final[Any] = None if READER is None else READER.take
_REQUEST: Final[Any] = Request
_RESPONSE: Final[Any] = Response

COUNTERS = ("rcv_requests", "rcv_replies", "fwd_requests", "fwd_replies", "drop_requests", "drop_replies",
            "err_requests", "err_replies", "bad_URIs_rcvd", "bad_msg_hdr", "slow_messages")
BAD_LINES, FAILURE_LINES = 1, 20
"""Log lines a second about bad messages, and about routes that failed: a peer must not be able to fill the log."""


class Quota:
    """Bound how often something is logged: so many times a second, the rest is counted."""
    __slots__ = ("_most", "_second", "_used", "muted")

    def __init__(self, most: int) -> None:
        self._most, self._second, self._used, self.muted = most, float("-inf"), 0, 0

    def take(self, now: float) -> int:
        """Return how many were muted before this one; -1 when this one is muted too."""
        if now - self._second >= 1.0:
            self._second, self._used = now, 0
        if self._used >= self._most:
            self.muted += 1
            return -1
        self._used += 1
        muted, self.muted = self.muted, 0
        return muted


class Dispatch:
    """The one door for messages of a worker; its counters are the `core:` statistics."""
    __slots__ = (*COUNTERS, "env", "program", "_known_program", "_on_request", "_on_reply", "draining", "leaving", "_known_hooks", "_request_hooks",
                 "_response_hooks", "_end_hooks",
                 "_bad_quota", "_failure_quota", "_threshold", "number", "elsewhere", "tap")

    rcv_requests: int
    rcv_replies: int
    fwd_requests: int
    fwd_replies: int
    drop_requests: int
    drop_replies: int
    err_requests: int
    err_replies: int
    bad_URIs_rcvd: int
    bad_msg_hdr: int
    slow_messages: int

    def __init__(self, env: Env, registry: Registry) -> None:
        self.env = env
        self.program: Program | None = None
        self._known_program: Program | None = None
        self._on_request: RouteFn | None = None
        self._on_reply: RouteFn | None = None
        self.draining = False
        self.leaving: set[LocalSocket] = set()      # sockets that take nothing new: they will be closed
        for name in COUNTERS:
            setattr(self, name, 0)
        # By method id.
        self._request_hooks = [hooks(registry, Hook.REQUEST, number) for number in range(max(METHOD_IDS.values()) + 1)]
        self._response_hooks = hooks(registry, Hook.RESPONSE)
        self._known_hooks = hooks(registry, Hook.KNOWN)
        self._end_hooks = hooks(registry, Hook.SCRIPT_END)
        self._bad_quota, self._failure_quota = Quota(BAD_LINES), Quota(FAILURE_LINES)
        env.quick.read(env.config)
        self._threshold = env.quick.exec_msg_threshold
        self.number = 0                 # of the message: `$mi`
        # With several workers: (branch, raw, source) -> True when a response went to the worker that its Via names.
        self.elsewhere: Callable[[str, bytes, Source], bool] | None = None
        self.tap: Callable[[Any, Source], None] | None = None       # sees each message that is served here, for traces
        for name in COUNTERS:
            self._register(name)

    def _register(self, name: str) -> None:
        self.env.stats.register("core", name, lambda: getattr(self, name), StatKind.COUNTER,
                                lambda: setattr(self, name, 0))

    def refresh(self) -> None:
        """Look at the settings again, after a reload."""
        self.env.quick.read(self.env.config)
        self._threshold = self.env.quick.exec_msg_threshold

    # --- in ---------------------------------------------------------------------------------------------------------

    def batch_start(self) -> None:
        """A transport has input: read the clock once for the batch, and keep its log lines for the end."""
        env = self.env
        env.now = time.monotonic()
        env.hold.is_open = True

    def batch_end(self) -> None:
        """The batch is done: write its log lines, and tell other workers, before what was sent meanwhile leaves.

        Who reads an answer finds what it says in every worker.
        """
        env = self.env
        env.hold.close()
        if env.workers > 1:
            env.bus.flush()

    def receive(self, raw: bytes, source: Source) -> None:
        """Handle one message as it came from the network."""
        self.number += 1
        started = time.perf_counter() if self._threshold else 0.0
        try:
            self._receive(raw, source)
        except ParseError as error:                     # a header that a module or the script found broken
            self._bad(raw, source, error)
        except Exception as error:
            self.err_requests += 1
            self._log_failure(None, error)
        if self._threshold and (time.perf_counter() - started) * 1e6 > self._threshold:
            self.slow_messages += 1
            self.env.events.raise_event("E_CORE_THRESHOLD", {
                "source": "msg processing", "time": int((time.perf_counter() - started) * 1e6),
                "extra": raw[:60].decode("utf-8", "replace")})
            _log.warning("slow message microseconds=%d limit=%d start=%r",
                         (time.perf_counter() - started) * 1e6, self._threshold, raw[:60])

    def _receive(self, raw: bytes, source: Source) -> None:
        msg = None if _TAKE is None else _TAKE(raw)
        if msg is None:
            msg = self._parsed(raw, source)
            if msg is None:
                return
        kind: Any = type(msg)
        if kind is _REQUEST or (kind is not _RESPONSE and msg.is_request):
            self._request(msg, source)
        else:
            self._response(msg, source)

    def _parsed(self, raw: bytes, source: Source) -> Any:
        """Read a message that may be unusual; None when it was bad, and that was answered."""
        try:
            msg = _PARSE(raw)
            fault = None if msg.checked else check(msg)
        except ParseError as error:
            self._bad(raw, source, error)
            return None
        if fault is not None:
            self._bad(raw, source, fault, msg)
            return None
        return msg

    def _request(self, msg: Any, source: Source) -> None:
        self.rcv_requests += 1
        if self.tap is not None:
            self.tap(msg, source)
        ctx = Ctx(self.env, msg, source)
        number: int = msg.method_id
        for taken in self._request_hooks[number]:
            if taken(ctx):
                return
        if (self.draining or self.leaving) and self._is_refused(msg, source):
            ctx.reply_edits = [b"Retry-After: 10\r\n"]
            self.env.reply(ctx, 503, "Server Shutting Down" if self.draining else "Socket Closing")
            return
        if self.program is not self._known_program:
            self._look_at_program()
        route = self._on_request
        if route is None:
            self.drop_requests += 1
            return
        self.run_route(route, ctx)

    def _look_at_program(self) -> None:
        """Keep the routes of a new program that messages run."""
        program = self._known_program = self.program
        self._on_request = program.request if program is not None else None
        self._on_reply = program.reply if program is not None else None

    def _is_refused(self, msg: Any, source: Source) -> bool:
        """Say whether a request is new, while nothing new is taken: new calls at all, or anything over that socket."""
        if msg.to_tag or msg.method_id in (M_ACK, M_CANCEL):
            return False
        if source.socket not in self.leaving and not (self.draining and msg.method_id == M_INVITE):
            return False
        return not any(known(msg) for known in self._known_hooks)

    def _response(self, msg: Any, source: Source) -> None:
        if self.elsewhere is not None and self.elsewhere(msg.via1.branch, msg.raw, source):
            return
        self.rcv_replies += 1
        if self.tap is not None:
            self.tap(msg, source)
        env = self.env
        ctx = Ctx(env, msg, source, ONREPLY)
        if env.quick.check_via and not env.is_myself(msg.via1.host, msg.via1.port or 5060):
            self.drop_replies += 1
            return
        if self.program is not self._known_program:
            self._look_at_program()
        route = self._on_reply
        if route is not None:
            self.run_route(route, ctx)
            if ctx.dropped and msg.status < 200:
                self.drop_replies += 1
                return
        for taken in self._response_hooks:
            if taken(ctx):
                return
        self._forward_response(ctx)

    def _forward_response(self, ctx: Ctx) -> None:
        if not self.env.quick.stateless_fwd:
            self.drop_replies += 1
        elif forward.send_response(ctx):
            self.fwd_replies += 1
        else:
            self.drop_replies += 1

    # --- routes -----------------------------------------------------------------------------------------------------

    def run_route(self, route: RouteFn, ctx: Ctx) -> int:
        """Run a top route; a coroutine goes on beside the packet path and counts as 0 (stopped) here."""
        try:
            code = route(ctx)
        except Exception as error:
            self.failed(ctx, error)
            code = -1
        if not isinstance(code, int):
            self.env.spawn(self._wait(code, ctx), "route")      # type: ignore[arg-type]
            return 0
        for hook in self._end_hooks:
            hook(ctx)
        return code

    async def _wait(self, coro: Coroutine[Any, Any, int], ctx: Ctx) -> None:
        try:
            await coro
        except Exception as error:
            self.failed(ctx, error)
        for hook in self._end_hooks:
            hook(ctx)

    def failed(self, ctx: Ctx, error: BaseException) -> None:
        """Report an exception out of a route: one line, a count, and a 500 when the request can still have one.

        A header that could not be read is the peer's fault when the message as received has one: that is a 400.
        """
        code, reason = 500, "Server Internal Error"
        fault = check(ctx.msg, True) if isinstance(error, ParseError) and ctx.source is not None else None
        if fault is not None:
            self._count_bad(ctx.msg.raw, ctx.source, fault, ctx.msg)        # type: ignore[arg-type]
            code, reason = fault.code, reply.REASON_OF_BAD.get(fault.code, "Bad Request")
        else:
            self.err_requests += 1
            self._log_failure(ctx, error)
        if ctx.kind == 1 and ctx.msg is not None and ctx.msg.is_request and ctx.msg.method_id != M_ACK:
            try:
                self.env.reply(ctx, code, reason)
            except Exception as second:                         # the failure may have broken what replying needs
                _log.error("no reply sent after a failure error=%r", second)

    def _log_failure(self, ctx: Ctx | None, error: BaseException) -> None:
        muted = self._failure_quota.take(self.env.now)
        if muted < 0:
            return
        where = script_position(error)
        call_id = ""
        if ctx is not None and ctx.msg is not None:
            try:
                call_id = ctx.msg.call_id
            except ParseError:
                call_id = "?"
        _log.error("route failed at=%s function=%s error=%r call_id=%s more_since_last=%d", where[0], where[1], error,
                   call_id, muted, exc_info=error if _log.isEnabledFor(logging.DEBUG) else None)

    # --- bad input --------------------------------------------------------------------------------------------------

    def _bad(self, raw: bytes, source: Source, error: ParseError, msg: Any = None) -> None:
        msg = msg if msg is not None else error.partial
        self._count_bad(raw, source, error, msg)
        if msg is None or not msg.is_request:
            return
        self._answer_bad(msg, source, error)

    def _count_bad(self, raw: bytes, source: Source, error: ParseError, msg: Any) -> None:
        if raw[:8] == b"SIP/2.0 " or (msg is not None and not msg.is_request):
            self.err_replies += 1
        else:
            self.err_requests += 1
        self.bad_msg_hdr += 1
        muted = self._bad_quota.take(self.env.now)
        if muted >= 0:
            _log.warning("bad message reason=%s from=%s:%s:%d offset=%d more_since_last=%d start=%r", error.reason,
                         source.socket.proto, source.host, source.port, error.offset, muted, raw[:60])

    def _answer_bad(self, msg: Any, source: Source, error: ParseError) -> None:
        ctx = Ctx(self.env, msg, source, ERROR)
        ctx.error = (1, 3, error.reason, error.code, reply.REASON_OF_BAD.get(error.code, "Bad Request"))
        if self.program is not None and self.program.error is not None:
            self.run_route(self.program.error, ctx)
        elif msg.method_id != M_ACK:
            try:
                reply.send_stateless(ctx, error.code, ctx.error[4])
            except ParseError:                                  # too broken to answer: nowhere to send to
                self.drop_requests += 1


def hooks(registry: Registry, point: Hook, method: int = -1) -> list[Callable[..., Any]]:
    """Return the bound methods of all modules for one hook, in order; with a method's id those that want to see it."""
    found = [(spec.order, getattr(instance, spec.attr)) for instance in registry.instances.values()
             for spec in instance.spec.hooks
             if spec.hook is point and (method < 0 or not spec.methods or method in spec.methods)]
    return [method for _, method in sorted(found, key=lambda pair: pair[0])]


def script_position(error: BaseException) -> tuple[str, str]:
    """Return (file:line of the script, name of the function that raised) from a traceback."""
    where = name = "-"
    for frame, line in traceback.walk_tb(error.__traceback__):
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        if not file.endswith((".py", ".pyx", ".so")) and not file.startswith("<"):
            where = place_in(frame.f_globals, file, line)
    return where, name
