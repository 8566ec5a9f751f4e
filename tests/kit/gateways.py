"""Run a real dispatcher module over a list of destinations, with a fake clock, network and tm."""
from __future__ import annotations

from typing import Any

from kit.message import request
from kit.playbook import FakeProgram, make_worker
from osip.api import Ctx, LocalSocket, Module, Source, parse
from osip.modules.dispatcher import Dispatcher
from osip.modules.dispatcher.source import parse_list

LIST = """\
1 sip:10.1.0.1 0 0 weight=1
1 sip:10.1.0.2:5070 0 0 weight=1;site=a
1 sip:10.1.0.3;transport=tcp 0 0 weight=1;site=b
2 sip:10.2.0.1 0 0 weight=3
2 sip:10.2.0.2 0 0 weight=1
"""


class Tm(Module):
    """Stand for the transaction layer: remember requests of our own."""
    name = "tm"

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, dict[str, Any]]] = []

    def request(self, method: str, ruri: str, from_: str, to: str, **more: Any) -> None:
        """Remember a request; `answer` gives its outcome."""
        self.asked.append((method, ruri, {"from": from_, "to": to, **more}))

    def answer(self, code: int) -> None:
        """Answer everything that was asked."""
        asked, self.asked = self.asked, []
        for _, _, more in asked:
            more["callback"](code, None)


class Gateways:
    """A dispatcher with the sets of a list in its default partition."""

    def __init__(self, text: str = LIST, params: dict[str, Any] | None = None, program: Any = None) -> None:
        sockets = [LocalSocket("udp", "10.0.0.9", 5060), LocalSocket("udp", "10.0.0.9", 5062)]
        self.worker, self.net, self.clock = make_worker(
            (Tm, Dispatcher), {"dispatcher": {"list_file": "x", **(params or {})}}, sockets)
        self.env = self.worker.env
        self.worker.set_program(program or FakeProgram())
        self.ds: Any = self.env.modules["dispatcher"]
        self.tm: Any = self.env.modules["tm"]
        self.partition = self.ds.partitions["default"]
        self.partition.replace(parse_list(text, "x", self.env), False)
        for _, destination in self.partition.all():
            destination.addresses = ((destination.host, destination.port),)
        self.partition.index()

    def ctx(self, call_id: str = "call-1", **more: Any) -> Ctx:
        """Return the context of an INVITE."""
        return Ctx(self.env, parse(request(call_id=call_id, **more)), Source(self.env.sockets[0], "10.0.0.1", 5060))

    def destination(self, uri: str, number: int = 1) -> Any:
        """Return a destination by its URI or the last digits of its host."""
        group = self.partition.groups[number]
        return group.find(uri) or next(d for d in group.destinations if d.host.endswith(uri))

    def states(self, number: int = 1) -> str:
        """Return the states of a set as letters."""
        return "".join("AIP"[d.state] for d in self.partition.groups[number].destinations)
