"""The web of a test: HTTP requests that modules make by aiohttp are answered by rules, none leaves the machine."""
from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any


@dataclass(slots=True)
class Asked:
    """One request that a module made."""
    method: str
    url: str
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Method and URL, for people."""
        return f"{self.method} {self.url}"


@dataclass(slots=True)
class Page:
    """One answer to the requests that match; `calls` lists those that it answered."""
    pattern: re.Pattern[str]
    method: str
    status: int
    body: bytes
    headers: dict[str, str]
    error: str
    after: float
    calls: list[Asked] = field(default_factory=list)


class Web:
    """The web servers of a test. The last rule that matches answers; without one the request cannot connect.

    Use it as `with web:` around what may ask; it stands in for `aiohttp.ClientSession` meanwhile.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._pages: list[Page] = []
        self._before: Any = None

    def on(self, pattern: str, body: str | bytes | dict[str, Any] | list[Any] = "", *, status: int = 200,
           method: str = "", headers: Mapping[str, str] | None = None, error: str = "", after: float = 0) -> Page:
        """Answer requests whose URL matches a regular expression; a `dict` or `list` becomes JSON.

        With `error` they fail to connect, `after` lets the answer come so many seconds later.
        """
        given = dict(headers or {})
        if isinstance(body, dict | list):
            body = json.dumps(body)
            given.setdefault("Content-Type", "application/json")
        given.setdefault("Content-Type", "text/plain")
        raw = body.encode("utf-8", "surrogateescape") if isinstance(body, str) else body
        page = Page(re.compile(pattern), method.upper(), status, raw, given, error, after)
        self._pages.append(page)
        return page

    def __enter__(self) -> Web:
        aiohttp = sys.modules.get("aiohttp")
        if self._pages and aiohttp is None:
            import aiohttp
        if aiohttp is not None:                 # what is not imported cannot ask
            web = self

            async def asked(session: Any, method: str, url: Any, **more: Any) -> Answer:
                return await web.answer(session, method, url, more)
            self._before = aiohttp.ClientSession._request
            aiohttp.ClientSession._request = asked      # type: ignore[method-assign,assignment]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._before is not None:
            sys.modules["aiohttp"].ClientSession._request = self._before    # type: ignore[attr-defined]
            self._before = None

    async def answer(self, session: Any, method: str, url: Any, more: dict[str, Any]) -> Answer:
        """Answer one request of a session."""
        from aiohttp import ClientConnectionError

        base = getattr(session, "_base_url", None)
        address = base.join(_url(url)) if base is not None else _url(url)
        if more.get("params"):
            address = address.update_query(more["params"])
        headers = {**getattr(session, "headers", {}), **(more.get("headers") or {})}
        one = Asked(method.upper(), str(address), _text(more), {str(k): str(v) for k, v in headers.items()})
        self.asked.append(one)
        page = next((page for page in reversed(self._pages) if page.pattern.search(one.url)
                     and page.method in ("", one.method)), None)
        if page is None:
            raise ClientConnectionError(f"no answer for this HTTP request in the test: {one.title}")
        page.calls.append(one)
        if page.after:
            limit = _limit(more.get("timeout"), session)
            await asyncio.sleep(min(page.after, limit) if limit else page.after)
            if limit and page.after > limit:
                raise TimeoutError
        if page.error:
            raise ClientConnectionError(page.error)
        answer = Answer(page, one, address)
        if more.get("raise_for_status"):
            answer.raise_for_status()
        return answer


class Answer:
    """One answer, as `aiohttp.ClientResponse` looks to a module."""

    def __init__(self, page: Page, asked: Asked, url: Any) -> None:
        from http import HTTPStatus

        from multidict import CIMultiDict

        self.status, self.method, self.url, self.real_url = page.status, asked.method, url, url
        self.reason = HTTPStatus(page.status).phrase if page.status in HTTPStatus._value2member_map_ else ""
        self.headers = CIMultiDict(page.headers)
        self._body = page.body
        self.content = Body(page.body)
        self.closed = False

    @property
    def ok(self) -> bool:
        """Say whether the status is below 400."""
        return self.status < 400

    @property
    def content_type(self) -> str:
        """The media type without its parameters."""
        return str(self.headers.get("Content-Type", "")).partition(";")[0].strip()

    charset = "utf-8"
    history = ()

    async def read(self) -> bytes:
        """Return the body."""
        return self._body

    async def text(self, encoding: str | None = None, errors: str = "strict") -> str:
        """Return the body as text."""
        return self._body.decode(encoding or "utf-8", errors)

    async def json(self, **_: Any) -> Any:
        """Return the body read as JSON."""
        return json.loads(self._body)

    def raise_for_status(self) -> None:
        """Raise what aiohttp raises for a status of 400 and more."""
        if not self.ok:
            from aiohttp import ClientResponseError

            raise ClientResponseError(None, (), status=self.status, message=self.reason)  # type: ignore[arg-type]

    def release(self) -> None:
        """Say that the body is not wanted any more."""
        self.closed = True

    close = release

    async def wait_for_close(self) -> None:
        """Nothing is left to wait for."""

    async def __aenter__(self) -> Answer:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release()


class Body:
    """The body of an answer as a stream."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self, n: int = -1) -> bytes:
        """Return at most `n` bytes, all that is left without it."""
        found = self._data if n < 0 else self._data[:n]
        self._data = self._data[len(found):]
        return found

    async def iter_chunked(self, n: int) -> Any:
        """Walk the body in pieces of `n` bytes."""
        while self._data:
            yield await self.read(n)

    def iter_any(self) -> Any:
        """Walk the body as it came."""
        return self.iter_chunked(65536)

    def at_eof(self) -> bool:
        """Say whether all was read."""
        return not self._data


def _url(url: Any) -> Any:
    from yarl import URL

    return URL(url)


def _text(more: dict[str, Any]) -> str:
    """Return the body of a request as text."""
    if more.get("json") is not None:
        return json.dumps(more["json"])
    data = more.get("data")
    if isinstance(data, bytes | bytearray):
        return bytes(data).decode("utf-8", "surrogateescape")
    if isinstance(data, Mapping):
        from urllib.parse import urlencode

        return urlencode(data)
    return "" if data is None else str(data)


def _limit(timeout: Any, session: Any) -> float:
    """Return the seconds that a request may take; 0 is for ever."""
    given = timeout if isinstance(timeout, int | float) or hasattr(timeout, "total") else getattr(session, "timeout", None)
    return float(getattr(given, "total", given) or 0)
