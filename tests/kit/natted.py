"""Messages as phones behind NAT send them, and a worker with nathelper to hand them to."""
from __future__ import annotations

from typing import Any

from kit.playbook import SERVER, make_worker
from osip.api import Ctx, LocalSocket, Source, parse, splice
from osip.modules.nathelper import Nathelper
from osip.modules.registrar import Registrar
from osip.modules.signaling import Signaling
from osip.modules.sl import Sl
from osip.modules.usrloc import Usrloc

OUTSIDE = ("192.0.2.7", 40000)
SDP = ("v=0\r\no=- 1 1 IN IP4 10.0.0.5\r\ns=-\r\nc=IN IP4 10.0.0.5\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
       "m=video 4002 RTP/AVP 31\r\nc=IN IP4 0.0.0.0\r\n")


def request(contact: str = "<sip:al@10.0.0.5:5062>", via: str = "10.0.0.5:5062", body: str = "",
            method: str = "INVITE", mime: str = "application/sdp", ruri: str = "sip:bob@example.com") -> bytes:
    """Return a request with the given Contact, Via sent-by and body."""
    kind = f"Content-Type: {mime}\r\n" if body else ""
    return (f"{method} {ruri} SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bK1\r\nFrom: <sip:al@example.com>;tag=f"
            f"\r\nTo: <sip:bob@example.com>\r\nCall-ID: c-1\r\nCSeq: 1 {method}\r\nContact: {contact}\r\n{kind}"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


class Edge:
    """A worker with nathelper, usrloc and registrar; `ctx` makes the context of a message from outside."""

    def __init__(self, params: dict[str, Any] | None = None, usrloc: dict[str, Any] | None = None) -> None:
        sockets = [LocalSocket(proto, SERVER, port) for proto, port in (("udp", 5060), ("tcp", 5060), ("ws", 80),
                                                                   ("wss", 443))]
        self.worker, self.net, self.clock = make_worker(
            (Usrloc, Registrar, Signaling, Sl, Nathelper), {"nathelper": params or {}, "usrloc": usrloc or {}}, sockets)
        self.env = self.worker.env
        self.nathelper: Any = self.env.modules["nathelper"]
        self.usrloc: Any = self.env.modules["usrloc"]

    def ctx(self, raw: bytes, proto: str = "udp", peer: tuple[str, int] = OUTSIDE) -> Ctx:
        """Return the context of a message that came from `peer`."""
        socket = next(s for s in self.env.sockets if s.proto == proto)
        return Ctx(self.env, parse(raw), Source(socket, *peer))

    def contact(self, uri: str = "sip:bob@10.0.0.5", flags: str = "", **more: Any) -> Any:
        """Put a contact of bob into the location table; `flags` are names of branch flags."""
        mask = 0
        for name in flags.split():
            mask |= self.env.branch_flags.bit(name)
        fresh = self.usrloc.new_contact(uri, self.env.now + 3600, cflags=mask, **more)
        return self.usrloc.domain("location").insert("bob@example.com", fresh)


def after(ctx: Ctx) -> Any:
    """Return the message with its edits in place."""
    return parse(splice(ctx.msg.raw, ctx.edit))
