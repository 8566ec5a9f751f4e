"""Give a SIP message its lazy typed view: raw bytes, a header index built once, values read on first use.

`parse` looks at the start line only (RFC 3261 sections 7.1 and 7.2); `check` says whether the rest can be worked with.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from osip.core.accel import LEAF
from osip.core.errors import ParseError
from osip.core.sip.address import NameAddr
from osip.core.sip.auth import Auth
from osip.core.sip.bounds import MAX_HEAD, MAX_URI
from osip.core.sip.check import check as check
from osip.core.sip.fields import COMPUTE
from osip.core.sip.glance import read
from osip.core.sip.index import Header, find_head_end
from osip.core.sip.index import peek_call_id as peek_call_id
from osip.core.sip.names import H_OTHER, HEADER_IDS, M_OTHER, METHOD_BYTES, METHOD_IDS, header_id
from osip.core.sip.params import unfold
from osip.core.sip.uri import URI_READER, Uri
from osip.core.sip.via import VIA_READER, Via

_TOKEN: Final = re.compile(rb"[A-Za-z0-9\-.!%*_+`'~]+")
_VERSION: Final = re.compile(rb"[Ss][Ii][Pp]/([0-9]+)\.([0-9]+)")


class Message:
    """Hold the bytes of one message and read values out of them on first use.

    A slot stays empty until its attribute is read; `__getattr__` then computes it with `fields.COMPUTE` and fills it.
    So a value costs nothing until it is wanted and a plain slot read afterwards. The accelerator puts attributes of its
    own over the slots, which do the same. A header value that cannot be read
    raises ParseError from its attribute.

    Lines: `headers` lists (header id, start, value start, end) and `ids` the header ids as bytes. `head_start` and
    `blank` bound the header block, `body_start` and `body_end` the body. `via1_span` bounds the topmost Via value,
    `via1_alone` tells whether it has its line for itself, `via1_cut` is what to remove to take it off. `checked` is set
    when `parse` has already seen that `check` would find no fault.
    """

    __slots__ = (
        "raw", "head_start", "head_end", "body_start", "headers", "ids", "method", "method_id", "via1", "vias",
        "via1_span", "via1_alone", "via1_cut", "via1_branch", "from_", "to", "from_tag", "to_tag", "call_id", "cseq",
        "cseq_method", "max_forwards", "contacts", "contact_star", "routes", "record_routes", "paths", "expires",
        "content_length", "content_type", "body", "body_end", "supported", "require", "proxy_require",
        "credentials", "checked")
    is_request: bool = False
    raw: bytes
    head_start: int
    head_end: int
    body_start: int
    headers: Sequence[Header]
    ids: bytes
    method: str
    method_id: int
    via1: Via
    vias: list[Via]
    via1_span: tuple[int, int]
    via1_alone: bool
    via1_cut: tuple[int, int]
    via1_branch: str
    from_: NameAddr
    to: NameAddr
    from_tag: str
    to_tag: str
    call_id: str
    cseq: int
    cseq_method: str
    max_forwards: int | None
    contacts: list[NameAddr]
    contact_star: bool
    routes: list[NameAddr]
    record_routes: list[NameAddr]
    paths: list[NameAddr]
    expires: int | None
    content_length: int | None
    content_type: str | None
    body: bytes
    body_end: int
    supported: list[str]
    require: list[str]
    proxy_require: list[str]
    credentials: list[tuple[int, int, Auth | None]]
    checked: bool

    def __getattr__(self, name: str) -> Any:
        # Reached only for a slot that is still empty, or for a name that is none.
        compute = COMPUTE.get(name)
        if compute is None:
            raise AttributeError(name)
        value = compute(self)
        setattr(self, name, value)
        return value

    @property
    def blank(self) -> int:
        """Return where the blank line starts: what is inserted there becomes the last header."""
        return self.head_end + (2 if self.raw[self.head_end] == 13 else 1)

    def text(self, start: int, end: int) -> str:
        """Decode a stretch of the message; any byte survives the way back."""
        return self.raw[start:end].decode("utf-8", "surrogateescape")

    def name(self, at: int) -> str:
        """Return the name of the header at an index, as written."""
        _, start, value_start, _ = self.headers[at]
        return self.text(start, value_start).partition(":")[0].strip()

    def value(self, at: int) -> str:
        """Return the value of the header at an index, trimmed, each folding collapsed to one blank."""
        _, _, start, end = self.headers[at]
        text = self.raw[start:end].decode("utf-8", "surrogateescape").strip(" \t\r\n")
        return unfold(text) if "\n" in text else text

    def line_end(self, at: int) -> int:
        """Return one past the line (CRLF included) of the header at an index."""
        following = at + 1
        return self.headers[following][1] if following < len(self.headers) else self.blank

    def find(self, key: int | str, start: int = 0) -> int:
        """Return the index of the first header of that id or name from `start` on; -1 when there is none."""
        if key.__class__ is int and key:
            return self.ids.find(key, start)
        number = header_id(key) if isinstance(key, str) else H_OTHER
        if number or not isinstance(key, str):
            return self.ids.find(number, start)
        wanted = key.strip().lower()
        at = self.ids.find(H_OTHER, start)
        while at >= 0 and self.name(at).lower() != wanted:
            at = self.ids.find(H_OTHER, at + 1)
        return at

    def find_all(self, key: int | str) -> list[int]:
        """Return the indexes of all headers of that id or name."""
        out = []
        at = self.find(key)
        while at >= 0:
            out.append(at)
            at = self.find(key, at + 1)
        return out

    def get(self, key: int | str) -> str | None:
        """Return the first value of a header by id or name; None when it is absent."""
        at = self.find(key)
        return None if at < 0 else self.value(at)

    def get_all(self, key: int | str) -> list[str]:
        """Return the values of all header lines of that id or name, in order."""
        return [self.value(at) for at in self.find_all(key)]


class Request(Message):
    """Be a request; `ruri` is the request-URI as received, `uri` it parsed, `ruri_start` and `ruri_end` its place."""

    __slots__ = ("ruri", "uri", "ruri_start", "ruri_end")
    is_request = True
    ruri: str
    uri: Uri
    ruri_start: int
    ruri_end: int

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.ruri}>"


class Response(Message):
    """Be a response; `method` and `method_id` are those of its CSeq."""

    __slots__ = ("status", "reason")
    status: int
    reason: str

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.reason}>"


def _parse(raw: bytes) -> Request | Response:
    """Parse the start line of a message and find its head; raise ParseError when that cannot be done.

    A plain message is read whole, since that costs little more. The error's `partial` is a Request good enough to
    answer, where the bytes allow one.
    """
    return read(raw, Request, Response) or _parse_carefully(raw)


def _parse_carefully(raw: bytes) -> Request | Response:
    if raw[:1] in (b"\r", b"\n"):
        raw = raw.lstrip(b"\r\n")          # RFC 3261 section 7.5
    head_end, body_start = find_head_end(raw)
    if head_end < 0:
        raise ParseError("no blank line ends the headers")
    if body_start > MAX_HEAD:
        raise ParseError("message head too large", 513)
    line_end = raw.find(b"\n", 0, head_end)
    if line_end < 0:
        line_end = head_end
        head_start = head_end
    else:
        head_start = line_end + 1
        if raw[line_end - 1] == 13:
            line_end -= 1
    if raw.startswith(b"SIP/2.0 "):
        msg: Request | Response = _response(raw, raw[8:line_end])
    else:
        msg = _request(raw, raw[:line_end], head_start, head_end, body_start)
    msg.raw = raw
    msg.head_start = head_start
    msg.head_end = head_end
    msg.body_start = body_start
    msg.checked = False
    return msg


def _response(raw: bytes, line: bytes) -> Response:
    code = line[:3]
    if not code.isdigit() or line[3:4] not in (b" ", b"") or not b"100" <= code <= b"699":
        raise ParseError("bad status line")
    msg = Response()
    msg.status = int(code)
    msg.reason = line[4:].decode("utf-8", "surrogateescape")
    return msg


def _request(raw: bytes, line: bytes, head_start: int, head_end: int, body_start: int) -> Request:
    parts = line.split(b" ")
    if len(parts) != 3 or parts[2] != b"SIP/2.0":
        reason, code = _start_line_fault(line, parts)
        if code:
            raise ParseError(reason, code, 0, _partial(raw, line, head_start, head_end, body_start))
    method, uri = parts[0], parts[1]
    msg = Request()
    known = METHOD_BYTES.get(method)
    if known is not None:
        msg.method_id, msg.method = known
    elif _TOKEN.fullmatch(method):
        msg.method_id, msg.method = M_OTHER, method.decode("ascii")
    else:
        raise ParseError("bad method")
    msg.ruri_start = start = len(method) + 1
    msg.ruri_end = start + len(uri)
    if not uri or len(uri) > MAX_URI or b"<" in uri or b"\t" in uri:
        code, reason = (414, "request-URI too long") if len(uri) > MAX_URI else (400, "bad request-URI")
        raise ParseError(reason, code, start, _partial(raw, line, head_start, head_end, body_start))
    return msg


def _start_line_fault(line: bytes, parts: list[bytes]) -> tuple[str, int]:
    """Say what is wrong with a request line, and the code; ("", 0) when it only spells the version in another case."""
    version = _VERSION.fullmatch(parts[-1])
    if version is None:
        return "bad start line", 400
    if (int(version.group(1)[:4]), int(version.group(2)[:4])) != (2, 0):
        return "unsupported SIP version", 505
    return ("", 0) if len(parts) == 3 else ("bad request line: stray white space", 400)


def _partial(raw: bytes, line: bytes, head_start: int, head_end: int, body_start: int) -> Request | None:
    """Make a request whose headers can be answered although its request line is bad."""
    method, blank, rest = line.partition(b" ")
    if not blank or not _TOKEN.fullmatch(method):
        return None
    msg = Request()
    msg.method_id, msg.method = METHOD_BYTES.get(method, (M_OTHER, method.decode("ascii")))
    msg.ruri_start = len(method) + 1
    msg.ruri_end = msg.ruri_start + len(rest.rpartition(b" ")[0])
    msg.raw = raw
    msg.head_start = head_start
    msg.head_end = head_end
    msg.body_start = body_start
    msg.checked = False
    return msg


READER: Final = None if LEAF is None else LEAF.Reader(
    Request, Response, VIA_READER, URI_READER, HEADER_IDS, METHOD_IDS, _parse, COMPUTE)
parse: Final[Callable[[bytes], Request | Response]] = _parse if READER is None else READER.parse
