"""Parts of relaying by themselves: arguments, hops, request-URIs, retransmissions (flows are in tests/flow)."""
from __future__ import annotations

import pytest

from kit import message
from kit.flows import flow, tm
from osip.core.run.ctx import Ctx, Target
from osip.core.sip.edits import splice
from osip.core.sip.message import parse
from osip.modules.tm import relay


@pytest.mark.parametrize("text,value", [
    ("0x05", 5), ("2", 2), ("no-auto-477", 2), ("no-dns-failover , allow-no-cancel", 20), ("", 0)])
def test_flags(text: str, value: int) -> None:
    assert relay.relay_argument(text) == value


@pytest.mark.parametrize("text,parts", [
    ("udp:1.2.3.4:5080", ("udp", "1.2.3.4", 5080)), ("gw.example", ("", "gw.example", 0)),
    ("tcp:[2001:db8::1]:5060", ("tcp", "2001:db8::1", 5060)), ("host:99", ("", "host", 99))])
def test_proxies(text: str, parts: tuple[str, str, int]) -> None:
    found = relay.relay_argument(text)
    assert (found.proto, found.host, found.port) == parts        # type: ignore[union-attr]


@pytest.mark.parametrize("hops,edited,goes,out", [
    (70, None, True, 69), (1, None, True, 0), (0, None, False, 0), (None, None, True, 70), (70, 5, True, 5),
    (None, 10, True, 10)])
def test_hops_are_counted_once(hops: int | None, edited: int | None, goes: bool, out: int) -> None:
    ctx = Ctx(None, parse(message.request(max_forwards=hops)), None)     # type: ignore[arg-type]
    if edited is not None:
        ctx.edit.set_max_forwards(edited)
    assert relay.count_hop(ctx) is goes
    assert parse(splice(ctx.msg.raw, ctx.edits) if ctx.edits else ctx.msg.raw).max_forwards == out


@pytest.mark.parametrize("uri,out", [
    ("sip:a@10.0.0.2?Subject=x", "sip:a@10.0.0.2"), ("sip:a@10.0.0.2;method=BYE;x=1", "sip:a@10.0.0.2;x=1")])
def test_what_may_not_stand_in_a_request_uri(uri: str, out: str) -> None:
    def route(ctx: Ctx) -> int:
        ctx.target.uri = uri
        return tm(ctx).t_relay(ctx)
    flow(route=route).recv("INVITE").sent("INVITE", "bob").check(lambda m: m.ruri == out)


def test_changes_after_relaying_do_not_reach_the_branch() -> None:
    def route(ctx: Ctx) -> int:
        code = tm(ctx).t_relay(ctx)
        ctx.target.uri = "sip:later@nowhere"
        return code
    play = flow(route=route).recv("INVITE").sent("INVITE", "bob")
    assert next(iter(play.modules["tm"].table.clients.values())).target.uri is None


def test_one_request_cannot_make_endless_branches() -> None:
    def route(ctx: Ctx) -> int:
        tm(ctx).most_branches = 3
        for number in range(5):
            ctx.add_target(Target(f"sip:x{number}@10.0.0.2"))
        return tm(ctx).t_relay(ctx)
    play = flow(route=route).recv("INVITE").sent("INVITE", "bob").sent("INVITE", "bob").sent("INVITE", "bob")
    play.quiet("bob")


def test_unknown_scheme() -> None:
    flow().recv("INVITE", "tel:+123").sent(100).sent(476)
