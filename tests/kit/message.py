"""Build SIP messages for tests, short to write and complete to parse."""
from __future__ import annotations

from typing import Any

from osip.core.sip.message import parse

REASONS = {100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 302: "Moved Temporarily"}


def request(method: str = "INVITE", ruri: str = "sip:bob@10.0.0.2", *, branch: str = "z9hG4bK-1",
            call_id: str = "call-1", cseq: int = 1, cseq_method: str = "", from_tag: str = "a1", to_tag: str = "",
            via: str = "10.0.0.1:5060", transport: str = "UDP", headers: str = "", body: str = "",
            max_forwards: int | None = 70, via_params: str = "") -> bytes:
    """Return a request; `headers` are whole lines, each ended by CRLF."""
    tag = f";tag={to_tag}" if to_tag else ""
    hops = f"Max-Forwards: {max_forwards}\r\n" if max_forwards is not None else ""
    mark = f";branch={branch}" if branch else ""
    return (f"{method} {ruri} SIP/2.0\r\nVia: SIP/2.0/{transport} {via}{mark}{via_params}\r\n{hops}"
            f"From: <sip:alice@example.com>;tag={from_tag}\r\nTo: <sip:bob@example.com>{tag}\r\nCall-ID: {call_id}\r\n"
            f"CSeq: {cseq} {cseq_method or method}\r\nContact: <sip:alice@10.0.0.1>\r\n{headers}"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def response(to: bytes | Any, status: int, reason: str = "", *, to_tag: str = "b1", headers: str = "",
             body: str = "") -> bytes:
    """Return the response that a peer would send to a request it received."""
    req = parse(to) if isinstance(to, bytes) else to
    lines = [f"SIP/2.0 {status} {reason or REASONS.get(status, 'Reason')}"]
    for name in ("Via", "Record-Route", "From", "To", "Call-ID", "CSeq"):
        for value in req.get_all(name):
            if name == "To" and to_tag and status > 100 and ";tag=" not in value:
                value += f";tag={to_tag}"
            lines.append(f"{name}: {value}")
    text = "\r\n".join(lines) + f"\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}"
    return text.encode("utf-8", "surrogateescape")
