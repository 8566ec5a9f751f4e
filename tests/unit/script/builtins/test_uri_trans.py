"""Check the `uri.` and `via.` transformations."""
from __future__ import annotations

import pytest
from kit.builtin import Words

URI = "sips:bob:pw@[2001:db8::1]:5070;transport=tcp;lr;ttl=5;user=phone;maddr=h;method=INVITE;R2=on?a=b"
VIA = "SIP/2.0/TCP [::1]:5061;branch=z9hG4bK1;received=192.0.2.1;rport;x=\"a b\""


@pytest.mark.parametrize(("name", "value", "args", "result"), [
    ("uri.user", URI, (), "bob"), ("uri.passwd", URI, (), "pw"), ("uri.host", URI, (), "[2001:db8::1]"),
    ("uri.domain", "sip:h", (), "h"), ("uri.port", URI, (), 5070), ("uri.port", "sip:h", (), None),
    ("uri.params", "sip:h;a=b;c", (), "a=b;c"), ("uri.params", "sip:h", (), None), ("uri.param", URI, ("LR",), ""),
    ("uri.param", URI, ("ttl",), "5"), ("uri.param", URI, ("none",), None), ("uri.headers", URI, (), "a=b"),
    ("uri.transport", URI, (), "tcp"), ("uri.ttl", URI, (), "5"), ("uri.uparam", URI, (), "phone"),
    ("uri.maddr", URI, (), "h"), ("uri.method", URI, (), "INVITE"), ("uri.lr", URI, (), None),
    ("uri.lr", "sip:h;lr=on", (), "on"), ("uri.r2", URI, (), "on"), ("uri.schema", URI, (), "sips"),
    ("uri.schema", "tel:+1", (), "tel"), ("uri.user", "tel:+1;a=b", (), "+1"), ("uri.host", "tel:+1", (), None),
    ("uri.schema", "urn:service:sos", (), "urn"), ("uri.user", "nonsense", (), None), ("uri.user", "sip:h", (), None),
    ("via.name", VIA, (), "SIP"), ("via.version", VIA, (), "2.0"), ("via.transport", VIA, (), "TCP"),
    ("via.host", VIA, (), "[::1]"), ("via.domain", VIA, (), "[::1]"), ("via.port", VIA, (), 5061),
    ("via.port", "SIP/2.0/UDP h", (), None), ("via.branch", VIA, (), "z9hG4bK1"),
    ("via.received", VIA, (), "192.0.2.1"), ("via.rport", VIA, (), ""), ("via.rport", "SIP/2.0/UDP h", (), None),
    ("via.param", VIA, ("x",), "a b"), ("via.param", VIA, ("rport",), ""), ("via.param", VIA, ("none",), None),
    ("via.params", "SIP/2.0/UDP h;a=b;c", (), "a=b;c"), ("via.comment", "SIP/2.0/UDP h (hi)", (), "hi"),
    ("via.comment", VIA, (), None), ("via.host", "nonsense", (), None), ("via.name", "nonsense", (), None),
])
def test_transform(name: str, value: str, args: tuple[str, ...], result: object) -> None:
    assert Words().transform(name, value, *args) == result
