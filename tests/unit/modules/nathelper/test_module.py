"""Parameters of nathelper and its switch."""
from __future__ import annotations

from typing import Any

import pytest
from kit.natted import Edge

from osip.api import MIError, ModuleError


@pytest.mark.parametrize(("params", "usrloc", "words"), [
    ({"oldip_skip": ["x"]}, {}, "neither c nor o"),
    ({"natping_interval": 1, "ping_nated_only": 1}, {}, "nat_bflag"),
    ({"natping_interval": 1, "sipping_from": "nobody"}, {}, "no SIP URI"),
    ({"natping_interval": 1, "sipping_bflag": "SIP"}, {}, "sipping_from"),
    ({"force_socket": "udp:192.0.2.99:5060"}, {}, "none of the sockets"),
    ({"natping_socket": "udp:"}, {}, "host"),
])
def test_what_cannot_work_is_refused(params: dict[str, Any], usrloc: dict[str, Any], words: str) -> None:
    with pytest.raises(ModuleError, match=words):
        Edge(params, usrloc)


def test_ping_switch() -> None:
    edge = Edge({"natping_interval": 10})
    nathelper = edge.nathelper
    edge.contact()
    assert nathelper.mi_enable_ping() == {"Status": 1}
    assert nathelper.mi_enable_ping(0) == {"Status": 0}
    nathelper.ping_turn()
    assert edge.net.log == []
    assert nathelper.mi_enable_ping(1) == {"Status": 1}
    nathelper.ping_turn()
    assert len(edge.net.log) == 1
    with pytest.raises(MIError):
        nathelper.mi_enable_ping(7)
    with pytest.raises(MIError):
        Edge().nathelper.mi_enable_ping(1)


def test_sockets_of_pings() -> None:
    edge = Edge({"natping_interval": 10, "natping_socket": "udp:10.0.0.9:5060", "force_socket": "tcp:10.0.0.9:5060"})
    assert edge.nathelper.ping_socket.text == "udp:10.0.0.9:5060"
    assert edge.nathelper.forced_socket.text == "tcp:10.0.0.9:5060"
