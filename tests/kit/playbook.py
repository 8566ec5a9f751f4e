"""Call flows that read as the flow: `flow.recv("INVITE").sent(100, "alice").advance(0.5).sent("INVITE", "bob")`.

The server is real from `Dispatch` down, with any modules; only network, names and clock are fakes. Peers: alice calls,
bob, carol and dave are called; each has an address of its own.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kit import message
from kit.clock import FakeClock
from kit.net import FakeNet
from osip.core.exports.module import Module
from osip.core.exports.registry import Registry
from osip.core.net.endpoint import LocalSocket, Source
from osip.core.run.config import Config
from osip.core.run.ctx import Ctx
from osip.core.run.env import Env, Ids
from osip.core.run.worker import Worker
from osip.core.sip.message import parse

PEERS = {"alice": "10.0.0.1", "bob": "10.0.0.2", "carol": "10.0.0.3", "dave": "10.0.0.4"}
SERVER = "10.0.0.9"
Route = Callable[[Ctx], Any]


class FakeProgram:
    """Plain Python functions in place of a compiled script."""

    def __init__(self, request: Route | None = None, reply: Route | None = None, error: Route | None = None,
                 local: Route | None = None, **named: Route) -> None:
        self.path = "playbook"
        self.request, self.reply, self.error, self.local, self.startup = request, reply, error, local, None
        self.timers: list[Any] = []
        self.events: dict[str, list[Route]] = {}
        self.routes = named

    def named(self, kind: str, name: str) -> Route | None:
        """Return a route by name, whatever its kind."""
        return self.routes.get(name)

    def route_count(self) -> int:
        return len(self.routes)


def make_worker(classes: tuple[type[Module], ...], params: dict[str, dict[str, Any]] | None = None,
                sockets: list[LocalSocket] | None = None, **config: Any) -> tuple[Worker, FakeNet, FakeClock]:
    """Make a worker with fakes around it; `params` are module parameters by module and attribute."""
    registry = Registry()
    for cls in classes:
        registry.add(cls)
    registry.create()
    for name, values in (params or {}).items():
        for attr, value in values.items():
            setattr(registry.instances[name], attr, value)
    settings = Config()
    for name, value in config.items():
        setattr(settings, name, value)
    env = Env(settings, registry)
    env.ids = Ids(b"\x01\x02")
    worker = Worker(env, registry, sockets or [LocalSocket("udp", SERVER, 5060), LocalSocket("tcp", SERVER, 5060)])
    net = FakeNet()
    env.send, env.resolve, env.resolve_wait = net.send, net.resolve, net.resolve_wait
    clock = FakeClock(env)
    worker.init_modules()
    return worker, net, clock


class Playbook:
    """One call flow through a server."""

    def __init__(self, classes: tuple[type[Module], ...], request: Route, *, params: dict[str, dict[str, Any]] | None
                 = None, reply: Route | None = None, local: Route | None = None,
                 sockets: list[LocalSocket] | None = None, config: dict[str, Any] | None = None,
                 **named: Route) -> None:
        self.worker, self.net, self.clock = make_worker(classes, params, sockets, **(config or {}))
        self.env = self.worker.env
        self.worker.set_program(FakeProgram(request, reply, local=local, **named))
        self.modules = self.worker.registry.instances
        self.received: dict[str, list[Any]] = {}        # what each peer got, parsed
        self.got: Any = None                            # the message that the last `sent` looked at
        self.last_in: bytes = b""

    # --- in ------------------------------------------------------------------------------------------------------

    def feed(self, raw: bytes, peer: str = "alice", proto: str = "udp", port: int = 5060) -> Playbook:
        """Hand bytes to the server as coming from a peer."""
        socket = next(s for s in self.env.sockets if s.proto == proto)
        self.last_in = raw
        self.worker.receive(raw, Source(socket, PEERS.get(peer, peer), port))
        return self

    def recv(self, method: str = "INVITE", ruri: str = "sip:bob@10.0.0.2", peer: str = "alice",
             **more: Any) -> Playbook:
        """Let a peer send a request."""
        return self.feed(message.request(method, ruri, **more), peer)

    def again(self) -> Playbook:
        """Let the last message come in once more."""
        return self.feed(self.last_in)

    def answer(self, peer: str, status: int, method: str = "INVITE", which: int = -1, **more: Any) -> Playbook:
        """Let a peer answer the last request of that method that it got."""
        self._collect()
        asked = [msg for msg in self.received.get(peer, []) if msg.is_request and msg.method == method]
        assert asked, f"{peer} got no {method} to answer"
        more.setdefault("to_tag", f"tag-{peer}")
        return self.feed(message.response(asked[which], status, **more), peer)

    def advance(self, seconds: float) -> Playbook:
        """Let time pass."""
        self.clock.advance(seconds)
        return self

    # --- out -----------------------------------------------------------------------------------------------------

    def _collect(self) -> None:
        for where, box in self.net.boxes.items():
            host = where.rpartition(":")[0]
            name = next((peer for peer, address in PEERS.items() if address == host), host)
            seen = self.received.setdefault(name, [])
            fresh = box[getattr(self, "_seen", {}).get(where, 0):]
            seen += [parse(raw) for raw in fresh]
            self.__dict__.setdefault("_seen", {})[where] = len(box)

    def sent(self, what: int | str, peer: str = "alice") -> Playbook:
        """Expect that the next message to a peer is this response code or method."""
        self._collect()
        place = self.__dict__.setdefault("_read", {})
        box = self.received.get(peer, [])
        number = place.get(peer, 0)
        assert number < len(box), f"{peer} got nothing more, expected {what}"
        msg = box[number]
        place[peer] = number + 1
        self.got = msg
        shown = msg.method if msg.is_request else msg.status
        assert shown == what, f"{peer} got {shown}, expected {what}\n{msg.raw.decode()}"
        return self

    resent = sent

    def quiet(self, *peers: str) -> Playbook:
        """Expect that these peers (all, when none is named) got nothing more."""
        self._collect()
        place = self.__dict__.setdefault("_read", {})
        for peer in peers or list(self.received):
            rest = self.received.get(peer, [])[place.get(peer, 0):]
            assert not rest, f"{peer} got more: {[m.method if m.is_request else m.status for m in rest]}"
        return self

    def check(self, test: Callable[[Any], Any]) -> Playbook:
        """Look at the message of the last `sent`."""
        assert test(self.got), self.got.raw.decode()
        return self

    def gone(self) -> Playbook:
        """Expect that no transaction is left."""
        tm = self.modules["tm"]
        assert not tm.table.servers and not tm.table.clients, (tm.table.servers, tm.table.clients)
        return self
