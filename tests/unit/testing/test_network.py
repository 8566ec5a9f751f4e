"""Check the network in memory."""
from __future__ import annotations

import pytest

from osip.core.errors import OsipError
from osip.core.net.dns import DnsError
from osip.core.net.endpoint import Dest
from osip.testing.network import Names, Network

RAW = b"OPTIONS sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 1.1.1.1\r\n\r\n"


def test_sent() -> None:
    network = Network(lambda: 3.0)
    network.down.update(("10.0.0.3", "[2001:db8::1]:5060"))
    results = [network.send(RAW, Dest("udp", host, 5060)) for host in ("10.0.0.2", "10.0.0.3", "2001:db8::1", "10.0.0.2")]
    assert results == [True, False, False, True]
    first, again = network.sent
    assert (first.repeat, again.repeat, first.at, first.is_request) == (False, True, 3.0, True)
    assert again.title == "OPTIONS sip:x@y -> udp:10.0.0.2:5060 (repeat)"
    assert [first.goes_to(text) for text in ("10.0.0.2", "udp:10.0.0.2:5060", "10.0.0.2:5061", "tcp:10.0.0.2")] == \
        [True, True, False, False]


async def test_names() -> None:
    names = Names()
    names.add("A.example.com", "10.0.0.1", "2001:db8::1")
    names.naptr("example.com", "SIP+D2U", "_sip._udp.example.com")
    names.fail("dead")
    assert (await names.query("A", "a.example.com")).records == ("10.0.0.1",)
    assert (await names.query("AAAA", "a.example.com")).records == ("2001:db8::1",)
    assert (await names.query("NAPTR", "example.com")).records[0].service == "sip+d2u"
    assert (await names.query("A", "other")).records == ()
    with pytest.raises(DnsError):
        await names.query("A", "dead")
    with pytest.raises(OsipError, match="no address"):
        names.add("x", "y.example.com")


def test_connections() -> None:
    network = Network(lambda: 3.0)
    ids = [network.connection(*end) for end in (("tcp", "10.0.0.2", 40000), ("udp", "10.0.0.2", 40000),
                                                ("tcp", "10.0.0.2", 40001), ("tcp", "10.0.0.2", 40000))]
    assert ids[1] == 0 and ids[0] == ids[3] != ids[2] != 0 and not any(id & 255 for id in ids)
    network.send(RAW, Dest("tcp", "10.0.0.2", 5060, None, ids[2]))
    network.send(RAW, Dest("tcp", "10.0.0.2", 5060))
    assert [sent.where for sent in network.sent] == ["tcp:10.0.0.2:40001", "tcp:10.0.0.2:5060"]
