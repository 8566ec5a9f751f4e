"""Declare permissions: a table of addresses in memory, and files of rules."""
from __future__ import annotations

from typing import Any

from osip.api import (H_CONTACT, Ctx, Env, MIError, Module, ModuleError, ParseError, Scope, StoreError, Var, function, mi,
                      open_tables, param, parse_partition, table)
from osip.modules.permissions.address import Addresses, read_row
from osip.modules.permissions.rule import Rules

ANY_ROUTE = "QFLBSTV"


class Permissions(Module):
    """Who may do what."""

    default_allow_file = param("permissions.allow", doc="Rules of allow_routing() without an argument.")
    default_deny_file = param("permissions.deny", doc="Rules of what allow_routing() denies without an argument.")
    check_all_branches = param(1, ge=0, le=1, live=True, doc="allow_routing looks at every branch, not at the R-URI alone.")
    allow_suffix = param(".allow", doc="Ending of files of what is allowed.")
    deny_suffix = param(".deny", doc="Ending of files of what is denied.")
    partition = param(multiple=True, kind=str, parse=parse_partition,
                      doc='Another table: "name: db_url=…; table_name=…".')
    db_url = param("", doc="Database of the default partition; without it db_default_url, else an SQLite file.")
    address_table = param("address", doc="Table of addresses.")
    ip_col = param("ip", doc="Column of the address.")
    proto_col = param("proto", doc="Column of the protocol.")
    pattern_col = param("pattern", doc="Column of the pattern.")
    info_col = param("context_info", doc="Column of the text for the script.")
    grp_col = param("grp", doc="Column of the group.")
    mask_col = param("mask", doc="Column of the prefix length.")
    port_col = param("port", doc="Column of the port.")
    addresses = table("address", 5, "grp i16u=0, ip char(50), mask i16u=32, port i16u=0, proto char(4)='any', "
                      "pattern char(64)?, context_info char(32)?")

    def mod_init(self) -> None:
        """Name the partitions and read the default files."""
        self._places = {"default": (self.db_url, self.address_table)}
        for name, given in self.partition:
            self._places[name] = (given.get("db_url", self.db_url), given.get("table_name", self.address_table))
        self.tables: dict[str, Addresses] = {name: Addresses() for name in self._places}
        self._rules: dict[tuple[str, str], Rules] = {}
        try:
            self._files(self.default_allow_file, self.default_deny_file)
        except ValueError as error:
            raise ModuleError(f"permissions: {error}") from None

    async def child_init(self, env: Env) -> None:
        """Read the tables."""
        for name in self._places:
            try:
                self.tables[name] = await self._read(name)
            except StoreError as error:
                raise ModuleError(f"permissions: {error}") from error

    async def _read(self, name: str) -> Addresses:
        import sqlalchemy as sa

        url, where = self._places[name]
        sql = await open_tables(self.env, url, {where: self.addresses}, "permissions")
        columns = {"grp": self.grp_col, "ip": self.ip_col, "mask": self.mask_col, "port": self.port_col,
                   "proto": self.proto_col, "pattern": self.pattern_col, "context_info": self.info_col}
        rows = await sql.fetch(sa.select(*(sa.column(column).label(label) for label, column in columns.items()))
                               .select_from(sa.table(where)))
        found = Addresses()
        for row in rows:
            try:
                found.add(read_row(row))
            except (ValueError, TypeError) as error:
                self.env.log.error("permissions: table=%s row is left out: %s", where, error)
        return found

    # --- addresses -----------------------------------------------------------------------------------------------

    def _check(self, ctx: Ctx, place: tuple[int, str, int, str], info: Var | None, pattern: str | None,
               partition: str | None) -> int:
        group, ip, port, proto = place
        found = self._addresses(partition)
        if found is None:
            return -2
        try:
            row = next((row for row in found.find(ip) if row.fits(group, port, proto.lower(), pattern)), None)
        except ValueError:
            self.env.log.error("permissions: check_address: %r is not an address", ip)
            return -2
        if row is None:
            return -1
        if info is not None:
            info.set(ctx, row.info)
        return 1

    def _addresses(self, partition: str | None) -> Addresses | None:
        found = self.tables.get(partition or "default")
        if found is None:
            self.env.log.error("permissions: no partition %s; there are: %s", partition, ", ".join(self.tables))
        return found

    @function(ANY_ROUTE)
    def check_address(self, ctx: Ctx, group_id: int, ip: str, port: int, proto: str, context_info: Var | None = None,
                      pattern: str | None = None, partition: str | None = None) -> int:
        """Say whether an address is in the table: 1, -1 no, -2 it cannot be asked. 0 and `any` stand for everything."""
        return self._check(ctx, (group_id, ip, port, proto), context_info, pattern, partition)

    @function("QFLB")
    def check_source_address(self, ctx: Ctx, group_id: int, context_info: Var | None = None, pattern: str | None = None,
                             partition: str | None = None) -> int:
        """Say whether the source of the message is in the table."""
        source = ctx.source
        if source is None:
            return -1
        place = (group_id, source.host, source.port, source.socket.proto)
        return self._check(ctx, place, context_info, pattern, partition)

    @function("QFLB")
    def get_source_group(self, ctx: Ctx, var: Var, partition: str | None = None) -> int:
        """Find the first group that the source is in; -1 when there is none."""
        source, found = ctx.source, self._addresses(partition)
        if source is None or found is None:
            return -1
        for row in found.find(source.host):
            if row.fits(0, source.port, source.socket.proto, None):
                return 1 if var.set(ctx, row.group) is not False else -1
        return -1

    @function("QFLBR", aliases=("allow_trusted",))
    def allow_source_address(self, ctx: Ctx, group_id: int = 0) -> int:
        """Say whether the source is in the table (the word of 1.x)."""
        return self.check_source_address(ctx, group_id)

    @function("QFLB")
    def allow_address(self, ctx: Ctx, group_id: int, ip: str, port: int) -> int:
        """Say whether an address is in the table, by any protocol (the word of 1.x)."""
        return self._check(ctx, (group_id, ip, port, "any"), None, None, None)

    # --- files ---------------------------------------------------------------------------------------------------

    def _files(self, allow: str, deny: str) -> Rules:
        """Return the rules of two files, read at their first use; ValueError when one is bad."""
        found = self._rules.get((allow, deny))
        if found is None:
            found = self._rules[allow, deny] = Rules.read(allow, deny)
        return found

    def _permits(self, basename: str, pairs: list[tuple[str, str]]) -> bool:
        allow, deny = (basename + self.allow_suffix, basename + self.deny_suffix) if basename else \
            (self.default_allow_file, self.default_deny_file)
        try:
            rules = self._files(allow, deny)
        except ValueError as error:
            self.env.log.error("permissions: %s", error)
            return False
        return all(rules.permits(left, right) for left, right in pairs)

    @function("QFL")
    def allow_routing(self, ctx: Ctx, basename: str = "") -> bool:
        """Say whether From may reach the R-URI and the branches."""
        uris = [ctx.ruri or ""]
        if self.check_all_branches:
            uris += [target.uri or "" for target in ctx.targets or ()]
        return self._permits(basename, [(ctx.msg.from_.uri_text, uri) for uri in uris])

    @function("QFL")
    def allow_register(self, ctx: Ctx, basename: str) -> bool:
        """Say whether the user of To may register these contacts."""
        msg = ctx.msg
        try:
            if msg.ids.find(H_CONTACT) < 0 or msg.contact_star:
                return True
            return self._permits(basename, [(msg.to.uri_text, contact.uri_text) for contact in msg.contacts])
        except ParseError:
            return False

    @function(ANY_ROUTE)
    def allow_uri(self, ctx: Ctx, basename: str, uri: str) -> bool:
        """Say whether From may reach a URI."""
        return self._permits(basename, [(ctx.msg.from_.uri_text, uri)])

    # --- management ----------------------------------------------------------------------------------------------

    @mi("address_reload", aliases=("address_reload",), scope=Scope.EACH)
    async def mi_address_reload(self, partition: str | None = None) -> None:
        """Read the tables again; with an error nothing changes."""
        for name in self._named(partition):
            try:
                self.tables[name] = await self._read(name)
            except (StoreError, ModuleError) as error:
                raise MIError(500, "Failed to reload address table", str(error)) from None

    @mi("address_dump", aliases=("address_dump",))
    def mi_address_dump(self, partition: str | None = None) -> dict[str, Any]:
        """List the hosts."""
        return self._dump(partition, lambda row: row.network.prefixlen == row.network.max_prefixlen)

    @mi("subnet_dump", aliases=("subnet_dump",))
    def mi_subnet_dump(self, partition: str | None = None) -> dict[str, Any]:
        """List the networks."""
        return self._dump(partition, lambda row: row.network.prefixlen < row.network.max_prefixlen)

    @mi("allow_uri", aliases=("allow_uri",))
    def mi_allow_uri(self, basename: str, uri: str, contact: str) -> None:
        """Ask the files whether one URI may reach another: OK, or 403."""
        if not self._permits(basename, [(uri, contact)]):
            raise MIError(403, "Forbidden")

    def _dump(self, partition: str | None, wanted: Any) -> dict[str, Any]:
        return {"Partitions": [{"name": name, "Destinations": [
            row.shown() for row in self.tables[name].rows if wanted(row)]} for name in self._named(partition)]}

    def _named(self, partition: str | None) -> list[str]:
        if partition is not None and partition not in self.tables:
            raise MIError(404, "No such partition", ", ".join(self.tables))
        return [partition] if partition is not None else list(self.tables)
