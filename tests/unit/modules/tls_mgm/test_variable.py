"""`$tls_…` with a session of this worker, of another worker, and without one."""
from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from kit.certificates import Authority

from osip.core.net.endpoint import LocalSocket, Source
from osip.core.net.tls import TlsDomain
from osip.core.run.ctx import Ctx
from osip.core.run.env import Env
from osip.modules.tls_mgm import TlsMgm
from osip.modules.tls_mgm.variable import session_of


class Tls:
    def __init__(self, peer: bytes) -> None:
        self._peer = peer

    def version(self) -> str:
        return "TLSv1.3"

    def cipher(self) -> tuple[str, str, int]:
        return "TLS_AES_256_GCM_SHA384", "TLSv1.3", 256

    def getpeercert(self, binary: bool) -> bytes | None:
        return self._peer or None


class Layer:
    def __init__(self, peer: bytes, mine: bytes, mode: ssl.VerifyMode) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = mode
        self.session, self.domain = Tls(peer), TlsDomain("d", context, certificate=mine)


class Transport:
    def __init__(self, layer: Layer | None) -> None:
        self._layer = layer

    def session_of(self, number: int) -> Layer | None:
        return self._layer


NAMES = ("tls_version", "tls_cipher_info", "tls_cipher_bits", "tls_description", "tls_peer_verified", "tls_peer_revoked",
         "tls_peer_expired", "tls_peer_selfsigned", "tls_peer_subject_cn", "tls_my_subject_cn", "tls_peer_san_uri")


def seen(made: TlsMgm, transport: Any, conn: int = 9, proto: str = "tls") -> list[Any]:
    local = LocalSocket(proto, "127.0.0.1", 5061)
    local.transport = transport
    ctx = Ctx(made.env, None, Source(local, "127.0.0.1", 1, conn))      # type: ignore[arg-type]
    specs = {spec.name: spec for spec in TlsMgm.spec.pvars}
    return [getattr(made, specs[name].getter)(ctx) for name in NAMES]


@pytest.mark.parametrize(("days", "mode", "verified", "expired"), [
    (30, ssl.CERT_REQUIRED, 1, 0), (30, ssl.CERT_NONE, 0, 0), (-1, ssl.CERT_NONE, 0, 1)])
def test_words(tmp_path: Path, days: int, mode: ssl.VerifyMode, verified: int, expired: int) -> None:
    authority = Authority(tmp_path)
    peer, mine = [ssl.PEM_cert_to_DER_cert(one.cert.read_text()) for one in (
        authority.issue("alice", uris=("sip:a.b",), days=days), authority.issue("srv"))]
    made = TlsMgm()
    made.env = Env()
    made.mod_init()
    layer = Layer(peer, mine, mode)
    words = ["TLSv1.3", "TLS_AES_256_GCM_SHA384", 256, "TLS_AES_256_GCM_SHA384 TLSv1.3 256", verified, 0, expired, 0, "alice",
             "srv", "sip:a.b"]
    assert seen(made, Transport(layer)) == words
    made.sessions = {9: tuple(session_of(layer))}           # type: ignore[assignment]  # told by another worker
    assert seen(made, Transport(None)) == words
    assert set(seen(made, Transport(None), conn=10)) == set(seen(made, Transport(layer), proto="tcp")) == {None}
    without = Layer(b"", mine, mode)
    assert seen(made, Transport(without))[4:9] == [0, 0, None, None, None]
