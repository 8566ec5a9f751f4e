"""Details of passing responses on (flows are in tests/flow)."""
from __future__ import annotations

import pytest

from kit.flows import flow, ringing
from osip.core.net.endpoint import Dest


@pytest.mark.parametrize("status", [302, 401, 404, 486, 500, 600])
def test_a_single_failure_passes_byte_for_byte(status: int) -> None:
    play = flow().recv("INVITE").sent(100)
    play.answer("bob", status, headers="X-Odd:  kept   as is \r\nContact: <sip:n@w>\r\n", body="abc").sent(status)
    assert b"X-Odd:  kept   as is \r\n" in play.got.raw and play.got.raw.endswith(b"abc")
    assert len(play.got.vias) == 1


def test_a_translated_503_keeps_its_headers() -> None:
    play = flow().recv("INVITE").sent(100).answer("bob", 503, headers="Retry-After: 5\r\n").sent(500)
    assert play.got.raw.startswith(b"SIP/2.0 500 ") and play.got.get("Retry-After") == "5"


def test_provisionals_after_the_end_are_not_passed() -> None:
    ringing("bob", "carol").answer("bob", 200).sent(200).answer("carol", 180).answer("bob", 180).quiet("alice")


def test_unsent_bytes_that_are_nobodys() -> None:
    play = ringing("bob")
    reply = b"SIP/2.0 200 OK\r\nVia: x;branch=z9hG4bK.w0.01021\r\n"
    for data in (b"", b"noise", reply, play.net.boxes["10.0.0.1:5060"][0]):
        play.worker.on_unsent(data, Dest("tcp", "10.0.0.2", 5060))
    play.worker.on_unsent(play.net.boxes["10.0.0.2:5060"][0], Dest("tcp", "10.0.0.2", 5060))      # it rings: that copy did arrive
    play.quiet("alice").answer("bob", 200).sent(200)


def test_a_non_invite_has_one_final_only() -> None:
    play = flow("bob", "carol").recv("MESSAGE").answer("bob", 200, "MESSAGE").sent(200)
    play.answer("carol", 200, "MESSAGE").quiet("alice").advance(6).gone()
