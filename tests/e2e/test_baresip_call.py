"""Let two baresip phones register with the residential example and call each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.baresip import Baresip, baresip
from kit.server import Running

pytestmark = pytest.mark.peer("baresip")


def check_call(caller: Baresip, callee: Baresip, server: str) -> None:
    """Call, talk, hang up; both ends must say so."""
    caller.command("dial", f"sip:{callee.user}@{server}")
    caller.wait_for("CALL_ESTABLISHED")
    established = callee.wait_for("CALL_ESTABLISHED")
    assert caller.user in established["peeruri"]
    caller.command("hangup")
    callee.wait_for("CALL_CLOSED")
    caller.wait_for("CALL_CLOSED")
    for phone in (caller, callee):
        phone.events.clear()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_two_phones_call_each_other(proxy: Running, tmp_path: Path, transport: str) -> None:
    with (baresip(tmp_path, "alice", proxy.address, transport=transport) as alice,
          baresip(tmp_path, "bob", proxy.address, transport=transport) as bob):
        check_call(alice, bob, proxy.address)
        check_call(bob, alice, proxy.address)
