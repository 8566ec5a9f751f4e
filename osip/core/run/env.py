"""The outside world as modules see it: time, sockets, names, stores, events, logs. One for each worker."""
from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from osip.core.accel import LEAF
from osip.core.errors import OsipError
from osip.core.net.egress import Egress
from osip.core.net.endpoint import Source
from osip.core.run.config import Config
from osip.core.run.outlet import Hold
from osip.core.run.quick import Quick
from osip.core.run.share import SharedVars
from osip.core.run.steer import owner_of
from osip.core.run.timers import Timers
from osip.core.sip.message import parse

if TYPE_CHECKING:
    from osip.core.exports.registry import Registry
    from osip.core.mi.commands import Commands
    from osip.core.net.endpoint import Dest, LocalSocket
    from osip.core.run.bus import Bus
    from osip.core.run.ctx import Ctx
    from osip.core.run.dispatch import Dispatch
    from osip.core.run.events import Events
    from osip.core.run.health import Health
    from osip.core.run.homing import Homing
    from osip.core.run.program import Program
    from osip.core.run.sender import Sender
    from osip.core.run.stats import Stats
    from osip.core.sip.message import Request
    from osip.core.store.cache import Caches
    from osip.core.store.sql import Stores

DUMMY = (b"DUMMY sip:dummy@localhost SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1\r\nFrom: <sip:dummy@localhost>;tag=0\r\n"
         b"To: <sip:dummy@localhost>\r\nCall-ID: dummy\r\nCSeq: 1 DUMMY\r\nContent-Length: 0\r\n\r\n")


class FlagTable:
    """Give flag names their bits, 32 at most (dsl.md section 10).

    A name keeps its bit over reloads. When all are taken, a new script may have the bits of names that only replaced
    scripts used.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self._in_use: set[str] = set()          # by the present script
        self._kept: set[str] | None = None      # by modules, for good; None until the first script is compiled

    def begin(self) -> None:
        """Note that a new script is about to be compiled; what was asked for before the first one is the modules'."""
        if self._kept is None:
            self._kept = self._in_use
        self._in_use = set()

    def bit(self, name: str) -> int:
        """Return the mask of a flag name; OsipError when 32 are in use."""
        if name not in self.names:
            if len(self.names) < 32:
                self.names.append(name)
            else:
                self.names[self._free(name)] = name
        self._in_use.add(name)
        return 1 << self.names.index(name)

    def _free(self, name: str) -> int:
        for at, old in enumerate(self.names):
            if old not in self._in_use and old not in (self._kept or ()):
                return at
        raise OsipError(f'flag "{name}" is one too many: a script has at most 32 flags of a kind')

    def listing(self, mask: int) -> str:
        """Return the names of the bits in `mask`, blank-separated."""
        return " ".join(name for i, name in enumerate(self.names) if mask >> i & 1)


_NUMBERED: Final[Any] = None if LEAF is None else LEAF.numbered
BLOCK = 64
"""How many random ids the system is asked for at once: a call for each would cost more than the id."""


class Ids:
    """Make ids; with a seed they are the same in every run, for tests.

    Tags and Call-IDs are random (RFC 3261 sections 8.1.1.4 and 19.3): whoever could guess one could end or take over a
    dialog. A worker makes its `Ids` after the fork, so that no two of them share random bits.
    """

    def __init__(self, seed: bytes | None = None, worker: int = 0, workers: int = 1) -> None:
        self._worker, self._workers = worker, workers
        self._count = 0
        self._is_seeded = seed is not None
        self._prefix = (seed or os.urandom(6)).hex()
        self._random: list[str] = []
        self.branch_start = f"z9hG4bK.w{worker}.{self._prefix}"
        """How every branch of ours begins, those of stateless copies apart."""

    def next(self) -> str:
        """Return a new id of 64 random bits."""
        if self._is_seeded:
            self._count += 1
            return self._prefix + str(self._count)
        if not self._random:
            bits = os.urandom(8 * BLOCK).hex()
            self._random = [bits[at:at + 16] for at in range(0, len(bits), 16)]
        return self._random.pop()

    def branch(self, tail: str = "") -> str:
        """Return a Via branch that ends with `tail`; the worker's digit stands first (performance.md rule 10)."""
        self._count += 1
        if _NUMBERED is not None:
            built: str | None = _NUMBERED(self.branch_start, self._count, tail)
            if built is not None:
                return built
        return f"{self.branch_start}{self._count}{tail}"

    def call_id(self) -> str:
        """Return a Call-ID for a request of our own, such that its answers are steered to this worker."""
        while True:
            text = f"{self.next()}-osip-test" if self._is_seeded else f"{self.next()}-{self.next()}"
            if self._workers == 1 or owner_of(text, self._workers) == self._worker:
                return text

    def owns(self, call_id: str) -> bool:
        """Say whether what bears this Call-ID is steered to this worker."""
        return self._workers == 1 or owner_of(call_id, self._workers) == self._worker


class Env:
    """What a worker offers to its modules.

    `now` is monotonic seconds, read once for each batch of input. `send(data, dest)` returns False when the message
    could not be handed to the network. `resolve(uri_text, socket)` returns a list of `Dest` at once when it needs no
    query, else None; `await resolve_wait(...)` asks. `is_myself(host, port, proto)` knows sockets and aliases,
    and what modules add to them by `own_names`, whatever the port and protocol.
    """

    def __init__(self, config: Config | None = None, registry: Registry | None = None) -> None:
        self.config: Any = config or Config()
        self.quick = Quick(self.config)         # the settings that each message asks for
        self.registry = registry
        self.modules: dict[str, Any] = registry.instances if registry else {}
        self.now = 0.0
        self.timers = Timers()
        self.ids = Ids()
        self.message_flags, self.branch_flags, self.script_flags = FlagTable(), FlagTable(), FlagTable()
        self.vars: dict[str, str | int | None] = {}         # $var of this worker
        self.shared = SharedVars()                          # $shv
        self.program: Program | None = None
        self.no_new_conn = 0                                # branch flags (tcp_no_new_conn_bflag)
        self.no_new_conn_reply = 0                          # message flags (tcp_no_new_conn_rplflag)
        self.sockets: list[LocalSocket] = []
        self.transports: dict[str, Any] = {}                # of this worker, by protocol
        self.known_sockets: list[LocalSocket] = []          # by `index`, also those that a reload has closed
        self.number, self.workers = 0, 1                    # of this worker, and how many there are
        self.wall: Callable[[], float] = time.time          # Unix seconds; tests set the clock
        self.started_at = time.time()
        self.pid = os.getpid()
        self.tag_secret = os.urandom(8).hex()               # makes stateless To tags hard to guess
        self.log, self.hold = logging.getLogger("osip"), Hold()     # `hold` gathers the lines of a batch of messages
        self.events: Events = None          # type: ignore[assignment]  # set by the worker before mod_init
        self.stats: Stats = None            # type: ignore[assignment]
        self.mi: Commands = None            # type: ignore[assignment]
        self.send: Callable[[bytes, Dest], bool] = _not_started
        self.sender: Sender | None = None       # whose `send` that is, and in compiled code reached at once by `hand`
        self.own_send: Any = None
        self.resolve: Callable[..., list[Dest] | None] = _not_started
        self.literals: dict[Any, Any] = {}      # (URI, socket or None) -> (protocol, host, port): needs no `resolve`
        self.default_proto = ""             # of a URI that is no more than an address; "" before there is a resolver
        self.resolve_wait: Callable[..., Awaitable[list[Dest]]] = _not_started
        self.egress = Egress(lambda: self.now)              # (ip) -> our address towards it, for `mhomed`
        self.is_myself: Callable[..., bool] = _not_started
        self.own_names: list[Callable[[str], bool]] = []    # (host in lower case) -> is it ours; asked by `is_myself`
        self.on_own_names: list[Callable[[], None]] = []    # told when one of `own_names` has changed its mind
        self.find_socket: Callable[..., LocalSocket | None] = _not_started
        self.pick_socket: Callable[..., LocalSocket | None] = _not_started
        self.is_connected: Callable[[str, str, int, int], bool] = _not_started    # (protocol, host, port, id)
        self.run_route: Callable[..., int] = _not_started       # (route, ctx) -> code; a waiting route is spawned
        self.reply: Callable[[Ctx, int, str], int] = _not_started     # stateless until tm takes it over
        self.bus: Bus = None                # type: ignore[assignment]
        self.dispatch: Dispatch = None      # type: ignore[assignment]
        self.health: Health = None          # type: ignore[assignment]
        self.on_reload: list[Callable[[], Any]] = []        # called when the settings were taken over
        self.on_hang_up: list[Callable[[], Any]] = []       # called at SIGHUP, whatever becomes of the reload
        self.announcements: list[str] = []  # lines that `start` shows once the server is ready
        self.gather_stats: Callable[[], Awaitable[Stats]] = self._own_stats     # those of all workers as one
        self.reload: Callable[..., Awaitable[list[Any]]] = _not_started   # (dry_run) -> diagnostics; errors: no change
        self.shutdown: Callable[[bool], None] = _not_started    # True: drain first
        self.blocked: Callable[[Ctx | None, Dest, bytes], bool] | None = None   # blacklists; None: there are none
        self.choose_tls: Callable[[Ctx, Dest], None] | None = None      # fills in a TLS client domain and name
        self.on_stateless: list[Callable[[Ctx, int, bytes], Any]] = []      # told of replies without a transaction
        self.homing: Homing = None          # type: ignore[assignment]
        self.lost: Callable[[Dest], Any] | None = None      # told of destinations that do not answer
        self.sql: Callable[[str], Any] = _not_started           # url ("" = db_default_url) -> core.store.sql.Sql
        self.cache: Callable[[str], Any] = _not_started         # id or URL -> core.store.cache.Cache
        self.caches: Caches = None          # type: ignore[assignment]  # where cachedb modules register
        self.stores: Stores = None          # type: ignore[assignment]  # where db modules register
        self._dummy: Request | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    def begin_program(self) -> None:
        """Get ready for the compilation of a new script."""
        for table in (self.message_flags, self.branch_flags, self.script_flags):
            table.begin()

    def hand(self, data: bytes, dest: Dest) -> bool:
        """Do what `send` does; where that is still the worker's own, with a step less in between."""
        sender, send = self.sender, self.send
        return sender.send(data, dest) if sender is not None and send is self.own_send else send(data, dest)

    def make_dummy(self) -> tuple[Request, Source | None]:
        """Return the request (and its source) that routes see which no message started (dsl.md section 5)."""
        if self._dummy is None:
            self._dummy = parse(DUMMY)          # type: ignore[assignment]
        source = Source(self.sockets[0], self.sockets[0].host, self.sockets[0].port) if self.sockets else None
        return self._dummy, source              # type: ignore[return-value]

    async def _own_stats(self) -> Stats:
        return self.stats

    def spawn(self, coro: Coroutine[Any, Any, Any], what: str = "") -> asyncio.Task[Any]:
        """Run a coroutine beside the packet path; a failure is logged, never lost."""
        task = asyncio.get_running_loop().create_task(coro)
        self._tasks.add(task)

        def done(task: asyncio.Task[Any]) -> None:
            self._tasks.discard(task)
            if not task.cancelled() and task.exception() is not None:
                self.log.error("task failed what=%s error=%r", what or coro, task.exception(),
                               exc_info=task.exception())
        task.add_done_callback(done)
        return task

    async def finish_tasks(self) -> None:
        """Cancel what `spawn` started and wait for it; on shutdown."""
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)


def _not_started(*_: Any, **__: Any) -> Any:
    raise OsipError("the worker has not started yet: sockets and stores are available from child_init on")
