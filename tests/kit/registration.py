"""Register and look up against real usrloc and registrar modules, with a fake clock and network."""
from __future__ import annotations

from typing import Any

from kit.playbook import SERVER, FakeProgram, make_worker
from osip.api import Ctx, Source, parse
from osip.modules.registrar import Registrar
from osip.modules.signaling import Signaling
from osip.modules.sl import Sl
from osip.modules.usrloc import Usrloc

PEER = "10.0.0.1"


def register(contacts: str | None = "<sip:bob@10.0.0.1>", *, aor: str = "sip:bob@example.com", cseq: int = 1,
             call_id: str = "reg-1", expires: int | None = None, headers: str = "") -> bytes:
    """Return a REGISTER; `contacts` is the value of its Contact header, None for none."""
    lines = ["REGISTER sip:example.com SIP/2.0", f"Via: SIP/2.0/UDP {PEER}:5060;branch=z9hG4bK{cseq}",
             f"From: <{aor}>;tag=f", f"To: <{aor}>", f"Call-ID: {call_id}", f"CSeq: {cseq} REGISTER"]
    if contacts is not None:
        lines.append(f"Contact: {contacts}")
    if expires is not None:
        lines.append(f"Expires: {expires}")
    return ("\r\n".join(lines) + f"\r\n{headers}Content-Length: 0\r\n\r\n").encode()


def invite(ruri: str = "sip:bob@example.com", method: str = "INVITE") -> bytes:
    """Return a request for a user of ours."""
    return (f"{method} {ruri} SIP/2.0\r\nVia: SIP/2.0/UDP {PEER}:5060;branch=z9hG4bKi\r\nFrom: <sip:al@example.com>;"
            f"tag=f\r\nTo: <{ruri}>\r\nCall-ID: i-1\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n").encode()


class Office:
    """A registrar: `register` answers with the parsed reply, `lookup` with the context."""

    def __init__(self, params: dict[str, dict[str, Any]] | None = None, program: Any = None, sockets: Any = None,
                 **config: Any) -> None:
        self.worker, self.net, self.clock = make_worker((Usrloc, Registrar, Signaling, Sl), params, sockets, **config)
        self.env = self.worker.env
        self.worker.set_program(program or FakeProgram())
        self.usrloc: Any = self.env.modules["usrloc"]
        self.registrar: Any = self.env.modules["registrar"]
        self.code = 0

    def ctx(self, raw: bytes, proto: str = "udp") -> Ctx:
        """Return the context of a message that came from the peer."""
        socket = next(s for s in self.env.sockets if s.proto == proto)
        return Ctx(self.env, parse(raw), Source(socket, PEER, 5060))

    def flags(self, text: str) -> Any:
        """Return parsed flags of save."""
        from osip.modules.registrar.flag import parse_save
        return parse_save(text)

    def register(self, *args: Any, flags: str = "", ctx: Ctx | None = None, aor_arg: str | None = None,
                 **more: Any) -> Any:
        """Send a REGISTER through save; return the reply (None when none was sent), the code is in `code`."""
        ctx = ctx or self.ctx(register(*args, **more))
        before = len(self.net.log)
        self.code = self.registrar.save(ctx, "location", self.flags(flags), aor_arg)
        sent = self.net.log[before:]
        assert len(sent) <= 1
        return parse(sent[0][1]) if sent else None

    def lookup(self, ruri: str = "sip:bob@example.com", flags: str = "", method: str = "INVITE",
               aor: str | None = None, ctx: Ctx | None = None) -> Ctx:
        """Look a URI up; the code is in `code`."""
        from osip.modules.registrar.flag import parse_lookup
        ctx = ctx or self.ctx(invite(ruri, method))
        self.code = self.registrar.lookup(ctx, "location", parse_lookup(flags), aor)
        return ctx

    def uris(self, aor: str = "bob@example.com") -> list[str]:
        """List the contacts of an AoR, best first."""
        return [c.uri for c in self.usrloc.domain("location").valid(aor, self.env.now)]


def contacts(reply: Any) -> list[tuple[str, int | None]]:
    """Return the (URI, expires) pairs of a reply."""
    return [(c.uri_text, c.expires) for c in reply.contacts]


__all__ = ["SERVER", "Office", "contacts", "invite", "register"]
