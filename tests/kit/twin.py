"""Load the SIP floor a second time in pure Python, and say what each side makes of the same bytes.

The pure copy lives beside the accelerated one in this process, so that millions of messages can be compared. A `Side`
holds one of them; `glance` and `deeply` return plain values that can be compared across sides.
"""

from __future__ import annotations

import importlib
import os
import random
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

MODULES = ("message", "build", "edits", "via", "uri", "address", "fields", "index", "mark", "auth", "digest", "binding")
FILLED = (
    "head_start", "head_end", "body_start", "body_end", "ids", "via1_span", "via1_alone", "via1_cut", "via1_branch",
    "from_tag", "to_tag", "call_id", "cseq", "cseq_method", "method", "method_id", "content_length", "max_forwards",
)  # fmt: skip
SDP = b"v=0\r\no=a 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
COMMON = (
    b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK77ef4c.2;rport\r\nVia: SIP/2.0/TCP a.example;branch=z9hG4bKb\r\n"
    b'Max-Forwards: 70\r\nFrom: "Alice, A." <sip:alice@example.com;user=phone>;tag=1928-30.x\r\n'
    b"To: Bob <sip:bob@example.com>\r\nCall-ID: a84b4c76e66710@192.0.2.1\r\nCSeq: 314159 %b\r\n"
    b"Record-Route: <sip:192.0.2.9;lr>\r\nRoute: <sip:192.0.2.8;lr>, <sip:192.0.2.7>\r\n"
    b"Contact: <sip:alice@192.0.2.1>;expires=60;q=0.5\r\nX-Other: a, b\r\nTimestamp: 5\r\n"
    b'Authorization: Digest username="alice", realm="example.com", nonce="4e-f", uri="sip:example.com;a=b",\tqop=auth'
    b',nc=00000001,cnonce="0a", algorithm=MD5, response="6629fae49393a05397450978507c4ef1"\r\n'
    b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%b"
)  # fmt: skip
PLAIN = (
    b"INVITE sip:bob:pw@example.com:5070;transport=udp;lr?a=b SIP/2.0\r\n" + COMMON % (b"INVITE", len(SDP), SDP),
    b"REGISTER sips:example.com SIP/2.0\r\n" + COMMON % (b"REGISTER", 0, b""),
    b"REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK7;rport\r\nFrom: <sip:bob@b.example>;"
    b"tag=a\r\nTo: <sip:Bob@B.example>\r\nCall-ID: a@b\r\nCSeq: 5 REGISTER\r\nContact: <sip:bob@192.0.2.1;ob>;expires=60\r\n"
    b"Expires: 90\r\nUser-Agent: Phone 1\r\nAllow: INVITE, ACK\r\nContent-Length: 0\r\n\r\n",
    b"OPTIONS sip:192.0.2.3 SIP/2.0\r\n" + COMMON % (b"OPTIONS", 0, b""),
    b"SIP/2.0 200 OK\r\n" + COMMON % (b"INVITE", len(SDP), SDP),
    b"SIP/2.0 404 Not Found\r\n" + COMMON % (b"BYE", 0, b""),
    b"BYE tel:+4930123 SIP/2.0\r\nv:SIP/2.0/UDP h;branch=z9hG4bKx;received=192.0.2.4;rport=77\r\nf: <sip:a@b>;tag=a\r\n"
    b"t: sip:b@c;tag=b\r\ni: x@y\r\nCSeq: 2 BYE\r\n\r\n",
    b"ACK sip:b@c SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bKx\r\nf: <sip:a@b>;tag=a\r\nt: <sip:b@c>;tag=b\r\ni: x@y\r\n"
    b"CSeq: 2 ACK\r\nl: 0\r\n\r\nrest",
)  # fmt: skip
PIECES = (
    b"\r\n", b"\n", b"\r", b" ", b"  ", b"\t", b"\r\n ", b"\r\n\r\n", b'"', b"<", b">", b",", b";", b";;", b":", b"=",
    b"@", b"\\", b"\x00", b"\xff", b"\xc3\xa9", b"%", b"?", b"[", b"]", b"[::1]", b"*", b"\xb2", b"-", b".", b"0",
    b"99999999999999999999", b"2147483648", b"65536", b"256", b"-1", b"SIP/2.0", b"sip:", b"tel:1", b"urn:x",
    b"\r\nVia: SIP/2.0/UDP z", b"\r\nv:SIP/2.0/UDP z", b"\r\nl: 3", b"\r\ni:x", b"\r\nTo: <sip:z@z>", b"\r\nRoute: <sip:z>",
    b";branch=", b";BRANCH=q", b";branch", b";tag=", b";Tag=q", b";tag", b";rport", b";rport=9", b";received=192.0.2.3",
    b";Received=x", b";rport=x", b";maddr=1", b":5", b":", b"v: ", b"VIA: ", b"contact", b"CSEQ", b"\r\nX-\xe9: 1",
    b"\r\nNo colon", b"\r\nSpaced : 1", b"\r\n: 1", b"INVITE ", b"NEW ", b"SIP/3.0", b"WSS", b"TLS-SCTP",
)  # fmt: skip


def load() -> SimpleNamespace:
    """Import the modules of the SIP floor as they stand under the present environment."""
    found: dict[str, ModuleType] = {name: importlib.import_module(f"osip.core.sip.{name}") for name in MODULES}
    return SimpleNamespace(**found)


def load_pure() -> SimpleNamespace:
    """Import a second copy of them that does without the accelerator; the first one stays what `import` finds."""
    mine = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "osip"}
    before = os.environ.get("OSIP_PURE")
    try:
        for name in mine:
            del sys.modules[name]
        os.environ["OSIP_PURE"] = "1"
        return load()
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "osip"]:
            del sys.modules[name]
        sys.modules.update(mine)
        if before is None:
            del os.environ["OSIP_PURE"]
        else:
            os.environ["OSIP_PURE"] = before


def mutate(rng: random.Random, corpus: tuple[bytes, ...]) -> bytes:
    """Return a message of the corpus with a few changes."""
    data = bytearray(rng.choice(corpus))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(7)
        if kind < 2:
            data[at:at] = rng.choice(PIECES)
        elif kind == 2:
            del data[at : at + rng.choice((1, 2, 5, 30))]
        elif kind == 3:
            data[at : at + 1] = rng.choice(PIECES)
        elif kind == 4:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 5:
            start = rng.randrange(len(data) + 1)
            data[at:at] = data[start : start + rng.randrange(60)]
        else:
            data[at : at + 1] = data[at : at + 1].swapcase()
    return bytes(data)


class Side:
    """One implementation: its modules, and the function that parses."""

    def __init__(self, modules: SimpleNamespace, parse: Callable[[bytes], Any]) -> None:
        self.m, self.parse = modules, parse
        self.fault = modules.message.ParseError
        self.parts = {
            modules.via.Via: (*modules.via.Via.__slots__, "sent_by"),
            modules.uri.Uri: modules.uri.Uri.__slots__,
            modules.address.NameAddr: modules.address.NameAddr.__slots__,
            modules.auth.Auth: ("scheme", "params", "token"),
        }

    def tried(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return the plain value of a call, or what its ParseError says."""
        try:
            return self.plain(function(*arguments))
        except self.fault as error:
            return ("error", error.reason, error.code, error.offset)

    def plain(self, value: Any) -> Any:
        """Turn values of the SIP floor into tuples."""
        names = self.parts.get(type(value))
        if names is not None:
            return tuple([self.tried(getattr, value, name) for name in names])
        if isinstance(value, tuple):
            return tuple([self.plain(item) for item in value])
        return [self.plain(item) for item in value] if isinstance(value, list) else value

    def read(self, raw: bytes) -> tuple[Any, Any]:
        """Parse; return the message (or as much as could be read) and what the error says, or None."""
        try:
            return self.parse(raw), None
        except self.fault as error:
            return error.partial, (error.reason, error.code, error.offset, error.partial is None)

    def glance(self, raw: bytes) -> Any:
        """Return what the packet path asks of every message."""
        msg, error = self.read(raw)
        if error is not None:
            return error
        fault = self.m.message.check(msg)
        if fault is not None:
            return (fault.reason, fault.code, fault.offset)
        return [getattr(msg, name) for name in FILLED]

    def deeply(self, raw: bytes, rng: random.Random) -> Any:
        """Return everything that can be read of a message and built from it."""
        msg, error = self.read(raw)
        if msg is None:
            return error
        check = self.m.message.check
        found: dict[str, Any] = {"error": error}
        for deep in (False, True):
            fault = check(msg, deep)
            found[f"check {deep}"] = fault and (fault.reason, fault.code, fault.offset)
        for name in self.m.fields.COMPUTE:
            if msg.is_request or name not in ("ruri", "uri"):
                found[name] = self.tried(lambda name=name: self.plain_headers(getattr(msg, name), name))
        if msg.is_request:
            found["request"] = (msg.ruri_start, msg.ruri_end)
            found["binding"] = self.binding(msg)
        else:
            found["response"] = (msg.status, msg.reason)
        found["lines"] = self.tried(lambda: self.lines(msg))
        found["first"] = self.tried(self.first, msg)
        found["built"] = self.build(msg, rng)
        return found

    def first(self, msg: Any) -> list[Any]:
        """Return the first value of each header that has an id; what was read at once must be that, or nothing."""
        reader, found = self.m.message.READER, []
        for number in range(1, max(self.m.message.HEADER_IDS.values()) + 1):
            wanted = msg.get(number)
            at_once = None if reader is None else reader.value(msg, number)
            is_same = at_once is None or at_once == (() if wanted is None else wanted)
            found.append(wanted if is_same else ("value", wanted, at_once))
        return found

    def binding(self, msg: Any) -> Any:
        """Return what a REGISTER asks for; what was read at once must be that, or nothing."""
        wanted = self.tried(self.m.binding._plain_binding, msg)
        at_once = self.tried(self.m.binding.plain_binding, msg)
        return wanted if at_once is None or at_once == wanted else ("binding", wanted, at_once)

    def answer(self, msg: Any, status: int, peer: str) -> Any:
        """Return a stateless reply; what was built at once must be that, or nothing."""
        given = (msg, status, "Any", "secret", ".end", b"X-A: 1\r\n", b"body", b"srv", peer, 5060)
        wanted, at_once = self.tried(self.m.build._build_answer, *given), self.tried(self.m.build.build_answer, *given)
        return wanted if at_once is None or at_once == wanted else ("answer", wanted, at_once)

    def plain_headers(self, value: Any, name: str) -> Any:
        """Return the value of an attribute; an index becomes a list."""
        return list(value) if name == "headers" else value

    def lines(self, msg: Any) -> list[Any]:
        """Return name, value and end of every header line."""
        return [(msg.name(at), msg.value(at), msg.line_end(at), msg.headers[at]) for at in range(len(msg.headers))]

    def build(self, msg: Any, rng: random.Random) -> list[Any]:
        """Return what the builders make of a message, with edits drawn at random."""
        build, edits = self.m.build, self.m.edits.Edits(msg)
        steps: list[Callable[[], Any]] = [
            lambda: edits.set_max_forwards(69),
            lambda: edits.append_hf("X-New: 1", rng.choice((None, "Via", "To"))),
            lambda: edits.insert_hf(lambda out: b"X-Late: %d\r\n" % out),
            lambda: edits.remove_hf(rng.choice(("Contact", "Via", "Route", "Content-Length", "X-Other"))),
            lambda: edits.set_body(b"new body", "a/b"),
            lambda: edits.set_received("192.0.2.1", 5, rng.random() < 0.5),
            lambda: edits.replace(*sorted((rng.randrange(len(msg.raw) + 9), rng.randrange(len(msg.raw) + 9))), b"zz"),
        ]
        for step in rng.sample(steps, rng.randrange(5)):
            self.tried(step)
        built = [self.tried(edits.set_received, "192.0.2.1", 5), [(first, last) for first, last, _ in edits.items]]
        if not msg.is_request:
            return [*built, self.tried(build.build_forward_reply, msg), self.tried(build.build_forward_reply, msg, edits, 7)]
        own = b"Via: SIP/2.0/UDP me;branch=z9hG4bKq\r\n"
        peer, forced = rng.choice(("", "192.0.2.1", "h", "2001:db8::1")), rng.random() < 0.3
        for status in (100, 200, 404):
            built.append(self.tried(build.build_reply, msg, status, "Any w\xf6rd" if forced else "Any", "t-1", b"X-A: 1\r\n",
                                    b"body", b"srv", peer, 5061, forced))  # fmt: skip
        built += [self.answer(msg, status, peer) for status in (100, 200, 404)]
        for ruri in (None, "sip:new@192.0.2.5"):
            built.append(self.tried(build.build_forward, msg, ruri, own, edits, 7))
            built.append(self.tried(build.build_forward, msg, ruri, own, rng.choice((edits, None)), 7, peer, 5061, forced))
        built += [self.tried(self.m.mark.mark_identity, msg, "secret"), self.tried(self.m.mark.mark_copy, msg)]
        return [*built, self.tried(build.build_forward, msg, None, own), self.tried(build.build_cancel, msg)]
