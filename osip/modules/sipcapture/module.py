"""Store captured messages in SQL tables, and look into HEP packets from scripts."""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Literal

from osip.api import (
    HEP_SIP,
    CapturedSource,
    Complaint,
    Ctx,
    Env,
    HepPacket,
    LocalSocket,
    MIError,
    Module,
    ModuleError,
    Parse,
    ParseError,
    RowWriter,
    Scope,
    StoreError,
    Value,
    Var,
    create_tables,
    function,
    mi,
    needs,
    param,
    parse,
    parse_uri,
    pvar,
    stat,
    table,
)
from osip.modules.sipcapture import chunk as chunks
from osip.modules.sipcapture.raw import MONITOR, PLAIN, TUNNEL, Datagram, RawListener, parse_range
from osip.modules.sipcapture.row import (
    COLUMNS,
    REPORT_COLUMNS,
    clip,
    path_of,
    report_of,
    row_of,
)

ROUTES = "QFRBL"
TABLES = 1000               # names that are remembered
RELAYS = 100                # servers that hep_relay may send to
Chunk = Annotated[int, Parse(chunks.number_of)]
Kind = Literal["utf8-string", "octet-string", "uint8", "uint16", "uint32", "inet4-addr", "inet6-addr"]
_RENAMED = {"date_column": "date", "micro_ts_column": "micro_ts", "diversion_column": "diversion_user",
            "authorization_column": "auth"}




def raw_range(text: str) -> str:
    """Check what raw sockets are to look at."""
    parse_range(text)
    return text


_COLUMNS = {name: _RENAMED.get(name, name.removesuffix("_column")) for name in (
    "id_column", "date_column", "micro_ts_column", "method_column", "reply_reason_column", "ruri_column",
    "ruri_user_column", "from_user_column", "from_tag_column", "to_user_column", "to_tag_column", "pid_user_column",
    "contact_user_column", "auth_user_column", "callid_column", "callid_aleg_column", "via_1_column",
    "via_1_branch_column", "cseq_column", "diversion_column", "reason_column", "content_type_column",
    "authorization_column", "user_agent_column", "source_ip_column", "source_port_column", "destination_ip_column",
    "destination_port_column", "contact_ip_column", "contact_port_column", "originator_ip_column",
    "originator_port_column", "proto_column", "family_column", "rtp_stat_column", "type_column", "node_column",
    "msg_column")}
Columns = type("Columns", (), {name: param(column, doc="Column name.") for name, column in _COLUMNS.items()})
"""The parameters that name columns."""


class SipCapture(Columns, Module):      # type: ignore[misc,valid-type]
    """A capture server: what agents send as HEP, and what passes this server, goes into tables as Homer has them."""

    db_url = param("", doc="Database; without it db_default_url, else an SQLite file.")
    table_name = param("sip_capture", doc="Table of messages; %Y%m%d and the like are the time of the insert.")
    rtcp_table_name = param("rtcp_capture", doc="Table of reports; %Y%m%d and the like are the time of the insert.")
    capture_on = param(0, ge=0, le=1, doc="1: store; management can switch it.")
    hep_capture_on = param(0, ge=0, le=1, doc="1: store what comes by HEP, even while capture_on is 0.")
    capture_node = param("homer01", live=True, doc="Name of this server in the rows.")
    hep_route = param("sip", doc="What HEP packets go through: sip, the main route; none, they are stored at once; or "
                                 "the name of a route, which may look at packets of every kind.")
    max_async_queries = param(5, removed="rows are gathered while an insert runs")
    raw_socket_listen = param("", parse=raw_range, doc="Address and ports that raw sockets look at: "
                                                       "192.0.2.1:5060-5080.")
    raw_ipip_capture_on = param(0, ge=0, le=1, doc="1: read packets that are mirrored as IP in IP.")
    raw_moni_capture_on = param(0, ge=0, le=1, doc="1: read all packets of an interface, such as a mirror port.")
    raw_interface = param("", doc="Interface of raw sockets.")
    promiscious_on = param(0, ge=0, le=1, doc="1: the interface takes packets for others, too.")
    raw_sock_children = param(1, removed="one worker reads")
    raw_moni_bpf_on = param(0, removed="addresses and ports are compared here")
    messages = table("sip_capture", 1, COLUMNS)
    reports = table("rtcp_capture", 1, REPORT_COLUMNS)
    captured_requests = stat("Requests stored.")
    captured_replies = stat("Replies stored.")
    proto_hep = needs("proto_hep", optional=True)

    # --- life ----------------------------------------------------------------------------------------------------

    def mod_init(self) -> None:
        """Take a look at every HEP packet."""
        self.is_on = bool(self.capture_on)
        self._complain = Complaint(self.env.log, clock=lambda: self.env.now)
        self._names = {column: getattr(self, name) for name, column in _COLUMNS.items()}
        self._sizes = {"sip": {one.name: one.size for one in self.messages.columns},
                       "report": {one.name: one.size for one in self.reports.columns}}
        self._raw: list[RawListener] = []
        self._relays: dict[str, str] = {}
        self._kinds: dict[str, tuple[str, bool]] = {}       # table -> what is in it, whether its name changes
        self._writer: RowWriter = RowWriter(self.env, self.db_url, "sipcapture", self._complain, self._prepare)
        is_raw = self.raw_socket_listen or self.raw_moni_capture_on or self.raw_ipip_capture_on
        if self.hep_route != "sip" and self.proto_hep is not None:
            self.proto_hep.take = self._take
        elif self.hep_route != "sip" and not is_raw:
            raise ModuleError('sipcapture: hep_route needs HEP sockets: add loadmodule "proto_hep.so" to the script')

    async def child_init(self, env: Env) -> None:
        """Look whether the table and the route are there."""
        if self.hep_route not in ("sip", "none") and env.program is not None \
                and env.program.named("route", self.hep_route) is None:
            raise ModuleError(f'sipcapture: hep_route "{self.hep_route}" is no route of the script')
        self._listen(env)
        if self.is_on or self.hep_capture_on:
            try:
                await self._prepare(self._rotated(self.table_name))
                await env.sql(self.db_url).fetch(self._probe(self._rotated(self.table_name)))
            except StoreError as error:
                raise ModuleError(f"sipcapture: {error}; osip db create makes the table {self.table_name}") from error

    async def destroy(self) -> None:
        """Stop to read, write what is left."""
        for raw in self._raw:
            raw.close()
        await self._writer.close()

    @staticmethod
    def _probe(name: str) -> Any:
        import sqlalchemy as sa

        return sa.select(sa.literal_column("1")).select_from(sa.table(name)).where(sa.false())

    async def _prepare(self, name: str) -> None:
        """Make a table that is not the operator's: in the embedded database, or when its name changes."""
        kind, changes = self._kinds.get(name, ("sip", "%" in self.table_name))
        if changes or (not self.db_url and not self.env.config.db_default_url):
            spec = self.reports if kind == "report" else self.messages
            columns = tuple(replace(one, name=self._names.get(one.name, one.name)) for one in spec.columns)
            renamed = replace(spec, name=name, columns=columns, primary=(self._names.get("id", "id"),))
            await create_tables(self.env.sql(self.db_url), [renamed], self.env.config.db_version_table)

    def _rotated(self, name: str) -> str:
        return time.strftime(name, time.localtime(self.env.wall())) if "%" in name else name

    # --- raw sockets ---------------------------------------------------------------------------------------------

    def _listen(self, env: Env) -> None:
        """Open the raw sockets that are asked for, in one worker; when the system refuses, they have no effect."""
        kinds = [kind for kind, wanted in ((MONITOR, self.raw_moni_capture_on), (TUNNEL, self.raw_ipip_capture_on))
                 if wanted]
        if not kinds and self.raw_socket_listen:
            kinds = [PLAIN]
        for kind in kinds if env.number == 0 else ():
            raw = RawListener(kind, parse_range(self.raw_socket_listen), self.raw_interface, bool(self.promiscious_on),
                              self._seen)
            try:
                raw.open()
            except OSError as error:
                env.log.info("sipcapture: raw_socket_listen, raw_%s_capture_on and raw_interface have no effect: the "
                             "raw socket cannot be opened: %s", kind, error)
            else:
                self._raw.append(raw)

    def _seen(self, found: Datagram) -> None:
        """Take a datagram off the wire as if it had come by HEP: it cannot be answered."""
        seconds, micro = divmod(int(self.env.wall() * 1e6), 1_000_000)
        packet = HepPacket(found.source, found.source_port, found.dest, found.dest_port, found.payload,
                           seconds=seconds, microseconds=micro)
        source = CapturedSource(LocalSocket("hep_udp", found.dest, found.dest_port), found.source, found.source_port,
                                packet)
        self.env.now = time.monotonic()
        if self.hep_route == "sip" or not self._take(packet, source):
            self.env.dispatch.receive(found.payload, source)

    # --- packets that come ---------------------------------------------------------------------------------------

    def _take(self, packet: HepPacket, source: CapturedSource) -> bool:
        """Do with a HEP packet what hep_route says; the main route does not see it."""
        if self.hep_route == "none":
            self._store_packet(packet, source)
            return True
        msg, _ = self.env.make_dummy()
        if packet.kind == HEP_SIP:
            try:
                msg = parse(packet.payload)                             # type: ignore[assignment]
            except ParseError as error:
                self._complain("sipcapture_bad_sip", "from=%s:%d reason=%s", source.host, source.port, error.reason)
        program = self.env.program
        route = program.named("route", self.hep_route) if program is not None else None
        if route is None:
            self._complain("sipcapture_route", "there is no route[%s]: a HEP packet is dropped", self.hep_route)
        else:
            self.env.run_route(route, Ctx(self.env, msg, source))
        return True

    def _store_packet(self, packet: HepPacket, source: CapturedSource) -> None:
        if not (self.is_on or self.hep_capture_on):
            return
        path = path_of(source, self.env.wall())
        if packet.kind != HEP_SIP:
            row = report_of(packet.payload, packet.correlation, path, self.capture_node)
            self._put(self.rtcp_table_name, row, "report")
            return
        try:
            msg = parse(packet.payload)
        except ParseError as error:
            self._complain("sipcapture_bad_sip", "from=%s:%d reason=%s", source.host, source.port, error.reason)
            return
        self._count(msg)
        self._put(self.table_name, row_of(msg, path, self.capture_node), "sip")

    def _put(self, name: str, row: dict[str, Any], kind: str) -> bool:
        row = {self._names.get(column, column): value for column, value in clip(row, self._sizes[kind]).items()}
        table = self._rotated(name)
        if table not in self._kinds:
            if len(self._kinds) >= TABLES:
                self._kinds.clear()
            self._kinds[table] = kind, "%" in name
        return self._writer.put(table, row)

    def _count(self, msg: Any) -> None:
        if msg.is_request:
            self.captured_requests += 1
        else:
            self.captured_replies += 1

    def _is_wanted(self, ctx: Ctx) -> bool:
        return self.is_on or bool(self.hep_capture_on and isinstance(ctx.source, CapturedSource))

    # --- functions -----------------------------------------------------------------------------------------------

    @function(ROUTES, deferred="capture_deferred")
    def sip_capture(self, ctx: Ctx, table: str | None = None, f1: str | None = None, f2: str | None = None,
                    f3: str | None = None) -> bool:
        """Store this message, with up to three values of the script's own; -1 while capturing is off."""
        msg = ctx.msg
        if msg is None or not self._is_wanted(ctx):
            return False
        if isinstance(ctx.source, CapturedSource) and ctx.source.packet.kind != HEP_SIP:
            return False
        row = row_of(msg, path_of(ctx.source, self.env.wall()), self.capture_node)
        row.update({f"custom_field{number}": value for number, value in enumerate((f1, f2, f3), 1)
                    if value is not None})
        if not self._put(table or self.table_name, row, "sip"):
            return False
        self._count(msg)
        return True

    async def capture_deferred(self, ctx: Ctx, table: str | None = None, f1: str | None = None, f2: str | None = None,
                               f3: str | None = None) -> bool:
        """Store this message for `async()`: go on when its row is in the database, -1 when it was lost."""
        return self.sip_capture(ctx, table, f1, f2, f3) and await self._writer.stored()

    @function(ROUTES, deferred="report_deferred")
    def report_capture(self, ctx: Ctx, corr: str, table: str | None = None, proto: int | None = None) -> bool:
        """Store the payload of this HEP packet as a report (RTCP, JSON) that belongs to a call; -1 while off."""
        if not self._is_wanted(ctx):
            return False
        packet = self._packet(ctx)
        raw = packet.payload if packet is not None else ctx.msg.body if ctx.msg is not None else b""
        path = path_of(ctx.source, self.env.wall())
        if proto is not None:
            path = path._replace(kind=proto)
        return self._put(table or self.rtcp_table_name, report_of(raw, corr, path, self.capture_node), "report")

    async def report_deferred(self, ctx: Ctx, corr: str, table: str | None = None, proto: int | None = None) -> bool:
        """Store a report for `async()`: go on when its row is in the database, -1 when it was lost."""
        return self.report_capture(ctx, corr, table, proto) and await self._writer.stored()

    def _packet(self, ctx: Ctx) -> HepPacket | None:
        return ctx.source.packet if isinstance(ctx.source, CapturedSource) else None

    def _guarded(self, ctx: Ctx, name: str, work: Callable[[HepPacket], bool]) -> bool:
        packet = self._packet(ctx)
        if packet is None:
            self._complain(f"sipcapture_{name}", "%s: this message did not come by HEP", name)
            return False
        try:
            return work(packet)
        except (ValueError, OSError) as error:
            self._complain(f"sipcapture_{name}", "%s: %s", name, error)
            return False

    @function(ROUTES)
    def hep_set(self, ctx: Ctx, chunk: Chunk, data: str, type: Kind | None = None, vendor: str | None = None) -> bool:
        """Set or add a chunk of this HEP packet, by its number or name."""
        def work(packet: HepPacket) -> bool:
            chunks.put(packet, chunk, data, type, chunks.vendor_of(vendor))
            return True
        return self._guarded(ctx, "hep_set", work)

    @function(ROUTES)
    def hep_get(self, ctx: Ctx, chunk: Chunk, type: Kind, data: Var | None = None, vendor: Var | None = None) -> bool:
        """Read a chunk of this HEP packet, and its vendor, into variables; -1 when it has none such."""
        def work(packet: HepPacket) -> bool:
            found = chunks.get(packet, chunk, type)
            if found is None:
                return False
            if data is not None:
                data.set(ctx, found[0])
            if vendor is not None:
                vendor.set(ctx, found[1])
            return True
        return self._guarded(ctx, "hep_get", work)

    @function(ROUTES)
    def hep_del(self, ctx: Ctx, chunk: Chunk) -> bool:
        """Remove a chunk from this HEP packet; -1 when it is not there or cannot be done without."""
        return self._guarded(ctx, "hep_del", lambda packet: chunks.remove(packet, chunk))

    @function(ROUTES)
    def hep_relay(self, ctx: Ctx) -> bool:
        """Send this HEP packet on to `$du`, else to the R-URI: an address, with `transport=tcp` when it is not UDP."""
        def work(packet: HepPacket) -> bool:
            uri = parse_uri(ctx.target.du or ctx.ruri or "")
            transport = (uri.param("transport") or "udp").lower().removeprefix("hep_")
            version = 3 if transport != "udp" else packet.version
            text = f"{uri.host}:{uri.port or 9060};transport={transport};version={version}"
            name = self._relays.get(text)
            if name is None:
                if len(self._relays) >= RELAYS:
                    raise ValueError(f"there are {RELAYS} servers to relay to already")
                name = self._relays[text] = self.proto_hep.add_server(text)
            return bool(self.proto_hep.send(name, packet))
        return self._guarded(ctx, "hep_relay", work)

    @function("Q")
    def hep_resume_sip(self, ctx: Ctx) -> int:
        """End this route and run the main route over the SIP message in this HEP packet."""
        packet = self._packet(ctx)
        if packet is None or packet.kind != HEP_SIP or self.hep_route == "sip":
            self._complain("sipcapture_resume", "hep_resume_sip: only in hep_route, and only over packets with SIP")
            return -1
        self.env.dispatch.receive(packet.payload, ctx.source)           # type: ignore[arg-type]
        return 0

    # --- variables and management --------------------------------------------------------------------------------

    @pvar("hep_net", key="required")
    def hep_net(self, ctx: Ctx, key: str) -> Value:
        """How this HEP packet itself came: proto, proto_family, src_ip, src_port, dst_ip, dst_port."""
        source = ctx.source
        if not isinstance(source, CapturedSource):
            return None
        socket, sender = source.socket, source.sender
        return {"proto": socket.proto.removeprefix("hep_"), "proto_type": socket.proto.removeprefix("hep_"),
                "proto_id": 6 if socket.reliable else 17, "proto_family": 10 if socket.is_ipv6 else 2,
                "src_ip": sender.host if sender else None, "src_port": sender.port if sender else None,
                "dst_ip": socket.host, "dst_port": socket.port}.get(key.strip())

    @pvar("HEPVERSION", type="is")
    def hep_version(self, ctx: Ctx) -> Value:
        """The version of this HEP packet."""
        packet = self._packet(ctx)
        return packet.version if packet is not None else None

    @mi("capture", aliases=("sip_capture",), scope=Scope.EACH)
    def mi_capture(self, capture_mode: str | None = None) -> dict[str, str] | None:
        """Show whether messages are stored, or switch it: on, off."""
        if capture_mode is None:
            return {"capturing": "on" if self.is_on else "off"}
        if capture_mode not in ("on", "off"):
            raise MIError(-32602, "Invalid params", "a mode is on or off")
        self.is_on = capture_mode == "on"
        return None
