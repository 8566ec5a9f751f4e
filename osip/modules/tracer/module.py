"""Declare tracer: which messages, xlog lines and REST calls are traced, and what management may ask for."""
from __future__ import annotations

import itertools
from typing import Annotated, Any

from osip.api import (
    HEP_LOG,
    Complaint,
    Ctx,
    Env,
    MIError,
    Module,
    ModuleError,
    OsipError,
    Parse,
    Role,
    Route,
    Scope,
    avp_name,
    function,
    gauge,
    mi,
    needs,
    open_tables,
    param,
    slot,
    stat,
    table,
    timer,
)
from osip.modules.tracer.place import SQL, Place, parse_places, parse_trace
from osip.modules.tracer.tap import Tap
from osip.modules.tracer.target import (
    FileTarget,
    HepTarget,
    SipTarget,
    SqlTarget,
    SyslogTarget,
    Target,
)
from osip.modules.tracer.trace import (
    TYPES,
    Trace,
    parse_filter,
    parse_scope,
    parse_side,
    parse_types,
)
from osip.modules.tracer.watch import Watch

ROUTES = "QFRBL"
OLD = "siptrace"            # name of the trace that db_url and duplicate_uri of 1.x make
STARTED = 100               # traces that management may have started at a time
HEP_XLOG = 86               # 0x56, what opensips-cli takes for a log line
_LOCAL = int(Route.LOCAL)
_START = tuple(("id", "uri", *some) for count in range(4)
               for some in itertools.combinations(("filter", "scope", "type"), count))
ScopeOf = Annotated[str, Parse(parse_scope)]
TypesOf = Annotated[frozenset, Parse(parse_types)]
SideOf = Annotated[str, Parse(parse_side)]


def _column(name: str) -> Any:
    return param(name, doc="Column name.")


def file_mode(value: int | str) -> int:
    """Read permissions: of a text the digits are octal, as a number the script has read them already (0600)."""
    try:
        mode = value if isinstance(value, int) else int(value, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777:
        raise ValueError(f'"{value}" are no permissions: write 0600')
    return mode


class Tracer(Module):
    """Copies of messages, of the script's lines about them and of REST calls, to HEP, SQL, SIP, syslog and files."""

    trace_id = param(multiple=True, kind=str, parse=parse_trace,
                     doc='A name, and the places of its traces: '
                         '"[name]uri=hep:id;uri=mysql://…;table=sip_trace;uri=file:/path".')
    trace_on = param(1, ge=0, le=1, doc="0: nothing is traced until management switches it on.")
    trace_local_ip = param("", doc="[proto:]address[:port] that stands in traces for this server's own.")
    file_mode = param(0o600, kind=(int, str), parse=file_mode, doc="Permissions of new files, in octal digits.")
    syslog_default_level = param(None, kind=int, doc="Level of syslog places that name none; unset: log_level.")
    syslog_default_facility = param(None, kind=str, doc="Facility of syslog places that name none; unset: "
                                                        "syslog_facility.")
    date_column = _column("time_stamp")
    callid_column = _column("callid")
    trace_attrs_column = _column("trace_attrs")
    msg_column = _column("msg")
    method_column = _column("method")
    status_column = _column("status")
    fromproto_column = _column("from_proto")
    fromip_column = _column("from_ip")
    fromport_column = _column("from_port")
    toproto_column = _column("to_proto")
    toip_column = _column("to_ip")
    toport_column = _column("to_port")
    fromtag_column = _column("fromtag")
    direction_column = _column("direction")
    db_url = param("", doc="1.x: database of sip_trace() without a name.")
    old_table = param("sip_trace", name="table", doc="1.x: its table.")
    trace_flag = param(None, kind=(int, str), doc="1.x: message flag; transactions with it are traced unasked.")
    traced_user_avp = param("", doc="1.x: AVP whose value is written as trace_attrs; it arms sip_trace(), too.")
    trace_table_avp = param("", removed="name the table in trace_id; every trace may have its own")
    traced_user_column = param("traced_user", removed="the value goes into trace_attrs")
    duplicate_uri = param("", doc="1.x: SIP URI that gets a copy of what sip_trace() traces.")
    trace_to_database = param(1, ge=0, le=1, doc="1.x: 0 leaves the database out.")
    duplicate_with_hep = param(0, ge=0, le=1, doc="1.x: 1 sends the copies as HEP.")
    hep_version = param(1, ge=1, le=3, doc="1.x: version of HEP.")
    hep_capture_id = param(1, removed="a parameter of proto_hep")
    enable_ack_trace = param(0, removed="an ACK is traced with its transaction")
    rows = table("sip_trace", 5, "time_stamp dt=1900-01-01 00:00:01, callid char(255)='', trace_attrs char(255)?, "
                 "msg text, method char(32)='', status char(255)?, from_proto char(5), from_ip char(50)='', "
                 "from_port i32u, to_proto char(5), to_ip char(50)='', to_port i32u, fromtag char(64)='', "
                 "direction char(4)=''")
    traced_requests = stat("Requests traced.")
    traced_replies = stat("Replies traced.")
    marks = slot(list)

    @gauge()
    def lost_records(self) -> int:
        """Records that a place did not take."""
        return sum(target.lost for trace in self.traces.values() for target in trace.targets)

    proto_hep = needs("proto_hep", optional=True)
    tm = needs("tm", optional=True)

    # --- life ----------------------------------------------------------------------------------------------------

    def mod_init(self) -> None:
        """Make the traces that the script names."""
        self.is_on = bool(self.trace_on)
        self._complain = Complaint(self.env.log, clock=lambda: self.env.now)
        self._columns = {"time_stamp": self.date_column, "callid": self.callid_column,
                         "trace_attrs": self.trace_attrs_column, "msg": self.msg_column, "method": self.method_column,
                         "status": self.status_column, "from_proto": self.fromproto_column,
                         "from_ip": self.fromip_column, "from_port": self.fromport_column,
                         "to_proto": self.toproto_column, "to_ip": self.toip_column, "to_port": self.toport_column,
                         "fromtag": self.fromtag_column, "direction": self.direction_column}
        self.traces: dict[str, Trace] = {}
        for name, places in [*self.trace_id, *self._old_places()]:
            made = [self._target(place) for place in places]
            self.traces.setdefault(name, Trace(name, [])).targets.extend(made)
        for one in self.traces.values():
            one.log_kind = HEP_LOG
        self.tap = Tap(self)
        self._bit = self.env.message_flags.bit(str(self.trace_flag)) if self.trace_flag not in (None, -1) else 0
        self._user_avp = avp_name(self.traced_user_avp) if self.traced_user_avp else ""
        if self._bit and self.tm is not None:
            self.tm.on_created.append(self._created)

    def _old_places(self) -> list[tuple[str, list[Place]]]:
        places = []
        if self.trace_to_database and self.db_url:
            places.append(Place(SQL, self.db_url, {"table": self.old_table}))
        if self.duplicate_uri:
            if self.duplicate_with_hep:
                text = self.duplicate_uri.removeprefix("sip:").partition(";")[0]
                places += parse_places(f"uri=hep:{text};version={self.hep_version}")
            else:
                places += parse_places(f"uri={self.duplicate_uri}")
        return [(OLD, places)] if places else []

    def _target(self, place: Place) -> Target:
        env, complain = self.env, self._complain
        if place.kind == SQL:
            return SqlTarget(env, place, complain, self._columns, self._check_table)
        if place.kind == "hep":
            return HepTarget(env, place, complain, self.proto_hep)
        if place.kind == "file":
            return FileTarget(env, place, complain, self.file_mode)
        if place.kind == "syslog":
            level = self.syslog_default_level if self.syslog_default_level is not None else env.config.log_level
            try:
                return SyslogTarget(env, place, complain, max(-3, min(4, level)) or -1,
                                    self.syslog_default_facility or str(env.config.syslog_facility))
            except ValueError as error:
                raise ModuleError(f"tracer: {error}") from None
        return SipTarget(env, place, complain, lambda data, dest: self.tap.send(data, dest))

    async def _check_table(self, url: str, name: str) -> None:
        await open_tables(self.env, url, {name: self.rows}, "tracer")

    async def child_init(self, env: Env) -> None:
        """Open the places."""
        for trace in self.traces.values():
            for target in trace.targets:
                try:
                    await target.open()
                except OsipError as error:
                    words = str(error).removeprefix("tracer: ")
                    raise ModuleError(f'tracer: trace_id "{trace.name}": {words}') from error

    async def destroy(self) -> None:
        """Write what is left and close the places."""
        self.tap.close()
        for trace in self.traces.values():
            for target in trace.targets:
                await target.close()

    @timer(5.0)
    def sweep(self) -> None:
        """Forget the transactions and dialogs that are over."""
        self.tap.sweep()

    def tell(self, ctx: Ctx, kind: str, text: str) -> None:
        """Trace a text of another module about the message of `ctx`, if that message and this kind are traced."""
        if self.is_on:
            self.tap.tell(ctx, kind, text)

    # --- functions -----------------------------------------------------------------------------------------------

    @function(ROUTES, aliases=("sip_trace",))
    def trace(self, ctx: Ctx, id: str | None = None, scope: ScopeOf | None = None, type: TypesOf | None = None,
              attrs: str | None = None, flags: SideOf | None = None, correlation: str | None = None) -> int:
        """Trace this message (m), its transaction (t) or its dialog (d, b), the widest there is without a scope.

        A dialog is followed by its Call-ID, from the request that is traced to the answer to its BYE; the module
        dialog is not needed. What leaves with another Call-ID is not part of it.
        """
        trace = self._named(id)
        if trace is None:
            return -1
        if not self.is_on or not trace.is_on or (id is None and not self._is_armed(ctx)):
            return 1
        msg = ctx.msg
        if msg is None:
            return -1
        scope = scope or ("d" if msg.method == "INVITE" else "t")
        types = type or frozenset(("sip",))
        found = self.tap.watches.find(trace, msg)
        if found is not None:                       # it was begun before: the tap has seen this message
            found.types |= types
            return 1
        watch = Watch(trace, msg, scope == "d", types, self.env.now)
        watch.attrs, watch.side, watch.correlation = attrs or self._traced_user(ctx), flags or "", correlation or ""
        if scope == "m":
            ctx[self.marks] = [*(ctx[self.marks] or ()), watch]
        elif not self.tap.watches.add(watch):
            self._complain("trace_full", "trace=%s: too many transactions are traced, this one is not", trace.name)
            return -1
        self.tap.hear(types)
        if ctx.kind != _LOCAL and ctx.source is not None and "sip" in types:
            self.tap.came(watch, msg, ctx.source)
        return 1

    @function("Q")
    def trace_dialog(self, ctx: Ctx, id: str | None = None) -> int:
        """Trace the dialog that this request begins (1.x and 2.1; now `trace(id, "d")`)."""
        return int(self.trace(ctx, id, "d"))

    def _named(self, id: str | None) -> Trace | None:
        if id is None:
            id = OLD if OLD in self.traces or len(self.traces) != 1 else next(iter(self.traces))
        found = self.traces.get(id)
        if found is None:
            known = ", ".join(self.traces) or 'none; write modparam("tracer", "trace_id", "[name]uri=...")'
            self._complain(f"trace_id_{len(id)}", "there is no trace_id %r; there are: %s", id, known)
        return found

    def _is_armed(self, ctx: Ctx) -> bool:
        """Say whether a request is to be traced by sip_trace() of 1.x, which the flag or the AVP arms."""
        if not self._bit and not self._user_avp:
            return True
        return bool(ctx.flags & self._bit) or bool(self._traced_user(ctx))

    def _traced_user(self, ctx: Ctx) -> str | None:
        values = ctx.avps.get(self._user_avp) if self._user_avp and ctx.avps else None
        return str(values[-1]) if values else None

    def _created(self, tx: Any, ctx: Ctx) -> None:
        if tx.flags & self._bit and self._named(None) is not None:
            self.trace(ctx, None, "t")

    # --- management ----------------------------------------------------------------------------------------------

    @mi("trace", aliases=("trace", "sip_trace"), recipes=((), ("id",), ("mode",), ("id", "mode")),
        scope=Scope.EACH)
    def mi_trace(self, id: str | None = None, mode: str | None = None) -> dict[str, Any] | None:
        """Show what is traced, or switch all of it or one trace on or off."""
        if mode not in (None, "on", "off"):
            raise MIError(-32602, "Invalid params", "a mode is on or off")
        if id is not None and id not in self.traces:
            raise MIError(404, "No such trace", f"there are: {', '.join(self.traces) or 'none'}")
        if mode is None:
            if self.env.number:                     # every worker has the same: one tells
                return {}
            if id is not None:
                return self.traces[id].describe()
            return {"global": "on" if self.is_on else "off",
                    "trace destinations": [one.describe() for one in self.traces.values()]}
        if id is None:
            self.is_on = mode == "on"
        else:
            self.traces[id].is_on = mode == "on"
        return None

    @mi("start", aliases=("trace_start",), recipes=_START, scope=Scope.EACH, role=Role.ADMIN)
    async def mi_start(self, id: str, uri: str, filter: Any = None, scope: str | None = None,
                       type: str | None = None) -> None:
        """Trace from now on what begins and meets a filter (caller=, callee=, ip=), to a place as in trace_id."""
        if id in self.traces:
            raise MIError(400, "Trace exists", f'a trace "{id}" is there already; stop it first')
        if sum(one.conditions is not None for one in self.traces.values()) >= STARTED:
            raise MIError(500, "Too many traces", f"{STARTED} were started already; trace_stop ends one")
        try:
            places = parse_places(uri if uri.lstrip().startswith("uri=") else f"uri={uri}")
            trace = Trace(id, [self._target(place) for place in places])
            trace.conditions = parse_filter(filter or "")
            trace.scope = parse_scope(scope) if scope else ""
            trace.types = parse_types(type) if type else frozenset(TYPES)
        except (ValueError, ModuleError) as error:
            raise MIError(400, "Bad trace", str(error)) from None
        trace.log_kind = HEP_XLOG
        try:
            for target in trace.targets:
                await target.open()
        except OsipError as error:
            for target in trace.targets:
                await target.close()
            raise MIError(500, "Cannot trace there", str(error)) from None
        self.traces[id] = trace
        self.tap.started()
        self.tap.hear(trace.types)

    @mi("stop", aliases=("trace_stop",), scope=Scope.EACH)
    async def mi_stop(self, id: str) -> None:
        """End a trace that trace_start began."""
        trace = self.traces.get(id)
        if trace is None or trace.conditions is None:
            raise MIError(404, "No such trace", "only what trace_start began can be stopped; trace lists all")
        del self.traces[id]
        self.tap.stopped(trace)
        for target in trace.targets:
            await target.close()
