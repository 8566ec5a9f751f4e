"""What counts as this server's own name."""
from __future__ import annotations

from typing import Any

import pytest

from kit.playbook import make_worker
from osip.core.net.endpoint import LocalSocket
from osip.core.run.myself import Myself

SOCKETS = [LocalSocket("udp", "10.0.0.9", 5060, "Pub.example", 5090), LocalSocket("tcp", "2001:db8::9", 5070)]


@pytest.mark.parametrize(("words", "expected"), [
    (("10.0.0.9",), True), (("10.0.0.9", 5060), True), (("10.0.0.9", 5090), True), (("10.0.0.9", 5061), False),
    (("10.0.0.9", 0, "udp"), True), (("10.0.0.9", 0, "tcp"), False), (("pub.EXAMPLE", 5090), True),
    (("Pub.example",), True), (("[2001:db8::9]", 5070), True), (("2001:DB8::9",), True), (("10.0.0.8",), False),
    (("alias.example", 7), True), (("alias.example", 8), False), (("x.sub.example",), True), (("xsub.example",), False)])
def test_own_names(words: tuple[Any, ...], expected: bool) -> None:
    worker, _, _ = make_worker((), None, SOCKETS)
    worker.env.config.aliases += [(None, "alias.example", 7, False), ("udp", "sub.example", None, True)]
    assert Myself(worker.env).is_myself(*words) is expected


def test_names_that_modules_know() -> None:
    """A local domain is ours on any port and protocol; it is asked for in lower case."""
    worker, _, _ = make_worker((), None, SOCKETS)
    own = Myself(worker.env)
    assert not own.is_myself("mine.example")
    worker.env.own_names += [lambda host: False, lambda host: host == "mine.example"]
    assert own.is_myself("Mine.EXAMPLE") and own.is_myself("mine.example", 7, "tls")
    assert not own.is_myself("other.example") and own.is_myself("10.0.0.9", 5060, "udp")
