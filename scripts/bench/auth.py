"""Measure what the check of a password costs osip: microseconds of one digest, by algorithm. Nothing is sent.

A check finds the credentials in the message, reads them, looks whether the nonce is ours, fresh and unused, and
compares the response. Each message is a new one with a nonce of its own.
"""

from __future__ import annotations

import gc
import time
from statistics import median
from typing import Any

from osip.core.net.endpoint import Source
from osip.core.run.ctx import Ctx
from osip.core.sip.digest import digest_ha1, digest_response
from osip.core.sip.message import parse
from osip.core.sip.names import H_AUTHORIZATION
from osip.modules.auth.nonce import Offer
from osip.testing.bench import Bench

ALGORITHMS = ("MD5", "SHA-256", "SHA-512-256")
BATCH = 2000
SCRIPT = """
socket = udp:127.0.0.1:5060
loadmodule "proto_udp.so"
loadmodule "sl.so"
loadmodule "auth.so"
route {
    if (!pv_www_authorize("bench"))
        www_challenge("bench", "auth");
}
"""
REGISTER = (
    "REGISTER sip:bench SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK{0:08x};rport\r\nMax-Forwards: 70\r\n"
    "To: <sip:alice@bench>\r\nFrom: <sip:alice@bench>;tag=1\r\nCall-ID: {0}@load\r\nCSeq: 2 REGISTER\r\n"
    "Contact: <sip:alice@127.0.0.1:5062>\r\nAuthorization: Digest username=\"alice\", realm=\"bench\", nonce=\"{1}\", "
    "uri=\"sip:bench\", response=\"{2}\", algorithm={3}, cnonce=\"0a4f113b\", qop=auth, nc=00000001\r\n"
    "Expires: 3600\r\nContent-Length: 0\r\n\r\n")


def _contexts(bench: Bench, algorithm: str) -> list[Ctx]:
    """Make requests that answer challenges of the server."""
    auth, found = bench.module("auth"), []
    offer = Offer((algorithm.lower(),), ("auth",))
    ha1 = digest_ha1("alice", "bench", "secret", algorithm)
    for number in range(BATCH):
        nonce = auth.nonces.make(bench.env.wall(), offer)
        response = digest_response(ha1, "REGISTER", "sip:bench", nonce, algorithm, "auth", "00000001", "0a4f113b")
        raw = REGISTER.format(number, nonce, response, algorithm).encode()
        found.append(Ctx(bench.env, parse(raw), Source(bench.socket(), "127.0.0.1", 5062)))
    return found


def _microseconds(bench: Bench, algorithm: str, is_plain: bool) -> float:
    auth, contexts = bench.module("auth"), _contexts(bench, algorithm)
    ha1 = digest_ha1("alice", "bench", "secret", algorithm)
    results = []
    gc.collect()
    gc.disable()
    began = time.perf_counter()
    for ctx in contexts:
        given = auth.begin(ctx, "bench", H_AUTHORIZATION)
        results.append(auth.finish(ctx, given, auth.ha1_of(given, "secret") if is_plain else ha1))
    took = time.perf_counter() - began
    gc.enable()
    if set(results) != {1}:
        raise AssertionError(f"{algorithm}: right passwords were refused: {set(results)}")
    return took / BATCH * 1e6


def measure_auth(repeat: int) -> list[dict[str, Any]]:
    """Measure each algorithm, with a stored HA1 and with a stored password."""
    rows = []
    with Bench(text=SCRIPT, trace=False, log_level=1) as bench:
        bench.start()
        for algorithm in ALGORITHMS:
            for stored in ("HA1", "password"):
                rounds = [_microseconds(bench, algorithm, stored == "password") for _ in range(max(repeat, 3))]
                rows.append({"algorithm": algorithm, "stored": stored, "us_check": median(rounds),
                             "best": min(rounds)})
    return rows


def as_auth_table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as text."""
    out = [f"{'algorithm':<14} {'stored':<9} {'us/check':>9} {'best':>7}"]
    out += [f"{row['algorithm']:<14} {row['stored']:<9} {row['us_check']:9.2f} {row['best']:7.2f}" for row in rows]
    return "\n".join(out)
