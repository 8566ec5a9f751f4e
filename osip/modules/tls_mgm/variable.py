"""The variables `$tls_…`: the connection that a message came over, and both certificates."""
from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from osip.api import Ctx, Module, Replicated, Value, pvar
from osip.modules.tls_mgm import certificate
from osip.modules.tls_mgm.domain import DomainSettings, first_certificate

class Session(NamedTuple):
    """What is known of a TLS session; plain values, since workers tell them each other."""
    version: str
    cipher: str
    bits: int
    peer: bytes             # certificate (DER), empty when the peer showed none
    is_verified: bool
    domain: str
    mine: bytes             # our certificate (DER)


def session_of(layer: Any) -> Session:
    """Describe an open TLS layer."""
    tls, domain = layer.session, layer.domain
    cipher, _, bits = tls.cipher() or ("", "", 0)
    peer = tls.getpeercert(True) or b""
    return Session(tls.version() or "", cipher, bits, peer, bool(peer) and domain.context.verify_mode != ssl.CERT_NONE,
                   domain.name, domain.certificate)


class TlsVariables(Module):
    """What scripts see of TLS."""
    sessions: Replicated | None     # connection id -> Session, of all workers when there are several

    def _tls(self, ctx: Ctx) -> Session | None:
        """Return the session that the message came over; None when it is gone or was none."""
        source = ctx.source
        if source is None or not source.conn or source.socket.proto not in ("tls", "wss"):
            return None
        transport: Any = source.socket.transport
        layer = transport.session_of(source.conn) if transport is not None else None
        if layer is not None:
            return session_of(layer)
        shared = self.sessions.get(source.conn) if self.sessions is not None else None
        return Session(*shared) if shared is not None else None

    def _peer(self, ctx: Ctx) -> Any:
        tls = self._tls(ctx)
        return certificate.load(tls.peer) if tls is not None and tls.peer else None

    def _mine(self, ctx: Ctx) -> Any:
        """Return our certificate on the connection, which a reload may have replaced for newer ones."""
        tls = self._tls(ctx)
        return certificate.load(tls.mine) if tls is not None and tls.mine else None

    def expiry_warning(self, one: DomainSettings, now: float) -> str:
        """Return a warning when a domain's own certificate has expired, else ""."""
        cert = certificate.load(first_certificate(one.certificate)) if one.certificate else None
        if cert is None or cert.not_valid_after_utc > datetime.fromtimestamp(now, UTC):
            return ""
        return f"the certificate of {one.type} domain {one.name} expired on {cert.not_valid_after_utc:%Y-%m-%d}"

    @pvar("tls_version")
    def tls_version(self, ctx: Ctx) -> Value:
        """Version of TLS of the connection, such as `TLSv1.3`."""
        tls = self._tls(ctx)
        return None if tls is None else tls.version

    @pvar("tls_description")
    def tls_description(self, ctx: Ctx) -> Value:
        """Cipher of the connection in words: name, version, bits."""
        tls = self._tls(ctx)
        return None if tls is None else f"{tls.cipher} {tls.version} {tls.bits}"

    @pvar("tls_cipher_info")
    def tls_cipher_info(self, ctx: Ctx) -> Value:
        """Name of the connection's cipher."""
        tls = self._tls(ctx)
        return None if tls is None else tls.cipher

    @pvar("tls_cipher_bits", type="is")
    def tls_cipher_bits(self, ctx: Ctx) -> Value:
        """Bits of the connection's cipher."""
        tls = self._tls(ctx)
        return None if tls is None else tls.bits

    @pvar("tls_peer_verified", type="is")
    def peer_verified(self, ctx: Ctx) -> Value:
        """1 when the peer showed a certificate and it was verified, else 0."""
        tls = self._tls(ctx)
        return None if tls is None else int(tls.is_verified)

    @pvar("tls_peer_revoked", type="is")
    def peer_revoked(self, ctx: Ctx) -> Value:
        """0: the connection of a peer whose certificate was revoked is never made."""
        return None if self._tls(ctx) is None else 0

    @pvar("tls_peer_expired", type="is")
    def peer_expired(self, ctx: Ctx) -> Value:
        """1 when the peer's certificate has expired (and is not verified), else 0."""
        cert = self._peer(ctx)
        return None if cert is None else int(cert.not_valid_after_utc < datetime.fromtimestamp(self.env.wall(), UTC))

    @pvar("tls_peer_selfsigned", type="is")
    def peer_selfsigned(self, ctx: Ctx) -> Value:
        """1 when the peer's certificate is signed by itself, else 0."""
        cert = self._peer(ctx)
        return None if cert is None else int(certificate.is_self_signed(cert))


def _reader(side: str, word: str) -> Callable[[Any, Ctx], Value]:
    def read(self: Any, ctx: Ctx) -> Value:
        cert = self._peer(ctx) if side == "peer" else self._mine(ctx)
        return None if cert is None else certificate.field(cert, word)
    whose = "the peer's" if side == "peer" else "our own"
    read.__doc__ = f"`{word}` of {whose} certificate on the connection; NULL without one."
    return read


def _declare() -> None:
    """Add the variables that read one field of a certificate each."""
    spelled = {"notbefore": "notBefore", "notafter": "notAfter"}
    for side in ("peer", "my"):
        for word in sorted(certificate.WORDS | (certificate.ALTERNATIVES if side == "peer" else frozenset())):
            name = f"tls_{side}_{spelled.get(word, word)}"
            made = pvar(name)(_reader(side, word))
            made.__set_name__(TlsVariables, name)
            setattr(TlsVariables, name, made)


_declare()
