"""PRX-01 to PRX-16 of the requirements: validation, routes, targets (RFC 3261 sections 16.3 to 16.6 step 3)."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kit import message
from kit.flows import flow, fork, tm
from kit.playbook import SERVER
from kit.script import ScriptBook
from osip.core.run.ctx import Ctx, Target
from osip.core.sip.auth import parse_auth
from osip.core.sip.digest import answer_challenge, digest_ha1

SAMPLE = Path(__file__).resolve().parents[3] / "cfg/rfc3261_proxy.cfg"
LOOPING = "route { t_relay(); }"


def proxy() -> ScriptBook:
    """Return a playbook over the sample proxy."""
    return ScriptBook(SAMPLE)


def test_prx_01_a_transaction_for_each_side() -> None:
    play = flow("bob", "carol").recv("INVITE").sent(100).sent("INVITE", "bob").sent("INVITE", "carol")
    module = play.modules["tm"]
    assert (len(module.table.servers), len(module.table.clients)) == (1, 2)
    assert (module.uas_transactions, module.uac_transactions) == (1, 2)
    assert module.mi_hash() == [{"index": 0, "Current": 1, "Total": 1}]


def test_prx_02_what_a_proxy_need_not_understand_goes_on_as_it_is() -> None:
    strange = 'Date: yesterday\r\nX-Odd:  a "b\r\nReply-To: <<<\r\nExpires: never\r\nAlert-Info:\r\n folded\r\n'
    proxy().recv("INVITE", headers=strange).sent(100).sent("INVITE", "bob").check(lambda m: strange.encode() in m.raw)


@pytest.mark.parametrize("raw,code", [
    (message.request().replace(b"CSeq: 1 INVITE", b"CSeq: 1 BYE"), 400), (message.request(max_forwards=300), 400),
    (message.request().replace(b"INVITE sip:bob@10.0.0.2 SIP/2.0", b"INVITE sip:bob@10.0.0.2 SIP/7.0"), 505)])
def test_prx_02_what_it_must_understand_is_refused_when_broken(raw: bytes, code: int) -> None:
    proxy().feed(raw).sent(code).quiet("bob")


@pytest.mark.parametrize("uri", ["urn:service:sos", "nobodyKnowsThisScheme:totallyopaquecontent", "soap.beep://h/x"])
def test_prx_03_unknown_scheme(uri: str) -> None:
    play = proxy().recv("OPTIONS", uri)
    play.sent(416).quiet()


def test_prx_03_a_scheme_that_the_script_gave_a_next_hop_for_passes() -> None:
    def route(ctx: Ctx) -> int:
        ctx.target.du = "sip:10.0.0.3"
        return tm(ctx).t_relay(ctx)
    flow(route=route).recv("INVITE", "urn:service:sos").sent("INVITE", "carol").check(lambda m: m.ruri == "urn:service:sos")


@pytest.mark.parametrize("hops,code", [(0, 483), (1, None)])
def test_prx_04_max_forwards(hops: int, code: int | None) -> None:
    play = proxy().recv("MESSAGE", max_forwards=hops)
    play.sent(code).quiet("bob") if code else play.sent("MESSAGE", "bob").check(lambda m: m.max_forwards == 0)


def loop(play: Any, change: Any = None, limit: int = 10) -> int:
    """Hand the server whatever it sends to itself, requests up to a limit; return how many those were."""
    requests = number = 0
    while requests < limit and number < len(play.net.boxes.get("10.0.0.9:5060", [])):
        raw = play.net.boxes["10.0.0.9:5060"][number]
        number += 1
        if raw.startswith(b"INVITE"):
            raw = change(raw, requests) if change is not None else raw
            requests += 1
        play.feed(raw, "10.0.0.9")
    return requests


def test_prx_05_a_loop_is_refused() -> None:
    play = ScriptBook(LOOPING).recv("INVITE", "sip:bob@10.0.0.9").sent(100)
    assert loop(play) == 2, "once round to be seen, once to be sure: what came from alice came another way"
    play.sent(482).check(lambda m: m.to_tag and len(m.vias) == 1)


def test_prx_05_a_spiral_passes() -> None:
    play = ScriptBook(LOOPING).recv("INVITE", "sip:0@10.0.0.9").sent(100)
    rounds = loop(play, lambda raw, n: raw.replace(b"INVITE sip:%d@" % n, b"INVITE sip:%d@" % (n + 1)), 8)
    assert rounds == 8 and not [raw for _, raw in play.net.log if raw.startswith(b"SIP/2.0 482 ")]


def test_prx_05_detection_can_be_left_to_max_forwards() -> None:
    play = ScriptBook(LOOPING, loop_detect=0).recv("INVITE", "sip:bob@10.0.0.9", max_forwards=6)
    loop(play, limit=50)
    assert [raw for _, raw in play.net.log if raw.startswith(b"SIP/2.0 483 ")]


@pytest.mark.parametrize("value,lacking", [("foo", "foo"), ("foo, bar;x", "foo, bar;x")])
def test_prx_06_proxy_require(value: str, lacking: str) -> None:
    play = proxy().recv("INVITE", headers=f"Proxy-Require: {value}\r\n").sent(100).sent(420).quiet("bob")
    play.check(lambda m: m.get("Unsupported") == lacking)


def test_prx_06_a_known_extension_passes() -> None:
    play = ScriptBook(LOOPING, supported_proxy_tags="sec-agree, foo")
    play.recv("INVITE", headers="Proxy-Require: foo\r\n").sent(100).sent("INVITE", "bob")
    play.check(lambda m: m.get("Proxy-Require") == "foo")


def test_prx_06_stateless_too() -> None:
    play = ScriptBook("route { forward(); }").recv("INVITE", headers="Proxy-Require: foo\r\n").sent(420).quiet("bob")
    play.check(lambda m: m.get("Unsupported") == "foo")


AUTHORIZED = """
modparam("auth", "calculate_ha1", 1)
modparam("auth", "username_spec", "$var(user)")
modparam("auth", "password_spec", "$var(password)")
route {
	$var(user) = "alice"; $var(password) = "secret";
	if (!pv_proxy_authorize("here")) { proxy_challenge("here", "auth"); exit; }
	consume_credentials();
	t_relay();
}"""


def test_prx_07_proxy_authorization() -> None:
    play = ScriptBook(AUTHORIZED, "auth", "tm", "sl")

    def credentials(password: str) -> str:
        challenge = parse_auth(play.got.get("Proxy-Authenticate"))
        ha1 = digest_ha1("alice", "here", password)
        given = answer_challenge(challenge, "alice", ha1, "INVITE", "sip:bob@10.0.0.2", "c", 1)
        return f"Proxy-Authorization: {given}\r\n"
    play.recv("INVITE").sent(407).quiet("bob")
    play.recv("INVITE", branch="z9hG4bK-2", cseq=2, headers=credentials("wrong")).sent(407).quiet("bob")
    other = 'Proxy-Authorization: Digest realm="next", username="a", nonce="n", uri="sip:x", response="0"\r\n'
    play.recv("INVITE", branch="z9hG4bK-3", cseq=3, headers=credentials("secret") + other).sent(100)
    play.sent("INVITE", "bob")
    play.check(lambda m: [parse_auth(text).get("realm") for text in m.get_all("Proxy-Authorization")] == ["next"])


def test_prx_08_a_merged_request_is_passed_on() -> None:
    play = proxy().recv("INVITE", branch="z9hG4bK-one").recv("INVITE", branch="z9hG4bK-two")
    play.sent("INVITE", "bob").sent("INVITE", "bob").quiet("bob")


ROUTE_CASES = [
    # R-URI as received, Route as received -> next hop, R-URI, Route
    ("strict router upstream", "sip:10.0.0.9;lr", "<sip:carol@10.0.0.3>", "carol", "sip:carol@10.0.0.3", None),
    ("strict router upstream, one more hop", "sip:10.0.0.9;lr", "<sip:10.0.0.4;lr>, <sip:carol@10.0.0.3>", "dave",
     "sip:carol@10.0.0.3", "<sip:10.0.0.4;lr>"),
    ("our own Route only", "sip:bob@10.0.0.2", "<sip:10.0.0.9;lr>", "bob", "sip:bob@10.0.0.2", None),
    ("our own and another", "sip:bob@10.0.0.2", "<sip:10.0.0.9;lr>, <sip:10.0.0.3;lr>", "carol", "sip:bob@10.0.0.2",
     "<sip:10.0.0.3;lr>"),
    ("not ours", "sip:bob@10.0.0.2", "<sip:10.0.0.3;lr>", "carol", "sip:bob@10.0.0.2", "<sip:10.0.0.3;lr>"),
    ("a strict router next", "sip:bob@10.0.0.2", "<sip:10.0.0.9;lr>, <sip:10.0.0.3>, <sip:10.0.0.4;lr>", "carol",
     "sip:10.0.0.3", "<sip:10.0.0.4;lr>, <sip:bob@10.0.0.2>"),
]


@pytest.mark.parametrize("uri,route,peer,ruri,left", [case[1:] for case in ROUTE_CASES[:2]],
                         ids=[case[0] for case in ROUTE_CASES[:2]])
@pytest.mark.parametrize("script", ["route { loose_route(); t_relay(); }", LOOPING])
def test_prx_09_routes_before_and_behind(script: str, uri: str, route: str, peer: str, ruri: str,
                                         left: str | None) -> None:
    play = ScriptBook(script).recv("BYE", uri, to_tag="b1", headers=f"Route: {route}\r\n").sent("BYE", peer)
    play.check(lambda m: m.ruri == ruri and (", ".join(m.get_all("Route")) or None) == left)


@pytest.mark.parametrize("uri,route,peer,ruri,left", [case[1:] for case in ROUTE_CASES[2:5]],
                         ids=[case[0] for case in ROUTE_CASES[2:5]])
@pytest.mark.parametrize("script", ["route { loose_route(); t_relay(); }", LOOPING])
def test_prx_10_a_route_that_is_ours_is_taken_off(script: str, uri: str, route: str, peer: str, ruri: str,
                                                  left: str | None) -> None:
    test_prx_09_routes_before_and_behind(script, uri, route, peer, ruri, left)


def test_prx_10_maddr_says_where() -> None:
    proxy().recv("INVITE", "sip:bob@nowhere.example;maddr=10.0.0.3").sent("INVITE", "carol")


def test_prx_11_a_foreign_request_uri_is_the_only_target() -> None:
    proxy().recv("INVITE", "sip:x@10.0.0.4").sent("INVITE", "dave").check(lambda m: m.ruri == "sip:x@10.0.0.4")


def test_prx_12_no_uri_is_a_target_twice() -> None:
    def route(ctx: Ctx) -> int:
        fork(ctx, "bob", "carol", "bob", "carol")
        return tm(ctx).t_relay(ctx)
    flow(route=route).recv("INVITE").sent("INVITE", "bob").sent("INVITE", "carol").quiet("bob", "carol")


def test_prx_12_redirection_is_followed() -> None:
    play = ScriptBook('''route { t_on_failure("F"); t_relay(); }
failure_route[F] { if (t_check_status("3[0-9][0-9]") && get_redirects()) { t_on_failure("F"); t_relay(); } }''',
                      "tm", "rr", "uac_redirect")
    play.recv("INVITE").sent(100).sent("INVITE", "bob")
    contacts = "Contact: <sip:c@10.0.0.3>;q=0.9, <sip:bob@10.0.0.2>, <sip:d@10.0.0.4>;q=0.1\r\n"
    play.answer("bob", 302, headers=contacts).sent("ACK", "bob").sent("INVITE", "carol").sent("INVITE", "dave")
    play.quiet("bob").answer("carol", 200).sent(200)


def test_prx_13_groups_by_q() -> None:
    def target_set(ctx: Ctx) -> int:
        ctx.target.uri, ctx.target.q = "sip:bob@10.0.0.2", 1000
        ctx.add_target(Target("sip:c@10.0.0.3", q=500))
        ctx.add_target(Target("sip:d@10.0.0.4", q=500))
        return 1
    play = ScriptBook('''route { serialize_branches(1); next_branches(); t_on_failure("F"); t_relay(); }
failure_route[F] { if (next_branches()) { t_on_failure("F"); t_relay(); } }''')
    program: Any = play.env.program
    whole = program.request
    program.request = lambda ctx: target_set(ctx) and whole(ctx)
    play.recv("INVITE").sent(100).sent("INVITE", "bob").quiet("carol", "dave")
    play.answer("bob", 486).sent("INVITE", "carol").sent("INVITE", "dave").answer("dave", 200).sent(200)


def test_prx_14_the_copy_keeps_every_byte() -> None:
    body = "v=0\r\n\r\n\x00\x01\x7f\r\n.\r\n"
    raw = message.request(headers="Subject:   a\r\n b\r\nv: SIP/2.0/UDP 10.0.0.8\r\nX: \xe9\r\nx: 2\r\n", body=body)
    play = proxy().feed(raw).sent(100).sent("INVITE", "bob")
    via = play.got.raw.split(b"\r\n")[1] + b"\r\n"
    assert play.got.raw == raw.replace(b"Via:", via + b"Via:", 1).replace(b"Max-Forwards: 70", b"Max-Forwards: 69")


BARRED = [
    ("sip:a@10.0.0.2?Subject=x", "sip:a@10.0.0.2"), ("sip:a@10.0.0.2;method=BYE;x=1", "sip:a@10.0.0.2;x=1"),
    ("sip:a@10.0.0.2;METHOD=BYE?a=b&c=d", "sip:a@10.0.0.2"), ("sip:a@10.0.0.2;user=phone", "sip:a@10.0.0.2;user=phone"),
    ("sip:a?b@10.0.0.2", "sip:a?b@10.0.0.2"), ("sip:a;method=x@10.0.0.2", "sip:a;method=x@10.0.0.2")]


@pytest.mark.parametrize("uri,out", BARRED)
def test_prx_15_what_may_not_stand_in_a_request_uri(uri: str, out: str) -> None:
    def route(ctx: Ctx) -> int:
        ctx.target.uri = uri
        return tm(ctx).t_relay(ctx)
    flow(route=route).recv("INVITE").sent("INVITE", "bob").check(lambda m: m.ruri == out)


@pytest.mark.parametrize("uri,out", BARRED)
@pytest.mark.parametrize("script", [
    "route { t_relay(); }", "route { forward(); }", 'route { $du = "sip:10.0.0.2"; t_relay(); }',
    'route { t_relay(, "udp:10.0.0.2:5060"); }', 'branch_route[B] { } route { t_on_branch("B"); t_relay(); }'])
def test_prx_15_nor_in_one_that_came_so(script: str, uri: str, out: str) -> None:
    ScriptBook(script).recv("INVITE", uri).sent("INVITE", "bob").check(lambda m: m.ruri == out)


@pytest.mark.parametrize("uri,out", BARRED)
@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_prx_15_nor_without_a_transaction(method: str, uri: str, out: str) -> None:
    flow().recv(method, uri).sent(method, "bob").check(lambda m: m.ruri == out)


OURS = f"maddr={SERVER}"


@pytest.mark.parametrize("uri,peer,out", [
    (f"sip:bob@10.0.0.2;{OURS}", "bob", "sip:bob@10.0.0.2"),
    (f"sip:bob@10.0.0.2:5060;{OURS};transport=udp;x=1", "bob", "sip:bob@10.0.0.2;x=1"),
    (f"sip:bob@10.0.0.2;transport=UDP;MADDR={SERVER}", "bob", "sip:bob@10.0.0.2"),
    (f"sip:bob@10.0.0.2:5061;{OURS}", SERVER, f"sip:bob@10.0.0.2:5061;{OURS}"),
    (f"sip:bob@10.0.0.2;{OURS};transport=tcp", SERVER, f"sip:bob@10.0.0.2;{OURS};transport=tcp"),
    ("sip:bob@10.0.0.2;maddr=10.0.0.3", "carol", "sip:bob@10.0.0.2;maddr=10.0.0.3")])
@pytest.mark.parametrize("script", ["route { t_relay(); }", "route { forward(); }"])
def test_prx_10_maddr_that_is_ours_is_taken_off(script: str, uri: str, peer: str, out: str) -> None:
    ScriptBook(script).recv("MESSAGE", uri).sent("MESSAGE", peer).check(lambda m: m.ruri == out)


@pytest.mark.parametrize("came,left", [(None, 70), (70, 69), (1, 0), (255, 254)])
@pytest.mark.parametrize("script", [LOOPING, "route { forward(); }"])
def test_prx_16_max_forwards_counts_down(script: str, came: int | None, left: int) -> None:
    play = ScriptBook(script).recv("MESSAGE", max_forwards=came).sent("MESSAGE", "bob")
    play.check(lambda m: m.max_forwards == left and len(m.get_all("Max-Forwards")) == 1)


@pytest.mark.parametrize("uri,route,peer,ruri,left", [case[1:] for case in ROUTE_CASES[5:]])
@pytest.mark.parametrize("script", ["route { loose_route(); t_relay(); }", LOOPING])
def test_prx_20_a_strict_router_is_next(script: str, uri: str, route: str, peer: str, ruri: str,
                                        left: str | None) -> None:
    test_prx_09_routes_before_and_behind(script, uri, route, peer, ruri, left)
