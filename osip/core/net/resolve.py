"""Turn a URI into the addresses to try, in order: RFC 3263 over a cache, so that most answers need no wait.

The procedure is written once, as a generator that yields lists of questions and is sent lists of records. `now` runs
it over the cache and gives up at the first unknown; `ask` runs it with real queries.
"""
from __future__ import annotations

import asyncio
import logging
import random as random_module
import socket
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from osip.core.errors import ParseError
from osip.core.net.dns import Answer, Dns, DnsError, Naptr, Srv
from osip.core.net.endpoint import DEFAULT_PORTS, Dest, LocalSocket
from osip.core.net.transport import Complaint
from osip.core.sip.uri import Uri, parse_uri

Question = tuple[str, str]
Plan = Generator[list[Question], list[tuple[Any, ...]], Any]

NAPTR_SERVICES = {"sip+d2u": "udp", "sip+d2t": "tcp", "sips+d2t": "tls", "sip+d2s": "sctp", "sip+d2w": "ws",
                  "sips+d2w": "wss"}
SRV_PREFIX = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp.", "sctp": "_sip._sctp.",
              "ws": "_sip._ws.", "wss": "_sips._ws."}
SECURE = {"tls": "tls", "tcp": "tls", "udp": "tls", "sctp": "tls", "ws": "wss", "wss": "wss"}
PREFERENCE = ("udp", "tcp", "tls")
CACHE = 20000               # answers kept
LITERALS = 4096             # URIs with addresses in them kept
MAX_TARGETS = 16            # SRV targets, and NAPTR records, looked at for one name
FAILED_TTL = 3.0            # seconds before a question that nobody answered is asked again
MIN_TTL, MAX_TTL = 1.0, 86400.0
MAX_SEARCH = 6              # domains of the search list
DEADLINE = 5.0              # seconds for all queries of one URI
TRIES = 3
TRY_TIME = 1.0


class Wanted(NamedTuple):
    """What one URI asks for: `proto` "" when it is to be found out, `port` 0 when the URI has none."""
    host: str
    port: int
    proto: str
    secure: bool
    families: tuple[str, ...]


class Resolver:
    """Find next hops for one worker.

    `config` has the dns_* and disable_dns_failover parameters, `protos` the protocols that can be sent with. `query`,
    `clock`, `random`, `hosts` and `search` (domains for names without a dot) are replaced in tests; `servers` are
    `address[:port]` of DNS servers.
    """

    def __init__(self, config: Any, protos: Iterable[str], *, query: Callable[..., Any] | None = None,
                 servers: Sequence[str] = (), clock: Callable[[], float] = time.monotonic,
                 random: random_module.Random | None = None, hosts: Mapping[str, Sequence[str]] | None = None,
                 search: Sequence[str] | None = None, deadline: float = DEADLINE) -> None:
        self.protos = set(protos)
        self.queries = self.failures = 0
        tries, try_time = config.dns_retr_no or TRIES, config.dns_retr_time or TRY_TIME
        self._dns = Dns(try_time, tries, servers or read_servers(config.dns_servers_no))
        self._query: Callable[[str, str], Any] = query or self._dns.query
        self._deadline = max(deadline, tries * try_time)
        self._config, self._clock = config, clock
        self._random = random or random_module.Random()
        self._hosts = read_hosts() if hosts is None else dict(hosts)
        self._search = tuple(search) if search is not None else read_search() if hosts is None else ()
        self.literals: dict[tuple[str, Any], tuple[str, str, int]] = {}
        self._cache: dict[Question, tuple[float, tuple[Any, ...]]] = {}
        self._running: dict[Question, asyncio.Task[tuple[Any, ...]]] = {}
        self._complain = Complaint(logging.getLogger("osip.resolve"), clock=clock)
        self.slow_queries = 0
        self.on_slow: Callable[[str, int], object] = lambda question, microseconds: None

    # --- entry points ------------------------------------------------------------------------------------------------

    def now(self, uri: Uri | str, hint: LocalSocket | str | None = None) -> list[Dest] | None:
        """Return the next hops when no query is needed, else None; ParseError when the URI leads nowhere.

        `hint` is the socket or protocol to use where the URI leaves the choice.
        """
        if uri.__class__ is str:
            known = self.literals.get((uri, hint))     # type: ignore[arg-type]
            if known is not None:
                return [Dest(*known)]
        wanted = self._wanted(uri, hint)
        if _is_literal(wanted.host):
            dest = Dest(wanted.proto or self._default_proto(wanted), wanted.host, wanted.port)
            dest.port = dest.port or DEFAULT_PORTS[dest.proto]
            if uri.__class__ is str:
                if len(self.literals) >= LITERALS:
                    self.literals.clear()
                self.literals[uri, hint] = (dest.proto, dest.host, dest.port)      # type: ignore[index]
            return [dest]
        plan = self._plan(wanted)
        try:
            questions = next(plan)
            while True:
                answers = [self._known(question) for question in questions]
                if None in answers:
                    plan.close()
                    return None
                questions = plan.send(answers)      # type: ignore[arg-type]
        except StopIteration as end:
            return self._limited(end.value, wanted.host)

    async def ask(self, uri: Uri | str, hint: LocalSocket | str | None = None) -> list[Dest]:
        """Return the next hops in the order to try them, asking DNS as needed; empty when there are none in time."""
        known = self.now(uri, hint)
        if known is not None:
            return known
        wanted = self._wanted(uri, hint)
        plan = self._plan(wanted)
        try:
            async with asyncio.timeout(self._deadline):
                questions = next(plan)
                while True:
                    questions = plan.send(await asyncio.gather(*map(self._answer, questions)))
        except StopIteration as end:
            return self._limited(end.value, wanted.host)
        except TimeoutError:
            self._complain("dns_timeout", "uri=%s seconds=%s", uri, self._deadline)
            return []

    def forget(self) -> None:
        """Empty the cache and read the hosts file again."""
        self._cache.clear()
        self._dns.forget()
        self._hosts, self._search = read_hosts(), read_search()

    async def close(self) -> None:
        """Stop all queries."""
        for task in list(self._running.values()):
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        await self._dns.close()

    # --- what the URI says -------------------------------------------------------------------------------------------

    def _wanted(self, uri: Uri | str, hint: LocalSocket | str | None) -> Wanted:
        parsed = parse_uri(uri) if isinstance(uri, str) else uri
        if not parsed.is_sip:
            raise ParseError(f"cannot send to a {parsed.scheme} URI", 416)
        secure = parsed.scheme == "sips"
        proto, host, families = "", parsed.host, self._families()
        if parsed.params:
            proto = (parsed.param("transport") or "").lower()
            host = (parsed.param("maddr") or host).strip("[]")
        if proto and proto not in SRV_PREFIX:
            raise ParseError(f'unknown transport "{proto}"')
        if hint:
            if isinstance(hint, str):
                proto = proto or hint
            else:
                proto = proto or hint.proto
                families = ("AAAA",) if hint.is_ipv6 else ("A",)
        if secure and proto:
            proto = SECURE[proto]
        return Wanted(host.lower().rstrip("."), parsed.port or 0, proto, secure, families)

    def _families(self) -> tuple[str, ...]:
        return ("A", "AAAA") if self._config.dns_try_ipv6 else ("A",)

    def _default_proto(self, wanted: Wanted) -> str:
        return "tls" if wanted.secure else self.default_proto()

    def default_proto(self) -> str:
        """Return the protocol of a sip URI that is no more than an address."""
        return next((proto for proto in PREFERENCE if proto in self.protos), "udp")

    # --- the procedure of RFC 3263 section 4 -------------------------------------------------------------------------

    def _plan(self, wanted: Wanted) -> Plan:
        if wanted.port:
            proto = wanted.proto or self._default_proto(wanted)
            return (yield from self._hosts_plan([(proto, wanted.port, wanted.host)], wanted))
        services = [(wanted.proto, SRV_PREFIX[wanted.proto] + wanted.host)] if wanted.proto else []
        if not services and self._config.dns_try_naptr:
            services = yield from self._naptr_plan(wanted)
        if services:
            found = yield from self._srv_plan(services, wanted, every=True)
        else:
            usable = [proto for proto in PREFERENCE if proto in self.protos and (proto == "tls" or not wanted.secure)]
            guesses = [(proto, SRV_PREFIX[proto] + wanted.host) for proto in usable]
            found = yield from self._srv_plan(guesses, wanted, every=False)
        if found is not None:
            return found
        proto = wanted.proto or self._default_proto(wanted)
        return (yield from self._hosts_plan([(proto, DEFAULT_PORTS[proto], wanted.host)], wanted))

    def _naptr_plan(self, wanted: Wanted) -> Plan:
        records: tuple[Naptr, ...] = (yield [("NAPTR", wanted.host)])[0]
        services = []
        for record in sorted(records)[:MAX_TARGETS]:
            proto = NAPTR_SERVICES.get(record.service, "")
            if record.flags == "s" and proto in self.protos and (not wanted.secure or SECURE[proto] == proto):
                services.append((proto, record.replacement.lower()))
        return services

    def _srv_plan(self, services: list[tuple[str, str]], wanted: Wanted, every: bool) -> Plan:
        """Return the hops of the services, None when no SRV record exists; without `every` the first that has some."""
        if not services:
            return None
        answers = yield [("SRV", name) for _, name in services]
        hops: list[tuple[str, int, str]] = []
        exist = False
        for (proto, _), records in zip(services, answers, strict=True):
            exist = exist or bool(records)
            # a target of "." says that the service is decidedly not there (RFC 2782)
            hops += [(proto, record.port, record.target.lower()) for record in self.ordered(records) if record.target]
            if hops and not every:
                break
        if not exist:
            return None
        return (yield from self._hosts_plan(hops[:MAX_TARGETS], wanted))

    def _hosts_plan(self, hops: list[tuple[str, int, str]], wanted: Wanted) -> Plan:
        found: dict[Question, tuple[str, ...]] = {}
        hosts = list(dict.fromkeys([host for _, _, host in hops]))
        words = self._words(hosts) if self._search else []
        for family in wanted.families:
            for domain in self._search if words else ():
                missing = [host for host in words if not found.get((family, host))]
                if missing:
                    answers = yield [(family, f"{host}.{domain}") for host in missing]
                    found.update(zip([(family, host) for host in missing], answers, strict=True))
        left = [(family, host) for family in wanted.families for host in hosts if not found.get((family, host))]
        if left:
            found.update(zip(left, (yield left), strict=True))
        # Both families are tried, host by host: one that is there but does not answer must not hide the other
        # (RFC 7984 section 4).
        return [Dest(proto, address, port) for proto, port, host in hops for family in wanted.families
                for address in found.get((family, host), ())]

    def _words(self, hosts: list[str]) -> list[str]:
        """Return the hosts that are one word alone: they are looked for in the domains of the search list first."""
        if not self._config.dns_use_search_list:
            return []
        return [host for host in hosts if "." not in host and ":" not in host and host not in self._hosts]

    def ordered(self, records: Iterable[Srv]) -> list[Srv]:
        """Return SRV records in the order to try them: by priority, and at random by weight within one (RFC 2782)."""
        out: list[Srv] = []
        left = sorted(records, key=lambda record: (record.priority, record.weight))
        while left:
            group = [record for record in left if record.priority == left[0].priority]
            left = left[len(group):]
            while group:
                point = self._random.randint(0, sum(record.weight for record in group))
                for index, record in enumerate(group):      # weight 0 stands first and has a small chance
                    point -= record.weight
                    if point <= 0:
                        break
                out.append(group.pop(index))
        return out

    def _limited(self, dests: list[Dest], name: str) -> list[Dest]:
        for dest in dests:
            dest.name = name                # what the certificate must show is what was asked for (RFC 5922 section 7.3)
        return dests[:1] if self._config.disable_dns_failover else dests

    # --- answers -----------------------------------------------------------------------------------------------------

    def _known(self, question: Question) -> tuple[Any, ...] | None:
        """Return the records when they need no query."""
        kind, name = question
        if kind == "A" or kind == "AAAA":
            own = (name,) if _is_literal(name) else self._hosts.get(name)
            if own is not None:
                return tuple([address for address in own if (":" in address) == (kind == "AAAA")])
        elif (name.split(".", 2)[-1] if name.startswith("_") else name) in self._hosts:
            return ()                                       # a name of the hosts file has addresses and nothing else
        entry = self._cache.get(question)
        if entry is None:
            return None
        if entry[0] <= self._clock():
            del self._cache[question]
            return None
        return entry[1]

    async def _answer(self, question: Question) -> tuple[Any, ...]:
        known = self._known(question)
        if known is not None:
            return known
        task = self._running.get(question)
        if task is None:
            task = self._running[question] = asyncio.ensure_future(self._fetch(question))
        return await asyncio.shield(task)               # others may wait for it; giving up must not stop it

    async def _fetch(self, question: Question) -> tuple[Any, ...]:
        self.queries += 1
        started, limit = self._clock(), self._config.exec_dns_threshold
        try:
            answer: Answer = await self._query(*question)
            self._remember(question, answer.records, min(max(answer.ttl, MIN_TTL), MAX_TTL))
            return answer.records
        except DnsError as error:
            self.failures += 1
            self._complain("dns_failed", "%s", error)
            self._remember(question, (), FAILED_TTL)
            return ()
        finally:
            self._running.pop(question, None)
            took = int((self._clock() - started) * 1e6)
            if limit and took > limit:
                self.slow_queries += 1
                self._complain("dns_slow", "microseconds=%d limit=%d question=%s", took, limit, " ".join(question))
                self.on_slow(" ".join(question), took)

    def _remember(self, question: Question, records: tuple[Any, ...], ttl: float) -> None:
        now = self._clock()
        if len(self._cache) >= CACHE:
            self._cache = {key: entry for key, entry in self._cache.items() if entry[0] > now}
            for key in list(self._cache)[:len(self._cache) - CACHE * 3 // 4]:
                del self._cache[key]
        self._cache[question] = (now + ttl, records)


def _is_literal(host: str) -> bool:
    """Say whether a host needs no look-up; cheaper than `is_ip`, and on the packet path."""
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    except (OSError, ValueError):
        return False
    return True


def read_hosts(path: str = "/etc/hosts") -> dict[str, tuple[str, ...]]:
    """Return the addresses of each name in a hosts file; `localhost` is always there."""
    found: dict[str, tuple[str, ...]] = {}
    try:
        lines = Path(path).read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        lines = []
    for line in lines:
        fields = line.partition("#")[0].split()
        if fields and _is_literal(fields[0]):
            for name in fields[1:]:
                found[name.lower()] = (*found.get(name.lower(), ()), fields[0])
    found.setdefault("localhost", ("127.0.0.1", "::1"))
    return found


def read_servers(limit: int | None, path: str = "/etc/resolv.conf") -> tuple[str, ...]:
    """Return the first `limit` servers that the system asks; none without a limit: the library reads them itself."""
    if not limit:
        return ()
    try:
        lines = Path(path).read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ()
    found = [fields[1] for fields in map(str.split, lines) if fields[:1] == ["nameserver"] and len(fields) > 1]
    return tuple(found[:limit])


def read_search(path: str = "/etc/resolv.conf") -> tuple[str, ...]:
    """Return the domains in which the system looks for names without a dot, at most 6."""
    try:
        lines = Path(path).read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ()
    found: tuple[str, ...] = ()
    for line in lines:
        word, *rest = line.partition("#")[0].split() or [""]
        if word in ("search", "domain"):                # the last one counts
            found = tuple([domain.lower().strip(".") for domain in rest if domain.strip(".")])
    return found[:MAX_SEARCH]
