"""Run SQL for scripts: rows into variables, and AVPs kept in a table of preferences (modules sqlops and avpops)."""
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from osip.core.errors import ParseError, StoreError
from osip.core.run.variable import avp_name
from osip.core.sip.uri import parse_uri

if TYPE_CHECKING:
    from osip.core.run.ctx import Ctx
    from osip.core.run.env import Env

INTEGER, INTEGER_NAME = 1, 2        # bits of the column `type`
_SOURCE = re.compile(r"(\$[^/]+?)(?:/(username|domain|uri|uuid))?\s*")
_ALWAYS_URI = frozenset(("$ru", "$fu", "$tu", "$ou"))
_COLUMNS = ("uuid", "username", "domain", "attribute", "value", "type")


def parse_urls(given: Iterable[str]) -> dict[int, str]:
    """Read repeated `[id ]url` parameters; ValueError when an id comes twice."""
    found: dict[int, str] = {}
    for text in given:
        number, _, url = text.strip().partition(" ")
        key, url = (int(number), url.strip()) if number.isdigit() and url.strip() else (0, text.strip())
        if key in found:
            raise ValueError(f"two database URLs have the id {key}")
        found[key] = url
    return found


def parse_scheme(text: str) -> tuple[str, dict[str, str]]:
    """Read `name:uuid_col=..;username_col=..;domain_col=..;value_col=..;value_type=integer;table=..`."""
    name, _, rest = text.partition(":")
    found = {}
    for part in filter(None, (part.strip() for part in rest.split(";"))):
        key, equals, value = part.partition("=")
        key = key.strip()
        if not equals or key not in ("uuid_col", "username_col", "domain_col", "value_col", "value_type", "table"):
            raise ValueError(f'"{part}" is none of uuid_col=, username_col=, domain_col=, value_col=, value_type=, table=')
        found[key] = value.strip()
    if not name.strip() or "value_col" not in found:
        raise ValueError(f'scheme "{text}" needs a name and a value_col')
    if found.get("value_type", "string") not in ("string", "integer"):
        raise ValueError("value_type is string or integer")
    return name.strip(), found


def script_value(value: Any, big_to_text: bool = False) -> str | int | None:
    """Return what a script gets for a value of a database."""
    if value is None or value.__class__ is str:
        return value                        # type: ignore[no-any-return]
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return str(value) if big_to_text and not -2 ** 31 <= value < 2 ** 31 else value
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "surrogateescape")
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    return str(value)


@dataclass(slots=True)
class Preferences:
    """Databases of a module by id, and the table where AVPs are kept."""
    env: Env
    module: str
    urls: dict[int, str]
    table: str = "usr_preferences"
    use_domain: bool = True
    columns: Mapping[str, str] = field(default_factory=lambda: {name: name for name in _COLUMNS})
    schemes: Mapping[str, dict[str, str]] = field(default_factory=dict)
    big_to_text: bool = False

    # --- queries -------------------------------------------------------------------------------------------------

    def sql(self, db_id: int) -> Any:
        """Return a database by id; StoreError when no URL has it."""
        url = self.urls.get(db_id)
        if url is None:
            if db_id:
                raise StoreError(f"no db_url has the id {db_id}")
            url = ""
        return self.env.sql(url)

    async def query(self, db_id: int, text: str) -> tuple[list[str], list[Sequence[Any]]] | None:
        """Run a text as it is; return columns and rows, or None for a statement that has no result."""
        def work(connection: Any) -> Any:
            result = connection.exec_driver_sql(text)
            return (list(result.keys()), [tuple(row) for row in result.fetchall()]) if result.returns_rows else None
        return await self.sql(db_id).run(work)      # type: ignore[no-any-return]

    def into_avps(self, ctx: Ctx, rows: Sequence[Sequence[Any]], wanted: str | None) -> int:
        """Put rows into AVPs, one for each column, so that index 0 is the first row; NULL becomes `<null>`. 1 or -2."""
        if not rows:
            return -2
        names = [avp_name(part.strip()) for part in wanted.split(";") if part.strip()] if wanted else \
            [str(number + 1) for number in range(len(rows[0]))]
        for row in reversed(rows):
            for name, value in zip(names, row, strict=False):
                shown = script_value(value, self.big_to_text)
                ctx.avp(name).append("<null>" if shown is None else shown)
        return 1

    def into_variables(self, ctx: Ctx, rows: Sequence[Sequence[Any]], wanted: str | None) -> int:
        """Assign the first row to variables, as many as columns; NULL stays NULL. 1 or -2."""
        if not rows:
            return -2
        texts = [part.strip() for part in wanted.split(";") if part.strip()] if wanted else \
            [f"$avp({number + 1})" for number in range(len(rows[0]))]
        if len(texts) != len(rows[0]):
            raise ValueError(f"the query has {len(rows[0])} columns, but {len(texts)} variables are given")
        for text, value in zip(texts, rows[0], strict=True):
            variable = self._variable(text)
            if variable.set(ctx, script_value(value, self.big_to_text)) is False:
                raise ValueError(f"{text} cannot be assigned")
        return 1

    def _variable(self, text: str) -> Any:
        if self.env.program is None:
            raise ValueError("there is no script")
        return self.env.program.variable(text)

    # --- preferences ---------------------------------------------------------------------------------------------

    def _source(self, ctx: Ctx, text: str) -> dict[str, str]:
        """Return the columns that name whose AVPs are meant; ValueError when that cannot be told."""
        found = _SOURCE.fullmatch(text.strip())
        if found is None:
            raise ValueError(f'"{text}" is no source: write $var, or $var/username, /domain, /uri or /uuid')
        value = self._variable(found[1]).get(ctx)
        if value is None:
            raise ValueError(f"{found[1]} is NULL")
        part = found[2] or ("uri" if found[1].strip() in _ALWAYS_URI else "uuid")
        if part == "uuid":
            return {"uuid": str(value)}
        text = str(value)
        try:
            uri = parse_uri(text)
            user, host = uri.user, uri.host
        except ParseError:
            user = host = text                  # a bare user or a bare domain
        if part == "username":
            return {"username": user}
        if part == "domain":
            return {"domain": host}
        return {"username": user, "domain": host} if self.use_domain else {"username": user}

    def _name(self, text: str) -> tuple[str | None, str, dict[str, str] | None]:
        """Return attribute (None: all), table and scheme of an argument `$avp(x)[/table|/$scheme]` or `*`."""
        name, _, place = text.strip().partition("/")
        name, place = name.strip(), place.strip()
        scheme = None
        if place.startswith("$"):
            scheme = self.schemes.get(place[1:])
            if scheme is None:
                raise ValueError(f'there is no db_scheme "{place[1:]}"')
        table = (scheme or {}).get("table") or (place if place and scheme is None else self.table)
        return None if name in ("*", "a", "$avp") else avp_name(name), table, scheme

    def _where(self, table: Any, keys: Mapping[str, str], attribute: str | None, scheme: dict[str, str] | None) -> Any:
        import sqlalchemy as sa

        names = {key: (scheme or {}).get(f"{key}_col", self.columns[key]) for key in keys}
        rules = [table.c[names[key]] == value for key, value in keys.items()]
        if attribute is not None and scheme is None:
            rules.append(table.c[self.columns["attribute"]] == attribute)
        return sa.and_(*rules)

    def _table(self, name: str, scheme: dict[str, str] | None) -> Any:
        import sqlalchemy as sa

        names = dict.fromkeys((*self.columns.values(), *(value for key, value in (scheme or {}).items()
                                                         if key.endswith("_col"))))
        return sa.table(name, *(sa.column(one) for one in names))

    async def load(self, ctx: Ctx, source: str, name: str, db_id: int = 0, prefix: str = "") -> int:
        """Load AVPs; 1, or -1 when there is none."""
        import sqlalchemy as sa

        keys = self._source(ctx, source)
        attribute, where, scheme = self._name(name)
        table = self._table(where, scheme)
        if scheme is not None:
            if attribute is None:
                raise ValueError("with a db_scheme the AVP must be named")
            picked = [table.c[scheme["value_col"]].label("value")]
        else:
            picked = [table.c[self.columns[key]].label(key) for key in ("attribute", "value", "type")]
        rows = await self.sql(db_id).fetch(sa.select(*picked).where(self._where(table, keys, attribute, scheme)))
        for row in rows:
            as_number = scheme.get("value_type") == "integer" if scheme is not None else int(row["type"] or 0) & INTEGER
            value = script_value(row["value"])
            if value is None:
                continue
            if as_number:
                try:
                    value = int(value)
                except ValueError:
                    self.env.log.error("%s: %r of table %s is no integer", self.module, value, where)
                    continue
            else:
                value = str(value)
            ctx.avp(prefix + (attribute or str(row["attribute"]))).append(value)
        return 1 if rows else -1

    async def store(self, ctx: Ctx, source: str, name: str, db_id: int = 0) -> int:
        """Insert the values of AVPs as rows; 1, or -1 when there is none."""
        import sqlalchemy as sa

        keys = self._source(ctx, source)
        attribute, where, scheme = self._name(name)
        avps = ctx.avps or {}
        rows = [{**{self.columns[key]: keys.get(key, "") for key in ("uuid", "username", "domain")},
                 self.columns["attribute"]: key, self.columns["value"]: str(value),
                 self.columns["type"]: INTEGER if isinstance(value, int) else 0}
                for key in ([attribute] if attribute is not None else avps) for value in avps.get(key, ())]
        if not rows:
            return -1
        await self.sql(db_id).execute(sa.insert(self._table(where, scheme)), rows)
        return 1

    async def delete(self, ctx: Ctx, source: str, name: str, db_id: int = 0) -> int:
        """Remove rows."""
        import sqlalchemy as sa

        keys = self._source(ctx, source)
        attribute, where, scheme = self._name(name)
        table = self._table(where, scheme)
        await self.sql(db_id).execute(sa.delete(table).where(self._where(table, keys, attribute, scheme)))
        return 1
