"""See the messages that come and go, while anything is traced: with nothing to trace, nothing here is called."""
from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from osip.api import (
    Ctx,
    Dest,
    Message,
    ParseError,
    Source,
    log_origin,
    parse,
    parse_endpoint,
)
from osip.modules.tracer.record import NOWHERE, End, Record, record_of
from osip.modules.tracer.watch import Watch, Watches

if TYPE_CHECKING:
    from osip.modules.tracer.module import Tracer
    from osip.modules.tracer.trace import Trace

_CALL_ID = re.compile(rb"\r\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r\n", re.IGNORECASE).search


class ScriptLines(logging.Handler):
    """Hear the lines that scripts write with xlog."""

    def __init__(self, tap: Tap) -> None:
        super().__init__(1)
        self._tap = tap

    def emit(self, record: logging.LogRecord) -> None:
        """Trace a line when its message is traced."""
        ctx = log_origin(record).ctx
        if ctx is not None:
            self._tap.tell(ctx, "xlog", record.getMessage())


class Tap:
    """What a tracer sees. `watches` are the transactions and dialogs that are traced now."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer, self._env = tracer, tracer.env
        self.watches = Watches(self._changed)
        self._started: list[Trace] = []                 # traces of management: their filters look at every request
        self._lines: ScriptLines | None = None
        self._plain: Any = None                         # how to send, while the tap is open
        local = parse_endpoint(tracer.trace_local_ip) if tracer.trace_local_ip else None
        self._local = local

    # --- open only while it is needed ----------------------------------------------------------------------------

    def _changed(self) -> None:
        env, is_needed = self._env, bool(self.watches.count or self._started)
        if is_needed and self._plain is None:
            self._plain = env.send
            env.send, env.dispatch.tap = self._sending, self._came_by
        elif not is_needed and self._plain is not None and env.send == self._sending:
            env.send, env.dispatch.tap = self._plain, None
            self._plain = None

    def started(self) -> None:
        """Take notice of a trace that management started."""
        self._started = [one for one in self._tracer.traces.values() if one.conditions is not None]
        self._changed()

    def stopped(self, trace: Trace) -> None:
        """Forget a trace."""
        self.watches.keep(lambda one: one.trace is not trace)
        self.started()

    def hear(self, types: frozenset[str]) -> None:
        """Listen to the script's lines when they are traced."""
        if "xlog" in types and self._lines is None:
            self._lines = ScriptLines(self)
            self._env.log.getChild("script").addHandler(self._lines)

    def close(self) -> None:
        """See nothing more."""
        self._started = []
        self.watches.keep(lambda one: False)
        self._changed()
        if self._lines is not None:
            self._env.log.getChild("script").removeHandler(self._lines)
            self._lines = None

    def sweep(self) -> None:
        """Forget what is over."""
        now = self._env.now
        self.watches.keep(lambda one: one.until > now)

    # --- messages ------------------------------------------------------------------------------------------------

    def send(self, data: bytes, dest: Dest) -> bool:
        """Send something that is no part of what is traced."""
        return bool((self._plain or self._env.send)(data, dest))

    def _came_by(self, msg: Message, source: Source) -> None:
        if msg.is_request:
            for trace in self._started:
                if trace.is_on and self._tracer.is_on and trace.wants(msg, source):
                    self._begin(trace, msg, source)
        for watch in self.watches.of(msg.call_id):
            if watch.covers(msg):
                watch.move(msg, "in", self._env.now)
                if "sip" in watch.types:
                    self.came(watch, msg, source)

    def _begin(self, trace: Trace, msg: Message, source: Source) -> None:
        scope = trace.scope or ("d" if msg.method == "INVITE" else "t")
        if scope == "d" and msg.to_tag and trace.scope:     # a dialog is traced from its beginning
            return
        watch = Watch(trace, msg, scope == "d", trace.types, self._env.now)
        if scope == "m":
            self.came(watch, msg, source)
        elif self.watches.find(trace, msg) is None:
            self.watches.add(watch)

    def came(self, watch: Watch, msg: Message, source: Source) -> None:
        """Trace a message that came."""
        if watch.is_wanted(msg, "in"):
            there = End(source.socket.proto, source.host, source.port)
            self._write(watch, record_of(msg, msg.raw, self._env.wall(), there, self._here(source.socket), "in"), msg)

    def _sending(self, data: bytes, dest: Dest) -> bool:
        is_sent = bool(self._plain(data, dest))
        found = _CALL_ID(data) if is_sent and self.watches.count else None
        if found is not None:
            watches = self.watches.of(found[1].decode("utf-8", "surrogateescape"))
            if watches:
                self._left(watches, data, dest)
        return is_sent

    def _left(self, watches: Any, data: bytes, dest: Dest) -> None:
        try:
            msg = parse(data)
            for watch in watches:
                if watch.covers(msg):
                    watch.move(msg, "out", self._env.now)
                    if "sip" in watch.types and watch.is_wanted(msg, "out"):
                        socket = dest.socket or self._env.pick_socket(dest.proto, ":" in dest.host)
                        there = End(dest.proto, dest.host, dest.port)
                        here, when = self._here(socket), self._env.wall()
                        self._write(watch, record_of(msg, data, when, here, there, "out"), msg)
        except ParseError:                              # a script may send anything: it is not traced
            return

    def _here(self, socket: Any) -> End:
        if socket is None:
            return NOWHERE
        local = self._local
        if local is None:
            return End(socket.proto, socket.host, socket.port)
        return End(local.proto or socket.proto, local.host, local.port or socket.port)

    def _write(self, watch: Watch, record: Record, msg: Message | None = None) -> None:
        tracer, trace = self._tracer, watch.trace
        if not trace.is_on or not tracer.is_on:
            return
        record.attrs = watch.attrs
        if watch.correlation:
            record.call_id = watch.correlation
        record.log_kind = trace.log_kind
        if msg is not None and msg.is_request:
            tracer.traced_requests += 1
        elif msg is not None:
            tracer.traced_replies += 1
        for target in trace.targets:
            target.take(record)

    # --- lines about messages ------------------------------------------------------------------------------------

    def tell(self, ctx: Ctx, kind: str, text: str) -> None:
        """Trace a text about the message of `ctx` (kind: xlog, rest), if that message is traced."""
        msg = ctx.msg
        if msg is None:
            return
        try:
            watches = [*(ctx[self._tracer.marks] or ()), *(one for one in self.watches.of(msg.call_id)
                                                          if one.covers(msg))]
        except ParseError:
            return
        for watch in watches:
            if kind in watch.types:
                here = self._here(ctx.source.socket if ctx.source is not None else None)
                self._write(watch, Record(self._env.wall(), msg.call_id, text.encode("utf-8", "surrogateescape"), here,
                                          here, "in", msg.method, "", msg.from_tag, kind=kind))
