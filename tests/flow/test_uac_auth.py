"""Challenges from upstream answered on behalf of the caller (RFC 3261 section 22; row RTR-E15)."""
from __future__ import annotations

from typing import Any

import pytest

from kit.flows import tm
from kit.playbook import SERVER, Playbook
from osip.core.run.ctx import Ctx
from osip.core.sip.auth import parse_auth
from osip.core.sip.digest import digest_ha1, verify_digest
from osip.modules.rr import Rr
from osip.modules.sl import Sl
from osip.modules.tm import Tm
from osip.modules.uac import Uac
from osip.modules.uac_auth import UacAuth, parse_credential

CREDENTIALS = [parse_credential("gw:one:secret"), parse_credential("gw2:two:secret2")]


def trunk(again: bool = True, next_hop: str = "", algorithms: frozenset[str] | None = None, record: bool = True,
          body: bytes = b"") -> Any:
    """Return a flow whose failure_route answers challenges, or goes on to `next_hop` when it cannot; `codes` tells."""
    codes: list[int] = []

    def failure(ctx: Ctx) -> int:
        codes.append(ctx.env.modules["uac"].uac_auth(ctx, algorithms))  # type: ignore[attr-defined]
        if codes[-1] < 0:
            if not next_hop or ctx.target.uri == next_hop:
                return 1
            ctx.target.uri = next_hop
        if body:
            ctx.edit.set_body(body)
        if again:
            tm(ctx).t_on_failure(ctx, "F")
        return tm(ctx).t_relay(ctx)

    def route(ctx: Ctx) -> int:
        rr: Any = ctx.env.modules["rr"]
        if not ctx.msg.to_tag:
            if record:
                rr.record_route(ctx)
            tm(ctx).t_on_failure(ctx, "F")
        else:
            rr.loose_route(ctx)
        return tm(ctx).t_relay(ctx)
    params = {"uac_auth": {"credential": CREDENTIALS}}
    play: Any = Playbook((Tm, Rr, Sl, UacAuth, Uac), route, params=params, F=failure)
    play.codes = codes
    return play


def challenge(status: int, realm: str = "one", extra: str = ', qop="auth"', nonce: str = "n1") -> str:
    name = "WWW" if status == 401 else "Proxy"
    return f'{name}-Authenticate: Digest realm="{realm}", nonce="{nonce}"{extra}\r\n'


def is_answered(msg: Any, status: int, user: str = "gw", realm: str = "one", password: str = "secret") -> bool:
    """Say whether a request proves the password for its own method, URI and body."""
    lines = msg.get_all("Authorization" if status == 401 else "Proxy-Authorization")
    found = [auth for auth in map(parse_auth, lines) if auth.get("realm") == realm]
    if len(found) != 1 or found[0].get("username") != user or found[0].get("uri") != msg.ruri:
        return False
    return verify_digest(found[0], msg.method, digest_ha1(user, realm, password, found[0].get("algorithm")), msg.body)


@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize("extra", ["", ', qop="auth"', ', qop="auth-int"', ', qop="auth", algorithm=SHA-256',
                                   ', qop="auth,auth-int", algorithm=SHA-512-256, opaque="x"'])
def test_challenge_is_answered(status: int, extra: str) -> None:
    play = trunk().recv("INVITE", body="v=0", cseq=5).sent(100).sent("INVITE", "bob")
    play.check(lambda m: m.cseq == 5 and not m.get("Authorization"))
    play.answer("bob", status, headers=challenge(status, extra=extra)).sent("ACK", "bob").check(lambda m: m.cseq == 5)
    play.sent("INVITE", "bob").check(lambda m: m.cseq == 6 and is_answered(m, status) and m.body == b"v=0")
    play.check(lambda m: len(m.vias) == 2 and m.max_forwards == 69).quiet()
    play.answer("bob", 180).sent(180).check(lambda m: m.cseq == 5)
    play.answer("bob", 200).sent(200).check(lambda m: m.cseq == 5 and m.cseq_method == "INVITE").quiet()
    assert play.codes == [1]


def test_whole_call() -> None:
    play = trunk().recv("INVITE", cseq=5).answer("bob", 407, headers=challenge(407)).sent(100)
    play.sent("INVITE", "bob").sent("ACK", "bob").sent("INVITE", "bob").answer("bob", 200).sent(200)
    route = play.got.get("Record-Route")
    assert route == f"<sip:{SERVER};lr;ftag=a1;vsc=1>"
    inside: dict[str, Any] = {"to_tag": "tag-bob", "headers": f"Route: {route}\r\n"}
    play.recv("ACK", cseq=5, branch="z9hG4bK-ack", **inside).sent("ACK", "bob").check(lambda m: m.cseq == 6)
    play.recv("PRACK", cseq=6, branch="z9hG4bK-p", **{**inside, "headers": inside["headers"] + "RAck: 1 5 INVITE\r\n"})
    play.sent("PRACK", "bob").check(lambda m: m.cseq == 7 and m.get("RAck") == "1 6 INVITE")
    play.answer("bob", 200, "PRACK").sent(200).check(lambda m: m.cseq == 6)
    play.recv("BYE", "sip:alice@10.0.0.1", peer="bob", cseq=9, branch="z9hG4bK-b", from_tag="tag-bob", to_tag="a1",
              headers=f"Route: {route}\r\n", via="10.0.0.2:5060")
    play.sent("BYE").check(lambda m: m.cseq == 9)       # the called party counts for itself
    play.answer("alice", 200, "BYE").sent(200, "bob").check(lambda m: m.cseq == 9)
    play.recv("BYE", cseq=7, branch="z9hG4bK-bye", **inside).sent("BYE", "bob").check(lambda m: m.cseq == 8)
    play.answer("bob", 200, "BYE").sent(200).check(lambda m: m.cseq == 7).quiet().advance(40).gone()


def test_2xx_that_comes_again_has_the_same_number() -> None:
    play = trunk().recv("INVITE", cseq=5).answer("bob", 401, headers=challenge(401)).answer("bob", 200)
    play.sent(100).sent(200).check(lambda m: m.cseq == 5).answer("bob", 200).sent(200).check(lambda m: m.cseq == 5)


def test_cancel_after_the_answer() -> None:
    play = trunk().recv("INVITE", cseq=5).answer("bob", 407, headers=challenge(407)).answer("bob", 180)
    play.sent("INVITE", "bob").sent("ACK", "bob").sent("INVITE", "bob")
    play.recv("CANCEL", cseq=5).sent("CANCEL", "bob").check(lambda m: m.cseq == 6)
    play.answer("bob", 487).sent("ACK", "bob").check(lambda m: m.cseq == 6)
    play.sent(100).sent(180).sent(200).sent(487).check(lambda m: m.cseq == 5)


def test_refused_credentials_end_it() -> None:
    play = trunk().recv("INVITE").answer("bob", 407, headers=challenge(407))
    play.answer("bob", 407, headers=challenge(407, nonce="n2")).sent(100).sent(407).check(lambda m: m.cseq == 1)
    assert play.codes == [1, -1] and play.got.get("Proxy-Authenticate")


def test_stale_nonce_gets_another_try() -> None:
    play = trunk().recv("INVITE").answer("bob", 407, headers=challenge(407))
    play.answer("bob", 407, headers=challenge(407, nonce="n2", extra=', qop="auth", stale=true'))
    play.sent("INVITE", "bob").sent("ACK", "bob").sent("INVITE", "bob").sent("ACK", "bob").sent("INVITE", "bob")
    play.check(lambda m: m.cseq == 3 and is_answered(m, 407) and 'nonce="n2"' in m.get("Proxy-Authorization"))
    play.answer("bob", 200).sent(100).sent(200).check(lambda m: m.cseq == 1 and "vsc=2" in m.get("Record-Route"))


def test_two_servers_challenge_one_after_another() -> None:
    """A proxy, then the server behind it; the second answer must not forget the first (RFC 3261 section 22.3)."""
    both = challenge(407) + challenge(401, "two")
    play = trunk().recv("INVITE").answer("bob", 407, headers=both).sent("INVITE", "bob").sent("ACK", "bob")
    play.sent("INVITE", "bob").check(lambda m: is_answered(m, 407) and is_answered(m, 401, "gw2", "two", "secret2"))


@pytest.mark.parametrize("headers", ["", challenge(401, "unknown"), challenge(401, extra=", algorithm=X"),
                                     challenge(401, extra=', qop="x"'), "WWW-Authenticate: Digest\r\n",
                                     "WWW-Authenticate: Basic realm=one\r\n"])
def test_challenge_that_cannot_be_answered(headers: str) -> None:
    play = trunk().recv("INVITE").answer("bob", 401, headers=headers).sent(100).sent(401).quiet("alice")
    assert play.codes == [-1]


def test_algorithms_that_are_allowed() -> None:
    play = trunk(algorithms=frozenset({"sha-256"})).recv("INVITE").answer("bob", 401, headers=challenge(401))
    assert play.sent(100).sent(401).codes == [-1]
    play = trunk(algorithms=frozenset({"sha-256"})).recv("INVITE")
    play.answer("bob", 401, headers=challenge(401) + challenge(401, extra=", algorithm=SHA-256"))
    play.sent("INVITE", "bob").sent("ACK", "bob").sent("INVITE", "bob").check(lambda m: is_answered(m, 401))
    assert "algorithm=SHA-256" in play.got.get("Authorization")


def test_credentials_of_the_caller_for_that_realm_are_replaced() -> None:
    mine = 'Proxy-Authorization: Digest username="alice", realm="one", nonce="old", uri="sip:x", response="0"\r\n'
    other = mine.replace("one", "else")
    play = trunk().recv("INVITE", headers=mine + other).answer("bob", 407, headers=challenge(407))
    play.sent("INVITE", "bob").sent("ACK", "bob").sent("INVITE", "bob").check(lambda m: is_answered(m, 407))
    assert len(play.got.get_all("Proxy-Authorization")) == 2


def test_the_next_gateway_gets_neither_number_nor_credentials() -> None:
    """After the first gateway fails with credentials the next one gets the request as the caller sent it."""
    play = trunk(next_hop="sip:bob@10.0.0.3").recv("INVITE").answer("bob", 407, headers=challenge(407))
    play.answer("bob", 503).sent("INVITE", "carol")
    play.check(lambda m: m.cseq == 1 and not m.get("Proxy-Authorization") and "vsc" not in m.get("Record-Route"))
    play.answer("carol", 407, headers=challenge(407, nonce="c1")).sent("ACK", "carol").sent("INVITE", "carol")
    play.check(lambda m: m.cseq == 2 and is_answered(m, 407) and "vsc=1" in m.get("Record-Route"))
    play.answer("carol", 200).sent(100).sent(200).check(lambda m: m.cseq == 1)
    assert play.codes == [1, -1, 1]


def test_body_changed_by_the_failure_route_counts_for_auth_int() -> None:
    play = trunk(body=b"v=1 longer").recv("INVITE", body="v=0")
    play.answer("bob", 401, headers=challenge(401, extra=', qop="auth-int"'))
    play.sent("INVITE", "bob").sent("ACK", "bob").sent("INVITE", "bob")
    play.check(lambda m: m.body == b"v=1 longer" and is_answered(m, 401))


def test_other_methods() -> None:
    play = trunk(record=False).recv("MESSAGE", body="hi").sent("MESSAGE", "bob")
    play.answer("bob", 401, "MESSAGE", headers=challenge(401)).sent("MESSAGE", "bob")
    play.check(lambda m: m.cseq == 2 and is_answered(m, 401)).answer("bob", 200, "MESSAGE")
    play.sent(200).check(lambda m: m.cseq == 1).advance(40).gone()


def test_largest_number_cannot_go_up() -> None:
    play = trunk().recv("INVITE", cseq=(1 << 31) - 1).answer("bob", 401, headers=challenge(401)).sent(100).sent(401)
    assert play.codes == [-1]


def test_branch_that_was_never_answered_has_no_challenge() -> None:
    play = trunk(again=False).recv("INVITE").advance(31).sent(100).sent(408)
    assert play.codes == [-1]
