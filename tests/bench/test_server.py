"""Start servers for a benchmark: what they and the generator listen on must not clash."""

from __future__ import annotations

import socket
import sys

from kit.server import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "scripts"))

from bench.server import PORTS, free_port  # noqa: E402  (found through the line above)


def test_no_port_is_given_twice_before_all_the_others() -> None:
    given = [free_port() for _ in range(400)]
    assert len(set(given)) == len(given)
    assert set(given) <= set(PORTS)


def test_a_port_that_somebody_has_is_passed_over() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        while True:
            try:
                sock.bind(("127.0.0.1", free_port()))
                break
            except OSError:
                continue                            # somebody else was faster
        taken = sock.getsockname()[1]
        assert taken not in {free_port() for _ in PORTS}
