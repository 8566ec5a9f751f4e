"""One worker: an environment, the sockets, the module instances and the current program."""
from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from osip.core.errors import OsipError
from osip.core.exports.registry import Registry
from osip.core.exports.spec import Hook, Scope
from osip.core.mi.commands import Commands
from osip.core.net.endpoint import LocalSocket
from osip.core.net.listen import own_names
from osip.core.net.resolve import Resolver
from osip.core.run import reply
from osip.core.run.bus import Bus, LocalBus
from osip.core.run.collector import Collector
from osip.core.run.ctx import STARTUP, TIMER, Ctx
from osip.core.run.dispatch import Dispatch, hooks
from osip.core.run.env import Env
from osip.core.run.events import Events
from osip.core.run.group import transports_of
from osip.core.run.health import Health
from osip.core.run.homing import Homing
from osip.core.run.myself import Myself
from osip.core.run.sender import Sender
from osip.core.run.stats import Stats
from osip.core.run.timers import TICK
from osip.core.store.cache import Caches
from osip.core.store.sql import Stores

if TYPE_CHECKING:
    from osip.core.net.endpoint import Dest, Source
    from osip.core.run.program import Program

_log = logging.getLogger("osip.core")

LEAVE_SECONDS = 300.0       # at most until a socket that the script no longer lists is closed
LEAVE_LOOK = 1.0            # seconds between two looks whether it is still needed
WOKEN = 128                 # timers that are looked at before messages have their turn: a fraction of a millisecond


class Worker:
    """Serve the sockets until told to stop. `env` is complete before the modules' `mod_init` runs."""

    def __init__(self, env: Env, registry: Registry, sockets: list[LocalSocket], number: int = 0,
                 bus: Bus | None = None) -> None:
        self.env, self.registry, self.number = env, registry, number
        self.bus: Bus = bus or LocalBus()
        self.transports: dict[str, Any] = {}
        self.stores = Stores(env.config)
        self.dispatch: Dispatch = None          # type: ignore[assignment]
        self._stop: asyncio.Event | None = None
        self._drain_hooks: tuple[Callable[..., int], ...] = ()
        self._unsent_hooks: tuple[Callable[..., Any], ...] = ()
        self._in_use_hooks: tuple[Callable[..., int], ...] = ()
        self._ticker: asyncio.Handle | None = None
        self._route_timers: list[Any] = []
        self._generation = 0
        self.is_first = True                    # False: it takes the place of one that died
        self._prepare(sockets)

    def _prepare(self, sockets: list[LocalSocket]) -> None:
        env = self.env
        env.sockets, env.known_sockets = sockets, list(sockets)
        for index, socket in enumerate(sockets):
            socket.index = index
        self.set_clock(time.monotonic())
        env.modules = self.registry.instances
        env.bus = self.bus
        env.shared.bind(self.bus)
        env.stats, env.events = Stats(), Events(env)
        env.stats.register_modules(self.registry)
        for spec in self.registry.specs:
            for event in spec.events:
                env.events.declare(event.name)
        env.mi = Commands(self.registry)
        self.dispatch = Dispatch(env, self.registry)
        env.caches = Caches(lambda: env.now, env.bus if env.workers > 1 else None)
        env.cache, env.stores = env.caches.cache, self.stores
        self.receive: Callable[[bytes, Source], None] = self.dispatch.receive     # handles one message; never raises
        self.batch_start, self.batch_end = self.dispatch.batch_start, self.dispatch.batch_end
        self.collector = Collector()
        self.sender = Sender(env, self.transports)
        self.send: Callable[[bytes, Dest], bool] = self.sender.send
        env.send, env.run_route = self.send, self.dispatch.run_route
        env.sender, env.own_send = self.sender, self.send
        self.is_myself: Callable[..., bool] = Myself(env).is_myself
        env.is_myself, env.find_socket, env.pick_socket = self.is_myself, self.find_socket, self.pick_socket
        env.is_connected = self.is_connected
        env.reply = reply.send_stateless
        env.homing = Homing(env)
        env.dispatch, env.transports = self.dispatch, self.transports
        env.health = Health(env, self.stores)
        self._drain_hooks = hooks(self.registry, Hook.DRAIN)
        self._unsent_hooks = hooks(self.registry, Hook.UNSENT)
        self._in_use_hooks = hooks(self.registry, Hook.IN_USE)
        for instance in self.registry.instances.values():
            instance.env = env

    def init_modules(self) -> None:
        """Run every module's `mod_init`, those that are needed first."""
        for instance in self.registry.start_order():
            instance.mod_init()

    def set_program(self, program: Program) -> None:
        """Serve with this program from the next message on."""
        self.env.program = self.dispatch.program = program
        self._generation += 1
        if self._stop is not None:
            self.start_route_timers()

    # --- life ------------------------------------------------------------------------------------------------------

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Open the sockets, start the modules, serve until `stop`, close everything."""
        loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self.env.now = time.monotonic()
        resolver = Resolver(self.env.config, self.transports_known())
        self.env.resolve, self.env.resolve_wait = resolver.now, resolver.ask
        self.env.literals, self.env.default_proto = resolver.literals, resolver.default_proto()
        resolver.on_slow = lambda question, took: self.env.events.raise_event(
            "E_CORE_THRESHOLD", {"source": "dns query", "time": took, "extra": question})
        self.env.stats.count(resolver, "queries", "dns", "dns_total_queries")
        self.env.stats.count(resolver, "slow_queries", "dns", "dns_slow_queries")
        self.stores.tally.register(self.env.stats, "sql")
        self.env.caches.tally.register(self.env.stats, "cdb")
        if self.env.config.auto_aliases:
            self.env.spawn(self._add_own_names(), "auto_aliases")
        started: list[Any] = []
        try:
            for instance in self.registry.start_order():
                if hasattr(instance, "make_transport"):
                    self.transports.update(transports_of(instance, self.env))
            for instance in self.registry.start_order():
                await instance.child_init(self.env)
                started.append(instance)
            await self._join()
            if self.number == 0 and self.is_first:
                self.run_startup_route()
            self.start_timers()
            for socket in self.env.sockets:
                self._open(socket, loop)
            self.collector.begin(time.monotonic())
            self._tick()
            self.env.health.is_up = True
            ready()
            await self._stop.wait()
        finally:
            if self._ticker is not None:
                self._ticker.cancel()
            for transport in self.transports.values():
                await _maybe(transport.close())
            await self.env.finish_tasks()
            for instance in reversed(started):
                try:
                    await instance.destroy()
                except Exception as error:
                    _log.error("module did not close cleanly module=%s error=%r", instance.name, error)
            await self.stores.close()
            await _maybe(resolver.close())

    async def _join(self) -> None:
        """Learn what other workers know: there are none."""

    async def _add_own_names(self) -> None:
        """Let the names that DNS gives for our addresses count as ours (`auto_aliases`)."""
        aliases = self.env.config.aliases
        for host in {socket.host for socket in self.env.sockets}:
            for name in await own_names(host):
                aliases.append((None, name, None, False))

    def transports_known(self) -> set[str]:
        """Return the protocols that loaded modules provide."""
        return {name for spec in self.registry.specs for name in spec.transport.split()}

    def _open(self, socket: LocalSocket, loop: asyncio.AbstractEventLoop) -> None:
        transport = self.transports.get(socket.proto)
        if transport is None:
            raise OsipError(f'nothing can listen on {socket.text}: add loadmodule "proto_{socket.proto}.so"')
        try:
            self._listen(transport, socket, loop)
        except OSError as error:
            raise OsipError(f"cannot listen on {socket.text}: {error.strerror or error}. Is another server using this "
                            f"port? Choose another one with -l {socket.proto}:{socket.host}:PORT") from error

    def _listen(self, transport: Any, socket: LocalSocket, loop: asyncio.AbstractEventLoop) -> None:
        transport.open(socket, loop, self)

    def add_socket(self, socket: LocalSocket) -> None:
        """Listen on one more socket while running; OsipError when it cannot be opened."""
        old = next((one for one in self.dispatch.leaving if one.text == socket.text), None)
        if old is not None:
            self._shut(old)
        self._open(socket, asyncio.get_running_loop())
        if old is not None:
            old.transport = socket.transport        # what is in flight goes on over the new one
        self._note_socket(socket)

    def _note_socket(self, socket: LocalSocket) -> None:
        socket.index = len(self.env.known_sockets)
        self.env.known_sockets.append(socket)
        self.env.sockets.append(socket)

    def drop_socket(self, socket: LocalSocket) -> bool:
        """Take nothing new over a socket, and close it when nothing in flight needs it; False when that cannot be.

        A stream only stops listening: its connections stay. Requests within dialogs are served until it is closed.
        """
        if not hasattr(self.transports.get(socket.proto), "shut"):
            return False
        self.env.sockets.remove(socket)
        if socket.reliable:
            self._shut(socket)
        else:
            self.dispatch.leaving.add(socket)
            self._shut_when_idle(socket, self.env.now + LEAVE_SECONDS)
        return True

    def _shut_when_idle(self, socket: LocalSocket, until: float) -> None:
        if socket not in self.dispatch.leaving:     # it was opened again
            return
        if self.env.now < until and self._is_in_use(socket):
            self.env.timers.call_at(self.env.now + LEAVE_LOOK, self._shut_when_idle, socket, until)
        else:
            self._shut(socket)

    def _is_in_use(self, socket: LocalSocket) -> bool:
        return any(in_use(socket) for in_use in self._in_use_hooks)

    def _shut(self, socket: LocalSocket) -> None:
        self.dispatch.leaving.discard(socket)
        self.transports[socket.proto].shut(socket)
        _log.info("socket closed socket=%s", socket.text)

    def stop(self, drain: bool = False, grace: float = 10.0) -> None:
        """Stop serving; with `drain` first finish what is in flight, at most `grace` seconds long."""
        if self._stop is None or self._stop.is_set():
            return
        if not drain or self.dispatch.draining:
            self._stop.set()
            return
        self.dispatch.draining = True
        self._drain(self.env.now + grace)

    def _drain(self, until: float) -> None:
        left = sum(hook() for hook in self._drain_hooks)
        if left == 0 or self.env.now >= until:
            if left:
                _log.warning("stopping with work in flight pieces=%d", left)
            self._drained()
        else:
            self.env.timers.call_at(self.env.now + TICK, self._drain, until)

    def _drained(self) -> None:
        assert self._stop is not None
        self._stop.set()

    # --- receiving: what a transport calls (with `receive`, `batch_start` and `batch_end`) ---------------------------

    def on_unsent(self, data: bytes, dest: Dest) -> None:
        """A message that `send` had accepted was lost with its connection: tell those who wait for an answer."""
        for hook in self._unsent_hooks:
            hook(data, dest)
        self.env.homing.again(data, dest)

    # --- sending ---------------------------------------------------------------------------------------------------

    def is_connected(self, proto: str, host: str, port: int, conn: int) -> bool:
        """Say whether a stream connection of this id to a peer is there."""
        table = getattr(self.transports.get(proto), "connections", None)
        return table is not None and table.get(conn) is not None

    def pick_socket(self, proto: str, is_ipv6: bool, near: LocalSocket | None = None) -> LocalSocket | None:
        """Return our socket for a protocol and address family: of the bond `near`, else preferring its host."""
        fitting = [s for s in self.env.sockets if s.proto == proto and s.is_ipv6 == is_ipv6]
        if near is not None and near.members:
            return next((socket for socket in near.members if socket in fitting), None)
        if near is not None:
            for socket in fitting:
                if socket.host == near.host:
                    return socket
        return fitting[0] if fitting else None

    def find_socket(self, proto: str, host: str, port: int = 0) -> LocalSocket | None:
        """Return our socket `proto:host:port`; "" and 0 mean any, the host may be the advertised one."""
        for socket in self.env.sockets:
            if (not proto or socket.proto == proto) and host in (socket.host, socket.adv_host) \
                    and port in (0, socket.port, socket.adv_port):
                return socket
        return None

    # --- time ------------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self.env.now = now = time.monotonic()
        self.env.hold.close()           # whatever became of the last batch
        loop = asyncio.get_running_loop()
        if self.env.timers.run(now, WOKEN):
            self._ticker = loop.call_soon(self._tick)       # what arrived meanwhile has its turn before
            return
        self.collector.look(now, self.dispatch.rcv_requests + self.dispatch.rcv_replies)
        self._ticker = loop.call_later(TICK, self._tick)

    def _timer_failed(self, error: BaseException) -> None:
        _log.error("timer failed error=%r", error, exc_info=error)

    def set_clock(self, now: float) -> None:
        """Count time from `now` on; timers that were set before are forgotten."""
        self.env.now = now
        self.env.timers.reset(now, self._timer_failed)

    def start_timers(self) -> None:
        """Start the timers of the modules and those of the program's timer routes."""
        for instance in self.registry.instances.values():
            for spec in instance.spec.timers:
                every = seconds(getattr(instance, spec.every) if isinstance(spec.every, str)
                                and hasattr(instance, spec.every) else spec.every)
                if every > 0 and (spec.scope is not Scope.LEADER or self.number == 0):
                    self._repeat(every, getattr(instance, spec.attr), f"{instance.name}.{spec.attr}", 0)
        self.start_route_timers()

    def start_route_timers(self) -> None:
        """Start the timer routes of the current program: they run once, not once in each worker."""
        program = self.env.program if self.number == 0 else None
        for route in program.timers if program else ():
            def run(route: Any = route) -> None:
                self.dispatch.run_route(route.run, Ctx(self.env, *self.env.make_dummy(), TIMER))
            self._repeat(route.interval, run, f"timer_route[{route.name}]", self._generation)

    def _repeat(self, every: float, run: Callable[[], Any], what: str, generation: int) -> None:
        due = self.env.now + every

        def fire() -> None:
            nonlocal due
            if generation and generation != self._generation:   # the program was replaced
                return
            due = max(due + every, self.env.now)                # from when it was due: delays add up otherwise
            self.env.timers.call_at(due, fire)
            result = run()
            if inspect.iscoroutine(result):
                self.env.spawn(result, what)
        self.env.timers.call_at(due, fire)

    def run_startup_route(self) -> None:
        """Run the program's startup route; OsipError when it fails."""
        program = self.env.program
        if program is not None and program.startup is not None:
            before = self.dispatch.err_requests
            self.dispatch.run_route(program.startup, Ctx(self.env, *self.env.make_dummy(), STARTUP))
            if self.dispatch.err_requests > before:
                raise OsipError("startup_route failed: see the line above")


def seconds(every: float | str) -> float:
    """Return an interval in seconds: a number, "30s", "500ms", "2m" or digits."""
    if not isinstance(every, str):
        return float(every or 0)
    for ending, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)):
        if every.endswith(ending):
            return float(every[:-len(ending)]) * factor
    return float(every or 0)


async def _maybe(result: Any) -> None:
    if inspect.isawaitable(result):
        await result
