"""Rules 27 to 31 of the forty: Route, contexts, Via, DNS. Each test fails when its rule is broken."""

from __future__ import annotations

import pytest
from kit import message
from kit.script import ScriptBook

from osip.core.net.dns import Answer, Naptr, Srv
from osip.core.net.resolve import Resolver

FORK = '$ru = "sip:bob@10.0.0.2"; $branch = "sip:carol@10.0.0.3";'


# --- 27 to 31: Route, contexts, Via, stateless replies, DNS ----------------------------------------------------------

OURS, NEXT, STRICT = "<sip:10.0.0.9;lr>", "<sip:10.0.0.3;lr>", "<sip:10.0.0.3>"


@pytest.mark.parametrize(
    ("routes", "ruri", "tag", "code", "du", "left", "now"),
    [
        ([], "sip:bob@10.0.0.2", "t", -1, None, [], "sip:bob@10.0.0.2"),
        ([OURS], "sip:bob@10.0.0.2", "", -1, None, [], "sip:bob@10.0.0.2"),
        ([OURS], "sip:bob@10.0.0.2", "t", 1, None, [], "sip:bob@10.0.0.2"),
        ([NEXT], "sip:bob@10.0.0.2", "", 1, "sip:10.0.0.3;lr", [NEXT], "sip:bob@10.0.0.2"),
        ([OURS, NEXT], "sip:bob@10.0.0.2", "", 1, "sip:10.0.0.3;lr", [NEXT], "sip:bob@10.0.0.2"),
        (["<sip:bob@10.0.0.2>"], "sip:10.0.0.9;lr", "t", 1, None, [], "sip:bob@10.0.0.2"),
        ([OURS, STRICT], "sip:bob@10.0.0.2", "t", 1, None, ["<sip:bob@10.0.0.2>"], "sip:10.0.0.3"),
    ],
)
def test_rule_27_loose_route(
    routes: list[str], ruri: str, tag: str, code: int, du: str | None, left: list[str], now: str
) -> None:
    book = ScriptBook('route { $var(c) = loose_route(); xlog("$var(c) $du"); t_relay(); }')
    book.recv("INVITE", ruri, to_tag=tag, headers="".join(f"Route: {route}\r\n" for route in routes))
    book.says(f"{code} {du or '<null>'}")
    sent = [m for peer in ("bob", "carol") for m in (book._collect() or book.received.get(peer, []))]
    assert [m.ruri for m in sent] == [now] and book.said == []
    assert sent[0].get_all("Route") == left


def test_rule_28_variables_depend_on_the_route() -> None:
    book = ScriptBook(
        """route {
        """
        + FORK
        + """
        xlog("$T_branch_idx $T_reply_code $(<reply>rs)");
        t_on_branch("b"); t_on_reply("r"); t_on_failure("f"); t_relay(); }
    branch_route[b] { xlog("$T_branch_idx $ru"); }
    onreply_route { xlog("$ru"); }
    onreply_route[r] { xlog("$ru $(<request>ru) $T_ruri $T_branch_idx $T_reply_code"); }
    failure_route[f] { xlog("$ru $T_reply_code $(<reply>rs) $(<reply>hdr(X)) $(<request>ci) $rs"); }"""
    )
    book.recv("INVITE", "sip:x@example.com").says("<null> 0 <null>", "0 sip:bob@10.0.0.2", "1 sip:carol@10.0.0.3")
    book.answer("bob", 486, headers="X: b\r\n").says("<null>", "<null> sip:x@example.com sip:bob@10.0.0.2 0 486")
    book.answer("carol", 404, headers="X: c\r\n")
    assert book.said[-1] == "sip:carol@10.0.0.3 404 404 c call-1 <null>"


@pytest.mark.parametrize(
    ("via", "via_params", "word", "expected", "port"),
    [
        ("10.0.0.1:5060", "", "", "", 5060),
        ("10.9.9.9:5070", "", "", ";received=10.0.0.1", 5070),
        ("10.9.9.9:5070", ";rport", "", ";rport=6000;received=10.0.0.1", 6000),
        ("10.9.9.9:5070", "", "force_rport();", ";rport=6000;received=10.0.0.1", 6000),
    ],
)
def test_rule_29_via_of_the_peer(via: str, via_params: str, word: str, expected: str, port: int) -> None:
    book = ScriptBook(f"route {{ {word} t_relay(); }}")
    book.feed(message.request(via=via, via_params=via_params), port=6000)
    assert [where for where, _ in book.net.log] == [f"10.0.0.1:{port}", "10.0.0.2:5060"]
    book._collect()
    got = str(book.received["bob"][0].vias[1])
    assert all(part in got for part in expected.split(";") if part) and ("received" in got) == bool(expected), got


def test_rule_29_branch_ids_repeat() -> None:
    for word in ("t_relay();", "forward();"):
        book = ScriptBook(f"route {{ {word} }}").recv("INVITE")
        if word == "t_relay();":
            book.answer("bob", 180).recv("CANCEL").advance(0.1)
        else:
            book.again().recv("CANCEL")
        book._collect()
        branches = {m.via1_branch for m in book.received["bob"]}
        assert len(book.received["bob"]) > 1 and len(branches) == 1
    book.recv("INVITE", branch="z9hG4bK-other")._collect()
    assert len({m.via1_branch for m in book.received["bob"]}) == 2


def test_rule_30_the_ack_of_a_stateless_reply_is_absorbed() -> None:
    book = ScriptBook('route { xlog("$rm"); sl_send_reply(404, "Not here"); }').recv("INVITE").sent(404).says("INVITE")
    tag = book.got.to_tag
    assert tag
    book.again().sent(404).says("INVITE").check(lambda msg: msg.to_tag == tag)
    book.recv("ACK", to_tag=tag).says().quiet()
    book.recv("ACK", to_tag="another").says("ACK").quiet()


ZONE = {
    ("NAPTR", "full.example"): (
        Naptr(10, 50, "s", "sip+d2t", "_sip._tcp.full.example"),
        Naptr(20, 50, "s", "sip+d2u", "_sip._udp.full.example"),
    ),
    ("SRV", "_sip._tcp.full.example"): (Srv(2, 0, 5082, "b.full.example"), Srv(1, 0, 5081, "a.full.example")),
    ("SRV", "_sip._udp.full.example"): (Srv(1, 0, 5083, "a.full.example"),),
    ("A", "a.full.example"): ("10.0.0.2",),
    ("A", "b.full.example"): ("10.0.0.3",),
    ("A", "full.example"): ("10.0.0.4",),
}


@pytest.mark.parametrize(
    ("uri", "down", "first"),
    [
        ("sip:x@full.example", [], "10.0.0.2:5081"),
        ("sip:x@full.example", ["10.0.0.2:5081"], "10.0.0.3:5082"),
        ("sip:x@full.example;transport=udp", [], "10.0.0.2:5083"),
        ("sip:x@full.example:5099", [], "10.0.0.4:5099"),
        ("sip:x@full.example;maddr=10.0.0.3", [], "10.0.0.3:5060"),
        ("sip:x@full.example;transport=tcp;maddr=10.0.0.3", [], "10.0.0.3:5060"),
        ("sip:x@full.example;transport=tcp", ["10.0.0.2:5081", "10.0.0.3:5082"], ""),
    ],
)
async def test_rule_31_dns_order_and_fail_over(uri: str, down: list[str], first: str) -> None:
    book = ScriptBook('route { t_on_failure("f"); t_relay(); } failure_route[f] { xlog("failed $T_reply_code"); }')

    async def query(kind: str, name: str) -> Answer:
        return Answer(ZONE.get((kind, name), ()), 60.0)

    resolver = Resolver(book.env.config, {"udp", "tcp"}, query=query, hosts={})
    book.env.resolve, book.env.resolve_wait = resolver.now, resolver.ask
    book.net.down.update(down)
    book.recv("INVITE", uri)
    while book.env._tasks:
        await next(iter(book.env._tasks))
    sent = [where for where, raw in book.net.log if raw.startswith(b"INVITE")]
    assert sent == ([first] if first else [])  # no other transport, no other address
    assert bool(book.said) is not bool(first)  # fail-over comes before failure_route


def test_rule_31_sips_goes_by_tls_or_not_at_all() -> None:
    book = ScriptBook("route { t_relay(); }")
    resolver = Resolver(book.env.config, {"udp", "tcp"}, hosts={})
    book.env.resolve, book.env.resolve_wait = resolver.now, resolver.ask
    book.recv("INVITE", "sips:bob@10.0.0.2").sent(100).sent(476).quiet("bob")


def test_rule_31_the_next_address_before_failure_route() -> None:
    book = ScriptBook('route { t_on_failure("f"); t_relay(); } failure_route[f] { xlog("failed"); }')
    book.net.names["two.example"] = ["10.0.0.2", "10.0.0.3"]
    book.recv("INVITE", "sip:x@two.example").sent("INVITE", "bob").answer("bob", 503).says().sent("INVITE", "carol")
    book.answer("carol", 503).says("failed")
