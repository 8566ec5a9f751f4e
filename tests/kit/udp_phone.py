"""A SIP phone on UDP that a test plays move by move."""

from __future__ import annotations

import itertools
import socket
import time
from typing import Any

from kit.peer import HOST, PeerError
from osip.core.sip.message import parse

SDP = (f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\nm=audio 40002 UDP/TLS/RTP/SAVPF 0\r\n"
       "a=rtpmap:0 PCMU/8000\r\n")


class UdpPhone:
    """One user on one socket; requests and replies are sent when the test says so."""

    def __init__(self, user: str, port: int, domain: str = "localhost") -> None:
        self.user, self.domain = user, domain
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.socket.connect((HOST, port))
        self.port = self.socket.getsockname()[1]
        self.count = itertools.count(1)

    def __enter__(self) -> UdpPhone:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    @property
    def contact(self) -> str:
        """Give the address that it can be reached at."""
        return f"<sip:{self.user}@{HOST}:{self.port}>"

    def request(self, method: str, ruri: str, to: str = "", *, cseq: int = 1, call_id: str = "", headers: str = "",
                body: str = "", from_: str = "") -> Any:
        """Send a request and return it parsed."""
        from_ = from_ or f"<sip:{self.user}@{self.domain}>;tag={self.port}"
        to = to or f"<{ruri}>"
        kind = "Content-Type: application/sdp\r\n" if body else ""
        raw = (f"{method} {ruri} SIP/2.0\r\nVia: SIP/2.0/UDP {HOST}:{self.port};branch=z9hG4bK{self.port}."
               f"{next(self.count)};rport\r\nMax-Forwards: 70\r\nFrom: {from_}\r\n"
               f"To: {to}\r\nCall-ID: {call_id or f'{self.port}-{method}'}\r\nCSeq: {cseq} {method}\r\n"
               f"Contact: {self.contact}\r\n{headers}{kind}Content-Length: {len(body)}\r\n\r\n{body}").encode()
        self.socket.send(raw)
        return parse(raw)

    def within(self, method: str, invite: Any, answer: Any, cseq: int) -> Any:
        """Send a request within the dialog that `answer` made."""
        routes = "".join(f"Route: {value}\r\n" for value in reversed(answer.get_all("Record-Route")))
        return self.request(method, answer.contacts[0].uri_text, answer.get("To"), cseq=cseq,
                            call_id=invite.call_id, headers=routes)

    def reply(self, request: Any, status: int, reason: str = "OK", body: str = "") -> None:
        """Answer a request."""
        lines = [f"SIP/2.0 {status} {reason}"]
        for name in ("Via", "Record-Route", "From", "Call-ID", "CSeq"):
            lines += [f"{name}: {value}" for value in request.get_all(name)]
        tag = "" if ";tag=" in request.get("To") or status == 100 else f";tag=t{self.port}"
        lines += [f"To: {request.get('To')}{tag}", f"Contact: {self.contact}"]
        if body:
            lines.append("Content-Type: application/sdp")
        self.socket.send(("\r\n".join(lines) + f"\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())

    def expect(self, what: str | int, timeout: float = 10.0) -> Any:
        """Wait for a request of this method, or a response of this status; provisional responses are passed over."""
        deadline = time.monotonic() + timeout
        seen = []
        while time.monotonic() < deadline:
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                message: Any = parse(self.socket.recv(65535))
            except TimeoutError:
                break
            found = message.method if message.is_request else message.status
            if found == what:
                return message
            seen.append(found)
            if not message.is_request and message.status >= 200:
                break
        raise PeerError(f"{self.user} waited for {what}, saw {seen}")

    def register(self) -> None:
        """Register at the server."""
        self.request("REGISTER", f"sip:{self.domain}", f"<sip:{self.user}@{self.domain}>")
        self.expect(200)
