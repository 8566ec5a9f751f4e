"""Challenges, and the credentials that answer them."""
from __future__ import annotations

from typing import Any

import pytest
from kit.desk import Desk
from kit.message import request
from kit.registration import register

from osip.api import Auth, answer_challenge, digest_ha1, parse, splice
from osip.modules.auth.module import parse_algorithms, parse_qop

SPECS = {"username_spec": "$u", "password_spec": "$p", "calculate_ha1": 1}
BOB = {"$u": "bob", "$p": "secret"}


def desk(values: dict[str, Any] | None = None, **params: Any) -> Desk:
    return Desk(params={"auth": {**SPECS, **params}}, values=BOB if values is None else values)


def check(found: Desk, ctx: Any, realm: str = "") -> int:
    return found.auth.pv_www_authorize(ctx, realm)      # type: ignore[no-any-return]


@pytest.mark.parametrize(("text", "value"), [("", ()), ("0", ()), ("1", ("auth",)), ("auth", ("auth",)),
    ("auth, AUTH-INT,auth", ("auth", "auth-int")), ("x", None), ("auth,x", None)])
def test_qop(text: str, value: tuple[str, ...] | None) -> None:
    if value is None:
        with pytest.raises(ValueError, match='unknown qop "x"'):
            parse_qop(text)
    else:
        assert parse_qop(text) == value


def test_algorithms() -> None:
    assert parse_algorithms("SHA-256, MD5") == ("sha-256", "md5")
    with pytest.raises(ValueError, match='unknown algorithm "sha-1"'):
        parse_algorithms("SHA-1")


@pytest.mark.parametrize(("method", "realm", "wanted"), [("REGISTER", "", "example.com"), ("INVITE", "", "example.com"),
    ("INVITE", 'a"b', 'a"b')])
@pytest.mark.parametrize("proxy", [False, True])
def test_challenge(method: str, realm: str, wanted: str, proxy: bool) -> None:
    found = desk()
    [one] = found.challenge(realm, ctx=found.ctx(request(method)), proxy=proxy)
    assert one.get("realm") == wanted and found.auth.nonces.offer(one.get("nonce"))
    assert not {"qop", "algorithm", "stale"} & one.params.keys()


def test_realm_of_an_invite_is_the_callers() -> None:
    found = desk()
    raw = request("INVITE").replace(b"<sip:bob@example.com>", b"<sip:bob@other.org>")
    assert found.challenge("", ctx=found.ctx(raw))[0].get("realm") == "example.com"
    assert found.challenge("", ctx=found.ctx(raw.replace(b"INVITE", b"REGISTER")))[0].get("realm") == "other.org"


def test_one_header_for_each_algorithm_and_none_left_behind() -> None:
    found = desk()
    ctx = found.ctx(register())
    one, two = found.challenge("", ("auth", "auth-int"), ("sha-256", "md5"), ctx=ctx)
    assert (one.get("algorithm"), two.get("algorithm")) == ("SHA-256", "MD5")
    assert one.get("qop") == "auth,auth-int" and one.get("nonce") == two.get("nonce")
    assert not ctx.reply_edits


@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_what_cannot_be_challenged_passes(method: str) -> None:
    found = desk()
    ctx = found.ctx(request(method))
    assert found.auth.www_challenge(ctx, "") == -1 and found.net.log == []
    assert check(found, ctx) == 1 and found.auth.consume_credentials(ctx) == 1


@pytest.mark.parametrize("algorithm", ["md5", "sha-256", "sha-512-256"])
@pytest.mark.parametrize("qops", [(), ("auth",), ("auth-int",)])
@pytest.mark.parametrize("plain", [0, 1])
def test_right_password(algorithm: str, qops: tuple[str, ...], plain: int) -> None:
    secret = "secret" if plain else digest_ha1("bob", "example.com", "secret", algorithm)
    found = desk({"$u": "bob", "$p": secret}, calculate_ha1=plain)
    [one] = found.challenge("", qops, (algorithm,))
    ctx = found.answer(one)
    assert check(found, ctx) == 1
    given = found.auth.identity(ctx)
    assert (given.user, given.realm) == ("bob", "example.com")
    assert check(found, found.answer(one, password="other")) == -2


# changes of credentials that were right, values of the variables -> result
WRONG = [
    ({}, None, 1), ({"username": "eve"}, None, -1), ({}, {"$u": "bob"}, -1), ({}, {}, -1),
    ({"response": "0" * 32}, None, -2), ({"uri": "sip:other"}, None, -2), ({"nc": "00000002"}, None, -2),
    ({"cnonce": "beef"}, None, -2), ({"algorithm": "SHA-256"}, None, -2), ({"qop": "auth-int"}, None, -2),
    ({"realm": "other"}, None, -4), ({"nonce": "made-up"}, None, -3),
    ({"username": ""}, None, -5), ({"response": ""}, None, -5), ({"uri": ""}, None, -5), ({"nc": ""}, None, -5),
    ({"nc": "00000000"}, None, -5), ({"nc": "zzzzzzzz"}, None, -5), ({"cnonce": ""}, None, -5),
]


@pytest.mark.parametrize(("changes", "values", "result"), WRONG)
def test_results(changes: dict[str, str], values: dict[str, str] | None, result: int) -> None:
    found = desk(values)
    [one] = found.challenge("", ("auth",))
    ctx = found.answer(one, changes=changes)
    assert check(found, ctx) == result
    assert (found.auth.identity(ctx) is not None) == (result > 0)


def test_no_credentials_or_other_ones() -> None:
    found = desk()
    for header in ("", "Authorization: Bearer abc\r\n", "Authorization: Digest realm\r\n",
                   'Proxy-Authorization: Digest username="bob", realm="example.com"\r\n'):
        assert check(found, found.ctx(register(headers=header))) == -4


def test_specs_are_needed() -> None:
    found = desk(username_spec="")
    assert check(found, found.answer(found.challenge("")[0])) == -5


def test_whole_username() -> None:
    found = desk({"$u": "bob@example.com", "$p": "secret"})
    assert check(found, found.answer(found.challenge("")[0], "bob@example.com")) == 1


def test_expired_nonce_is_stale_and_the_next_challenge_says_so() -> None:
    found = desk()
    [one] = found.challenge("")
    found.seconds += 31
    ctx = found.answer(one)
    assert check(found, ctx) == -3
    assert found.challenge("", ctx=ctx)[0].get("stale") == "true"


def test_a_nonce_is_good_for_one_request() -> None:
    found = desk()
    [one] = found.challenge("", ("auth",))
    assert check(found, found.answer(one)) == 1
    assert check(found, found.answer(one)) == 1, "a retransmission"
    assert check(found, found.answer(one, cseq=3)) == -3
    found.seconds += 31
    found.auth.sweep()
    assert len(found.auth.nonces) == 0


def test_a_failed_try_uses_no_nonce_up() -> None:
    found = desk()
    [one] = found.challenge("")
    assert check(found, found.answer(one, password="x")) == -2
    assert check(found, found.answer(one, cseq=3)) == 1


def test_reuse_may_be_allowed() -> None:
    found = desk(disable_nonce_check=1)
    [one] = found.challenge("")
    assert [check(found, found.answer(one, cseq=n)) for n in (2, 3)] == [1, 1]
    found.seconds += 31
    assert check(found, found.answer(one)) == -3


def again(found: Desk, one: Any, count: int, password: str = "secret", cseq: int = 0) -> int:
    """Answer a challenge with a nonce count."""
    challenge = Auth("Digest", {name: value for name, value in one.params.items() if count or name != "qop"})
    ha1 = digest_ha1("bob", "example.com", password)
    auth = answer_challenge(challenge, "bob", ha1, "REGISTER", "sip:example.com", "cafe", count)
    return check(found, found.ctx(register(cseq=cseq or count, headers=f"Authorization: {auth}\r\n")))


def test_a_nonce_count_must_grow_where_it_is_checked() -> None:
    found = desk(disable_nonce_check=1, check_nonce_count=1)
    [one] = found.challenge("", ("auth",))
    assert again(found, one, 9, password="x") == -2, "who has no password drives no count on"
    assert [again(found, one, count) for count in (1, 2, 5)] == [1, 1, 1]
    assert again(found, one, 5) == 1, "a retransmission"
    assert [again(found, one, 5, cseq=9), again(found, one, 2), again(found, one, 4)] == [-3, -3, -3]
    assert [again(found, one, 0), again(found, one, 6)] == [-3, 1]
    found.seconds += 31
    assert again(found, one, 7) == -3
    found.auth.sweep()
    assert len(found.auth.nonces) == 0


def test_without_qop_a_checked_nonce_serves_once() -> None:
    found = desk(disable_nonce_check=1, check_nonce_count=1)
    [one] = found.challenge("")
    assert [again(found, one, 0, cseq=n) for n in (2, 2, 3)] == [1, 1, -3]


@pytest.mark.parametrize(("params", "results"), [({}, [1, -3, -3]), ({"check_nonce_count": 1}, [1, -3, -3]),
                                                 ({"disable_nonce_check": 1}, [1, 1, 1])])
def test_otherwise_it_is_not_compared(params: dict[str, int], results: list[int]) -> None:
    found = desk(**params)
    [one] = found.challenge("", ("auth",))
    assert [again(found, one, 1), again(found, one, 2), again(found, one, 1, cseq=3)] == results


def test_secret_keeps_nonces_over_a_restart() -> None:
    [one] = desk(secret="s").challenge("")
    assert check(desk(secret="s"), desk(secret="s").answer(one)) == 1
    assert check(desk(), desk().answer(one)) == -3


def test_consume() -> None:
    found = desk()
    other = 'Authorization: Digest username="bob", realm="other", nonce="n", uri="sip:x", response="r"\r\n'
    ctx = found.answer(found.challenge("")[0], headers=other)
    assert found.auth.consume_credentials(ctx) == -1, "nothing was accepted yet"
    assert check(found, ctx) == 1 and found.auth.consume_credentials(ctx) == 1
    left = parse(splice(ctx.msg.raw, ctx.edits)).get_all("Authorization")
    assert len(left) == 1 and 'realm="other"' in left[0]


def test_proxy_credentials() -> None:
    found = desk()
    [one] = found.challenge("", proxy=True)
    assert found.auth.pv_proxy_authorize(found.answer(one, proxy=True), "") == 1
    assert found.auth.pv_proxy_authorize(found.answer(one), "") == -4


@pytest.mark.parametrize(("prefix", "expected"), [("", "example.com"), ("exa", "mple.com")])
def test_realm_prefix(prefix: str, expected: str) -> None:
    found = desk(realm_prefix=prefix)
    ctx = found.answer(found.challenge("")[0])
    assert check(found, ctx) == 1 and found.auth.domain_of(found.auth.identity(ctx)) == expected


def test_rpid() -> None:
    found = desk(rpid_prefix="<", rpid_suffix=">;x")
    ctx = found.ctx(request())
    assert found.auth.append_rpid_hf(ctx) == -1 and not found.auth.is_rpid_user_e164(ctx)
    ctx.avp("rpid").append("sip:+491234@h")
    assert found.auth.is_rpid_user_e164(ctx)
    assert found.auth.append_rpid_hf(ctx) == 1 and found.auth.append_rpid_hf(ctx, "a", "b") == 1
    sent = parse(splice(ctx.msg.raw, ctx.edits))
    assert sent.get_all("Remote-Party-ID") == ["<sip:+491234@h>;x", "asip:+491234@hb"]
