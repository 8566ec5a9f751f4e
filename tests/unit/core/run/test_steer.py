"""Which worker owns a message."""
from __future__ import annotations

from collections import Counter

import pytest

from kit.message import request, response
from osip.core.run.steer import owner


def test_a_whole_call_meets_in_one_worker() -> None:
    for number in range(50):
        invite = request(call_id=f"call-{number}")
        found = {owner(raw, 7) for raw in (invite, request("BYE", call_id=f"call-{number}", cseq=2), response(invite,
            200),
                                           invite.replace(b"Call-ID:", b"i:"), invite.replace(b"Call-ID", b"CALL-id"))}
        assert len(found) == 1


def test_calls_are_spread() -> None:
    counts = Counter(owner(request(call_id=f"{number}@host"), 4) for number in range(2000))
    assert set(counts) == {0, 1, 2, 3} and min(counts.values()) > 400


@pytest.mark.parametrize("raw", [b"", b"\r\n\r\n", b"noise", request().replace(b"Call-ID: call-1\r\n", b"")])
def test_without_call_id_the_first_worker(raw: bytes) -> None:
    assert owner(raw, 4) == 0 and owner(raw, 1) == 0
