"""Spread requests over sets of destinations, probe them, and go on with the next when one fails."""
from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Any

from osip.api import (Ctx, Env, Module, ModuleError, OsipError, Parse, Scope, StoreError, Var, avp_or_none,
                      check_version, create_tables, event, function, mi, needs, param, parse_partition, table, timer)
from osip.modules.dispatcher import mi as bodies
from osip.modules.dispatcher import probe, select, source
from osip.modules.dispatcher.flag import (SelectFlags, parse_algorithms, parse_blacklist, parse_flags, parse_list,
                                          parse_sets, parse_state, parse_states)
from osip.modules.dispatcher.state import ACTIVE, INACTIVE, PROBING, WORDS, Destination, Group, Partition

Sets = Annotated[Any, Parse(parse_sets)]
Algorithms = Annotated[Any, Parse(parse_algorithms)]
Flags = Annotated[SelectFlags, Parse(parse_flags)]
State = Annotated[int, Parse(parse_state)]
States = Annotated[Any, Parse(parse_states)]
PLAIN = SelectFlags()
FLUSH_EVERY = 30.0
_OF_PARTITION = ("db_url", "table_name", "list_file", "ping_from", "ping_method")
_AVPS = ("dst_avp", "grp_avp", "cnt_avp", "sock_avp", "attrs_avp", "script_attrs_avp")
_TOPIC, _ATTRS = "dispatcher.state", "dispatcher.attrs"


class Dispatcher(Module):
    """Sets of destinations."""

    partition = param((), kind=str, multiple=True, parse=parse_partition,
                      doc='A further collection of sets: "name: db_url=...; table_name=...; dst_avp=...".')
    db_url = param("", doc="Database of the sets; without it db_default_url, else an SQLite file.")
    table_name = param("dispatcher", doc="Table of the sets.")
    list_file = param("", doc="Text file with the sets instead of a database: setid destination flags priority "
                              "attributes.")
    dst_avp = param("ds_dst_failover", kind=str, parse=avp_or_none, doc="AVP with the destinations to try.")
    grp_avp = param("ds_grp_failover", kind=str, parse=avp_or_none, doc="AVP with their sets.")
    cnt_avp = param("ds_cnt_failover", kind=str, parse=avp_or_none, doc="AVP with their number.")
    sock_avp = param("ds_sock_failover", kind=str, parse=avp_or_none, doc="AVP with their sockets.")
    attrs_avp = param("", parse=avp_or_none, doc="AVP that gets the attributes of a destination.")
    script_attrs_avp = param("", parse=avp_or_none, doc="AVP that gets the attributes that scripts set.")
    algo_route = param("", live=True, doc="Route of algorithm 10: what it returns for a destination is its score.")
    hash_pvar = param("", live=True, doc="Text that algorithm 7 hashes.")
    setid_pvar = param("", live=True, doc="Variable that ds_is_in_list sets to the id of the set.")
    pvar_algo_pattern = param("", live=True,
                              doc="Variable of algorithm 9; %u is the URI, %i the index of a destination.")
    ds_probing_threshold = param(3, ge=1, aliases=("ds_probing_threshhold",),
                                 live=True, doc="Failures in a row after which a destination is taken out.")
    ds_ping_method = param("OPTIONS", live=True, doc="Method of probes.")
    ds_ping_from = param("sip:dispatcher@localhost", live=True, doc="From of probes.")
    ds_ping_interval = param(0, ge=0, doc="Seconds between probes, 0 for none.")
    ds_ping_maxfwd = param(-1, ge=-1, le=255, live=True, doc="Max-Forwards of probes, -1 for the usual one.")
    ds_probing_mode = param(0, ge=0, le=1, live=True,
                            doc="0 probe those that failed, 1 all that are not switched off.")
    options_reply_codes = param(frozenset(), kind=(str, int), parse=lambda v: parse_list(str(v)),
                                live=True, doc="Codes besides 2xx that mean alive.")
    ds_probing_sock = param("", live=True, doc="Socket of probes.")
    ds_probing_list = param(frozenset(), kind=(str, int), parse=lambda v: parse_list(str(v)),
                            live=True, doc="Sets that are probed; all without it.")
    ds_define_blacklist = param((), kind=str, multiple=True, parse=parse_blacklist,
                                doc='Destination blacklist of the addresses of sets: "name=set,set".')
    persistent_state = param(1, ge=0, le=1, doc="Write states to the database.")
    fetch_freeswitch_stats = param(0, ge=0, le=1, doc="Weights from FreeSWITCH; accepted.")
    max_freeswitch_weight = param(100, ge=1, doc="Largest such weight; accepted.")
    cluster_id = param(0, ge=0, doc="Cluster that shares states; accepted.")
    cluster_sharing_tag = param("", doc="Tag of the node that probes; accepted.")
    cluster_probing_mode = param("all", choices=("all", "by-shtag", "distributed"), doc="Who probes; accepted.")
    flags = param(0, ge=0, live=True, doc="1.x: 1 hash the user part only, 2 keep the rest for failover.")
    use_default = param(0, ge=0, le=1, live=True, doc="1.x: the last destination of a set is a last resort.")
    force_dst = param(1, removed="a set destination is always replaced")
    setid_col = param("setid", doc="Column of the set.")
    destination_col = param("destination", doc="Column of the URI.")
    socket_col = param("socket", doc="Column of the socket.")
    state_col = param("state", doc="Column of the state.")
    weight_col = param("weight", doc="Column of the weight.")
    priority_col = param("priority", doc="Column of the priority.")
    attrs_col = param("attrs", doc="Column of the attributes.")
    description_col = param("description", doc="Column of the description.")
    probe_mode_col = param("probe_mode", doc="Column of the probing mode.")
    rows = table("dispatcher", 9, "setid i32=0, destination char(192)='', socket char(128)?, state i32=0, "
                 "probe_mode i32u=0, weight char(64)=1, priority i32=0, attrs char(128)?, description char(64)?")
    tm = needs("tm", optional=True)
    status_changed = event("E_DISPATCHER_STATUS", "A destination changed its state.", partition=str, group=int,
                           address=str, status=str)

    def mod_init(self) -> None:
        """Make the partitions; their sets are read when the worker starts."""
        self.partitions: dict[str, Partition] = {}
        self._statements: dict[str, tuple[Any, Any]] = {}
        if self.list_file or self.db_url or not self.partition:
            default = self.partitions["default"] = Partition("default")
            default.persistent = bool(self.persistent_state)
            for name in ("db_url", "table_name", "list_file", *_AVPS):
                setattr(default, name, getattr(self, name))
        for name, values in self.partition:
            self.partitions[name] = self._partition(name, values)
        if self.ds_ping_interval and self.tm is None:
            raise ModuleError('dispatcher: ds_ping_interval needs module "tm": add loadmodule "tm.so" to the script')
        self.env.bus.subscribe(_TOPIC, self._on_state)
        self.env.bus.subscribe(_ATTRS, self._on_attrs)
        self.env.bus.share(_TOPIC, self._known, self._learn)

    def _partition(self, name: str, values: dict[str, str]) -> Partition:
        made = Partition(name)
        made.persistent = bool(self.persistent_state)
        for key, value in values.items():
            try:
                if key in _AVPS:
                    setattr(made, key, avp_or_none(value))
                elif key in _OF_PARTITION:
                    setattr(made, key, value)
                elif key == "persistent_state":
                    made.persistent = value not in ("0", "")
                else:
                    raise ValueError(f'unknown key "{key}"')
            except ValueError as error:
                raise ModuleError(f'dispatcher: partition "{name}": {error}') from None
        return made

    # --- loading ----------------------------------------------------------------------------------------------------

    async def child_init(self, env: Env) -> None:
        """Read all sets."""
        for partition in self.partitions.values():
            try:
                if not partition.list_file:
                    await self._prepare(partition)
                await self.load(partition, inherit=False)
            except StoreError as error:
                raise ModuleError(f"dispatcher: {error}") from error

    async def _prepare(self, partition: Partition) -> None:
        """Make the table in the embedded default, check its version in a database of the operator's."""
        config = self.env.config
        sql = self.env.sql(partition.db_url)
        if not partition.db_url and not config.db_default_url:
            await create_tables(sql, (self.rows,), config.db_version_table)
        else:
            await check_version(sql, self.rows, partition.table_name, config.db_version_table)
        self._statements[partition.name] = source.statements(self, partition)

    async def load(self, partition: Partition, inherit: bool) -> None:
        """Read the sets of a partition and put them in place at once; StoreError, ModuleError: nothing changed."""
        if partition.list_file:
            path = source.find_file(partition.list_file, self.env)
            try:
                text = path.read_text(errors="surrogateescape")
            except OSError as error:
                raise ModuleError(f"dispatcher: cannot read list_file {path}: {error.strerror}") from None
            groups = source.parse_list(text, str(path), self.env)
        else:
            read = self._statements[partition.name][0]
            groups = source.from_rows(await self.env.sql(partition.db_url).fetch(read), self.env)
        partition.replace(groups, inherit)
        await probe.resolve_all(self, partition)
        self._define_blacklists()

    def _define_blacklists(self) -> None:
        """Fill the blacklists with the addresses of their sets, those of the default partition."""
        words, default = self.env.modules.get("core_blacklist"), self.partitions.get("default")
        if words is None or default is None:
            return
        for name, numbers in self.ds_define_blacklist:
            words.define(name, [], dynamic=True)
            for group, destination in default.all():
                if group.id in numbers:
                    for host, port in destination.addresses:
                        words.add_blacklist_rule(None, name, host, port)

    # --- states -----------------------------------------------------------------------------------------------------

    def set_state(self, partition: Partition, group: Group, destination: Destination, state: int,
                  at_once: bool = False) -> None:
        """Change a state; probing comes only after enough failures in a row, unless `at_once`."""
        if state == PROBING and not at_once:
            if destination.state == INACTIVE:
                return                          # switched off by an operator
            destination.failures += 1
            if destination.failures < self.ds_probing_threshold:
                return
        if state == ACTIVE:
            destination.failures = 0
        if state == destination.state:
            return
        self.env.bus.publish(_TOPIC, (partition.name, group.id, destination.uri, state))
        self.env.log.warning("dispatcher: destination=%s set=%s:%d is now %s", destination.uri, partition.name,
                             group.id, WORDS[state].lower())
        self.status_changed(partition=partition.name, group=group.id, address=destination.uri,
                            status=WORDS[state].lower())

    def _on_state(self, change: tuple[str, int, str, int]) -> Destination | None:
        name, number, uri, state = change
        partition = self.partitions.get(name)
        group = partition.groups.get(number) if partition is not None else None
        destination = group.find(uri) if group is not None else None
        if destination is not None:
            destination.state, destination.dirty = state, True
        return destination

    def _known(self) -> list[tuple[str, int, str, int, str, bool]]:
        return [(name, group.id, destination.uri, destination.state, destination.script_attrs, destination.dirty)
                for name, partition in self.partitions.items() for group, destination in partition.all()]

    def _learn(self, items: list[tuple[str, int, str, int, str, bool]]) -> None:
        for *change, attrs, is_dirty in items:
            destination = self._on_state(tuple(change))         # type: ignore[arg-type]
            if destination is not None:
                destination.script_attrs, destination.dirty = attrs, is_dirty

    def push_attrs(self, partition: Partition, attrs: str, ip: str, port: int, number: int | None) -> bool:
        """Set the script's attributes of the destinations at an address, in all workers; False when there is none."""
        self.env.bus.others(_ATTRS, (partition.name, attrs, ip, port, number))
        return bodies.push_attrs(partition, attrs, ip, port, number)

    def _on_attrs(self, change: tuple[str, str, str, int, int | None]) -> None:
        name, *rest = change
        if name in self.partitions:
            bodies.push_attrs(self.partitions[name], *rest)

    @timer("ds_ping_interval", on=Scope.LEADER)
    def probe_all(self) -> None:
        """Ask the destinations whether they are alive."""
        probe.ask_all(self)

    @timer(FLUSH_EVERY, on=Scope.LEADER)
    async def flush(self) -> None:
        """Write changed states to the database."""
        for partition in self.partitions.values():
            if partition.list_file or not partition.persistent or partition.name not in self._statements:
                continue
            write = self._statements[partition.name][1]
            for group, destination in partition.all():
                if destination.dirty:
                    destination.dirty = False
                    try:
                        await self.env.sql(partition.db_url).execute(write, {
                            "in_set": group.id, "in_uri": destination.uri, "new_state": destination.state})
                    except StoreError as error:
                        destination.dirty = True
                        self.env.log.error("dispatcher: state not written: %s", error)
                        break

    async def destroy(self) -> None:
        """Write what is still to be written."""
        await self.flush()

    # --- script functions -------------------------------------------------------------------------------------------

    def _named(self, name: str | None, default: str = "") -> Partition | None:
        found = self.partitions.get(name or default or "default")
        if found is None:
            self.env.log.error('dispatcher: no partition "%s"', name or default or "default")
        return found

    @function(routes="QFBL")
    def ds_select_dst(self, ctx: Ctx, set: Sets, alg: Algorithms, flags: Flags = PLAIN, partition: str | None = None,
                      max_res: int = 0) -> int:
        """Choose an active destination of a set and send the request there by `$du`; -1 when none is active."""
        found = self._named(partition, set[0])
        return -1 if found is None else select.select(self, ctx, found, set[1], alg, flags, max_res, False)

    @function(routes="QFBL")
    def ds_select_domain(self, ctx: Ctx, set: Sets, alg: Algorithms, flags: Flags = PLAIN,
                         partition: str | None = None, max_res: int = 0) -> int:
        """Choose an active destination of a set and write its host and port into the R-URI; -1 when none is active."""
        found = self._named(partition, set[0])
        return -1 if found is None else select.select(self, ctx, found, set[1], alg, flags, max_res, True)

    @function(routes="QF")
    def ds_next_dst(self, ctx: Ctx, partition: str | None = None) -> int:
        """Send the request to the next destination kept for failover; -1 when there is none left."""
        found = self._named(partition)
        return -1 if found is None else select.advance(ctx, found, False)

    @function(routes="QF")
    def ds_next_domain(self, ctx: Ctx, partition: str | None = None) -> int:
        """Write the next destination kept for failover into the R-URI; -1 when there is none left."""
        found = self._named(partition)
        return -1 if found is None else select.advance(ctx, found, True)

    @function(routes="QF")
    def ds_mark_dst(self, ctx: Ctx, state: State = INACTIVE, partition: str | None = None) -> int:
        """Set the state of the destination in use: i inactive, a active, p probing after enough failures."""
        found = self._named(partition)
        destination = select.current(ctx, found) if found is not None else None
        if found is None or destination is None:
            return -1
        group = next(group for group in found.groups.values() if destination in group.destinations)
        self.set_state(found, group, destination, state)
        return 1

    @function(routes="QFRBL")
    def ds_is_in_list(self, ctx: Ctx, ip: str, port: int, set: int = -1, partition: str | None = None,
                      active_only: int = 0, pattern: str | None = None) -> int:
        """Say whether an address belongs to a set (-1: any); port 0 means any, `pattern` is a glob over attributes."""
        found = self._named(partition)
        for group, destination in found.at(ip.strip("[]"), port) if found is not None else ():
            if set not in (-1, group.id) or (active_only and destination.state != ACTIVE) \
                    or (pattern is not None and not fnmatchcase(destination.attrs, pattern)):
                continue
            if self.setid_pvar and self.env.program is not None:
                self.env.program.variable(self.setid_pvar).set(ctx, group.id)
            if found is not None and found.attrs_avp and destination.attrs:
                ctx.avp(found.attrs_avp).append(destination.attrs)
            return 1
        return -1

    @function(routes="QFBLTV")
    def ds_count(self, ctx: Ctx, set: int, state_filter: States, res_var: Var, partition: str | None = None) -> int:
        """Count the destinations of a set in these states (letters a, i, p) into a variable."""
        found = self._named(partition)
        group = found.groups.get(set) if found is not None else None
        if group is None:
            return -1
        return 1 if res_var.set(ctx, sum(d.state in state_filter for d in group.destinations)) else -1

    @function(routes="*")
    def ds_push_script_attrs(self, ctx: Ctx, script_attr: str, ip: str, port: int, set: int | None = None,
                             partition: str | None = None) -> bool:
        """Set the script's attributes of the destinations at an address."""
        found = self._named(partition)
        return found is not None and self.push_attrs(found, script_attr, ip, port, set)

    @function(routes="*")
    def ds_get_script_attrs(self, ctx: Ctx, uri: str, set: int, partition: str | None, out_attrs: Var) -> int:
        """Read the script's attributes of a destination into a variable."""
        found = self._named(partition)
        group = found.groups.get(set) if found is not None else None
        destination = group.find(uri) if group is not None else None
        if destination is None:
            return -1
        return 1 if out_attrs.set(ctx, destination.script_attrs) else -1

    # --- management -------------------------------------------------------------------------------------------------

    @mi("set_state", aliases=("ds_set_state",))
    def mi_set_state(self, state: str, group: str, address: str) -> None:
        """Set the state (a, i, p) of a destination, by its URI or host:port, in `[partition:]set`."""
        bodies.set_state(self, state, group, address)

    @mi("list", aliases=("ds_list",), recipes=((), ("full",), ("partition",), ("full", "partition")))
    def mi_list(self, full: str | None = None, partition: str | None = None) -> dict[str, Any]:
        """List the sets; with `full` everything known about each destination."""
        return bodies.listing(self, full is not None, partition)

    @mi("reload", aliases=("ds_reload",), scope=Scope.EACH,
        recipes=((), ("partition",), ("inherit_state",), ("partition", "inherit_state")))
    async def mi_reload(self, partition: str | None = None, inherit_state: int = 1) -> None:
        """Read the sets again; states stay unless `inherit_state` is 0. With an error nothing changes."""
        chosen = [bodies.partition_of(self, partition)] if partition is not None else list(self.partitions.values())
        await self.flush()
        for one in chosen:
            try:
                await self.load(one, bool(inherit_state))
            except OsipError as error:
                raise bodies.MIError(500, "Reload failed, the old sets stay", str(error)) from None

    @mi("push_script_attrs", aliases=("ds_push_script_attrs",),
        recipes=(("attrs", "ip", "port"), ("attrs", "ip", "port", "set"),
                 ("attrs", "ip", "port", "set", "partition")))
    def mi_push_script_attrs(self, attrs: str, ip: str, port: int, set: int | None = None,
                             partition: str | None = None) -> None:
        """Set the script's attributes of the destinations at an address."""
        bodies.push(self, attrs, ip, port, set, partition)
