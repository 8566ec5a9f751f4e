"""Match requests to transactions (RFC 3261 section 17.2.3)."""
from __future__ import annotations

import pytest

from kit import message
from osip.core.sip.message import parse
from osip.core.sip.names import M_INVITE
from osip.modules.tm.match import Table


def key(table: Table | None = None, method_id: int = -1, **more: object) -> str:
    return (table or Table()).key(parse(message.request(**more)), method_id)      # type: ignore[arg-type]


SAME = [
    ({}, {"max_forwards": 3}), ({}, {"method": "ACK"}), ({}, {"to_tag": "x", "cseq": 9}),
    ({"branch": ""}, {"branch": "", "max_forwards": 3}), ({"branch": ""}, {"branch": "", "method": "ACK"}),
    ({"branch": "old1"}, {"branch": "old1", "to_tag": "b"}),
]
OTHER = [
    ({}, {"branch": "z9hG4bK-2"}), ({}, {"via": "10.0.0.1:5061"}), ({}, {"via": "10.0.0.7:5060"}),
    ({}, {"method": "CANCEL"}), ({"method": "BYE"}, {"method": "INFO"}), ({"method": "FOO"}, {"method": "BAR"}),
    ({"branch": ""}, {"branch": "", "cseq": 2}), ({"branch": ""}, {"branch": "", "call_id": "2"}),
    ({"branch": ""}, {"branch": "", "from_tag": "2"}), ({"branch": ""}, {"branch": "", "ruri": "sip:x@y"}),
    ({"branch": ""}, {"branch": "", "via": "10.0.0.1:9"}), ({"branch": "z9hG4bK"}, {"branch": "z9hG4bK", "cseq": 2}),
]


@pytest.mark.parametrize("one,two", SAME)
def test_same(one: dict[str, object], two: dict[str, object]) -> None:
    assert key(**one) == key(**two)


@pytest.mark.parametrize("one,two", OTHER)
def test_other(one: dict[str, object], two: dict[str, object]) -> None:
    assert key(**one) != key(**two)


def test_what_2543_matching_looks_at_can_be_less() -> None:
    table = Table(ruri_matching=False, via1_matching=False)
    assert key(table, branch="") == key(table, branch="", ruri="sip:x@y", via="10.0.0.1:9")


def test_the_invite_of_a_cancel() -> None:
    assert key(method="CANCEL", method_id=M_INVITE) == key()
