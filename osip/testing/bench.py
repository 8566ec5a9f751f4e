"""A server in memory: a script with all its modules, on a virtual network and a virtual clock.

    bench = Bench("my.cfg")
    call = bench.send("INVITE sip:bob@example.com")
    call.expect_relay("sip:bob@10.0.0.2").answer(486).expect_reply(486)

Everything from the parser to the modules is real. Sockets, DNS, SQL, caches and the web are not, and time passes only
in `advance`. Management over HTTP or pipes is not started.
"""
from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from osip.core.errors import OsipError, ScriptError
from osip.core.net.endpoint import LocalSocket, Source
from osip.core.net.resolve import Resolver
from osip.core.run.config import Config
from osip.core.run.env import Env, Ids
from osip.core.run.log import python_level
from osip.core.run.timers import TICK
from osip.core.run.worker import Worker
from osip.main import new_registry
from osip.script import source
from osip.script.boot import CheckResult, compile_script
from osip.script.emit import emit
from osip.testing import message
from osip.testing.call import Call
from osip.testing.clock import START, WALL, VirtualLoop
from osip.testing.expect import Mismatch, is_like
from osip.testing.journal import Journal, Listener, Received, Said
from osip.testing.network import Names, Network, Sent, Wire, sockets_of
from osip.testing.sites import Sites
from osip.testing.store import CacheBox, Location, SqlRules, keep_in_memory
from osip.testing.trace import Tracer
from osip.testing.watch import Watch
from osip.testing.web import Web

OUTSIDE = frozenset(("httpd", "mi_fifo", "mi_datagram", "mi_xmlrpc_ng", "mi_grpc"))
"""Modules that listen to the world outside; their `child_init` is left out."""


class Bench:
    """One script, loaded. `location`, `sql`, `dns`, `cache`, `http` and `network` are the world around it.

    `path` is a script's path, `text` a script itself. `addresses` gives interfaces and names in `socket` lines their
    addresses, `now` is the wall-clock time at the start (Unix seconds or ISO 8601), `trace` follows the statements,
    `watch` also what each of them changes.
    """

    def __init__(self, path: str | Path = "", *, text: str = "", defines: Mapping[str, str] | None = None,
                 argv: Mapping[str, str] | None = None, preprocessor: str = "",
                 addresses: Mapping[str, str] | None = None,
                 now: float | str | None = None, log_level: int | None = None, trace: bool = True,
                 watch: bool = False) -> None:
        self.path = str(path) or "script.cfg"
        self._registry, self.config = new_registry(), Config()
        self.config.argv = dict(argv or {})
        given: Any = source.Source.from_text(text, self.path, defines=dict(defines or {}),
                                                      preprocessor=preprocessor) if text else Path(path)
        self.result: CheckResult = compile_script(given, self._registry, self.config, need_socket=False,
                                                  defines=dict(defines or {}), preprocessor=preprocessor)
        if not self.result.ok:
            raise ScriptError(f"{self.path} has {len(self.result.errors)} error(s)", self.result.diagnostics)
        if log_level is not None:
            self.config.log_level = self.config.xlog_level = log_level      # type: ignore[attr-defined]
        self.journal = Journal()
        self._wall = wall_clock(now)
        self.dns, self.sql, self.http = Names(), SqlRules(), Web()
        self.cache = CacheBox(lambda: self.env.now)
        self.network = Network(lambda: self.env.now)
        self.network.seen = self.journal.add
        self._listener = Listener(self.journal, python_level(self.config.log_level))    # type: ignore[attr-defined]
        self._count = 0
        self._started: list[Any] | None = None
        self._loop = VirtualLoop(lambda: self.env.now)
        self.env, self.worker = self._assemble(dict(addresses or {}))
        self.location = Location(self.env.modules)
        sites = Sites(self.result.script, bool(self.config.enable_asserts))             # type: ignore[attr-defined]
        self.tracer = Tracer(sites, self.journal, Watch(self.env) if watch else None) if trace else None
        self.calls: list[Call] = []

    # --- making and ending ------------------------------------------------------------------------------------------

    def _assemble(self, addresses: dict[str, str]) -> tuple[Env, Worker]:
        self._registry.create()
        keep_in_memory(self._registry.instances)
        sockets = sockets_of(self.result.sockets, addresses)
        advertised = self.config.advertised_address, self.config.advertised_port        # type: ignore[attr-defined]
        for socket in sockets:
            if any(advertised):
                socket.advertise(advertised[0] or socket.adv_host, advertised[1] or socket.adv_port)
        self.env = env = Env(self.config, self._registry)
        env.ids, env.tag_secret = Ids(b"test"), "osip-test"
        env.wall = lambda: self._wall + env.now - START                 # type: ignore[method-assign]
        worker = Worker(env, self._registry, sockets)
        worker.set_clock(START)
        env.started_at = self._wall
        env.sql, env.cache, env.reload = self.sql.store, self.cache.store, _no_reload
        protos = worker.transports_known() | {socket.proto for socket in sockets}
        worker.transports.update({proto: Wire(self.network) for proto in protos})
        resolver = Resolver(self.config, protos, query=self.dns.query, clock=lambda: env.now,
                            random=_always_first(), hosts={"localhost": ("127.0.0.1", "::1")})
        env.resolve, env.resolve_wait = resolver.now, resolver.ask
        with self._listener:
            worker.init_modules()
            worker.set_program(emit(self.result.script, self._registry, env))
        return env, worker

    def start(self) -> Bench:
        """Start the modules and run the startup route; the first message or `advance` does it by itself."""
        if self._started is None:
            self._started = []
            with self._at_work():
                for instance in self._registry.start_order():
                    if instance.name not in OUTSIDE:
                        self._loop.complete(instance.child_init(self.env))
                        self._started.append(instance)
            with self._at_work():                       # a module may have imported what asks the web only now
                self._loop.settle(self.worker.run_startup_route)
                self._loop.settle(self.worker.start_timers)
        return self

    def close(self) -> None:
        """Stop the modules and forget the server."""
        if self._loop.is_closed():
            return
        with self._at_work():
            self._loop.complete(self.env.finish_tasks())
            for instance in reversed(self._started or []):
                self._loop.complete(instance.destroy())
        self.sql.close()
        self._loop.close()

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _at_work(self) -> Iterator[None]:
        with self._listener, self.http, self.tracer or contextlib.nullcontext():
            yield

    # --- what happens -----------------------------------------------------------------------------------------------

    def socket(self, proto: str = "udp", is_ipv6: bool = False, text: str = "") -> LocalSocket:
        """Return one of the server's sockets: the one named `proto:host:port`, or the first of a protocol."""
        for socket in self.env.sockets:
            if text in (socket.text, socket.tag) if text else (socket.proto, socket.is_ipv6) == (proto, is_ipv6):
                return socket
        listed = ", ".join(socket.text for socket in self.env.sockets)
        raise OsipError(f'the script has no socket "{text or proto}"{" for IPv6" if is_ipv6 else ""}; it has {listed}')

    def receive(self, raw: bytes, source: str = message.SOURCE, socket: str | LocalSocket = "") -> None:
        """Hand bytes to the server as coming from `[proto:]host[:port]`, on one of its sockets."""
        self.start()
        end = message.endpoint(source)
        ours = socket if isinstance(socket, LocalSocket) else self.socket(end.proto, ":" in end.host, socket)
        self.journal.add(Received(raw, f"{end.proto}:{end.host}:{end.port}"))
        with self._at_work():
            conn = self.network.connection(end.proto, end.host, end.port)
            self._loop.settle(self.worker.receive, raw, Source(ours, end.host, end.port, conn))

    def advance(self, seconds: float) -> Bench:
        """Let time pass until all that is due in `seconds` has happened (timers are due up to 0.1 s late)."""
        self.start()
        with self._at_work():
            for _ in range(round(seconds / TICK) + 1):
                self._loop.settle(self._tick)
        return self

    def _tick(self) -> None:
        self._count += 1
        self.env.now = START + self._count * TICK
        self.env.timers.run(self.env.now + 1e-6)

    def send(self, start: str, **more: Any) -> Call:
        """Send a request, `METHOD URI`; see `Call.send` for what can be said about it."""
        call = Call(self)
        self.calls.append(call)
        return call.send(start, **more)

    def message(self, given: str | bytes | Path, source: str = message.SOURCE, socket: str = "") -> Call:
        """Send a message as it stands in a file (path) or in `bytes`."""
        raw = message.normal(given) if isinstance(given, bytes) else message.read_message(given)
        call = Call(self)
        self.calls.append(call)
        return call.feed(raw, source, socket)

    # --- what came of it --------------------------------------------------------------------------------------------

    @property
    def sent(self) -> list[Sent]:
        """Everything that the server has sent."""
        return self.network.sent

    @property
    def logs(self) -> list[Said]:
        """The log lines so far: those of xlog and those of the server."""
        return self.journal.said

    @property
    def routes(self) -> list[str]:
        """The routes that have run: `route`, `route[relay]`, `failure_route[x]` ..."""
        return self.journal.routes

    def var(self, name: str) -> str | int | None:
        """Return the value of `$var(name)`, or of `$shv(name)`, in this server."""
        return self.env.vars.get(name, self.env.shared.get(name))

    def statistic(self, name: str) -> int:
        """Return the value of a statistic."""
        found = self.env.stats.get(name)
        if found is None:
            raise OsipError(f'there is no statistic "{name}"')
        return int(found.read() if hasattr(found, "read") else found)

    def module(self, name: str) -> Any:
        """Return the instance of a loaded module."""
        return self.env.modules[name]

    def expect_log(self, pattern: str | re.Pattern[str]) -> Bench:
        """Expect a log line: its text, or `~regex` for a search in it."""
        if not any(is_like(pattern, line.text) for line in self.logs):
            raise Mismatch(f"expected a log line {pattern!r}", [f"{line.level} {line.text}" for line in self.logs],
                           "logged")
        return self

    def expect_no_log(self, pattern: str | re.Pattern[str] = "~") -> Bench:
        """Expect that no log line is like that; without a pattern, that there is none."""
        found = [f"{line.level} {line.text}" for line in self.logs if is_like(pattern, line.text)]
        if found:
            raise Mismatch(f"expected no log line {pattern!r}", found, "logged")
        return self

    def expect_route(self, name: str) -> Bench:
        """Expect that a route has run; `relay` means `route[relay]`."""
        if not {name, f"route[{name}]"} & set(self.routes):
            raise Mismatch(f"expected route {name} to run", self.routes, "ran")
        return self

    def expect_nothing(self) -> Bench:
        """Expect that nothing more was sent: no message that no earlier expectation took.

        Repeats, 100 replies and the ACK of a refusal, which every proxy sends by itself, do not count.
        """
        rest = [sent for sent in self.sent if not sent.taken and not sent.repeat and not self.is_routine(sent)]
        if rest:
            raise Mismatch("expected nothing more to be sent", [sent.title for sent in rest], "sent")
        return self

    def is_routine(self, sent: Sent) -> bool:
        """Say whether every proxy sends this by itself: a 100, or the ACK of a refusal."""
        if not sent.is_request:
            return bool(sent.msg.status == 100)
        if sent.msg.method != "ACK":
            return False
        return any(other.is_request and other.msg.method == "INVITE" and other.msg.via1_branch == sent.msg.via1_branch
                   for other in self.sent)


def wall_clock(now: float | str | None) -> float:
    """Return Unix seconds for a number or an ISO 8601 time (UTC unless it says otherwise)."""
    if now is None:
        return WALL
    if isinstance(now, str):
        try:
            moment = datetime.fromisoformat(now)
        except ValueError:
            raise OsipError(f'"{now}" is no time: write 2026-01-31T08:00:00') from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return float(now)


def _always_first() -> Any:
    import random

    return random.Random(1)


async def _no_reload(dry_run: bool = False) -> list[Any]:
    raise OsipError("a script is not reloaded on the bench: make a new one")
