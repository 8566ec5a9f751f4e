"""Remember where users are: contacts of each address of record, in memory, and in a store as the mode says.

Registrar writes and reads it; scripts attach keys to an AoR; the management interface lists and changes it.
"""
from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from osip.api import Ctx, Env, Module, Scope, Static, StoreError, Var, event, function, gauge, mi, param, table, timer
from osip.modules.usrloc import mi as bodies
from osip.modules.usrloc.audience import Audience
from osip.modules.usrloc.cluster import ClusterKeeper
from osip.modules.usrloc.federation import FederationKeeper
from osip.modules.usrloc.keeper import Keeper
from osip.modules.usrloc.mode import BACK, FEDERATION, FULL, MEMORY, ONLY, SHARED, THROUGH, mode_of
from osip.modules.usrloc.only import OnlyKeeper
from osip.modules.usrloc.refresh import Refresher
from osip.modules.usrloc.replica import Replica
from osip.modules.usrloc.sql import SqlKeeper
from osip.modules.usrloc.state import METHOD_BITS, SYNC, Contact, Domain, Record, Watcher, method_mask, new_contact

CONTACT_EVENT = dict(domain=str, aor=str, uri=str, received=str, path=str, qval=str, user_agent=str, socket=str,
                     bflags=int, expires=int, callid=str, cseq=int, attr=str, latency=int, shtag=str)


class Usrloc(Module):
    """Location tables."""

    db_url = param("", doc="Database of the SQL modes.")
    cachedb_url = param("", doc="Key-value store of the cachedb modes.")
    timer_interval = param(60, ge=1, doc="Seconds between two sweeps of expired contacts.")
    working_mode_preset = param(MEMORY, choices=(MEMORY, THROUGH, BACK, ONLY, FEDERATION, FULL, SHARED),
                                doc="How contacts are kept and shared.")
    cluster_mode = param("none", choices=("none", "federation-cachedb", "full-sharing", "full-sharing-cachedb",
                                          "sql-only"), doc="How nodes share contacts.")
    restart_persistency = param("none", choices=("none", "load-from-sql", "sync-from-cluster"),
                                doc="Where contacts come from after a restart.")
    sql_write_mode = param("", choices=("", "none", "write-through", "write-back"),
                           doc='When SQL is written; "" is write-back with restart_persistency "load-from-sql", else none.')
    pinging_mode = param("", choices=("", "ownership", "cooperation"), live=True,
                         doc="ownership: of servers that share contacts the one at whose socket a phone registered "
                             "pings it; cooperation: each pings all.")
    db_mode = param(None, kind=int, ge=0, le=3, doc="Old form of working_mode_preset: 0 memory, 1 write-through, "
                                                    "2 write-back, 3 SQL only.")
    use_domain = param(1, ge=0, le=1, doc="The AoR is user@domain, not the user alone.")
    desc_time_order = param(0, ge=0, le=1, doc="Newest first among contacts of equal q.")
    mi_dump_kv_store = param(0, ge=0, le=1, live=True, doc="Show the keys of AoRs in dumps.")
    latency_event_min_us = param(0, ge=0, live=True, doc="Raise E_UL_LATENCY_UPDATE from this ping latency on.")
    latency_event_min_us_delta = param(0, ge=0, live=True, doc="Raise it when the latency changed by this much.")
    matching_mode = param(0, ge=0, le=1, live=True, doc="A contact is the same by 0 URI, 1 URI and Call-ID.")
    cseq_delay = param(20, ge=0, live=True, doc="Seconds in which an equal CSeq is a retransmission.")
    hash_size = param(9, ge=1, doc="Shown in dumps; a table here has no fixed size.")
    nat_bflag = param("", kind=(str, int), doc="Branch flag of contacts behind NAT.")
    contact_refresh_timer = param(0, ge=0, le=1, doc="Raise E_UL_CONTACT_REFRESH for phones with push notifications "
                                                     "that did not renew in time (pn_trigger_interval).")
    federation_address = param("", doc="SIP URI at which other nodes of a federation reach this one, its name there; "
                               "without it the first UDP socket.")
    location_cluster = param(0, ge=0, doc="Cluster that shares contacts.")
    ha_cluster = param(0, ge=0, removed="without the module clusterer there are no other nodes")
    ha_shtag = param("", removed="without the module clusterer there are no other nodes")
    skip_replicated_db_ops = param(0, ge=0, le=1, removed="what another node wrote is never written again")
    max_contact_delete = param(10, ge=1, removed="rows are removed some hundred at a time")
    regen_broken_contactid = param(0, ge=0, le=1, removed="any number in the table is taken")
    accept_replicated_contacts = param(0, removed="set working_mode_preset and location_cluster")
    replicate_contacts_to = param(0, removed="set working_mode_preset and location_cluster")
    shared_pinging = param(0, removed="set pinging_mode")
    user_column = param("username", doc="Column of the user.")
    domain_column = param("domain", doc="Column of the domain.")
    contact_id_column = param("contact_id", doc="Column of the key.")
    contact_column = param("contact", doc="Column of the URI.")
    expires_column = param("expires", doc="Column of the end, in Unix seconds.")
    q_column = param("q", doc="Column of q.")
    callid_column = param("callid", doc="Column of the Call-ID.")
    cseq_column = param("cseq", doc="Column of the CSeq.")
    flags_column = param("flags", doc="Column of the message flags.")
    cflags_column = param("cflags", doc="Column of the branch flags.")
    user_agent_column = param("user_agent", doc="Column of the User-Agent.")
    received_column = param("received", doc="Column of the source behind NAT.")
    path_column = param("path", doc="Column of the Path.")
    socket_column = param("socket", doc="Column of the receiving socket.")
    methods_column = param("methods", doc="Column of the methods mask.")
    sip_instance_column = param("sip_instance", doc="Column of the instance id.")
    kv_store_column = param("kv_store", doc="Column of the keys.")
    attr_column = param("attr", doc="Column of the attribute.")
    location = table(
        "location", 1013,
        "contact_id i64u, username char(64)='', domain char(64)?, contact text, received char(255)?, path char(255)?, "
        "expires i32u, q float=1.0, callid char(255)='Default-Call-ID', cseq i32=13, "
        "last_modified dt=1900-01-01 00:00:01, flags i32=0, cflags char(255)?, user_agent char(255)='', "
        "socket char(64)?, methods i32?, sip_instance char(255)?, kv_store text?, attr char(255)?",
        primary="contact_id")

    aor_insert = event("E_UL_AOR_INSERT", "An AoR has its first contact.", domain=str, aor=str)
    aor_delete = event("E_UL_AOR_DELETE", "An AoR lost its last contact.", domain=str, aor=str)
    contact_insert = event("E_UL_CONTACT_INSERT", "A contact came.", **CONTACT_EVENT)
    contact_update = event("E_UL_CONTACT_UPDATE", "A contact was renewed.", **CONTACT_EVENT)
    contact_delete = event("E_UL_CONTACT_DELETE", "A contact went or expired.", **CONTACT_EVENT)
    contact_refresh = event("E_UL_CONTACT_REFRESH", "A contact should register anew.", domain=str, aor=str, uri=str,
                            received=str, user_agent=str, socket=str, bflags=int, expires=int, callid=str, attr=str,
                            shtag=str, reason=str, req_callid=str)
    latency_update = event("E_UL_LATENCY_UPDATE", "The ping latency of a contact changed.", **CONTACT_EVENT)

    def mod_init(self) -> None:
        """Find out how contacts are kept and make the table `location`."""
        self.mode = mode_of(self)
        if self.db_mode is not None and not self.env.registry.is_set(self.name, "use_domain"):
            self.env.log.info("usrloc: AoRs are user@domain; a script that was written for OpenSIPS 2.x or older, where they "
                              'were the user alone, needs modparam("usrloc", "use_domain", 0)')
        self.domains: dict[str, Domain] = {}
        self.replica = Replica(self)
        self.audience = Audience(self.env, self._raise)
        self.watchers: list[Watcher] = []
        self.keeps_nothing = self.mode.store == "only"
        if self.env.workers > 1 and not self.keeps_nothing:
            self.watchers.append(self.replica.on_change)
        self.keeper: Keeper | None = None
        if self.keeps_nothing:
            self.keeper = OnlyKeeper(self)
        elif self.mode.store == "sql":
            self.keeper = SqlKeeper(self, self.mode.at_once, self.mode.loads)
        elif self.mode.store == "federation":
            self.keeper = FederationKeeper(self, str(self.cachedb_url))
        elif self.mode.store == "cache":
            self.keeper = ClusterKeeper(self, str(self.cachedb_url), self.env.ids.next())
        if self.keeper is not None and self.mode.writes:
            self.watchers.append(self.keeper.on_change)
        self.nat_flag = self.env.branch_flags.bit(str(self.nat_bflag)) if self.nat_bflag != "" else 0
        self.refresher = Refresher(self)
        self.domain("location")

    async def child_init(self, env: Env) -> None:
        """Number the contacts apart from those of other workers; read those that are stored."""
        for domain in self.domains.values():
            domain.number(self._first_id(), env.workers)
        self.refresher.start()
        if self.keeper is None:
            return
        await self.keeper.open(env)
        began = time.monotonic()
        count = await self.keeper.load()
        took = time.monotonic() - began
        env.log.info("contacts loaded mode=%s contacts=%d seconds=%.2f", self.mode.name, count, took)
        if env.number == 0 and self.mode.loads:
            env.announcements.append(f"Contacts {count} loaded in {took:.1f} s ({self.mode.name})")
        env.health.add("usrloc", self.keeper.check)
        self.keeper.start()

    async def destroy(self) -> None:
        """Write what is not stored yet."""
        if self.keeper is not None:
            await self.keeper.close()

    def _first_id(self) -> int:
        # Ids stay unique over restarts: they start where the clock is.
        return (int(self.env.wall() * 1000) << 20) + self.env.number

    # --- what other modules use -------------------------------------------------------------------------------------

    new_contact = staticmethod(new_contact)

    def offset(self) -> float:
        """Return what added to monotonic seconds gives Unix seconds; both clocks are read here, as one is old."""
        return self.env.wall() - self.monotonic()

    monotonic = staticmethod(time.monotonic)            # tests set the clock

    @staticmethod
    def method_mask(text: str) -> int:
        """Return the mask for a comma list of methods."""
        known = METHOD_BITS.get(text)                   # one alone, as lookup asks
        return method_mask(text.split(",")) if known is None else known

    def domain(self, name: str) -> Domain:
        """Return a location table, made on first use."""
        found = self.domains.get(name)
        if found is None:
            found = self.domains[name] = Domain(name, self.timer_interval, bool(self.desc_time_order))
            found.number(self._first_id(), self.env.workers)
            found.audience, found.watchers = self.audience, self.watchers
            self.refresher.watch(found)
            if self.keeper is not None:
                self.keeper.add_table(name)
            self.env.stats.register("usrloc", f"{name}-users", lambda: len(found.records), shared=True)
            self.env.stats.register("usrloc", f"{name}-contacts", lambda: found.contacts, shared=True)
            self.env.stats.register("usrloc", f"{name}-expires", lambda: found.expired, shared=True)
        return found

    def take_in(self, domain: Domain, aor: str, fresh: Contact, keys: dict[str, str] | None,
                is_told: bool = False) -> int:
        """Take a contact that a store or another node knows, unless the one here is newer: 1 when it was taken."""
        keeper = self.keeper
        domain.is_quiet = not is_told
        if keeper is not None:
            keeper.is_muted = self.replica.is_muted = True
        try:
            record = domain.get(aor)
            for old in record.contacts if record is not None else ():
                if old.id == fresh.id or (old.uri == fresh.uri and old.call_id == fresh.call_id):
                    if old.modified > fresh.modified + 0.001:       # a millisecond for the way there and back
                        return 0
                    domain.rename(old, fresh.id)
                    domain.update(old, fresh)
                    old.state = SYNC
                    break
            else:
                record = domain.insert(aor, fresh).record
            if keys is not None:
                record.kv = keys                    # type: ignore[union-attr]
            return 1
        finally:
            domain.is_quiet = False
            if keeper is not None:
                keeper.is_muted = self.replica.is_muted = False

    def drop(self, contact: Contact, is_told: bool) -> None:
        """Remove a contact that another node removed."""
        domain, keeper = contact.record.domain, self.keeper
        domain.is_quiet = not is_told
        if keeper is not None:
            keeper.is_muted = self.replica.is_muted = True
        try:
            domain.delete(contact)
        finally:
            domain.is_quiet = False
            if keeper is not None:
                keeper.is_muted = self.replica.is_muted = False

    def visit(self, table_name: str, *aors: str) -> AbstractAsyncContextManager[None]:
        """Have AoRs in memory for a block that does not wait, in the mode that keeps nothing there (`keeps_nothing`)."""
        keeper = self.keeper
        assert isinstance(keeper, OnlyKeeper)
        return keeper.visit(table_name, *aors)

    async def homes(self, table_name: str, aor: str) -> list[str]:
        """Return the addresses of other nodes of a federation that have contacts of an AoR; StoreError when unknown."""
        keeper = self.keeper
        return await keeper.homes(table_name, aor) if isinstance(keeper, FederationKeeper) else []

    def at(self, table_name: str, aor: str, work: Callable[[], Any]) -> Any:
        """Return what `work()` gives, which needs an AoR; a coroutine when that must be read before."""
        if not self.keeps_nothing:
            return work()

        async def visited() -> Any:
            async with self.visit(table_name, aor):
                return work()
        return visited()

    def discard(self, contact: Contact) -> None:
        """Remove a contact that does not answer any more, wherever it is kept."""
        keeper = self.keeper
        if isinstance(keeper, OnlyKeeper):
            self.env.spawn(keeper.discard([contact]), "usrloc: removing a contact")
        else:
            contact.record.domain.delete(contact)

    def watch(self, watcher: Watcher) -> None:
        """Tell `watcher(what, thing)` of every change (see state.Watcher)."""
        self.watchers.append(watcher)

    @gauge(shared=True)
    def registered_users(self) -> int:
        """AoRs with a contact, in all tables."""
        return sum(len(domain.records) for domain in self.domains.values())

    @timer("timer_interval")
    def sweep(self) -> None:
        """Remove expired contacts; every worker does it, the first one tells of it."""
        self.replica.is_muted = True
        for domain in self.domains.values():
            domain.is_quiet = self.env.number != 0
            domain.sweep(self.env.now)
            domain.is_quiet = False
        self.replica.is_muted = False
        if self.keeper is not None:
            self.keeper.flush_soon()

    def set_latency(self, contact: Contact, microseconds: int) -> None:
        """Note the latency of a contact's last ping and raise the event when that is asked for."""
        old, contact.latency = contact.latency, microseconds
        least, delta = self.latency_event_min_us, self.latency_event_min_us_delta
        if (least and microseconds >= least) or (delta and abs(microseconds - old) >= delta):
            self.latency_update(**self.event_params(contact))

    @timer(1.0)
    def refresh(self) -> None:
        """Raise E_UL_CONTACT_REFRESH for the contacts whose time has come."""
        self.refresher.run(self.env.now)

    # --- events -----------------------------------------------------------------------------------------------------

    def _raise(self, what: str, thing: Any) -> None:
        if isinstance(thing, Record):
            getattr(self, what)(domain=thing.domain.name, aor=thing.aor)
        else:
            getattr(self, what)(**self.event_params(thing))

    def event_params(self, contact: Contact) -> dict[str, Any]:
        """Return what the events of contacts tell."""
        record = contact.record
        return {"domain": record.domain.name, "aor": record.aor, "uri": contact.uri,
                "received": contact.received or "", "path": contact.path or "", "qval": bodies.qvalue(contact.q),
                "user_agent": contact.user_agent, "socket": contact.socket.text if contact.socket else "",
                "bflags": contact.cflags, "expires": bodies.unix_expires(contact, self.env),
                "callid": contact.call_id, "cseq": contact.cseq, "attr": contact.attr or "",
                "latency": contact.latency, "shtag": ""}

    # --- script functions -------------------------------------------------------------------------------------------

    @function(routes="*", waits="keeps_nothing")
    def ul_add_key(self, ctx: Ctx, domain: Static, aor: str, key_name: str, key_value: str | None = None) -> int:
        """Attach a key to an AoR, without a value remove it; -1 for an unknown AoR."""
        return self._keyed(domain, aor, lambda record: self.put_key(record, key_name, key_value))

    @function(routes="*", waits="keeps_nothing")
    def ul_get_key(self, ctx: Ctx, domain: Static, aor: str, key_name: str, destination: Var) -> int:
        """Read a key of an AoR into a variable; -1 when there is none."""
        def read(record: Record | None) -> int:
            value = record.kv.get(key_name) if record is not None and record.kv else None
            return 1 if value is not None and destination.set(ctx, value) else -1
        return self._keyed(domain, aor, read)

    @function(routes="*", waits="keeps_nothing")
    def ul_del_key(self, ctx: Ctx, domain: Static, aor: str, key_name: str) -> int:
        """Remove a key of an AoR; -1 when there is none."""
        def remove(record: Record | None) -> int:
            return self.put_key(record, key_name, None) if record is not None and key_name in (record.kv or ()) else -1
        return self._keyed(domain, aor, remove)

    def put_key(self, record: Record | None, name: str, value: str | None) -> int:
        """Attach a key to an AoR, or remove it; stored and told like its contacts. -1 when there is no AoR."""
        if record is None:
            return -1
        if (record.kv or {}).get(name) == (value or None):
            return 1
        keys = dict(record.kv or {})
        keys.pop(name, None)
        record.kv = keys | {name: value} if value else keys
        self.replica.on_keys(record)
        if self.keeper is not None and self.mode.writes:
            self.keeper.on_keys(record)
        return 1

    def _keyed(self, table_name: str, aor: str, work: Callable[[Record | None], int]) -> Any:
        found = self.at(table_name, aor, lambda: work(self.domain(table_name).get(aor)))
        return self._or_failed(found) if self.keeps_nothing else found

    async def _or_failed(self, found: Any) -> int:
        try:
            return int(await found)
        except StoreError:                      # the keeper has said so
            return -1

    # --- management -------------------------------------------------------------------------------------------------

    @mi("rm", aliases=("ul_rm",))
    def mi_rm(self, table_name: str, aor: str) -> Any:
        """Remove an AoR with all its contacts."""
        return bodies.remove(self, table_name, aor)

    @mi("rm_contact", aliases=("ul_rm_contact",))
    def mi_rm_contact(self, table_name: str, aor: str, contact: str) -> Any:
        """Remove one contact of an AoR."""
        return bodies.remove_contact(self, table_name, aor, contact)

    @mi("dump", aliases=("ul_dump",), recipes=((), ("brief",)))
    def mi_dump(self, brief: str | None = None) -> Any:
        """List all tables; with `brief` the AoRs only."""
        return bodies.dump(self, brief is not None)

    @mi("flush", aliases=("ul_flush",), scope=Scope.EACH)
    async def mi_flush(self) -> None:
        """Write changed contacts to the store; nothing to do while they live in memory only."""
        await bodies.flush(self)

    @mi("add", aliases=("ul_add",))
    def mi_add(self, table_name: str, aor: str, contact: str, expires: int, q: str, flags: str, cflags: str,
               methods: int) -> Any:
        """Add or renew a contact; expires 0 makes it permanent."""
        return bodies.add(self, table_name, aor, contact, expires, q, cflags, methods)

    @mi("show_contact", aliases=("ul_show_contact",))
    def mi_show_contact(self, table_name: str, aor: str) -> Any:
        """List the contacts of an AoR."""
        return bodies.show(self, table_name, aor)

    @mi("sync", aliases=("ul_sync",), recipes=(("table_name",), ("table_name", "aor")), scope=Scope.EACH)
    async def mi_sync(self, table_name: str, aor: str | None = None) -> None:
        """Read a table, or one AoR, from the store again; what is newer in memory stays."""
        await bodies.sync(self, table_name, aor)

    @mi("cluster_sync", aliases=("ul_cluster_sync",), scope=Scope.EACH)
    async def mi_cluster_sync(self) -> None:
        """Compare all contacts with those of the other nodes; the newer ones stay."""
        await bodies.cluster_sync(self)
