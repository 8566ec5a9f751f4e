"""Let one message pass a word of a module and go on: what the word returned, and what left the server."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kit import message
from kit.playbook import PEERS, FakeProgram, make_worker
from osip.core.exports.module import Module
from osip.core.net.endpoint import Source
from osip.core.run import forward
from osip.core.run.ctx import Ctx
from osip.core.sip.message import parse

NUMBERS = {True: 1, False: -1, None: 1}


class Box:
    """A variable handed over by reference; `values` lists what was assigned, oldest first."""
    name = "$avp(box)"

    def __init__(self) -> None:
        self.values: list[Any] = []

    def get(self, ctx: Ctx) -> Any:
        return self.values[-1] if self.values else None

    def set(self, ctx: Ctx, value: Any) -> bool:
        self.values.append(value)
        return True


@dataclass
class Passed:
    """What came of it: the results in order, the context, the raw bytes sent and the same parsed."""
    results: list[int]
    ctx: Ctx
    raw: bytes
    sent: Any

    @property
    def result(self) -> int:
        return self.results[-1]


def call(instance: Module, ctx: Ctx, name: str, *args: Any) -> int:
    """Call an exported function with its arguments converted as the compiled script would; old names work too."""
    spec = next(f for f in instance.spec.functions if name == f.name or name in f.aliases)
    converted = []
    for arg, value in zip(spec.args, args, strict=False):
        if arg.parse is not None and value is not None:
            value = arg.parse(value)
        converted.append(value)
    found = getattr(instance, spec.attr)(ctx, *converted)
    return found if found.__class__ is int else NUMBERS[found]


def pass_through(cls: type[Module], raw: bytes, *calls: tuple[Any, ...], response: bool = False,
                 setup: Any = None) -> Passed:
    """Run calls `(name, args...)` over a message, then forward it without state; `setup(ctx)` runs first."""
    worker, net, _ = make_worker((cls,))
    results: list[int] = []
    contexts: list[Ctx] = []
    instance = worker.registry.instances[cls.name]

    def words(ctx: Ctx) -> int:
        contexts.append(ctx)
        if setup is not None:
            setup(ctx)
        results.extend(call(instance, ctx, *one) for one in calls)
        return 1

    def request(ctx: Ctx) -> int:
        words(ctx)
        forward.send_stateless(ctx, forward.next_hops(ctx, ctx.target) or [])
        return 0

    worker.set_program(FakeProgram(None if response else request, words if response else None))
    worker.receive(raw, Source(worker.env.sockets[0], PEERS["bob" if response else "alice"], 5060))
    assert contexts, "the message did not reach the route"
    assert worker.env.dispatch.err_requests == 0, "a word raised"
    sent = net.log[-1][1] if net.log else b""
    return Passed(results, contexts[0], sent, parse(sent) if sent else None)


def reply_on_way(request: bytes, status: int = 200, **more: Any) -> bytes:
    """Return the answer of a peer to a request that this server forwarded: our Via on top."""
    head, _, rest = request.partition(b"\r\n")
    return message.response(head + b"\r\nVia: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKours\r\n" + rest, status, **more)
