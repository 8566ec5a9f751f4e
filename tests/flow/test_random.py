"""Random calls over a network that loses, repeats and reorders, by seed; what must hold is checked at the end.

The peers keep their own side of RFC 3261: they retransmit, acknowledge and answer copies again.
"""
from __future__ import annotations

import heapq
import random
from typing import Any

import pytest

from kit import message
from kit.flows import URIS, flow, fork, tm
from kit.net import Weather
from osip.core.run.ctx import Ctx
from osip.core.sip.message import parse

SEEDS = range(60)
NAMES = ("bob", "carol", "dave")
ADDRESS = {"10.0.0.2:5060": "bob", "10.0.0.3:5060": "carol", "10.0.0.4:5060": "dave", "10.0.0.1:5060": "alice"}


class World:
    """A caller, three callees and the server between them, in one thread of fake time."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.weather = Weather(seed, loss=self.random.choice([0.0, 0.1, 0.3]), repeat=0.15)
        rounds = self.random.randrange(3)

        def failure(ctx: Ctx) -> int:
            ctx.target.uri = URIS[self.random.choice(NAMES)]
            left = ctx.avp("left")
            if left:
                left.pop()
                tm(ctx).t_on_failure(ctx, "F")
                return tm(ctx).t_relay(ctx)
            return 1

        def route(ctx: Ctx) -> int:
            if ctx.msg.method == "INVITE":
                fork(ctx, *self.random.sample(NAMES, self.random.randrange(1, 4)))
                ctx.avp("left").extend([1] * rounds)
                tm(ctx).t_on_failure(ctx, "F")
            elif ctx.msg.method == "ACK":
                if tm(ctx).t_check_trans(ctx) == 1:
                    return 1
                ctx.target.uri = "sip:bob@10.0.0.2"
            return tm(ctx).t_relay(ctx)
        self.play = flow(route=route, F=failure, params={"tm": {"fr_timeout": 8, "fr_inv_timeout": 15}})
        self.play.net.deliver = self.from_server
        self.queue: list[tuple[float, int, str, bytes]] = []
        self.count = 0
        self.finals: list[tuple[int, str]] = []         # what the caller got
        self.provisional: set[str] = set()              # branches of which the server saw a 1xx or 2xx
        self.tried: set[str] = set()
        self.early_cancels: list[str] = []
        self.answers: dict[str, tuple[list[int], str]] = {}
        self.heard = False                              # the caller got any response

    # --- the network ------------------------------------------------------------------------------------------------

    def put(self, where: str, data: bytes, after: float = 0.0) -> None:
        for delay in self.weather.copies():
            self.count += 1
            heapq.heappush(self.queue, (self.play.clock.now + after + delay, self.count, where, data))

    def from_server(self, where: str, data: bytes) -> None:
        msg = parse(data)
        if msg.is_request and msg.method == "CANCEL" and msg.via1_branch not in self.provisional:
            self.early_cancels.append(msg.via1_branch)
        self.put(ADDRESS[where], data)

    def to_server(self, name: str, data: bytes) -> None:
        msg = parse(data)
        if name == "alice" and msg.method != "ACK" and not self.is_due(msg.method):
            return
        if not msg.is_request and msg.cseq_method == "INVITE" and msg.status < 300:
            self.provisional.add(msg.via1_branch)
        self.play.feed(data, name)

    # --- the peers --------------------------------------------------------------------------------------------------

    def callee(self, name: str, data: bytes) -> None:
        msg = parse(data)
        if not msg.is_request:
            return
        if msg.method == "CANCEL":
            self.put("server|" + name, message.response(data, 200))
            codes, _ = self.answers.setdefault(msg.via1_branch, ([], name))
            if not any(code >= 200 for code in codes):
                codes.append(487)
                invite = data.replace(b"CANCEL sip", b"INVITE sip").replace(b"1 CANCEL", b"1 INVITE")
                self.repeat(name, message.response(invite, 487, to_tag="t" + name), msg.via1_branch)
        elif msg.method == "INVITE":
            known = self.answers.get(msg.via1_branch)
            if known is None:
                self.answers[msg.via1_branch] = ([], name)
                self.decide(name, data, msg.via1_branch)
        elif msg.method == "ACK":
            self.answers.setdefault(msg.via1_branch, ([], name))[0].append(999)

    def decide(self, name: str, data: bytes, branch: str) -> None:
        if self.random.random() < 0.15:
            return                                      # never says anything
        for _ in range(self.random.randrange(3)):
            self.put("server|" + name, message.response(data, self.random.choice([100, 180, 183]), to_tag="t" + name),
                     self.random.random() * 3)
        code = self.random.choice([200, 200, 404, 486, 401, 503, 603, 302, 0])
        if code:
            self.count += 1
            when = self.play.clock.now + 1 + self.random.random() * 5
            final = message.response(data, code, to_tag="t" + name)
            heapq.heappush(self.queue, (when, self.count, "final|" + name, final))

    def final(self, name: str, data: bytes) -> None:
        branch = parse(data).via1_branch
        codes, _ = self.answers[branch]
        if not any(code >= 200 for code in codes):
            codes.append(parse(data).status)            # type: ignore[union-attr]
            self.repeat(name, data, branch)

    def repeat(self, name: str, data: bytes, branch: str) -> None:
        for pause in (0.0, 0.5, 1.5, 3.5):
            self.put("server|" + name, data, pause)

    def caller(self, data: bytes) -> None:
        msg = parse(data)
        if msg.is_request or msg.cseq_method != "INVITE":
            return
        self.heard = True
        if msg.status < 200:                            # type: ignore[union-attr]
            return
        status = msg.status                             # type: ignore[union-attr]
        self.finals.append((status, msg.to_tag))
        branch = "z9hG4bK-1" if status >= 300 else f"z9hG4bK-ack{len(self.finals)}"
        self.put("server|alice", message.request("ACK", to_tag=msg.to_tag, branch=branch))

    def is_due(self, method: str) -> bool:
        """Say whether a caller sends this now: no copies after a response, a CANCEL only between 1xx and final."""
        return not self.heard if method == "INVITE" else self.heard and not self.finals

    # --- time -------------------------------------------------------------------------------------------------------

    def run(self) -> World:
        invite = message.request()
        for pause in (0.0, 0.5, 1.5, 3.5, 7.5):
            if self.random.random() < 0.9 or pause == 0.0:
                self.put("server|alice", invite, pause)
        if self.random.random() < 0.4:
            for pause in (0.0, 0.5, 1.5):
                self.put("server|alice", message.request("CANCEL"), 8 * self.random.random() + pause)
        for _ in range(1400):
            now = self.play.clock.now
            while self.queue and self.queue[0][0] <= now:
                _, _, where, data = heapq.heappop(self.queue)
                kind, _, name = where.partition("|")
                if kind == "server":
                    self.to_server(name, data)
                elif kind == "final":
                    self.final(name, data)
                elif kind == "alice":
                    self.caller(data)
                else:
                    self.callee(kind, data)
            self.play.clock.advance(0.1)
        return self


@pytest.mark.parametrize("seed", SEEDS)
def test_what_must_hold(seed: int) -> None:
    world = World(seed).run()
    play: Any = world.play
    negatives = {final for final in world.finals if final[0] >= 300}
    assert len({status for status, _ in negatives}) <= 1, world.finals
    if negatives:
        first = next(index for index, final in enumerate(world.finals) if final[0] >= 300)
        late = [final for final in world.finals[:first] if final[0] < 300]
        assert not late, "a failure after a success"
    assert not world.early_cancels, "CANCEL before a provisional response"
    play.gone()
    assert play.env.dispatch.err_requests == 0
    if play.modules["tm"].uas_transactions and world.weather.loss == 0.0:
        assert world.finals, "the caller got no final response"
