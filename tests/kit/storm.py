"""One request in bad weather, by seed: random scripts, peers, losses, repeats, reorderings, cancels, connections that
break, management that meddles and peers that lie; what must hold after.

The peers keep their own side of RFC 3261: they retransmit, acknowledge, and answer copies again. What is checked is
what the server sends, not what arrives: a message that the network lost was sent all the same.
"""
from __future__ import annotations

import heapq
import random
from contextlib import suppress
from typing import Any

from kit import message
from kit.flows import fork, tm
from kit.net import Weather
from kit.playbook import PEERS, Playbook
from osip.core.errors import MIError
from osip.core.run.ctx import Ctx, Target
from osip.core.sip.message import Response, parse
from osip.modules.rr import Rr
from osip.modules.sl import Sl
from osip.modules.tm import Tm

NAMES = ("bob", "carol", "dave")
BY_ADDRESS = {f"{address}:5060": name for name, address in PEERS.items()}
LIFE = 250.0
"""Seconds after which a storm must be over, timers and echoes included."""


class Storm:
    """A caller, three callees and the server between them, in one thread of fake time."""

    def __init__(self, seed: int) -> None:
        self.random = rand = random.Random(seed)
        self.weather = Weather(seed, rand.choice([0.0, 0.1, 0.3]), 0.15, rand.choice([0.3, 2.0]))
        self.method = rand.choice(["INVITE", "INVITE", "INVITE", "MESSAGE"])
        self.streams = {name for name in PEERS if rand.random() < 0.2}
        self.rounds = rand.randrange(3)
        self.reply_at_end = rand.random() < 0.2
        self.late = rand.choice([6.0, 6.0, 40.0])       # how late final responses may come
        params = {"tm": {"fr_timeout": rand.choice([3, 8]), "fr_inv_timeout": rand.choice([6, 15]),
                         "wt_timer": rand.choice([1, 5]), "disable_6xx_block": int(rand.random() < 0.1)}}
        self.play = Playbook((Tm, Rr, Sl), self.route, params=params, F=self.failure, B=self.branch)
        self.play.net.deliver = self.from_server
        self.play.net.down = {f"{PEERS[name]}:5060" for name in NAMES if rand.random() < 0.1}
        self.play.net.names = {f"{name}.example": [PEERS[name], PEERS[rand.choice(NAMES)]] for name in NAMES}
        self.meddling = random.Random(-seed - 1)        # of its own: it leaves the other choices of a seed as they are
        self.breaks = self.meddling.choice([0.0, 0.0, 0.2])             # share of what a connection loses
        self.queue: list[tuple[float, int, str, bytes]] = []
        self.count = 0
        self.taken = False                              # the request reached the server
        self.finals: list[Response] = []                # different final responses that the server sent to the caller
        self.heard: list[int] = []                      # what the caller got
        self.early_cancels: list[str] = []
        self.provisional: set[str] = set()              # branches of which the server saw a 1xx or 2xx
        self.ended: dict[str, int] = {}                 # branch -> final status that the server saw first
        self.failures: set[str] = set()                 # branches of which the server saw a failure in time
        self.born: dict[str, float] = {}
        self.acked: set[str] = set()
        self.cancelled: set[str] = set()
        self.answers: dict[str, list[int]] = {}         # branch -> what its callee decided

    # --- the script -------------------------------------------------------------------------------------------------

    def uri(self, name: str) -> str:
        host = f"{name}.example" if self.random.random() < 0.3 else PEERS[name]
        return f"sip:{name}@{host}" + (";transport=tcp" if name in self.streams else "")

    def route(self, ctx: Ctx) -> int:
        module = tm(ctx)
        if ctx.msg.method == self.method:
            chosen = self.random.sample(NAMES, self.random.randrange(1, 4))
            fork(ctx, *chosen)
            ctx.target.uri = self.uri(chosen[0])
            ctx.targets = [Target(self.uri(name)) for name in chosen[1:]]
            ctx.avp("left").extend([1] * self.rounds)
            module.t_on_failure(ctx, "F")
            if self.random.random() < 0.3:
                module.t_on_branch(ctx, "B")
        elif ctx.msg.method == "ACK":
            if module.t_check_trans(ctx) == 1:
                return 1
            ctx.target.uri = "sip:bob@10.0.0.2"
        return module.t_relay(ctx)

    def branch(self, ctx: Ctx) -> int:
        ctx.dropped = self.random.random() < 0.2
        return 1

    def failure(self, ctx: Ctx) -> int:
        left = ctx.avp("left")
        if left:
            left.pop()
            ctx.target.uri = self.uri(self.random.choice(NAMES))
            if self.random.random() < 0.3:
                ctx.add_target(Target(self.uri(self.random.choice(NAMES))))
            tm(ctx).t_on_failure(ctx, "F")
            return tm(ctx).t_relay(ctx)
        return tm(ctx).t_reply(ctx, 480, "Nobody") if self.reply_at_end else 1

    # --- the network ------------------------------------------------------------------------------------------------

    def push(self, after: float, where: str, data: bytes = b"") -> None:
        self.count += 1
        heapq.heappush(self.queue, (self.play.clock.now + after, self.count, where, data))

    def put(self, where: str, data: bytes, after: float = 0.0, sure: bool = False) -> None:
        for delay in [0.05] if sure else self.weather.copies():
            self.count += 1
            heapq.heappush(self.queue, (self.play.clock.now + after + delay, self.count, where, data))

    def from_server(self, where: str, data: bytes) -> None:
        msg: Any = parse(data)
        name = BY_ADDRESS[where]
        if msg.is_request:
            branch = msg.via1_branch
            self.born.setdefault(branch, self.play.clock.now)
            if msg.method == "CANCEL":
                self.cancelled.add(branch)
                if branch not in self.provisional:
                    self.early_cancels.append(branch)
            elif msg.method == "ACK":
                self.acked.add(branch)
        elif msg.status >= 200 and msg.cseq_method == self.method and data not in [m.raw for m in self.finals]:
            self.finals.append(msg)
        if b"SIP/2.0/TCP" in data[:200].split(b"\r\n")[1] and self.meddling.random() < self.breaks:
            self.push(0.05, "unsent", data)
            return
        self.put(name, data, sure=name in self.streams)

    def to_server(self, name: str, data: bytes) -> None:
        msg: Any = parse(data)
        if msg.is_request:
            if name == "alice" and msg.method != "ACK" and not self.is_due(msg.method):
                return
            self.taken |= msg.method == self.method
        elif msg.cseq_method == "INVITE":
            branch = msg.via1_branch
            if msg.status < 300:
                self.provisional.add(branch)
            elif self.play.clock.now - self.born[branch] < 32:         # 64*T1
                self.failures.add(branch)
            if msg.status >= 200:
                self.ended.setdefault(branch, msg.status)
        self.play.feed(data, name, "tcp" if name in self.streams else "udp")

    # --- the peers --------------------------------------------------------------------------------------------------

    def callee(self, name: str, data: bytes) -> None:
        msg: Any = parse(data)
        if not msg.is_request:
            return
        codes = self.answers.get(msg.via1_branch)
        if msg.method == "CANCEL":
            self.put("server|" + name, message.response(data, 200), sure=name in self.streams)
            if codes is None:
                codes = self.answers[msg.via1_branch] = []
            if not any(code >= 200 for code in codes):
                codes.append(487)
                invite = data.replace(b"CANCEL sip", b"INVITE sip").replace(b"1 CANCEL", b"1 INVITE")
                self.repeat(name, message.response(invite, 487, to_tag="t" + name))
        elif msg.method == self.method and codes is None:
            self.answers[msg.via1_branch] = []
            self.decide(name, data)

    def decide(self, name: str, data: bytes) -> None:
        rand = self.random
        if rand.random() < 0.15:
            return                                      # never says anything
        for _ in range(rand.randrange(3)):
            self.put("server|" + name, message.response(data, rand.choice([100, 180, 183]), to_tag="t" + name),
                     rand.random() * 3, name in self.streams)
        for tag in ("t", "u")[:1 + (rand.random() < 0.1)]:           # two: a fork further down
            code = rand.choice([200, 200, 404, 486, 401, 503, 603, 302, 0])
            if code:
                self.count += 1
                when = self.play.clock.now + rand.choice([0.1, 1.0]) + rand.random() * self.late
                final = message.response(data, code, to_tag=tag + name)
                heapq.heappush(self.queue, (when, self.count, f"final|{name}", final))

    def final(self, name: str, data: bytes) -> None:
        msg: Any = parse(data)
        codes = self.answers[msg.via1_branch]
        sent = [code for code in codes if code >= 200]
        if not sent or (msg.status < 300 and self.method == "INVITE" and all(code < 300 for code in sent)):
            codes.append(msg.status)
            self.repeat(name, data)

    def repeat(self, name: str, data: bytes) -> None:
        for pause in (0.0,) if name in self.streams else (0.0, 0.5, 1.5, 3.5, 7.5, 11.5):
            self.put("server|" + name, data, pause, name in self.streams)

    def caller(self, data: bytes) -> None:
        msg: Any = parse(data)
        if msg.is_request or msg.cseq_method != self.method:
            return
        self.heard.append(msg.status)
        if msg.status >= 200 and self.method == "INVITE":
            branch = "z9hG4bK-1" if msg.status >= 300 else f"z9hG4bK-ack{len(self.heard)}"
            self.put("server|alice", message.request("ACK", to_tag=msg.to_tag, branch=branch),
                     sure="alice" in self.streams)

    def is_due(self, method: str) -> bool:
        """Say whether a caller sends this now: no copies after a response, a CANCEL only between 1xx and final."""
        final = any(status >= 200 for status in self.heard)
        if method == "CANCEL":
            return bool(self.heard) and not final
        return not self.heard if method == "INVITE" else not final

    # --- from the side ----------------------------------------------------------------------------------------------

    def meddle(self) -> None:
        """Do what nobody in the call expects."""
        rand, module = self.meddling, self.play.modules["tm"]
        what = rand.choice(["cancel", "reply", "inject", "lie", "lie"])
        tx: Any = next(iter(module.table.servers.values()), None)       # type: ignore[attr-defined]
        branch: Any = next(iter(module.table.clients.values()), None)   # type: ignore[attr-defined]
        with suppress(MIError):
            if what == "cancel":
                module.mi_uac_cancel("call-1", "1 INVITE")              # type: ignore[attr-defined]
            elif what == "reply" and tx is not None and tx.method == self.method:
                module.mi_reply(480, "By hand", tx.id, "hand")          # type: ignore[attr-defined]
            elif what == "inject" and tx is not None and tx.method == self.method:
                ctx = tx.make_ctx(1)
                ctx.targets = [Target(self.uri(rand.choice(NAMES)))]
                flags = frozenset(rand.choice([[], ["cancel"]]))
                module.t_inject_branches(ctx, "msg", flags)             # type: ignore[attr-defined]
            elif what == "lie" and branch is not None and branch.last is not None:
                lie = message.response(branch.last, rand.choice([100, 183, 200, 404, 603]))
                old = f"1 {self.method}".encode()
                lie = lie.replace(old, rand.choice([b"1 BYE", b"1 CANCEL", b"1 X", b"2 CANCEL"]))
                self.play.feed(lie, rand.choice(NAMES))

    # --- time -------------------------------------------------------------------------------------------------------

    def run(self) -> Storm:
        """Let it happen."""
        rand, sure = self.random, "alice" in self.streams
        request = message.request(self.method)
        for pause in (0.0,) if sure else (0.0, 0.5, 1.5, 3.5, 7.5, 11.5):
            self.put("server|alice", request, pause, sure)
        if self.method == "INVITE" and rand.random() < 0.4:
            start = 8 * rand.random()
            for pause in (0.0,) if sure else (0.0, 0.5, 1.5, 1.5):
                self.put("server|alice", message.request("CANCEL"), start + pause, sure)
        for _ in range(self.meddling.choice([0, 0, 0, 1, 3])):
            self.push(10 * self.meddling.random(), "meddle")
        end = self.play.clock.now + LIFE
        while (self.queue or self.play.env.timers.count) and self.play.clock.now < end:
            now = self.play.clock.now
            while self.queue and self.queue[0][0] <= now:
                _, _, where, data = heapq.heappop(self.queue)
                kind, _, name = where.partition("|")
                if kind == "server":
                    self.to_server(name, data)
                elif kind == "unsent":
                    self.play.modules["tm"].on_unsent(data, None)       # type: ignore[attr-defined]
                elif kind == "meddle":
                    self.meddle()
                elif kind == "final":
                    self.final(name, data)
                elif kind == "alice":
                    self.caller(data)
                else:
                    self.callee(kind, data)
            self.play.clock.advance(0.1)
        return self

    def faults(self) -> list[str]:
        """Return what does not hold."""
        found = []
        statuses = [msg.status for msg in self.finals]
        failures = [status for status in statuses if status >= 300]
        if len(failures) > 1:
            found.append(f"more than one failure upstream: {statuses}")
        if failures and statuses[0] < 300:
            found.append(f"a failure after a success: {statuses}")
        if self.method != "INVITE" and len(statuses) > 1:
            found.append(f"more than one final response: {statuses}")
        if self.taken and not statuses and self.method == "INVITE":
            found.append("no final response was ever sent")
        if self.early_cancels:
            found.append("CANCEL before a provisional response")
        if self.failures - self.acked:
            found.append(f"failures without ACK: {self.failures - self.acked}")
        ringing = {branch for branch in self.provisional if branch not in self.ended}
        if ringing - self.cancelled:
            found.append(f"left ringing: {ringing - self.cancelled}")
        return found + self._leaks()

    def _leaks(self) -> list[str]:
        module: Any = self.play.modules["tm"]
        env = self.play.env
        found = [f"left in {name}: {len(what)}" for name, what in (
            ("servers", module.table.servers), ("clients", module.table.clients), ("echoes", module.echoes.entries))
            if what]
        if env.timers.count:
            found.append(f"timers left: {env.timers.count}")
        if env.dispatch.err_requests or env.dispatch.err_replies:
            found.append("an exception in a route, or a message that could not be read")
        return found


def storm(seed: int) -> list[str]:
    """Run one storm and return its faults."""
    return Storm(seed).run().faults()
