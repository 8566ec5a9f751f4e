"""Credentials and the answers made with them (RFC 7616 section 3.9 and RFC 8760 as yardsticks)."""
from __future__ import annotations

from typing import Any

import pytest

from kit import message
from kit.playbook import make_worker
from osip.core.errors import ModuleError
from osip.core.run.ctx import Ctx
from osip.core.sip.auth import parse_auth
from osip.core.sip.digest import digest_ha1, verify_digest
from osip.core.sip.message import parse
from osip.modules.uac_auth import Answer, UacAuth, parse_credential

PARAMS = {"credential": [parse_credential("alice:one:secret"), parse_credential("bob:two:pass:word")]}


def make(**params: Any) -> UacAuth:
    worker, _, _ = make_worker((UacAuth,), {"uac_auth": params or PARAMS})
    return worker.registry.instances["uac_auth"]        # type: ignore[return-value]


def ask(module: UacAuth, status: int, *lines: str, sent: str = "", algorithms: tuple[str, ...] = ()) -> list[Answer]:
    request: Any = parse(message.request(headers=sent))
    reply: Any = parse(message.response(request, status, headers="".join(f"{line}\r\n" for line in lines)))
    return module.answers(reply, request, None, algorithms)


W, P = "WWW-Authenticate: Digest ", "Proxy-Authenticate: Digest "


@pytest.mark.parametrize("text,parts", [("a:r:p", ("a", "r", "p")), ("a:r:p:q", ("a", "r", "p:q")),
                                        ("a:r:", ("a", "r", "")), ("a:r", None), (":r:p", None), ("a::p", None)])
def test_credential_text(text: str, parts: tuple[str, str, str] | None) -> None:
    if parts is None:
        with pytest.raises(ValueError):
            parse_credential(text)
    else:
        found = parse_credential(text)
        assert (found.user, found.realm, found.password) == parts


@pytest.mark.parametrize("algorithm", ["", "MD5", "SHA-256", "SHA-512-256", "MD5-sess", "SHA-256-sess"])
@pytest.mark.parametrize("qop", ["", "auth", "auth-int", "auth,auth-int"])
def test_answer_is_right(algorithm: str, qop: str) -> None:
    extra = (f", algorithm={algorithm}" if algorithm else "") + (f', qop="{qop}"' if qop else "")
    answers = ask(make(), 401, f'{W}realm="one", nonce="n1", opaque="o"{extra}')
    assert len(answers) == 1
    line = answers[0].line("INVITE", "sip:x@y", b"body").decode()
    name, _, value = line.partition(": ")
    auth = parse_auth(value.strip())
    assert name == "Authorization" and line.endswith("\r\n")
    assert (auth.get("username"), auth.get("uri"), auth.get("opaque")) == ("alice", "sip:x@y", "o")
    assert auth.get("nc") == ("00000001" if qop else "")
    ha1 = digest_ha1("alice", "one", "secret", algorithm)
    assert verify_digest(auth, "INVITE", ha1, b"body")
    assert not verify_digest(auth, "INVITE", digest_ha1("alice", "one", "other", algorithm), b"body")
    assert verify_digest(auth, "INVITE", ha1, b"other") == (qop != "auth-int")


# status, challenges, header lines of the request that was challenged, algorithms -> (header id is Proxy?, user) each
CHOICES = [
    ("unknown realm", 401, [W + 'realm="x", nonce="n"'], "", (), []),
    ("no nonce", 401, [W + 'realm="one"'], "", (), []),
    ("no digest", 401, ["WWW-Authenticate: Bearer abc"], "", (), []),
    ("broken", 401, ["WWW-Authenticate: Digest realm"], "", (), []),
    ("unknown algorithm", 401, [W + 'realm="one", nonce="n", algorithm=AKAv1-MD5'], "", (), []),
    ("unknown qop", 401, [W + 'realm="one", nonce="n", qop="other"'], "", (), []),
    ("proxy", 407, [P + 'realm="two", nonce="n"'], "", (), [("Proxy-Authorization", "bob", "")]),
    ("one of the kind asked is missing", 407, [P + 'realm="x", nonce="n"', W + 'realm="one", nonce="n"'], "", (), []),
    ("both kinds", 407, [P + 'realm="two", nonce="n"', W + 'realm="one", nonce="n"'], "", (),
     [("Authorization", "alice", ""), ("Proxy-Authorization", "bob", "")]),
    ("two realms", 401, [W + 'realm="two", nonce="n"', W + 'realm="one", nonce="n"'], "", (),
     [("Authorization", "bob", ""), ("Authorization", "alice", "")]),
    ("the first that we know", 401, [W + 'realm="one", nonce="n", algorithm=X', W + 'realm="one", nonce="n", '
     "algorithm=SHA-256", W + 'realm="one", nonce="n", algorithm=MD5'], "", (),
     [("Authorization", "alice", "SHA-256")]),
    ("the one allowed", 401, [W + 'realm="one", nonce="n", algorithm=SHA-256', W + 'realm="one", nonce="n"'], "",
     ("md5",), [("Authorization", "alice", "")]),
    ("refused", 401, [W + 'realm="one", nonce="n2"'],
     'Authorization: Digest username="alice", realm="one", nonce="n1"\r\n', (), []),
    ("stale", 401, [W + 'realm="one", nonce="n2", stale=TRUE'],
     'Authorization: Digest username="alice", realm="one", nonce="n1"\r\n', (), [("Authorization", "alice", "")]),
    ("another user was refused", 401, [W + 'realm="one", nonce="n2"'],
     'Authorization: Digest username="carol", realm="one", nonce="n1"\r\n', (), [("Authorization", "alice", "")]),
]


@pytest.mark.parametrize("status,lines,sent,algorithms,wanted", [case[1:] for case in CHOICES],
                         ids=[case[0] for case in CHOICES])
def test_which_challenges_are_answered(status: int, lines: list[str], sent: str, algorithms: tuple[str, ...],
                                       wanted: list[tuple[str, str, str]]) -> None:
    found = []
    for answer in ask(make(), status, *lines, sent=sent, algorithms=algorithms):
        name, _, value = answer.line("INVITE", "sip:x").decode().partition(": ")
        auth = parse_auth(value.strip())
        found.append((name, auth.get("username"), auth.get("algorithm")))
    assert found == wanted


def test_nonce_count_goes_on() -> None:
    sent = 'Authorization: Digest username="alice", realm="one", nonce="n1", nc=00000009, qop=auth\r\n'
    same = ask(make(), 401, W + 'realm="one", nonce="n1", qop="auth", stale=true', sent=sent)
    fresh = ask(make(), 401, W + 'realm="one", nonce="n2", qop="auth", stale=true', sent=sent)
    assert (same[0].count, fresh[0].count) == (10, 1)
    assert b"nc=0000000a" in same[0].line("INVITE", "sip:x")


def test_credentials_of_a_call_come_first() -> None:
    module = make(auth_username_avp="u", auth_realm_avp="r", auth_password_avp="p", **PARAMS)
    ctx = Ctx(module.env, parse(message.request()), None)
    assert module.get_credentials("one", ctx).user == "alice"       # type: ignore[union-attr]
    ctx.avps = {"u": ["dora", "eve"], "r": ["one", "two"], "p": ["x", 12]}
    found = [module.get_credentials(realm, ctx) for realm in ("one", "two", "three")]
    assert [one and (one.user, one.password) for one in found] == [("dora", "x"), ("eve", "12"), None]
    ctx.avps["u"] = []
    assert module.get_credentials("one", ctx).user == "alice"       # type: ignore[union-attr]


def test_half_a_dynamic_credential_is_refused() -> None:
    with pytest.raises(ModuleError, match="go together"):
        make(auth_username_avp="u")
