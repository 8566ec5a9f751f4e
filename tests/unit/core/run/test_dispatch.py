"""The one door for messages: what is answered, counted and logged, and that nothing bad gets past it."""
from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.message import request, response
from kit.playbook import FakeProgram, make_worker
from osip.api import Hook, Module, hook
from osip.core.errors import ParseError
from osip.core.net.endpoint import Dest, Source, is_ip
from osip.core.run import forward
from osip.core.run.ctx import ERROR, Ctx
from osip.core.run.dispatch import COUNTERS, Quota
from osip.core.sip.message import parse
from osip.modules.maxfwd import Maxfwd
from osip.modules.options import Options
from osip.modules.rr import Rr
from osip.modules.signaling import Signaling
from osip.modules.sipmsgops import Sipmsgops
from osip.modules.sl import Sl
from osip.modules.textops import Textops
from osip.modules.tm import Tm

GOOD = request("OPTIONS")
CORPUS = [path.read_bytes() for path in sorted((Path(__file__).parents[3] / "torture").glob("*/*.sip"))]


class Desk:
    """A worker with a route that answers 200, and counters compared to what they were."""

    def __init__(self, route: Callable[[Ctx], Any] | None = None, modules: tuple[type[Module], ...] = (),
            **program: Any) -> None:
        self.worker, self.net, self.clock = make_worker(modules, **program.pop("config", {}))
        self.env, self.dispatch = self.worker.env, self.worker.dispatch
        self.worker.set_program(FakeProgram(route or self.answer, **program))

    def answer(self, ctx: Ctx) -> int:
        self.env.reply(ctx, 200, "OK")
        return 1

    def feed(self, raw: bytes, host: str = "10.0.0.1", port: int = 5060) -> list[int]:
        """Hand a message in; return the statuses that were sent."""
        before = len(self.net.log)
        self.worker.receive(raw, Source(self.env.sockets[0], host, port))
        return [getattr(parse(data), "status", 0) for _, data in self.net.log[before:]]

    def counts(self) -> dict[str, int]:
        return {name: getattr(self.dispatch, name) for name in COUNTERS if getattr(self.dispatch, name)}


def changed(old: str, new: str, raw: bytes = GOOD) -> bytes:
    assert old.encode() in raw
    return raw.replace(old.encode(), new.encode(), 1)


REPLY = response(GOOD, 200)
BAD_REQUEST = {"err_requests": 1, "bad_msg_hdr": 1}
BAD_REPLY = {"err_replies": 1, "bad_msg_hdr": 1}


@pytest.mark.parametrize(("raw", "sent", "counted"), [
    (GOOD, [200], {"rcv_requests": 1}),
    (b"\r\n\r\n" + GOOD, [200], {"rcv_requests": 1}),
    (changed("Call-ID: call-1\r\n", ""), [400], BAD_REQUEST),
    (changed("CSeq: 1 OPTIONS", "CSeq: 1 BYE"), [400], BAD_REQUEST),
    (changed("CSeq: 1 OPTIONS", "CSeq: 99999999999 OPTIONS"), [400], BAD_REQUEST),
    (changed("To: <sip:bob@example.com>\r\n", ""), [400], BAD_REQUEST),
    (changed("OPTIONS sip:bob@10.0.0.2 SIP/2.0", "OPTIONS sip:bob@10.0.0.2 SIP/3.0"), [505], BAD_REQUEST),
    (changed("OPTIONS sip:bob@10.0.0.2 SIP/2.0", "OPTIONS  sip:bob@10.0.0.2 SIP/2.0"), [400], BAD_REQUEST),
    (changed("sip:bob@10.0.0.2", "sip:" + "b" * 5000 + "@h"), [414], BAD_REQUEST),
    (changed("sip:bob@10.0.0.2", "mailto:bob@10.0.0.2"), [416], BAD_REQUEST),
    (changed("sip:bob@10.0.0.2", "nonsense"), [400], BAD_REQUEST),
    (changed("Content-Length: 0", "Content-Length: 5"), [400], BAD_REQUEST),
    (changed("Content-Length: 0", "Content-Length: -1"), [400], BAD_REQUEST),
    (changed("Content-Length: 0", "Content-Length: 0\r\nContent-Length: 4"), [400], BAD_REQUEST),
    (changed("Max-Forwards: 70", "Max-Forwards: 256"), [400], BAD_REQUEST),
    (changed("Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-1\r\n", ""), [], {**BAD_REQUEST, "drop_requests": 1}),
    (changed("Call-ID: call-1\r\n", "", request("ACK")), [], BAD_REQUEST),
    (GOOD[:-2], [], BAD_REQUEST), (GOOD[:40], [], BAD_REQUEST), (b"", [], BAD_REQUEST), (b"\r\n\r\n", [], BAD_REQUEST),
    (b"\x00" * 65000, [], BAD_REQUEST), (b"\xff\xfe" * 30000, [], BAD_REQUEST), (b"A" * 65000, [], BAD_REQUEST),
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", [], {**BAD_REQUEST, "drop_requests": 1}),
    (b"X: y\r\n" * 10000 + b"\r\n", [], BAD_REQUEST),
    (GOOD[:-2] + b"X-A: b\r\n" * 300 + b"\r\n", [513], BAD_REQUEST),
    (REPLY, [], {"rcv_replies": 1, "drop_replies": 1}),
    (changed("SIP/2.0 200", "SIP/2.0 999", REPLY), [], BAD_REPLY),
    (changed("CSeq: 1 OPTIONS\r\n", "", REPLY), [], BAD_REPLY),
    (changed("Content-Length: 0", "Content-Length: 7", REPLY), [], BAD_REPLY),
    (REPLY[:-2], [], BAD_REPLY),
])
def test_good_and_bad_messages(raw: bytes, sent: list[int], counted: dict[str, int]) -> None:
    desk = Desk()
    assert desk.feed(raw) == sent
    assert desk.counts() == counted
    assert desk.feed(GOOD) == [200], "the next good message is served"


def test_a_reply_to_a_bad_message_names_what_it_can() -> None:
    desk = Desk()
    desk.feed(changed("CSeq: 1 OPTIONS", "CSeq: 1 BYE"))
    found = parse(desk.net.log[0][1])
    assert (found.reason, found.call_id, desk.net.log[0][0]) == ("Bad Request", "call-1", "10.0.0.1:5060")


@pytest.mark.parametrize("raw", [changed("Call-ID: call-1\r\n", ""), changed("SIP/2.0\r\n", "SIP/3.0\r\n")])
def test_error_route(raw: bytes) -> None:
    seen: list[Any] = []

    def error(ctx: Ctx) -> int:
        seen.append((ctx.kind, ctx.error))
        return 1
    desk = Desk(error=error)
    assert desk.feed(raw) == [], "the route answers, or nobody"
    (kind, (group, level, words, code, reason)), = seen
    assert kind == ERROR and words and code in (400, 505) and reason


@pytest.mark.parametrize(("replace", "code"), [
    (("Contact: <sip:alice@10.0.0.1>", "Contact: <sip:"), 400), (("Contact: <sip:alice@10.0.0.1>", "Contact: *"),
        500)])
def test_a_header_found_broken_by_a_route(replace: tuple[str, str], code: int,
        caplog: pytest.LogCaptureFixture) -> None:
    def route(ctx: Ctx) -> int:
        for contact in ctx.msg.contacts:
            contact.uri     # noqa: B018
        raise ParseError("what the script wrote")
    desk = Desk(route)
    with caplog.at_level(logging.WARNING, "osip"):
        assert desk.feed(changed(*replace)) == [code]
    assert ("bad message" in caplog.text) == (code == 400) and ("route failed" in caplog.text) == (code == 500)
    assert desk.dispatch.err_requests == 1


def test_a_route_that_fails() -> None:
    def route(ctx: Ctx) -> int:
        raise RuntimeError("bug")
    desk = Desk(route)
    assert desk.feed(GOOD) == [500] and desk.counts() == {"rcv_requests": 1, "err_requests": 1}
    assert desk.feed(request("ACK")) == [], "an ACK is never answered"


async def test_a_waiting_route_that_fails() -> None:
    async def route(ctx: Ctx) -> int:
        await asyncio.sleep(0)
        raise RuntimeError("bug")
    desk = Desk(route)
    assert desk.feed(GOOD) == []
    for _ in range(5):
        await asyncio.sleep(0)
    assert [parse(data).status for _, data in desk.net.log] == [500]


def test_a_failing_reply_route_does_not_stop_the_reply() -> None:
    def reply(ctx: Ctx) -> int:
        raise RuntimeError("bug")
    desk = Desk(reply=reply)
    ours = changed("Via: ", "Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKx\r\nVia: ", REPLY)
    assert desk.feed(ours) == [200]


@pytest.mark.parametrize(("status", "sent"), [(180, []), (200, [200])])
def test_drop_is_for_provisional_replies(status: int, sent: list[int]) -> None:
    def reply(ctx: Ctx) -> int:
        ctx.dropped = True
        return 0
    desk = Desk(reply=reply)
    ours = changed("Via: ", "Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKx\r\nVia: ", response(GOOD, status))
    assert desk.feed(ours) == sent


@pytest.mark.parametrize(("config", "sent"), [({}, [200]), ({"disable_stateless_fwd": 1}, [])])
def test_stateless_forwarding_may_be_off(config: dict[str, int], sent: list[int]) -> None:
    desk = Desk(config=config)
    assert desk.feed(changed("Via: ", "Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKx\r\nVia: ", REPLY)) == sent


@pytest.mark.parametrize(("via", "taken"), [("10.0.0.9:5060", True), ("10.0.0.9", True), ("10.9.9.9", False),
    ("10.0.0.9:7", False)])
def test_check_via(via: str, taken: bool) -> None:
    seen: list[Ctx] = []
    desk = Desk(reply=lambda ctx: seen.append(ctx) or 1, config={"check_via": 1})
    desk.feed(changed("Via: ", f"Via: SIP/2.0/UDP {via};branch=z9hG4bKx\r\nVia: ", REPLY))
    assert bool(seen) == taken


def test_no_program_drops() -> None:
    desk = Desk()
    desk.dispatch.program = None
    assert desk.feed(GOOD) == [] and desk.counts() == {"rcv_requests": 1, "drop_requests": 1}


class First(Module):
    """Takes part at several points."""
    name = "first"
    take = False

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    @hook(Hook.REQUEST, order=60)
    def later(self, ctx: Ctx) -> bool:
        self.seen.append("later")
        return False

    @hook(Hook.REQUEST, order=10)
    def request(self, ctx: Ctx) -> bool:
        self.seen.append("request")
        return self.take

    @hook(Hook.RESPONSE)
    def response(self, ctx: Ctx) -> bool:
        self.seen.append("response")
        return True

    @hook(Hook.SCRIPT_END)
    def end(self, ctx: Ctx) -> None:
        self.seen.append("end")


def test_hooks() -> None:
    desk = Desk(modules=(First,))
    first = desk.worker.registry.instances["first"]
    assert desk.feed(GOOD) == [200] and first.seen == ["request", "later", "end"]
    desk.feed(REPLY)
    assert first.seen[3:] == ["response"] and desk.dispatch.drop_replies == 0
    first.take, first.seen = True, []
    assert desk.feed(GOOD) == [] and first.seen == ["request"]


def test_slow_messages_are_counted() -> None:
    desk = Desk(config={"exec_msg_threshold": 1})
    desk.feed(GOOD)
    assert desk.dispatch.slow_messages == 1


# --- the log is bounded ---------------------------------------------------------------------------------

def test_quota() -> None:
    quota = Quota(2)
    assert [quota.take(now) for now in (0.0, 0.1, 0.2, 0.9, 1.0, 1.1, 1.2, 9.0)] == [0, 0, -1, -1, 2, 0, -1, 1]


@pytest.mark.parametrize(("raw", "most", "words"), [
    (b"A" * 65000, 1, "bad message"), (changed("Call-ID: call-1\r\n", ""), 1, "bad message"), (GOOD, 20,
        "route failed")])
def test_a_flood_is_a_few_lines(raw: bytes, most: int, words: str, caplog: pytest.LogCaptureFixture) -> None:
    def route(ctx: Ctx) -> int:
        raise RuntimeError("bug")
    desk = Desk(route)
    with caplog.at_level(logging.WARNING, "osip"):
        for _ in range(200):
            desk.feed(raw)
        assert caplog.text.count(words) == most
        assert all(len(record.getMessage()) < 500 for record in caplog.records)
        desk.env.now += 1
        desk.feed(raw)
    assert f"more_since_last={200 - most}" in caplog.text


# --- mutations through a whole server -------------------------------------------------------------------

PIECES = [b"\r\n", b"\n", b"\r", b" ", b"\t", b"\r\n ", b"\r\n\r\n", b'"', b"<", b">", b",", b";", b":", b"=", b"@",
    b"\\", b"%", b"%00",
          b"\x00", b"\xff", b"\xc3\xa9", b"99999999999999999999", b"-1", b"Via: ", b"v:", b"l: 3\r\n", b"SIP/2.0",
          b"[", b"]", b"::",
          b"*", b"sip:", b";branch=", b";tag=", b";rport", b";received=", b";rport=0", b";maddr=",
          b"Route: <sip:10.0.0.9;lr>\r\n",
          b"Record-Route: <sip:10.0.0.9;lr>\r\n", b"Contact: *\r\n", b"Max-Forwards: 0\r\n", b"Expires: -5\r\n",
          b";transport=tcp"]


def mutate(rng: random.Random, raw: bytes) -> bytes:
    data = bytearray(raw)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0:
            data[at:at] = rng.choice(PIECES)
        elif kind == 1:
            del data[at:at + rng.choice((1, 2, 5, 30))]
        elif kind == 2:
            data[at:at + 1] = rng.choice(PIECES)
        elif kind == 3:
            data[at:at + 1] = bytes([rng.randrange(256)])
        else:
            start = rng.randrange(len(data) + 1)
            data[at:at] = data[start:start + rng.randrange(60)]
    return bytes(data)


def dialogue() -> list[bytes]:
    """Return messages of a call through this server, beside the torture messages."""
    routed = "Route: <sip:10.0.0.9;lr>\r\n"
    sdp = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\n"
    own = b"Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKx\r\nVia: "
    return [request(), request(headers="Content-Type: application/sdp\r\n", body=sdp), request("ACK", to_tag="b1",
        headers=routed),
            request("BYE", to_tag="b1", headers=routed), request("CANCEL"), request("REGISTER"), request("OPTIONS",
                "sip:10.0.0.9"),
            request(headers="Supported: a, b\r\nPath: <sip:p;lr>\r\n"), *(response(request(), s).replace(b"Via: ", own,
                1) for s in (180, 200, 486))]


class StrictNet:
    """Take only what a socket could take."""

    def __init__(self) -> None:
        self.sent = 0

    def send(self, data: bytes, dest: Dest) -> bool:
        assert isinstance(data, bytes) and data.startswith(b"SIP/2.0 ") or b" SIP/2.0\r\n" in data
        assert is_ip(dest.host) and 0 < dest.port < 65536, dest
        parse(data)
        self.sent += 1
        return True


def busy_route(worker: Any) -> Callable[[Ctx], int]:
    """Return what a residential script does with a request, and a bit more reading."""
    def run(ctx: Ctx, module: str, name: str, *args: Any) -> Any:
        instance = worker.registry.instances[module]
        spec = next(f for f in instance.spec.functions if f.name == name)
        values = [arg.parse(value) if arg.parse is not None else value for arg, value in zip(spec.args, args,
            strict=False)]
        return getattr(instance, spec.attr)(ctx, *values)

    def route(ctx: Ctx) -> int:
        run(ctx, "maxfwd", "mf_process_maxfwd_header", 10)
        for words in (("search", "^From:.*alice"), ("replace", "alice", "carol"), ("subst", "/tag=(.)/tag=\\1x/g"),
                ("replace_body_all", "=", "=="),
                      ("subst_user", "/b/c/"), ("remove_hf", "Supported"), ("append_hf", "X-A: 1\r\n")):
            run(ctx, "textops", *words)
        for words in (("sipmsg_validate", "shmrftc"), ("codec_delete", "PCMU"), ("list_hdr_add_option", "Supported",
                "x"), ("is_privacy", "id"),
                      ("list_hdr_remove_option", "Supported", "b"), ("ruri_add_param", "x=y"), ("has_body_part",
                          "a/b"), ("ruri_tel2sip",),
                      ("add_body_part", "x", "text/plain"), ("remove_hf_glob", "P*")):
            run(ctx, "sipmsgops", *words)
        if ctx.msg.method == "OPTIONS":
            run(ctx, "options", "options_reply")
            return 0
        run(ctx, "rr", "loose_route")
        run(ctx, "rr", "record_route")
        if ctx.msg.method == "REGISTER":
            forward.send_stateless(ctx, forward.next_hops(ctx, ctx.target) or [])
            return 0
        return int(run(ctx, "tm", "t_relay") or 0)
    return route


class Tape(logging.Handler):
    """Keep what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.mark.parametrize("seed", range(5))
def test_mutations(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, net = random.Random(seed), StrictNet()
    desk = Desk(modules=(Sl, Tm, Rr, Maxfwd, Textops, Sipmsgops, Options, Signaling), reply=lambda ctx: 1)
    desk.worker.set_program(FakeProgram(busy_route(desk.worker), reply=lambda ctx: 1))
    desk.net.names = {"biloxi.com": ["10.0.0.2"], "example.com": ["10.0.0.3"]}
    desk.env.send = net.send
    corpus = [*dialogue(), *dialogue(), *CORPUS]
    log, tape = logging.getLogger("osip.core"), Tape()
    monkeypatch.setattr(log, "handlers", [tape])
    monkeypatch.setattr(log, "propagate", False)
    for _ in range(2000):
        raw = mutate(rng, rng.choice(corpus))
        desk.worker.receive(raw, Source(desk.env.sockets[0], f"10.0.0.{rng.randrange(1, 5)}", 5060))
        if rng.random() < 0.01:
            desk.clock.advance(0.5)
    told = [record.getMessage() for record in tape.records if str(record.msg).startswith("route failed")]
    assert not [line for line in told if not re.search("no address|cannot be resolved|no socket", line)]
    assert desk.dispatch.rcv_requests > 200 and desk.dispatch.bad_msg_hdr > 200
    assert desk.dispatch.rcv_replies > 20 and net.sent > 200
    before = net.sent
    desk.worker.receive(request("OPTIONS", "sip:10.0.0.9", call_id="last", branch="z9hG4bKlast"),
        Source(desk.env.sockets[0], "10.0.0.1", 5060))
    assert net.sent == before + 1
    desk.clock.advance(200, 1.0)
    assert not desk.worker.registry.instances["tm"].table.servers, "no transaction stays for ever"
