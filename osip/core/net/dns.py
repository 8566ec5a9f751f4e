"""Ask DNS questions: one query, its records and how long they hold."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from osip.core.errors import OsipError

NEGATIVE_TTL = 60           # seconds a "there is none" holds when the answer does not say
MAX_NEGATIVE_TTL = 300


class Srv(NamedTuple):
    """An SRV record (RFC 2782)."""
    priority: int
    weight: int
    port: int
    target: str


class Naptr(NamedTuple):
    """A NAPTR record (RFC 3403), as far as SIP needs it (RFC 3263 section 4.1)."""
    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Answer(NamedTuple):
    """The records of one kind, possibly none: addresses as str, `Srv`, `Naptr`; valid for `ttl` seconds."""
    records: tuple[Any, ...]
    ttl: float


class DnsError(OsipError):
    """Say that a query was not answered, which is not the same as an answer without records."""


class Dns:
    """The system's DNS servers, or those given; the library is imported when the first query needs it."""

    def __init__(self, timeout: float, tries: int, servers: Sequence[str] = ()) -> None:
        self._options: dict[str, Any] = {"timeout": timeout, "tries": tries}
        if servers:
            self._options["nameservers"] = list(servers)
        self._client: Any = None
        self._retired: Any = None           # it may still have questions out

    async def query(self, kind: str, name: str) -> Answer:
        """Ask for the A, AAAA, SRV or NAPTR records of a name; DnsError when nobody answers."""
        import aiodns
        if self._client is None:
            self._client = aiodns.DNSResolver(**self._options)
        try:
            result = await self._client.query_dns(name, kind)
        except aiodns.error.DNSError as error:
            if error.args[0] in (aiodns.error.ARES_ENOTFOUND, aiodns.error.ARES_ENODATA):
                return Answer((), NEGATIVE_TTL)
            raise DnsError(f"DNS query {kind} {name}: {error.args[-1]}") from None
        return _answer(kind, result)

    def forget(self) -> None:
        """Empty the cache that the library has of its own; what is being asked goes on."""
        if self._client is not None:
            self._retired, self._client = self._client, None

    async def close(self) -> None:
        """Give up what is being asked."""
        clients, self._client, self._retired = (self._client, self._retired), None, None
        for client in clients:
            if client is not None:
                await client.close()


def _answer(kind: str, result: Any) -> Answer:
    records, ttl = [], float(MAX_NEGATIVE_TTL)
    for record in result.answer:
        made = _record(kind, record.data)
        if made is not None:                        # a CNAME on the way has its own class
            ttl = min(ttl, record.ttl) if records else float(record.ttl)
            records.append(made)
    if not records:
        ttl = min([NEGATIVE_TTL, *(getattr(record.data, "minimum", NEGATIVE_TTL) for record in result.authority)])
    return Answer(tuple(records), ttl)


def _record(kind: str, content: Any) -> Any:
    if type(content).__name__ != f"{kind}RecordData":
        return None
    if kind == "SRV":
        return Srv(content.priority, content.weight, content.port, content.target.rstrip("."))
    if kind == "NAPTR":
        return Naptr(content.order, content.preference, content.flags.lower(), content.service.lower(),
                     content.replacement.rstrip("."))
    return content.addr
