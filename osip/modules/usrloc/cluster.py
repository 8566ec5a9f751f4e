"""Share contacts with other osip nodes through Redis: every node knows all of them, and hears of changes at once.

Redis holds for each table a hash with all contacts and a stream with the last changes; one script changes both, so
they agree. Of two versions of a contact the later one stays, by the clocks of the nodes, which must agree to about a
second. A node reads the hash when it starts and then follows the stream. After a break it goes on in the stream where
it was; when that no longer reaches back, or Redis lost what it knew, it reads the hash again and adds what is missing.
"""
from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from osip.api import Env, ModuleError, StoreError
from osip.modules.usrloc.keeper import Gone, Keeper
from osip.modules.usrloc.row import flags_of, socket_of
from osip.modules.usrloc.state import DIRTY, SYNC, Contact, Domain

if TYPE_CHECKING:
    from osip.modules.usrloc.module import Usrloc

STREAM_LENGTH = 100_000         # changes that a node may miss before it has to read everything
PAGE = 1000
BLOCK = 500                     # milliseconds for which Redis holds a question for news
PLAIN = ("uri", "q", "call_id", "cseq", "user_agent", "received", "path", "flags", "methods", "instance", "attr")
"""Fields that are the same in every node."""
PUT = """
local old = redis.call('HGET', KEYS[1], ARGV[1])
if old and tonumber(string.match(old, '^%d+')) > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], '*', 'n', ARGV[5], 'o', 'put', 'i', ARGV[1],
           'v', ARGV[2] .. ' ' .. ARGV[3])
return 1
"""
REMOVE = """
local old = redis.call('HGET', KEYS[1], ARGV[1])
if not old or tonumber(string.match(old, '^%d+')) > tonumber(ARGV[2]) then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], '*', 'n', ARGV[5], 'o', 'del', 'i', ARGV[1],
           'v', ARGV[2] .. ' ' .. ARGV[3])
return 1
"""


def keys_of_table(name: str) -> tuple[str, str]:
    """Return the names of hash and stream; the braces keep them on one node of a Redis cluster."""
    return f"osip:ul:{{{name}}}:contacts", f"osip:ul:{{{name}}}:changes"


def step_of(id: str) -> tuple[int, int]:
    """Return the id of a change in a form that can be compared."""
    high, _, low = id.partition("-")
    return int(high), int(low or 0)


class ClusterKeeper(Keeper):
    """The way between the tables in memory and Redis; `node` is the same in all workers of this server."""

    def __init__(self, ul: Usrloc, url: str, node: str) -> None:
        super().__init__(ul, at_once=True)
        self._url, self._node = url, node
        self._last: dict[str, str] = {}             # of each table: the change that was seen last

    async def open(self, env: Env) -> None:
        """Find the cache; ModuleError when no module provides it."""
        try:
            self._cache = env.cache(self._url)
            # A question for news takes its time: it must not share a pipeline with others.
            self._news = env.cache(f"{self._url}{'&' if '?' in self._url else '?'}for=news")
        except StoreError as error:
            raise ModuleError(f"usrloc: cachedb_url: {error}") from None
        if not hasattr(self._cache, "commands"):
            raise ModuleError('usrloc: cachedb_url: contacts are shared through Redis only: write '
                              '"redis://host:6379/"')
        self._is_open = True

    async def load(self) -> int:
        """Read all contacts; when Redis is away the server starts all the same and reads them when it is back."""
        try:
            return sum([await self._catch_up(name) for name in list(self._ul.domains)])
        except StoreError as error:
            self._last.clear()
            self._lose(error)
            return 0

    def start(self) -> None:
        """Follow the changes that other nodes make."""
        self.env.spawn(self._follow(), "usrloc: following other nodes")

    async def load_table(self, name: str, aor: str | None = None) -> int:
        """Compare with all other nodes know; a single AoR cannot be asked for, all are compared."""
        return await self._catch_up(name)

    def _keys(self, name: str) -> tuple[str, str]:
        """Return the names of the hash with contacts and of the stream of changes."""
        return keys_of_table(name)

    # --- out --------------------------------------------------------------------------------------------------------

    async def _write(self, puts: list[Contact], gone: Gone) -> None:
        # A contact may come and go within one write: removals of other contacts and puts do not touch each other.
        asked = [("EVAL", PUT, 2, *keys_of_table(contact.record.domain.name), str(contact.id),
                  self._stamp(contact.modified), self._text(contact), STREAM_LENGTH, self._node) for contact in puts]
        asked += [("EVAL", REMOVE, 2, *keys_of_table(name), str(id), self._stamp(when) + 1, json.dumps([aor]),
                   STREAM_LENGTH, self._node) for (name, id), (aor, when) in gone.items()]
        if asked:
            await self._cache.commands(*asked)

    def _stamp(self, when: float) -> int:
        return int((when + self._ul.offset()) * 1000)

    def _text(self, contact: Contact) -> str:
        env, record = self.env, contact.record
        return json.dumps([record.aor, [getattr(contact, name) for name in PLAIN],
                           0 if contact.expires == 0.0 else self._stamp(contact.expires),
                           env.branch_flags.listing(contact.cflags), contact.socket.text if contact.socket else "",
                           record.kv], separators=(",", ":"))

    # --- in ---------------------------------------------------------------------------------------------------------

    def _contact(self, id: str, value: str) -> tuple[str, Contact, Any]:
        """Return AoR, contact and keys from what Redis holds; ValueError when that is not ours."""
        stamp, _, text = value.partition(" ")
        aor, plain, end, cflags, socket, keys = json.loads(text)
        contact = Contact("")
        for name, one in zip(PLAIN, plain, strict=True):
            setattr(contact, name, one)
        shift = -self._ul.offset()
        contact.expires = end / 1000 + shift if end else 0.0
        contact.modified = int(stamp) / 1000 + shift
        contact.cflags, contact.socket = flags_of(self._ul, cflags), socket_of(self._ul, socket)
        contact.id, contact.state = int(id), SYNC
        return aor, contact, keys

    def _take(self, domain: Domain, id: str, value: str, is_told: bool) -> int:
        try:
            aor, contact, keys = self._contact(id, value)
        except (ValueError, TypeError) as error:
            self._complain("usrloc_cluster", "table=%s contact=%s is left out: %s", domain.name, id, error)
            return 0
        if not contact.is_valid(self.env.now) or (domain.name, contact.id) in self._gone:
            return 0
        return self._ul.take_in(domain, aor, contact, keys, is_told)

    async def _catch_up(self, name: str) -> int:
        """Read the hash; what is here and not (or older) there will be written."""
        contacts, changes = self._keys(name)
        domain = self._ul.domain(name)
        last = await self._newest(changes)
        # What was there before is compared; what comes meanwhile is written on its own.
        missing = {contact.id: contact for contact in domain.all() if not contact.memory}
        cursor, count = "0", 0
        while True:
            cursor, pairs = await self._cache.command("HSCAN", contacts, cursor, "COUNT", PAGE)
            found = list(pairs.items()) if isinstance(pairs, dict) else list(zip(pairs[::2], pairs[1::2], strict=True))
            for id, value in found:
                count += self._take(domain, id, value, False)
                old = missing.get(int(id))
                if old is not None and self._stamp(old.modified) <= int(value.partition(" ")[0]) + 1:
                    del missing[int(id)]
            if str(cursor) == "0":
                break
        self._last[name] = last
        for contact in missing.values():
            if contact in contact.record.contacts:
                if contact.state == SYNC:
                    contact.state = DIRTY
                self._changed[contact] = None
        if missing:
            self._wake()
        return count

    async def _newest(self, changes: str) -> str:
        newest = await self._cache.command("XREVRANGE", changes, "+", "-", "COUNT", 1)
        return str(newest[0][0]) if newest else "0-0"

    async def _follow(self) -> None:
        pause = 0.0
        while True:
            try:
                await self._hear()
                pause = 0.0
                if self.is_down:
                    self._wake()            # what waited can be written now
            except StoreError as error:
                self._lose(error)
                pause = min(5.0, pause * 2 or 0.25)
                await asyncio.sleep(pause)
                await self._reconnect()

    async def _reconnect(self) -> None:
        """Go on where we were when the stream still reaches back to that, else compare everything."""
        try:
            for name in list(self._ul.domains):
                if name not in self._last or not await self._reaches(name):
                    await self._catch_up(name)
                    self.env.log.warning("usrloc: contacts are compared with those of the other nodes table=%s", name)
        except StoreError as error:
            self._lose(error)

    async def _reaches(self, name: str) -> bool:
        changes, last = keys_of_table(name)[1], self._last[name]
        first = await self._cache.command("XRANGE", changes, "-", "+", "COUNT", 1)
        newest = await self._cache.command("XREVRANGE", changes, "+", "-", "COUNT", 1)
        if not first or not newest:
            return False
        return step_of(first[0][0]) <= step_of(last) <= step_of(newest[0][0])

    async def _hear(self) -> None:
        tables = [name for name in self._ul.domains if name in self._last]
        if len(tables) < len(self._ul.domains):
            for name in self._ul.domains.keys() - self._last.keys():
                await self._catch_up(name)
            return
        streams = [keys_of_table(name)[1] for name in tables]
        answer = await self._news.command("XREAD", "BLOCK", BLOCK, "COUNT", PAGE, "STREAMS", *streams,
                                          *(self._last[name] for name in tables))
        entries = answer.items() if isinstance(answer, dict) else answer or ()
        for stream, changes in entries:
            name = tables[streams.index(stream)]
            for id, fields in changes:
                if isinstance(fields, list):
                    fields = dict(zip(fields[::2], fields[1::2], strict=True))
                self._hear_one(self._ul.domain(name), fields)
                self._last[name] = id

    def _hear_one(self, domain: Domain, fields: dict[str, str]) -> None:
        if fields.get("n") == self._node:
            return
        if fields.get("o") == "put":
            self._take(domain, fields.get("i", ""), fields.get("v", ""), self.env.number == 0)
            return
        stamp, _, text = fields.get("v", "").partition(" ")
        record = domain.get(json.loads(text)[0])
        for contact in list(record.contacts) if record is not None else ():
            if str(contact.id) == fields.get("i") and self._stamp(contact.modified) <= int(stamp) + 1:
                self._ul.drop(contact, self.env.number == 0)
