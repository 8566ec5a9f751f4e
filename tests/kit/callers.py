"""Many small calls through a server from one loop, each counted by its Call-ID; nobody retransmits unless told to."""
from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass, field

_COPIED = (b"via", b"call-id", b"cseq", b"from", b"record-route")


def header(raw: bytes, name: str) -> str:
    """Return the first value of a header; empty when there is none."""
    start = raw.lower().find(b"\r\n" + name.lower().encode() + b":")
    return raw[start + 3 + len(name):raw.find(b"\r\n", start + 2)].decode().strip() if start >= 0 else ""


def lines_of(raw: bytes, *names: bytes) -> bytes:
    """Return the header lines with these names (lower case), as they stand."""
    head = raw.partition(b"\r\n\r\n")[0]
    return b"".join(line + b"\r\n" for line in head.split(b"\r\n")[1:] if line.split(b":")[0].lower() in names)


def answer(raw: bytes, status: str, headers: bytes = b"") -> bytes:
    """Return a response to a request."""
    to = header(raw, "To")
    to = to if "tag=" in to else to + ";tag=callee"
    return (b"SIP/2.0 " + status.encode() + b"\r\n" + lines_of(raw, *_COPIED) + f"To: {to}\r\n".encode() + headers
            + b"Content-Length: 0\r\n\r\n")


@dataclass
class Call:
    """One call: when it began, and the final answers to INVITE and BYE so far."""
    id: str
    began: float
    finals: list[str] = field(default_factory=list)

    @property
    def succeeded(self) -> bool:
        """Say whether it was answered and ended."""
        return self.finals == ["INVITE 200", "BYE 200"]


class Callers(asyncio.DatagramProtocol):
    """Caller and callee on one socket; `user` is registered by `register`.

    With `patient` an INVITE or BYE that nobody answers, and a 200 that nobody acknowledges, is sent again after 0.5, 1.5
    and 3.5 seconds (RFC 3261 sections 17.1 and 13.3.1.4), and a final answer that is repeated counts once.
    """

    def __init__(self, server: int, user: str = "bob") -> None:
        self.server, self.user = ("127.0.0.1", server), user
        self.calls: dict[str, Call] = {}
        self.port = 0
        self._registered = asyncio.Event()
        self._count = 0
        self.patient, self.repeated = False, 0
        self._waiting: set[tuple[str, str]] = set()     # (method, Call-ID) that nobody answered yet

    @classmethod
    async def open(cls, server: int) -> Callers:
        """Open the socket."""
        loop = asyncio.get_running_loop()
        _, made = await loop.create_datagram_endpoint(lambda: cls(server), local_addr=("127.0.0.1", 0))
        return made

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        """Note the port and make room for what arrives at once."""
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.port = transport.get_extra_info("sockname")[1]

    async def register(self, call_id: str = "registration") -> None:
        """Register the callee; the answer is waited for."""
        self._registered.clear()
        self._send("REGISTER", f"sip:127.0.0.1:{self.server[1]}", call_id, time.time_ns() // 1000000 % (1 << 30),
                   f"<sip:{self.user}@127.0.0.1>", "Expires: 600\r\n")
        async with asyncio.timeout(5):
            await self._registered.wait()

    def call(self, call_id: str) -> Call:
        """Begin a call."""
        made = self.calls[call_id] = Call(call_id, time.monotonic())
        self._send("INVITE", f"sip:{self.user}@127.0.0.1:{self.server[1]}", call_id, 1,
                   f"<sip:{self.user}@127.0.0.1>")
        return made

    def _send(self, method: str, uri: str, call_id: str, cseq: int, to: str, more: str = "") -> None:
        self._count += 1
        data = (
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{self.port}x{self._count}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:alice@127.0.0.1>;tag=a\r\nTo: {to}\r\nCall-ID: {call_id}\r\n"
            f"CSeq: {cseq} {method}\r\nContact: <sip:{self.user}@127.0.0.1:{self.port}>\r\n{more}"
            "Content-Length: 0\r\n\r\n").encode()
        self.transport.sendto(data, self.server)
        if self.patient and method != "ACK":
            self._waiting.add((method, call_id))
            asyncio.get_running_loop().call_later(0.5, self._again, data, (method, call_id), 1.0)

    def _again(self, data: bytes, key: tuple[str, str], pause: float) -> None:
        if key in self._waiting and pause < 8:
            self.repeated += 1
            self.transport.sendto(data, self.server)
            asyncio.get_running_loop().call_later(pause, self._again, data, key, 2 * pause)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer requests, go on with calls."""
        if not data.startswith(b"SIP/2.0"):
            self._on_request(data)
            return
        status, method, call_id = data[8:11].decode(), header(data, "CSeq").split()[1], header(data, "Call-ID")
        if method == "REGISTER":
            self._registered.set()
        self._waiting.discard((method, call_id))
        call = self.calls.get(call_id)
        if call is None or status.startswith("1") or self.patient and f"{method} {status}" in call.finals:
            return
        call.finals.append(f"{method} {status}")
        if method == "INVITE" and status == "200":
            routes = lines_of(data, b"record-route").replace(b"Record-Route", b"Route").decode()
            contact, to = header(data, "Contact").strip("<>"), header(data, "To")
            self._send("ACK", contact, call_id, 1, to, routes)
            asyncio.get_running_loop().call_later(0.1, self._send, "BYE", contact, call_id, 2, to, routes)

    def _on_request(self, raw: bytes) -> None:
        method = raw.split(b" ", 1)[0]
        key = "ACK", header(raw, "Call-ID")
        if method == b"INVITE":
            contact = f"Contact: <sip:{self.user}@127.0.0.1:{self.port}>\r\n".encode()
            taken = answer(raw, "200 OK", contact)
            self.transport.sendto(answer(raw, "180 Ringing", contact), self.server)
            self.transport.sendto(taken, self.server)
            if self.patient:
                self._waiting.add(key)
                asyncio.get_running_loop().call_later(0.5, self._again, taken, key, 1.0)
        elif method == b"ACK":
            self._waiting.discard(key)
        else:
            self.transport.sendto(answer(raw, "200 OK"), self.server)
