"""For how long an answer says that an endpoint is to be kept alive."""
from __future__ import annotations

import pytest

from osip.api import LocalSocket, Source, parse
from osip.modules.nat_traversal import answer

SOURCE = Source(LocalSocket("udp", "10.0.0.9", 5060), "192.0.2.7", 40000)


def message(start: str, *headers: str) -> object:
    return parse("\r\n".join((start, "Via: SIP/2.0/UDP h;branch=z9hG4bK1", "CSeq: 1 REGISTER", "Call-ID: c",
                              "From: <sip:a@x>;tag=1", "To: <sip:a@x>", *headers, "", "")).encode())


@pytest.mark.parametrize(("asked", "said", "seconds"), [
    (("Contact: <sip:a@10.1.1.1>",), ("Contact: <sip:a@10.1.1.1>;expires=120",), 120),
    (("Contact: <sip:a@10.1.1.1>",), ("Contact: <sip:a@192.0.2.7:40000>;expires=90",), 90),
    (("Contact: <sip:a@10.1.1.1>",), ("Contact: <sip:b@10.9.9.9>;expires=3000", "Contact: <sip:a@10.1.1.1>;expires=60"), 60),
    (("Contact: <sip:a@10.1.1.1>",), ("Contact: <sip:a@10.1.1.1>", "Expires: 200"), 200),
    (("Contact: <sip:a@10.1.1.1>",), ("Contact: <sip:a@10.1.1.1>",), 3600),
    (("Contact: <sip:a@10.1.1.1>",), ("Contact: <sip:a@10.1.1.1>;expires=4294967295",), answer.LONGEST),
    (("Contact: <sip:a@10.1.1.1>",), ("Contact: <sip:a@10.1.1.1>;expires=x", "Expires: 40"), 40),
    (("Contact: *", "Expires: 0"), (), 0), (("Contact: <sip:a@10.1.1.1>;expires=0",), (), 0),
    (("Contact: <sip:a@10.1.1.1>",), ("Contact: <tel:+1>;expires=50",), 0), ((), ("Contact: <sip:b@x>;expires=9",), 0)])
def test_registrations(asked: tuple[str, ...], said: tuple[str, ...], seconds: int) -> None:
    request = message("REGISTER sip:x SIP/2.0", *asked)
    assert answer.registered(request, message("SIP/2.0 200 OK", *said), SOURCE) == seconds


@pytest.mark.parametrize(("asked", "said", "seconds"), [
    ((), ("Expires: 300",), 300), (("Expires: 700",), (), 700), ((), (), 3600), (("Expires: 9",), ("Expires: 0",), 0)])
def test_subscriptions(asked: tuple[str, ...], said: tuple[str, ...], seconds: int) -> None:
    assert answer.subscribed(message("SUBSCRIBE sip:x SIP/2.0", *asked), message("SIP/2.0 200 OK", *said)) == seconds
