"""Reasons not to forward: extensions, loops, hops."""
from __future__ import annotations

from typing import Any

import pytest

from kit import message
from osip.core.net.endpoint import LocalSocket, Source
from osip.core.run import refusal
from osip.core.run.config import Config
from osip.core.run.ctx import Ctx
from osip.core.run.env import Env
from osip.core.sip.edits import splice
from osip.core.sip.message import parse

SOCKET = LocalSocket("udp", "10.0.0.9", 5060)


def make(raw: bytes, source: str = "10.0.0.1", **config: Any) -> Ctx:
    settings = Config()
    for name, value in config.items():
        setattr(settings, name, value)
    env = Env(settings)
    env.tag_secret = "s"
    return Ctx(env, parse(raw), Source(SOCKET, source, 5060))


@pytest.mark.parametrize("hops,edited,goes,out", [
    (70, None, True, 69), (1, None, True, 0), (0, None, False, 0), (None, None, True, 70), (70, 5, True, 5),
    (None, 10, True, 10)])
def test_hops_are_counted_once(hops: int | None, edited: int | None, goes: bool, out: int) -> None:
    ctx = make(message.request(max_forwards=hops))
    if edited is not None:
        ctx.edit.set_max_forwards(edited)
    assert refusal.count_hop(ctx) is goes
    assert parse(splice(ctx.msg.raw, ctx.edits) if ctx.edits else ctx.msg.raw).max_forwards == out


@pytest.mark.parametrize("method,value,known,lacking", [
    ("INVITE", "foo", "", "foo"), ("INVITE", "foo, bar", "FOO", "bar"), ("INVITE", "foo, bar, foo", "", "foo, bar"),
    ("INVITE", "sec-agree", "gruu, sec-agree", ""), ("INVITE", "", "", ""), ("ACK", "foo", "", ""),
    ("CANCEL", "foo", "", "")])
def test_proxy_require(method: str, value: str, known: str, lacking: str) -> None:
    ctx = make(message.request(method, headers=f"Proxy-Require: {value}\r\n"), supported_proxy_tags=known)
    assert refusal.unsupported(ctx) == lacking


def test_a_header_that_the_script_removed_does_not_count() -> None:
    ctx = make(message.request(headers="Proxy-Require: foo\r\nproxy-require: bar\r\n"))
    ctx.edit.remove_header_at(ctx.msg.find("Proxy-Require"))
    assert refusal.unsupported(ctx) == "bar"


SAME: dict[str, Any] = {}
OTHER: list[dict[str, Any]] = [{"ruri": "sip:else@10.0.0.2"}, {"headers": "Route: <sip:10.0.0.3;lr>\r\n"},
                               {"call_id": "call-2"}, {"cseq": 2}, {"from_tag": "a2"}, {"to_tag": "b"}]


@pytest.mark.parametrize("more", OTHER)
def test_what_the_loop_part_depends_on(more: dict[str, Any]) -> None:
    part = refusal.loop_part(make(message.request()))
    assert part == refusal.loop_part(make(message.request(branch="z9hG4bK-other", max_forwards=3)))
    assert part != refusal.loop_part(make(message.request(**more)))
    assert part != refusal.loop_part(make(message.request(), source="10.0.0.5"))


def test_a_loop_is_seen_in_the_head_only() -> None:
    part = refusal.loop_part(make(message.request()))
    via = f"Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK.w0.1{part}\r\n"
    assert refusal.is_loop(make(message.request(headers=via)), part)
    assert not refusal.is_loop(make(message.request(body=via)), part)
    assert not refusal.is_loop(make(message.request()), part)


def test_detection_can_be_off() -> None:
    part = refusal.loop_part(make(message.request(), loop_detect=0))
    assert part == "" and not refusal.is_loop(make(message.request()), part)
