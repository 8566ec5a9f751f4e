"""SIPp over links that lose a tenth of all datagrams, both ways and on both sides of the proxy; no call may fail."""
from __future__ import annotations

from pathlib import Path

import pytest
from kit.peer import free_port, sipp
from kit.relay import Toll, lossy_relay
from kit.server import CHECKOUT, osip_server
from kit.user import SCENARIOS, register

pytestmark = [pytest.mark.peer("sipp"), pytest.mark.timeout(200)]

CALLS, RATE, DROP = 500, 100, 0.10


def check_loss(toll: Toll) -> None:
    """Fail unless a direction carried the calls and lost its share of them."""
    total = toll.dropped + toll.passed
    assert total >= 2 * CALLS and 0.07 < toll.dropped / total < 0.13, toll


@pytest.mark.parametrize("seed", [2])
def test_a_tenth_is_lost_everywhere(tmp_path: Path, seed: int) -> None:
    # The example gives up after five seconds, which four copies of a message may not survive on such a link.
    patience = {r'("tm", "fr_timeout", )\d+': r"\g<1>32"}
    with osip_server(CHECKOUT / "cfg/residential.cfg", tmp_path / "server", replace=patience) as server:
        caller_port, callee_port = free_port(), free_port()
        with (lossy_relay(caller_port, server.port, drop=DROP, seed=seed) as near,
              lossy_relay(callee_port, server.port, drop=DROP, seed=seed + 100) as far):
            register(tmp_path, server.address, far.back)
            with (sipp(tmp_path, "-sf", SCENARIOS / "uas_lossy.xml", name="uas", port=callee_port),
                  sipp(tmp_path, f"127.0.0.1:{near.front}", "-sf", SCENARIOS / "uac_lossy.xml", "-s", "bob", "-m", CALLS,
                       "-r", RATE, name="uac", port=caller_port) as caller):
                made = caller.finish(150)
            assert (made.successful, made.failed, made.exit_code) == (CALLS, 0, 0), made
            for toll in (near.forth, near.home, far.forth, far.home):
                check_loss(toll)
