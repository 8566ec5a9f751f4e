"""Records and times out of what the DNS library returns."""
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import aiodns
import pycares
import pytest

from osip.core.net.dns import MAX_NEGATIVE_TTL, NEGATIVE_TTL, Dns, DnsError, Naptr, Srv


def record(ttl: int, content: Any) -> Any:
    return SimpleNamespace(ttl=ttl, data=content)


def result(*answer: Any, authority: tuple[Any, ...] = ()) -> Any:
    return SimpleNamespace(answer=list(answer), authority=list(authority), additional=[])


class Client:
    def __init__(self, outcome: Any) -> None:
        self.outcome = outcome

    async def query_dns(self, name: str, kind: str) -> Any:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def dns_of(outcome: Any) -> Dns:
    dns = Dns(1.0, 1)
    dns._client = Client(outcome)
    return dns


@pytest.mark.parametrize("kind, outcome, records, ttl", [
    ("A", result(record(9, pycares.CNAMERecordData("b.example")), record(60, pycares.ARecordData("192.0.2.1")),
                 record(30, pycares.ARecordData("192.0.2.2"))), ("192.0.2.1", "192.0.2.2"), 30),
    ("AAAA", result(record(5, pycares.AAAARecordData("2001:db8::1"))), ("2001:db8::1",), 5),
    ("SRV", result(record(5, pycares.SRVRecordData(1, 2, 5060, "a.example."))), (Srv(1, 2, 5060, "a.example"),), 5),
    ("SRV", result(record(5, pycares.SRVRecordData(0, 0, 0, "."))), (Srv(0, 0, 0, ""),), 5),
    ("NAPTR", result(record(5, pycares.NAPTRRecordData(1, 2, "S", "SIP+D2U", "", "_sip._udp.b."))),
     (Naptr(1, 2, "s", "sip+d2u", "_sip._udp.b"),), 5),
    ("A", result(authority=(record(9, pycares.SOARecordData("m", "r", 1, 2, 3, 4, 20)),)), (), 20),
    ("A", result(), (), NEGATIVE_TTL),
    ("A", aiodns.error.DNSError(aiodns.error.ARES_ENOTFOUND, "not found"), (), NEGATIVE_TTL),
    ("A", aiodns.error.DNSError(aiodns.error.ARES_ENODATA, "no records"), (), NEGATIVE_TTL),
    ("A", result(record(7200, pycares.ARecordData("192.0.2.1"))), ("192.0.2.1",), 7200),
])
async def test_answers(kind: str, outcome: Any, records: tuple[Any, ...], ttl: float) -> None:
    answer = await dns_of(outcome).query(kind, "a.example")
    assert answer == (records, ttl) and (records or ttl <= MAX_NEGATIVE_TTL)


@pytest.mark.parametrize("errno", [aiodns.error.ARES_ESERVFAIL, aiodns.error.ARES_ETIMEOUT])
async def test_no_answer_is_an_error(errno: int) -> None:
    with pytest.raises(DnsError, match="SRV a.example"):
        await dns_of(aiodns.error.DNSError(errno, "trouble")).query("SRV", "a.example")
