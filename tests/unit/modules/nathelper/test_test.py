"""Tests for NAT: each flag with a message that fits and one that does not."""
from __future__ import annotations

import pytest
from kit.natted import OUTSIDE, SDP, Edge, request

from osip.modules.nathelper.flag import parse_tests
from osip.modules.nathelper.test import contact_uri, differs, has_private_sdp, is_private, uac_test

PUBLIC = request("<sip:al@192.0.2.7:40000>", "192.0.2.7:40000", SDP.replace("10.0.0.5", "192.0.2.7"))


@pytest.mark.parametrize(("host", "carrier", "answer"), [
    ("10.1.2.3", False, True), ("172.31.0.1", False, True), ("172.32.0.1", False, False),
    ("192.168.9.9", False, True), ("100.64.0.1", False, False), ("100.127.255.1", True, True),
    ("192.0.2.1", True, False), ("name.invalid", True, False), ("fd00::1", True, False), ("", True, False)])
def test_private(host: str, carrier: bool, answer: bool) -> None:
    assert is_private(host, carrier) is answer


@pytest.mark.parametrize(("host", "address", "answer"), [
    ("192.0.2.1", "192.0.2.1", False), ("192.0.2.2", "192.0.2.1", True), ("a.invalid", "192.0.2.1", True),
    ("[2001:db8:0::1]", "2001:db8::1", False), ("2001:db8::2", "2001:db8::1", True)])
def test_differs(host: str, address: str, answer: bool) -> None:
    assert differs(host, address) is answer


@pytest.mark.parametrize(("flags", "raw", "answer"), [
    ("1", request(), True), ("1", PUBLIC, False), ("1", request("<sip:al@100.64.0.1>"), False),
    ("129", request("<sip:al@100.64.0.1>"), True), ("1", request("<tel:+123>"), False),
    ("2", request(), True), ("2", PUBLIC, False), ("2", request(via="x.invalid"), True),
    ("4", request(), True), ("4", PUBLIC, False), ("4", request(via="x.invalid"), False),
    ("8", request(body=SDP), True), ("8", PUBLIC, False), ("8", request(), False),
    ("8", request(body="garbage"), False),
    ("16", request(via="192.0.2.7:5060"), True), ("16", request(via="192.0.2.7"), True), ("16", PUBLIC, False),
    ("32", request("<sip:al@x.invalid>"), True), ("32", PUBLIC, False),
    ("64", request("<sip:al@192.0.2.7>"), True), ("64", PUBLIC, False),
    ("255", PUBLIC, False), ("0", request(), False), ("128", request(), False),
    ("private-contact, diff-ip-src-via", request(), True)])
def test_flags(flags: str, raw: bytes, answer: bool) -> None:
    ctx = Edge().ctx(raw)
    assert uac_test(ctx, parse_tests(flags)) is answer
    assert ctx.env.modules["nathelper"].nat_uac_test(ctx, parse_tests(flags)) == (1 if answer else -1)


def test_media_address_of_its_own() -> None:
    body = SDP.replace("c=IN IP4 10.0.0.5\r\n", "").replace("c=IN IP4 0.0.0.0", "c=IN IP4 192.168.1.1")
    assert has_private_sdp(Edge().ctx(request(body=body)), False)


def test_contact_uri() -> None:
    assert str(contact_uri(Edge().ctx(request()))) == "sip:al@10.0.0.5:5062"
    assert OUTSIDE[0] == "192.0.2.7" and contact_uri(Edge().ctx(request("<mailto:a@b>"))) is None
