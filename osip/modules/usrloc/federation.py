"""Let several osip nodes find each other's users: contacts stay at their node, Redis knows which nodes an AoR has.

Redis holds for each node a hash with its contacts, from which it starts again after a crash, and for each AoR a hash
node -> when its last contact there ends. A node is known by its address, to which the others send requests for its
users. It looks now and then whether Redis still has what it wrote, and writes it anew when not.
"""
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from osip.api import Env, ModuleError, ParseError, StoreError, bracket, parse_uri
from osip.modules.usrloc.cluster import ClusterKeeper
from osip.modules.usrloc.keeper import Gone
from osip.modules.usrloc.state import Contact, Record

if TYPE_CHECKING:
    from osip.modules.usrloc.module import Usrloc

LOOK_EVERY = 1.0            # seconds between two looks at whether Redis still has what was written
REMEMBERED = 50_000         # AoRs whose nodes are remembered for when Redis is away
FOR_EVER = 32_503_680_000_000       # the end of a permanent contact, in milliseconds
_TOPIC = "usrloc homes"
PUT = """
local old = redis.call('HGET', KEYS[1], ARGV[1])
if old and tonumber(string.match(old, '^%d+')) > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
return 1
"""
REMOVE = """
local old = redis.call('HGET', KEYS[1], ARGV[1])
if not old or tonumber(string.match(old, '^%d+')) > tonumber(ARGV[2]) then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
"""
AT_HOME = """
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
local last = 0
for _, ends in ipairs(redis.call('HVALS', KEYS[1])) do last = math.max(last, tonumber(ends)) end
return redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', last))
"""


def address_of(ul: Usrloc, env: Env) -> str:
    """Return the URI at which other nodes reach this one; ModuleError when it has none."""
    text = str(ul.federation_address)
    if text:
        try:
            if not parse_uri(text).is_sip:
                raise ParseError("no SIP URI")
        except ParseError:
            raise ModuleError(f'usrloc: federation_address "{text}" is no SIP URI: write "sip:10.0.0.5:5060"') from None
        return text
    socket = next((one for one in env.sockets if one.proto == "udp"), env.sockets[0] if env.sockets else None)
    if socket is None:
        raise ModuleError('usrloc: no socket at which other nodes could reach this one: set federation_address')
    proto = "" if socket.proto == "udp" else f";transport={socket.proto}"
    return f"sip:{bracket(socket.adv_host or socket.host)}:{socket.adv_port or socket.port}{proto}"


class FederationKeeper(ClusterKeeper):
    """The way between the contacts of this node and Redis, and the question where else an AoR has some."""

    def __init__(self, ul: Usrloc, url: str) -> None:
        super().__init__(ul, url, "")
        self._homes: dict[tuple[str, str], list[str]] = {}      # what was told last, for when Redis is away
        self._is_suspect = False                                # Redis may have lost something
        ul.env.bus.subscribe(_TOPIC, self._remember)            # other workers of this node need not ask for it

    async def open(self, env: Env) -> None:
        """Find the cache and the own address."""
        self._node = address_of(self._ul, env)
        await super().open(env)

    async def load(self) -> int:
        """Read the contacts that this node had; when Redis is away they come when it is back."""
        count = await super().load()
        self._is_suspect = self.is_down
        return count

    def start(self) -> None:
        """Look after what Redis has."""
        self.env.spawn(self._watch(), "usrloc: watching over Redis")

    async def load_table(self, name: str, aor: str | None = None) -> int:
        """Compare with what Redis has; a single AoR cannot be asked for, all are compared."""
        async with self._writing:           # what is being removed must not come back
            return await self._catch_up(name)

    def _keys(self, name: str) -> tuple[str, str]:
        return f"osip:ul:{{{name}}}:at:{self._node}", f"osip:ul:{{{name}}}:alive:{self._node}"

    async def _newest(self, changes: str) -> str:
        return ""                       # nobody tells of changes

    @staticmethod
    def home_key(name: str, aor: str) -> str:
        """Return the name of the hash that tells which nodes have contacts of an AoR."""
        return f"osip:ul:{{{name}}}:home:{aor}"

    # --- out -----------------------------------------------------------------------------------------------------------

    async def _write(self, puts: list[Contact], gone: Gone) -> None:
        asked: list[tuple[Any, ...]] = []
        touched: dict[tuple[str, str], None] = {}
        for contact in puts:
            name = contact.record.domain.name
            touched[name, contact.record.aor] = None
            asked.append(("EVAL", PUT, 1, self._keys(name)[0], str(contact.id), self._stamp(contact.modified),
                          self._text(contact)))
        for (name, id), (aor, when) in gone.items():
            touched[name, aor] = None
            asked.append(("EVAL", REMOVE, 1, self._keys(name)[0], str(id), self._stamp(when) + 1))
        for name, aor in touched:
            asked.append(self._home(name, aor, self._ul.domain(name).get(aor)))
        if asked:
            await self._cache.commands(*asked)

    def _home(self, name: str, aor: str, record: Record | None) -> tuple[Any, ...]:
        key = self.home_key(name, aor)
        stored = [contact for contact in record.contacts if not contact.memory] if record is not None else []
        if not stored:
            return "HDEL", key, self._node
        end = FOR_EVER if any(one.expires == 0.0 for one in stored) else self._stamp(max(one.expires for one in stored))
        return "EVAL", AT_HOME, 1, key, self._node, end

    # --- asking --------------------------------------------------------------------------------------------------------

    async def homes(self, name: str, aor: str) -> list[str]:
        """Return the addresses of other nodes that have contacts of an AoR.

        While Redis is away what it said last counts; StoreError when it never said anything.
        """
        try:
            answer = await self._cache.command("HGETALL", self.home_key(name, aor))
        except StoreError as error:
            self._is_suspect = True
            self._complain("usrloc_homes", "it is not known where else users are: reason=%s", error)
            if (name, aor) in self._homes:
                return self._homes[name, aor]
            raise
        pairs = answer.items() if isinstance(answer, dict) else zip(answer[::2], answer[1::2], strict=True)
        now = self._stamp(self._ul.monotonic())
        found = sorted(str(node) for node, end in pairs if node != self._node and int(end) > now)
        is_news = self._homes.get((name, aor), ()) != found
        self._remember((name, aor, found))
        if is_news:
            self.env.bus.others(_TOPIC, (name, aor, found))
        return found

    def _remember(self, told: tuple[str, str, list[str]]) -> None:
        name, aor, found = told
        self._homes.pop((name, aor), None)      # the one asked for last goes last
        self._homes[name, aor] = list(found)
        if len(self._homes) > REMEMBERED:
            del self._homes[next(iter(self._homes))]

    # --- losses --------------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                for name in list(self._ul.domains):
                    if self._is_suspect or await self._cache.command("GET", self._keys(name)[1]) is None:
                        await self.load_table(name)
                        await self._cache.command("SET", self._keys(name)[1], "1")
                        await self._tell_homes(name)
                self._is_suspect = False
                if self.is_down:
                    self._wake()
            except StoreError as error:
                self._is_suspect = True
                self._lose(error)

    async def _tell_homes(self, name: str) -> None:
        """Say anew which AoRs are at home here: Redis may have lost that, too."""
        records = [record for record in list(self._ul.domain(name).records.values()) if record.contacts]
        for at in range(0, len(records), 500):
            await self._cache.commands(*(self._home(name, record.aor, record) for record in records[at:at + 500]))
            await asyncio.sleep(0)
