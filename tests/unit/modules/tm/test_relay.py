"""Parts of relaying by themselves: arguments, hops, request-URIs, retransmissions (flows are in tests/flow)."""
from __future__ import annotations

import pytest

from kit.flows import flow, tm
from osip.core.run.ctx import Ctx, Target
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


@pytest.mark.parametrize("uri,out", [
    ("sip:a@10.0.0.2?Subject=x", "sip:a@10.0.0.2"), ("sip:a@10.0.0.2;method=BYE;x=1", "sip:a@10.0.0.2;x=1"),
    ("sip:a@10.0.0.2;Method=BYE", "sip:a@10.0.0.2")])
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
        tm(ctx).layer.most_branches = 3
        for number in range(5):
            ctx.add_target(Target(f"sip:x{number}@10.0.0.2"))
        return tm(ctx).t_relay(ctx)
    play = flow(route=route).recv("INVITE").sent("INVITE", "bob").sent("INVITE", "bob").sent("INVITE", "bob")
    play.quiet("bob")


def test_unknown_scheme() -> None:
    flow().recv("INVITE", "urn:service:sos").sent(100).sent(416)


def test_no_target_is_tried_twice() -> None:
    def route(ctx: Ctx) -> int:
        for uri in ("sip:x@10.0.0.2", "sip:x@10.0.0.2", "sip:bob@10.0.0.2"):
            ctx.add_target(Target(uri))
        ctx.target.uri = "sip:bob@10.0.0.2"
        return tm(ctx).t_relay(ctx)
    flow(route=route).recv("INVITE").sent("INVITE", "bob").sent("INVITE", "bob").quiet("bob")


@pytest.mark.parametrize("given,to", [(None, "carol"), ("sip:dave@10.0.0.4", "dave")])
def test_a_route_is_followed_unless_the_script_decides(given: str | None, to: str) -> None:
    def route(ctx: Ctx) -> int:
        ctx.target.uri = given
        return tm(ctx).t_relay(ctx)
    play = flow(route=route).recv("INVITE", headers="Route: <sip:10.0.0.9;lr>, <sip:10.0.0.3;lr>\r\n")
    play.sent("INVITE", to)
    assert play.got.get("Route") == ("<sip:10.0.0.3;lr>" if given is None else "<sip:10.0.0.9;lr>, <sip:10.0.0.3;lr>")
