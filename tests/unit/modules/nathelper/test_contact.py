"""Contacts mended, marked and restored."""
from __future__ import annotations

import pytest
from kit.natted import Edge, after, request

from osip.modules.nathelper.flag import parse_contact_flags


@pytest.mark.parametrize(("contact", "params", "proto", "fixed"), [
    ("<sip:al@10.0.0.5:5062>", None, "udp", ["<sip:al@192.0.2.7:40000>"]),
    ("sip:al@10.0.0.5;q=0.5", None, "udp", ["<sip:al@192.0.2.7:40000>;q=0.5"]),
    ('"Al, B" <sip:al@10.0.0.5;user=phone>;expires=60', "nat=yes", "udp",
     ['"Al, B" <sip:al@192.0.2.7:40000;user=phone;nat=yes>;expires=60']),
    ("<sip:al@x.invalid;transport=ws;ob>", None, "ws", ["<sip:al@192.0.2.7:40000;transport=ws;ob>"]),
    ("<sip:al@x.invalid>", None, "ws", ["<sip:al@192.0.2.7:40000;transport=ws>"]),
    ("<sip:al@x.invalid;transport=ws;ob>", None, "wss", ["<sip:al@192.0.2.7:40000;transport=wss;ob>"]),
    ("<sip:al@10.0.0.5;transport=tcp>", None, "tcp", ["<sip:al@192.0.2.7:40000;transport=tcp>"]),
    ("<sip:al@x.invalid>", None, "tcp", ["<sip:al@192.0.2.7:40000;transport=tcp>"]),
    ("<sip:a@10.0.0.1>, <sip:b@10.0.0.2>", ";x", "udp",
     ["<sip:a@192.0.2.7:40000;x>", "<sip:b@192.0.2.7:40000;x>"])])
def test_fix(contact: str, params: str | None, proto: str, fixed: list[str]) -> None:
    edge = Edge()
    ctx = edge.ctx(request(contact), proto)
    assert edge.nathelper.fix_nated_contact(ctx, params)
    assert [str(each) for each in after(ctx).contacts] == fixed


def test_nothing_to_fix() -> None:
    edge = Edge()
    ctx = edge.ctx(request("*", method="REGISTER"))
    assert not edge.nathelper.fix_nated_contact(ctx)
    assert not edge.nathelper.fix_nated_contact(edge.ctx(request("<tel:+123>")))


def test_original_is_kept_and_restored() -> None:
    edge = Edge()
    ctx = edge.ctx(request("<sip:al@10.0.0.5:5062;x=1>"))
    edge.nathelper.fix_nated_contact(ctx, None, parse_contact_flags("preserve-uri"))
    uri = after(ctx).contacts[0].uri_text
    back = edge.ctx(request(ruri=uri))
    assert edge.nathelper.restore_nated_ruri(back)
    assert back.ruri == "sip:al@10.0.0.5:5062;x=1" and back.target.du == "sip:al@192.0.2.7:40000;x=1"


@pytest.mark.parametrize("ruri", ["sip:al@10.0.0.5", "sip:al@10.0.0.5;org=tel%3A1", "tel:+123"])
def test_nothing_to_restore(ruri: str) -> None:
    edge = Edge()
    ctx = edge.ctx(request(ruri=ruri))
    assert not edge.nathelper.restore_nated_ruri(ctx) and ctx.target.du is None


@pytest.mark.parametrize(("flag", "proto", "contact"), [
    (None, "udp", '<sip:al@10.0.0.5:5062>;received="sip:192.0.2.7:40000"'),
    (0, "ws", '<sip:al@10.0.0.5:5062>;received="sip:192.0.2.7:40000;transport=ws"'),
    (1, "ws", "<sip:al@10.0.0.5:5062;received=sip:192.0.2.7:40000%3Btransport%3Dws>")])
def test_received_param(flag: int | None, proto: str, contact: str) -> None:
    edge = Edge()
    ctx = edge.ctx(request(method="REGISTER"), proto)
    assert edge.nathelper.add_rcv_param(ctx, flag) == 1
    assert str(after(ctx).contacts[0]) == contact


def test_register_is_noted_for_save() -> None:
    edge = Edge({"received_avp": "rcv"})
    ctx = edge.ctx(request(method="REGISTER"), "ws")
    assert edge.nathelper.fix_nated_register(ctx) == 1
    assert ctx.avps == {"rcv": ["sip:192.0.2.7:40000;transport=ws"]}
    assert Edge().nathelper.fix_nated_register(ctx) == -1
