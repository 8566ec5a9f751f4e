"""Write the SIP messages of a test: requests from a few words, answers to what the server relayed, message files."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from osip.core.errors import OsipError, ParseError
from osip.core.net.endpoint import DEFAULT_PORTS, Endpoint, bracket, parse_endpoint
from osip.core.sip.message import parse
from osip.core.sip.names import reason_phrase
from osip.core.sip.uri import parse_uri

Headers = Mapping[str, str | Sequence[str] | None]
CALLER = "sip:alice@example.com"
SOURCE = "10.0.0.1"
_FIRST = ("via", "max-forwards", "from", "to", "call-id", "cseq", "contact")


def endpoint(text: str) -> Endpoint:
    """Read `[proto:]host[:port]` with its defaults filled in."""
    try:
        found = parse_endpoint(text)
    except ValueError as error:
        raise OsipError(str(error)) from None
    proto = found.proto or "udp"
    return Endpoint(proto, found.host.strip("[]"), found.port or DEFAULT_PORTS[proto])


def angle(text: str, tag: str = "") -> str:
    """Return a URI or name-addr as a From or To value."""
    value = text if "<" in text else f"<{text}>"
    return f"{value};tag={tag}" if tag and ";tag=" not in value else value


def build(start: str, own: Mapping[str, str | None], headers: Headers | None, body: str = "") -> bytes:
    """Return a message: `own` are the lines that it needs, `headers` add to them, replace them, or (None) drop them."""
    given = dict(headers or {})
    lines = [start]
    for name, value in own.items():
        other = next((key for key in given if key.lower() == name.lower()), None)
        new = given.pop(other) if other is not None else value
        lines += header(name, new)
    length = next((key for key in given if key.lower() == "content-length"), None)
    for name, value in given.items():
        if name != length:
            lines += header(name, value)
    text = body.replace("\r\n", "\n").replace("\n", "\r\n")
    lines += header("Content-Length", given[length]) if length is not None else \
        [f"Content-Length: {len(text.encode('utf-8', 'surrogateescape'))}"]
    return ("\r\n".join(lines) + "\r\n\r\n" + text).encode("utf-8", "surrogateescape")


def header(name: str, value: str | Sequence[str] | None) -> list[str]:
    """Return the lines of one header."""
    if value is None:
        return []
    return [f"{name}: {one}" for one in ([value] if isinstance(value, str) else value)]


def request(method: str, ruri: str, source: Endpoint, *, branch: str, call_id: str, cseq: int, from_: str, to: str,
            from_tag: str = "", to_tag: str = "", routes: Sequence[str] = (), max_forwards: int = 70,
            headers: Headers | None = None, body: str = "") -> bytes:
    """Return a request as the peer at `source` would send it."""
    here = f"{bracket(source.host)}:{source.port}"
    try:
        user = parse_uri(from_.partition("<")[2].partition(">")[0] or from_).user
    except ParseError:
        user = ""
    transport = f";transport={source.proto}" if source.proto != "udp" else ""
    contact = f"<sip:{user + '@' if user else ''}{here}{transport}>" if method not in ("CANCEL", "ACK", "BYE") else None
    own = {"Via": f"SIP/2.0/{source.proto.upper()} {here};branch={branch}", "Max-Forwards": str(max_forwards),
           "Route": ", ".join(routes) or None, "From": angle(from_, from_tag), "To": angle(to, to_tag),
           "Call-ID": call_id, "CSeq": f"{cseq} {method}", "Contact": contact}
    if body and not any(name.lower() in ("content-type", "c") for name in headers or {}):
        headers = {**(headers or {}), "Content-Type": "application/sdp" if body.startswith("v=0") else "text/plain"}
    return build(f"{method} {ruri} SIP/2.0", own, headers, body)


def response(to: Any, status: int, reason: str = "", *, to_tag: str = "", contact: str | None = None,
             headers: Headers | None = None, body: str = "") -> bytes:
    """Return the answer that a peer would give to a request it received."""
    lines: list[tuple[str, str]] = []
    for name in ("Via", "Record-Route", "From", "To", "Call-ID", "CSeq"):
        values = to.get_all(name)
        if name == "To" and to_tag and status > 100:
            values = [value if ";tag=" in value else f"{value};tag={to_tag}" for value in values]
        if name != "Record-Route" or status < 300:
            lines += [(name, value) for value in values]
    start = f"SIP/2.0 {status} {reason or reason_phrase(status)}"
    names = list(dict.fromkeys(name for name, _ in lines))
    own: dict[str, Any] = {name: [value for each, value in lines if each == name] for name in names}
    own["Contact"] = contact
    if body and not any(name.lower() in ("content-type", "c") for name in headers or {}):
        headers = {**(headers or {}), "Content-Type": "application/sdp" if body.startswith("v=0") else "text/plain"}
    return build(start, own, headers, body)


def read_message(path: str | Path) -> bytes:
    """Read a message file; its lines may end as in any text file, and the empty line at the end may be missing."""
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise OsipError(f"cannot read {path}: {error.strerror}") from None
    return normal(raw)


def normal(raw: bytes) -> bytes:
    """Return a message with the line ends of SIP."""
    if b"\r\n" not in raw:
        raw = raw.lstrip(b"\n").replace(b"\n", b"\r\n")
    if b"\r\n\r\n" not in raw:
        raw = raw.rstrip(b"\r\n") + b"\r\n\r\n"
    return raw


def graft(answer: Any, asked: Any, to_tag: str) -> bytes:
    """Fit a recorded answer to the request that the server relayed in this run: its Vias, tags, Call-ID and CSeq."""
    keep: dict[str, list[str]] = {}
    for at in range(len(answer.headers)):
        name = answer.name(at)
        if name.lower() not in ("via", "v", "from", "f", "to", "t", "call-id", "i", "cseq", "record-route",
                                "content-length", "l"):
            keep.setdefault(name, []).append(answer.value(at))
    head = answer.raw.partition(b"\r\n")[0].decode("utf-8", "replace").split(" ", 2)
    body = answer.raw[answer.body_start:].decode("utf-8", "surrogateescape")
    return response(asked, answer.status, head[2] if len(head) > 2 else "", to_tag=answer.to_tag or to_tag,
                    headers=keep, body=body)


def parsed(raw: bytes) -> Any:
    """Parse a message of a test; OsipError says what is wrong with it."""
    try:
        return parse(raw)
    except ParseError as error:
        raise OsipError(f"the message cannot be read: {error.reason}") from None
