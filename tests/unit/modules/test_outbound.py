"""Flow tokens: made, read back, refused; Path, Record-Route and Route of an edge proxy (RFC 5626 section 5)."""
from __future__ import annotations

from typing import Any

import pytest
from kit import message
from kit.playbook import make_worker
from osip.api import Ctx, LocalSocket, Source, parse
from osip.core.run.forward import build
from osip.core.net.endpoint import Dest
from osip.modules.outbound import FAILED, FORGED, FOUND, NONE, SENDER, Outbound
from osip.modules.path import Path
from osip.modules.rr import Rr
from osip.modules.sl import Sl


class Edge:
    """An edge proxy; `alive` are the connections that are there."""

    def __init__(self, **params: Any) -> None:
        self.ws, self.udp = LocalSocket("ws", "10.0.0.9", 80), LocalSocket("udp", "10.0.0.9", 5060)
        self.worker, self.net, self.clock = make_worker((Rr, Path, Sl, Outbound), {"outbound": params},
                                                        [self.udp, self.ws])
        self.alive: set[int] = {7, 9}
        self.worker.env.is_connected = lambda proto, host, port, conn: conn in self.alive
        self.module: Any = self.worker.env.modules["outbound"]
        self.rr: Any = self.worker.env.modules["rr"]

    def browser(self, conn: int = 7) -> Source:
        return Source(self.ws, "192.0.2.7", 50000 + conn, conn)

    def proxy(self) -> Source:
        return Source(self.udp, "10.0.0.2", 5060)

    def ctx(self, raw: bytes, source: Source) -> Ctx:
        return Ctx(self.worker.env, parse(raw), source)

    def sent(self, ctx: Ctx) -> Any:
        """Return the request as it leaves towards the registrar."""
        return parse(build(ctx, ctx.target, Dest("udp", "10.0.0.2", 5060, self.udp), "z9hG4bKx"))

    def follow(self, token: str, source: Source, method: str = "INVITE", extra: str = "", **more: Any) -> tuple[int, Ctx]:
        """Take a request whose Route has a token through loose_route and follow_flow."""
        route = f"Route: <sip:10.0.0.9;lr{extra};flow={token};ob>\r\n"
        ctx = self.ctx(message.request(method, "sip:x@a.invalid;transport=ws", headers=route, **more), source)
        self.rr.loose_route(ctx)
        return self.module.follow_flow(ctx), ctx


def test_a_token_leads_back_to_its_flow() -> None:
    edge = Edge()
    token = edge.module.token(edge.browser())
    flow = edge.module.flow(token)
    assert (flow.socket, flow.host, flow.port, flow.conn) == (edge.ws, "192.0.2.7", 50007, 7)
    assert flow.uri == "sip:192.0.2.7:50007;transport=ws;ob"
    assert flow.is_source(edge.browser()) and not flow.is_source(edge.browser(9)) and not flow.is_source(None)
    assert edge.module.token(edge.browser()) == token != edge.module.token(edge.browser(9))


def test_the_secret_decides_who_can_read() -> None:
    one, same, other = Edge(flow_secret="s"), Edge(flow_secret="s"), Edge()
    token = one.module.token(one.browser())
    assert same.module.flow(token) is not None and other.module.flow(token) is None


@pytest.mark.parametrize("token", ["", "x", "@@@@", "AAAAAAAAAAAAAAAAAAAAAAAA", "é"])
def test_forged_tokens(token: str) -> None:
    assert Edge().module.flow(token) is None


def test_a_changed_token_is_forged() -> None:
    edge = Edge()
    token = edge.module.token(edge.browser())
    assert edge.module.flow(token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]) is None


def test_path_names_the_flow() -> None:
    edge = Edge()
    ctx = edge.ctx(message.request("REGISTER", "sip:10.0.0.2"), edge.browser())
    assert edge.module.add_path_flow(ctx) == 1
    token = edge.module.token(edge.browser())
    assert edge.sent(ctx).get_all("Path") == [f"<sip:10.0.0.9;lr;r2=on;flow={token};ob>",
                                              f"<sip:10.0.0.9;transport=ws;lr;r2=on;flow={token};ob>"]
    via = "Via: SIP/2.0/UDP 10.0.0.66;branch=z9hG4bK2\r\n"
    ctx = edge.ctx(message.request("REGISTER", "sip:10.0.0.2", headers=via), edge.browser())
    assert edge.module.add_path_flow(ctx) == NONE


def test_a_request_goes_by_the_flow_and_records_it() -> None:
    edge = Edge()
    token = edge.module.token(edge.browser())
    code, ctx = edge.follow(token, edge.proxy())
    assert code == FOUND and ctx.target.du == "sip:192.0.2.7:50007;transport=ws;ob" and ctx.target.socket is edge.ws
    edge.rr.record_route(ctx)
    assert f";flow={token}>" in edge.sent(ctx).get("Record-Route")


def test_what_comes_by_the_flow_goes_its_own_way() -> None:
    edge = Edge()
    code, ctx = edge.follow(edge.module.token(edge.browser()), edge.browser())
    assert code == SENDER and ctx.target.du is None


def test_of_two_flows_the_other_one() -> None:
    edge = Edge()
    both = edge.module.token(edge.browser(7)) + ";flow=" + edge.module.token(edge.browser(9))
    assert edge.follow(both, edge.browser(7))[1].target.du == "sip:192.0.2.7:50009;transport=ws;ob"
    assert edge.follow(both, edge.browser(9))[1].target.du == "sip:192.0.2.7:50007;transport=ws;ob"
    down = edge.follow(both, edge.proxy(), extra=";ftag=a1", from_tag="a1")[1]
    up = edge.follow(both, edge.proxy(), extra=";ftag=a1", from_tag="b1")[1]
    assert down.target.du == "sip:192.0.2.7:50009;transport=ws;ob"
    assert up.target.du == "sip:192.0.2.7:50007;transport=ws;ob"


@pytest.mark.parametrize(("method", "sent"), [("INVITE", 1), ("ACK", 0)])
def test_a_flow_that_is_gone(method: str, sent: int) -> None:
    edge = Edge()
    edge.alive.clear()
    code, _ = edge.follow(edge.module.token(edge.browser()), edge.proxy(), method)
    assert code == FAILED and len(edge.net.log) == sent and edge.module.failed_flows == 1
    assert all(parse(data).status == 430 for _, data in edge.net.log)       # type: ignore[union-attr]


def test_a_forged_route_is_forbidden() -> None:
    edge = Edge()
    assert edge.follow("AAAA", edge.proxy())[0] == FORGED
    assert parse(edge.net.log[0][1]).status == 403 and edge.module.forged_tokens == 1     # type: ignore[union-attr]


def test_without_a_flow() -> None:
    edge = Edge()
    assert edge.module.follow_flow(edge.ctx(message.request(), edge.proxy())) == NONE
    ctx = edge.ctx(message.request(headers="Route: <sip:10.0.0.9;lr>\r\n"), edge.proxy())
    edge.rr.loose_route(ctx)
    assert edge.module.follow_flow(ctx) == NONE


def test_the_flow_of_a_caller_is_recorded() -> None:
    edge = Edge()
    ctx = edge.ctx(message.request(), edge.browser())
    edge.rr.record_route(ctx)
    assert edge.module.record_flow(ctx) == 1
    assert edge.sent(ctx).get("Record-Route").endswith(f";flow={edge.module.token(edge.browser())}>")


def test_datagrams_have_flows_too() -> None:
    edge = Edge()
    code, ctx = edge.follow(edge.module.token(Source(edge.udp, "192.0.2.8", 1024)), edge.proxy())
    assert code == FOUND and ctx.target.du == "sip:192.0.2.8:1024;transport=udp;ob"
