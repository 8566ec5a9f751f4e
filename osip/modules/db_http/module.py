"""Declare db_http, and send its questions."""
from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import aiohttp

from osip.api import Module, ModuleError, StoreError, StoreLost, hide_password, param
from osip.modules.db_http.wire import Question, answer, question, shown

MAX_BYTES = 64 << 20
_URL = re.compile(r"https?://(?:([^/@]*)@)?([^/]+)(/.*)?")


class HttpStore:
    """One server, with the methods of `Sql` that its protocol can carry."""

    keeps_versions = False
    is_open = False

    def __init__(self, url: str, module: DbHttp) -> None:
        self.url, self._module = url, module
        found = _URL.fullmatch(url)
        if found is None:
            raise StoreError(f'"{hide_password(url)}" is no URL: write http://user:password@host/path')
        login, host, path = found[1] or "", found[2], found[3] or ""
        is_tls = bool(module.SSL) or url.startswith("https:")
        self._base = f"{'https' if is_tls else 'http'}://{host}{path.rstrip('/')}"
        user, _, password = login.partition(":")
        self._headers = {}
        if login:
            word = b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
            self._headers["Authorization"] = f"Basic {word}"
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, statement: Any, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run a SELECT, or a raw text where the server takes those, and return its rows."""
        if isinstance(statement, str) or not hasattr(statement, "is_select") or not statement.is_select:
            if not self._module.cap_raw_query:
                raise StoreError("http: raw queries are off: modparam(\"db_http\", \"cap_raw_query\", 1)")
            asked = Question("", "custom", {"q": [str(statement)]})
        else:
            asked = question(statement, values)
        text = await self._send("GET", f"{self._base}/{asked.table}{'/' if asked.table else ''}?"
                                f"{asked.text(self._module.value_delimiter)}", None)
        rows = answer(text, asked.columns, (self._module.field_delimiter, self._module.row_delimiter,
                                            self._module.quote_delimiter))
        return rows[:asked.limit]

    async def execute(self, statement: Any, values: Any = None) -> int:
        """Run an INSERT, UPDATE or DELETE; the number of rows is not told, 1 for each row that was given."""
        several: Sequence[Any] = values if isinstance(values, list | tuple) else [values]
        for row in several:
            asked = question(statement, row)
            if not asked.kind:
                raise StoreError("http: this is no INSERT, UPDATE or DELETE")
            await self._send("POST", f"{self._base}/{asked.table}/", asked.text(self._module.value_delimiter))
        return len(several)

    async def replace(self, table: str, row: Mapping[str, Any]) -> None:
        """Put a row in the place of the one with the same key, where the server can."""
        if not self._module.cap_replace:
            raise StoreError("http: the server is not asked to replace: modparam(\"db_http\", \"cap_replace\", 1)")
        asked = Question(table, "replace", {"k": list(row), "v": [shown(value) for value in row.values()]})
        await self._send("POST", f"{self._base}/{table}/", asked.text(self._module.value_delimiter))

    async def run(self, work: Any) -> Any:
        """Refuse: there are no transactions."""
        raise StoreError(f"{hide_password(self.url)}: this needs a database with transactions")

    async def ping(self) -> None:
        """Say whether the server answers; StoreError when not."""
        await self._send("GET", f"{self._base}/", None, any_status=True)

    async def _send(self, method: str, url: str, body: str | None, any_status: bool = False) -> str:
        from yarl import URL

        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers,
                                                  timeout=aiohttp.ClientTimeout(self._module.timeout / 1000))
        self._module.env.stores.tally.total += 1
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        try:
            async with self._session.request(method, URL(url, encoded=True), data=body, headers=headers,
                                             allow_redirects=False) as response:
                raw = bytearray()
                async for part in response.content.iter_any():      # one read() gives only what is there already
                    raw += part
                    if len(raw) > MAX_BYTES:
                        break
                if response.status >= 300 and not any_status:
                    kind = StoreLost if response.status >= 502 else StoreError
                    raise kind(f"database {hide_password(self.url)} answered {response.status} {response.reason}")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise StoreLost(f"database {hide_password(self.url)}: {str(error) or 'no answer in time'}") from None
        if len(raw) > MAX_BYTES:
            raise StoreError(f"database {hide_password(self.url)}: an answer of more than {MAX_BYTES} bytes")
        return raw.decode("utf-8", "surrogateescape")

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()


def _character(text: str) -> str:
    text = {"\\n": "\n", "\\r": "\r", "\\t": "\t"}.get(text, text)
    if len(text) != 1:
        raise ValueError(f'"{text}" is not one character')
    return text


class DbHttp(Module):
    """A database over HTTP: `http://user:password@host/path` as a `db_url`.

    It carries simple statements: one table, conditions joined by AND, no transactions; versions are not looked at.
    """

    SSL = param(0, ge=0, le=1, doc="1: by TLS.")
    cap_raw_query = param(0, ge=0, le=1, doc="1: the server takes raw queries.")
    cap_replace = param(0, ge=0, le=1, doc="1: the server takes query_type=replace (sql_replace).")
    cap_last_inserted_id = param(0, ge=0, le=1, removed="no module asks for the number of a new row",
                                 doc="No effect.")
    cap_insert_update = param(0, ge=0, le=1, removed="rows are inserted, updated or replaced", doc="No effect.")
    field_delimiter = param(";", parse=_character, doc="Character between fields of an answer.")
    row_delimiter = param("\n", parse=_character, doc="Character at the end of a row of an answer.")
    quote_delimiter = param("|", parse=_character, doc="Character around fields that hold any of these.")
    value_delimiter = param(",", parse=_character, doc="Character between the values of a question.")
    timeout = param(30000, ge=1, doc="Milliseconds until an answer has to be there.")
    disable_expect = param(0, ge=0, le=1, removed="Expect is never sent", doc="No effect.")

    def mod_init(self) -> None:
        """Offer the schemes."""
        marks = (self.field_delimiter, self.row_delimiter, self.quote_delimiter)
        if len(set(marks)) != len(marks):
            raise ModuleError("db_http: field_delimiter, row_delimiter and quote_delimiter must differ")
        for scheme in ("http", "https"):
            self.env.stores.register(scheme, lambda url: HttpStore(url, self))
