"""The guard: whose credentials it takes, what it remembers, what its challenges say."""
from __future__ import annotations

from typing import Any

import pytest
from kit.desk import Desk
from kit.message import request
from kit.registration import register

from osip.api import H_AUTHORIZATION, H_PROXY_AUTHORIZATION, digest_ha1, parse, parse_auth
from osip.modules.auth.guard import FAILED, MISSING, OK, STALE, TOPIC, WRONG, Form, Given, own_realm
from osip.modules.auth.nonce import Nonces

HA1 = digest_ha1("bob", "example.com", "secret")


def test_who_they_are() -> None:
    given = Given(3, parse_auth('Digest username="bob@x.org", algorithm=MD5-sess'), "r")
    assert (given.at, given.name, given.user, given.domain, given.algorithm) == (3, "bob@x.org", "bob", "x.org", "md5")
    given = Given(3, parse_auth('Digest username="bob", algorithm=SHA-256'), "r")
    assert (given.name, given.user, given.domain, given.algorithm, given.realm) == ("bob", "bob", "r", "sha-256", "r")


def test_a_form_is_made_once() -> None:
    form = Form(("auth", "auth-int"), ("sha-256", "md5"))
    assert form.qop == ', qop="auth,auth-int"' and form.tails == [", algorithm=SHA-256\r\n", ", algorithm=MD5\r\n"]
    assert Form((), ()).tails == ["\r\n"] and Form((), ()).offer.algorithms == ("md5",)


def test_challenge_lines() -> None:
    desk = Desk()
    ctx = desk.ctx(register())
    guard = desk.auth.guard
    one, two = guard.challenge(ctx, "WWW-Authenticate", 'a"\udcff', ("auth",), ("sha-256", "md5"), 1.0)
    assert one.startswith(b'WWW-Authenticate: Digest realm="a\\"\xff", nonce="00000001') and one.endswith(
        b', qop="auth", algorithm=SHA-256\r\n') and two.endswith(b", algorithm=MD5\r\n")
    ctx[desk.auth.stale] = True
    [again] = guard.challenge(ctx, "WWW-Authenticate", "", (), (), 1.0)
    assert again.startswith(b'WWW-Authenticate: Digest realm="example.com"') and again.endswith(b'", stale=true\r\n')


@pytest.mark.parametrize(("method", "wanted"), [("REGISTER", "example.com"), ("INVITE", "example.com")])
def test_own_realm(method: str, wanted: str) -> None:
    assert own_realm(parse(request(method))) == wanted


def test_several_headers_and_bad_ones() -> None:
    desk = Desk()
    [one] = desk.challenge("")
    good = desk.answer(one)
    line = good.msg.get(H_AUTHORIZATION)
    raw = register(cseq=2, headers='Authorization: Digest realm\r\nAuthorization: Digest realm="other"\r\n'
                                   f'Authorization: Basic YQ==\r\nAuthorization: {line}\r\n'
                                   f'Proxy-Authorization: {line}\r\n')
    ctx = desk.ctx(raw)
    for header, name in ((H_AUTHORIZATION, "Authorization"), (H_PROXY_AUTHORIZATION, "Proxy-Authorization")):
        given = desk.auth.begin(ctx, "example.com", header)
        assert isinstance(given, Given) and ctx.msg.name(given.at) == name and ctx.msg.value(given.at) == line
    assert desk.auth.begin(ctx, "nobody", H_AUTHORIZATION) == MISSING


def test_a_reply_has_no_credentials() -> None:
    desk = Desk()
    assert desk.auth.begin(desk.ctx(b"SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n"), "", H_AUTHORIZATION) == FAILED


def test_what_others_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    told: list[Any] = []
    monkeypatch.setattr(desk.env.bus, "others", lambda topic, value: told.append((topic, value)))
    [one] = desk.challenge("")
    ctx = desk.answer(one)
    given = desk.auth.begin(ctx, "", H_AUTHORIZATION)
    assert desk.auth.finish(ctx, given, "") == desk.auth.finish(ctx, given, "0" * 32) == WRONG and not told
    assert desk.auth.finish(ctx, given, f" {HA1.upper()} ") == OK
    [(topic, (nonce, mark, count))] = told
    assert (topic, nonce, count) == (TOPIC, one.get("nonce"), 0)
    assert desk.auth.nonces.used() == [(nonce, mark, count)]
    worker = Nonces(b"x", 30)
    worker.mark(nonce, mark, count)         # as a worker does that is told
    assert not worker.is_used(nonce, mark) and worker.is_used(nonce, mark + 1)
    other = desk.answer(one, cseq=9)
    assert desk.auth.finish(other, desk.auth.begin(other, "", H_AUTHORIZATION), HA1) == STALE
    assert other[desk.auth.stale] and desk.auth.begin(other, "", H_AUTHORIZATION) and not other[desk.auth.stale]


@pytest.mark.parametrize(("qops", "body", "result"), [(("auth",), b"", OK), (("auth-int",), b"", OK),
                                                      (("auth",), b"changed", OK), (("auth-int",), b"changed", WRONG)])
def test_the_body_counts_where_it_is_protected(qops: tuple[str, ...], body: bytes, result: int) -> None:
    desk = Desk()
    [one] = desk.challenge("", qops)
    raw = desk.answer(one).msg.raw
    assert raw.count(b"Content-Length: 0") == 1
    ctx = desk.ctx(raw.replace(b"Content-Length: 0", b"Content-Length: %d" % len(body)) + body)
    assert desk.auth.finish(ctx, desk.auth.begin(ctx, "", H_AUTHORIZATION), HA1) == result
