"""Carry SIP in WebSocket messages (RFC 6455, RFC 7118), either side, as bytes in and bytes out.

No socket and no clock: a connection feeds what it read, sends what `take_output` returns, and wraps each message.
"""
from __future__ import annotations

import logging
import re
from http import HTTPStatus
from struct import pack
from typing import Any, Final

from websockets.client import ClientProtocol
from websockets.exceptions import PayloadTooBig
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as HttpRequest
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri as parse_ws_uri

from osip.core.sip.bounds import MAX_BODY, MAX_HEAD
from osip.core.sip.framing import PING, starts_as_sip

MAX_HTTP: Final = 16384             # the head of an HTTP request or response, bytes
MAX_PONGS: Final = 16               # control frames answered in one read
GOING_AWAY: Final = 1001
NORMAL: Final = 1000
BAD_TEXT: Final = 1007
POLICY: Final = 1008
TOO_BIG: Final = 1009
SUBPROTOCOL: Final = "sip"
_ANY_ORIGIN: Final = re.compile(".*")
_CRLFS: Final = b"\r\n"


class WsLimits:
    """What WebSockets of one transport accept: the resource, origins, fragments of a message, its size."""
    __slots__ = ("resource", "require_origin", "fragments", "size", "handshake_time", "quiet")

    def __init__(self, resource: str = "/", require_origin: bool = True, fragments: int = 4,
                 size: int = MAX_HEAD + MAX_BODY, handshake_time: float = 5.0) -> None:
        self.resource = resource if resource.startswith("/") else "/" + resource
        self.require_origin, self.fragments, self.size = require_origin, fragments, size
        self.handshake_time = handshake_time
        self.quiet = logging.getLogger("osip.websocket")        # what the library would log, `fault` says
        self.quiet.disabled = True


class WebSocket:
    """One WebSocket. `open` once the handshake is done; `finished` when the stream is to be closed after its output.

    A protocol fault is no exception: the close frame (or HTTP answer) is part of the output, `fault` says why.
    """
    __slots__ = ("open", "finished", "fault", "_limits", "_side", "_head", "_parts", "_kind", "_count", "_size",
                 "_out", "_is_client")

    def __init__(self, limits: WsLimits, client_of: str = "", origin: str = "") -> None:
        """Be the server, or with `client_of` ("ws://host:port/") the client of that."""
        self.open = self.finished = False
        self.fault = ""
        self._limits = limits
        self._head: bytearray | None = bytearray()      # of the HTTP message; None when it is done
        self._parts: list[bytes] = []                   # of a fragmented message
        self._kind = Opcode.TEXT
        self._count = self._size = 0
        self._out: list[bytes] = []
        self._is_client = bool(client_of)
        self._side: Any
        if client_of:
            self._side = ClientProtocol(parse_ws_uri(client_of), origin=origin or None, subprotocols=[SUBPROTOCOL],
                                        max_size=limits.size, logger=limits.quiet)     # type: ignore[arg-type,list-item]
        else:
            origins = [_ANY_ORIGIN] if limits.require_origin else None
            self._side = ServerProtocol(origins=origins, subprotocols=[SUBPROTOCOL],    # type: ignore[list-item]
                                        max_size=limits.size, logger=limits.quiet)

    # --- what a connection calls -------------------------------------------------------------------------------------

    def start(self) -> None:
        """The stream is there: a client asks for the upgrade."""
        if self._is_client:
            self._side.send_request(self._side.connect())

    def feed(self, data: bytes) -> list[Any]:
        """Take what was read; return the SIP messages (and PING for a double CRLF) that are complete, in order."""
        found: list[Any] = []
        if self.finished:
            return found
        if self._head is not None:
            rest = self._handshake(data)
            if not rest:
                return found
            data = rest
        side = self._side
        side.receive_data(data)
        pongs = 0
        for event in side.events_received():
            if self.finished:
                break
            if event.opcode in (Opcode.PING, Opcode.PONG):
                pongs += 1
                if pongs > MAX_PONGS:
                    self._refuse(POLICY, "too many pings")
            elif event.opcode is not Opcode.CLOSE:
                self._take(event, found)
        self._look(side)
        return found

    def take_output(self) -> bytes:
        """Return what is to be written now."""
        self._collect()
        if not self._out:
            return b""
        out, self._out = b"".join(self._out), []
        return out

    def wrap(self, message: bytes) -> bytes:
        """Return a message as one frame: text, or binary when it is not UTF-8; empty once the socket is closing."""
        side = self._side
        if side.state is not State.OPEN:
            return b""
        if not self._is_client:
            # A server's frame is a head and the message as it is: no need to go through the library, at eight times
            # the price.
            return self.take_output() + _frame_head(message) + message
        if _is_utf8(message):
            side.send_text(message)
        else:
            side.send_binary(message)
        return self.take_output()

    def ping(self) -> bytes:
        """Return a ping frame; every WebSocket peer answers it by itself."""
        if self._side.state is not State.OPEN:
            return b""
        self._side.send_ping(b"")
        return self.take_output()

    def close(self, code: int = GOING_AWAY) -> bytes:
        """Return the last bytes before the stream is closed by us: the close frame of an open socket."""
        if self._side.state is State.OPEN:
            self._side.send_close(code)
        self.finished = True
        return self.take_output()

    def free(self) -> None:
        """Let go of everything: the protocol's objects hold each other, and the collector of such circles comes rarely."""
        self.open, self.finished = False, True
        self._head, self._parts, self._size, self._out = None, [], 0, []
        self._side.parser.close()
        self._side.__dict__.clear()
        self._side = None

    @property
    def pending(self) -> int:
        """Return the bytes received that are not a whole message yet."""
        return len(self._head or b"") + self._size + len(self._side.reader.buffer)

    # --- the handshake -----------------------------------------------------------------------------------------------

    def _handshake(self, data: bytes) -> bytes:
        """Gather the HTTP head; return what came behind it once it is whole and accepted."""
        head = self._head
        assert head is not None
        seen = max(0, len(head) - 3)
        head += data
        end = head.find(b"\r\n\r\n", seen, MAX_HTTP)
        if end < 0:
            if len(head) >= MAX_HTTP:
                self._answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "HTTP head too large")
            elif not _may_be_http(head, self._is_client):
                self._answer(HTTPStatus.BAD_REQUEST, "not HTTP")
            return b""
        rest = bytes(head[end + 4:])
        self._head = None
        side = self._side
        side.receive_data(bytes(head[:end + 4]))
        if not self._is_client:
            self._serve(side)
        else:
            side.events_received()
            self._look(side)
            if not self.finished:
                self.open = side.state is State.OPEN
        return rest if self.open else b""

    def _serve(self, side: ServerProtocol) -> None:
        events = side.events_received()
        request = events[0] if events else None
        if not isinstance(request, HttpRequest):
            self._answer(HTTPStatus.BAD_REQUEST, str(side.handshake_exc or "bad HTTP request"))
            return
        if request.path.partition("?")[0] != self._limits.resource:
            response = side.reject(HTTPStatus.NOT_FOUND, "There is no WebSocket here.\n")
            self.fault = "no such resource"
        else:
            response = side.accept(request)
            if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
                self.fault = str(side.handshake_exc or "handshake refused")
        side.send_response(response)
        self.open = not self.fault
        self.finished = not self.open

    def _answer(self, status: HTTPStatus, why: str) -> None:
        """Refuse what is no WebSocket handshake; a client can only give up."""
        if not self._is_client:
            body = f"{status.phrase}: {why}\n".encode()
            self._out.append(f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Type: "
                             f"text/plain\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        self._fail(why)

    # --- frames ------------------------------------------------------------------------------------------------------

    def _take(self, frame: Frame, found: list[Any]) -> None:
        """Add a data frame to its message; what is whole goes to `found`."""
        if frame.opcode is not Opcode.CONT:
            self._kind, self._count, self._size, self._parts = frame.opcode, 0, 0, []
        self._count += 1
        if self._count > self._limits.fragments:
            self._refuse(TOO_BIG, "too many fragments")
            return
        if not frame.fin:
            self._parts.append(bytes(frame.data))
            self._size += len(frame.data)
            return
        message = bytes(frame.data)
        if self._parts:
            self._parts.append(message)
            message = b"".join(self._parts)
        self._parts, self._size = [], 0
        if self._kind is Opcode.TEXT and not _is_utf8(message):
            self._refuse(BAD_TEXT, "text that is not UTF-8")
            return
        if message == b"\r\n\r\n":
            found.append(PING)
            return
        if message[:2] == _CRLFS:
            message = message.lstrip(_CRLFS)
        if not message:
            return
        if starts_as_sip(message):
            found.append(message)
        else:
            self._refuse(POLICY, "not SIP on this WebSocket")

    def _refuse(self, code: int, why: str) -> None:
        if self._side.state is State.OPEN:
            self._side.fail(code, why)
        self._fail(why)

    def _look(self, side: Any) -> None:
        """See whether the protocol itself ended the conversation."""
        if side.state is State.OPEN or self.finished:
            return
        if side.parser_exc is not None or side.handshake_exc is not None:
            error = side.parser_exc or side.handshake_exc
            self._fail("message too large" if isinstance(error, PayloadTooBig) else str(error))
        else:
            self._fail("no upgrade" if side.state is State.CONNECTING else "")

    def _fail(self, why: str) -> None:
        self._collect()
        self.fault = why
        self.finished = True
        self.open = False
        self._head, self._parts, self._size = None, [], 0
        self._side.reader.buffer.clear()

    def _collect(self) -> None:
        self._out += [part for part in self._side.data_to_send() if part]




def _frame_head(message: bytes) -> bytes:
    """Return the head of an unmasked frame: text, or binary for what is not UTF-8 (RFC 6455 section 5.2)."""
    kind = 0x81 if _is_utf8(message) else 0x82
    size = len(message)
    if size < 126:
        return bytes((kind, size))
    return pack("!BBH", kind, 126, size) if size < 65536 else pack("!BBQ", kind, 127, size)


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _may_be_http(head: bytes | bytearray, is_client: bool) -> bool:
    """Say whether what came so far can be the start of HTTP; garbage need not be waited for."""
    line, newline, _ = bytes(head).partition(b"\n")
    if is_client:
        return b"HTTP/1.".startswith(line[:7]) if not newline else line.startswith(b"HTTP/1.")
    if newline:
        return line.rstrip(b"\r").endswith((b" HTTP/1.1", b" HTTP/1.0"))
    word = line.split(b" ", 1)[0]
    return len(word) <= 20 and (not word or word.isalpha()) and line.isascii()
