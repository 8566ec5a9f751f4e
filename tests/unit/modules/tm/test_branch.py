"""Choose among responses: every pair of finals, cancelled or not (RFC 3261 section 16.7 step 6)."""
from __future__ import annotations

from itertools import pairwise, product
from types import SimpleNamespace
from typing import Any

import pytest

from kit import message
from osip.core.sip.message import parse
from osip.api import M_INVITE, Target
from osip.modules.tm.branch import Branch, challenges, pick, priority, with_headers
from osip.modules.tm.machine import Times

ORDER = [600, 603, 606, 300, 301, 302, 305, 380, 401, 407, 415, 420, 484, 400, 403, 404, 405, 410, 480, 481, 486, 487,
         488, 500, 501, 502, 504, 513, 408, 503]


def branch(status: int, **more: Any) -> Any:
    made = Branch(SimpleNamespace(method_id=M_INVITE, times=Times()), 0, Target())
    made.status = status
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_order_is_total() -> None:
    assert all(priority(a, False) < priority(b, False) for a, b in pairwise(ORDER))


@pytest.mark.parametrize("cancelled", [False, True])
def test_every_pair(cancelled: bool) -> None:
    rank = {status: -1 if cancelled and status == 487 else place for place, status in enumerate(ORDER)}
    for one, two in product(ORDER, ORDER):
        first, second = branch(one), branch(two)
        wanted = second if rank[two] < rank[one] else first
        assert pick([first, second], cancelled) is wanted, (one, two)


def test_superseded_and_pending_branches_do_not_win() -> None:
    assert pick([branch(404, superseded=True), branch(180), branch(0)], False) is None
    assert pick([branch(404, superseded=True), branch(503)], False).status == 503      # type: ignore[union-attr]


def test_challenges_of_the_others_are_gathered() -> None:
    invite = message.request()
    first = branch(407, reply=parse(message.response(invite, 407, headers='Proxy-Authenticate: Digest realm="a"\r\n')))
    second = branch(401, reply=parse(message.response(invite, 401, headers='WWW-Authenticate: Digest realm="b"\r\n'
                                                      'WWW-Authenticate: Basic realm="c"\r\n')))
    third = branch(404, reply=parse(message.response(invite, 404)))
    assert challenges(first, [first, second, third]) == (b'WWW-Authenticate: Digest realm="b"\r\n'
                                                         b'WWW-Authenticate: Basic realm="c"\r\n')
    assert challenges(second, [first, second, third]) == b'Proxy-Authenticate: Digest realm="a"\r\n'


def test_headers_are_added_at_the_end() -> None:
    assert with_headers(b"ACK x\r\nA: 1\r\n\r\n", b"B: 2\r\n") == b"ACK x\r\nA: 1\r\nB: 2\r\n\r\n"
    assert with_headers(b"ACK x\r\n\r\n", b"") == b"ACK x\r\n\r\n"
