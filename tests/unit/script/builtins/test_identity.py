"""Check identity and credential variables."""
from __future__ import annotations

import pytest
from kit.builtin import INVITE, RINGING, Words

EXTRA = """\
P-Asserted-Identity: "B" <sip:b@h>, <tel:+1>
P-Preferred-Identity: "P" <sip:p@[::1]:5>
Remote-Party-ID: <sip:r@h>;party=calling
Refer-To: <sip:x@h?Replaces=1>
Diversion: <sip:d@h>;reason=no-answer;privacy=full
Proxy-Authorization: Digest username="u@dom.example", realm="r", nonce="n", uri="sip:h", response="abc", \
algorithm=MD5, cnonce="c", opaque="o", qop=auth, nc=00000001
Content-Type: text/plain"""


@pytest.mark.parametrize(("name", "value"), [
    ("ai", "sip:b@h"), ("pu", "sip:p@[::1]:5"), ("pU", "p"), ("pd", "[::1]"), ("pn", '"P"'), ("re", "sip:r@h"),
    ("rt", "sip:x@h?Replaces=1"), ("di", "sip:d@h"), ("dip", "full"), ("dir", "no-answer"), ("au", "u"),
    ("aU", "u@dom.example"), ("ad", "dom.example"), ("ar", "r"), ("adu", "sip:h"), ("an", "n"), ("auth.nonce", "n"),
    ("auth.resp", "abc"), ("auth.cnonce", "c"), ("auth.opaque", "o"), ("auth.alg", "MD5"), ("auth.qop", "auth"),
    ("auth.nc", "00000001"), ("Au", "u"), ("challenge.realm", None),
])
def test_read(name: str, value: str | None) -> None:
    words = Words()
    assert words.get(words.ctx(INVITE.replace("Content-Type: text/plain", EXTRA)), name) == value


@pytest.mark.parametrize("name", ["ai", "pu", "pU", "pd", "pn", "re", "rt", "di", "dip", "dir", "au", "aU", "ad",
                                  "ar", "auth.resp", "challenge.nonce"])
def test_absent(name: str) -> None:
    words = Words()
    assert words.get(words.ctx(), name) is None


@pytest.mark.parametrize(("lines", "user"), [
    (('Authorization: Digest username="a"', 'Proxy-Authorization: Digest username="p"'), "a"),
    (('Proxy-Authorization: Digest username="p"', 'Authorization: Digest username="a"'), "a"),
    (("Authorization: ,,", 'Proxy-Authorization: Digest username="p"'), "p"),
    (("Authorization: ,,", 'Authorization: Digest username="2"', 'Proxy-Authorization: Digest username="p"'), "p"),
    (('Authorization: Digest realm="x"', 'Proxy-Authorization: Digest username="p"'), None),
    (('Authorization: Digest username="a"', 'Authorization: Digest username="second"'), "a")])
def test_whose_credentials(lines: tuple[str, ...], user: str | None) -> None:
    words = Words()
    ctx = words.ctx("OPTIONS sip:h SIP/2.0\n" + "\n".join(lines) + "\n\n")
    assert words.get(ctx, "aU") == words.get(ctx, "au") == user


def test_accounting_user_without_credentials() -> None:
    words = Words()
    assert words.get(words.ctx(), "Au") == "alice"
    assert words.get(words.ctx("OPTIONS sip:h SIP/2.0\nX: y\n\n"), "Au") is None


def test_broken_values_are_null() -> None:
    words = Words()
    ctx = words.ctx("OPTIONS sip:h SIP/2.0\nP-Asserted-Identity: \"x <sip:a\nAuthorization: ,,,\n\n")
    assert words.get(ctx, "ai") is None and words.get(ctx, "au") is None


def test_challenge() -> None:
    words = Words()
    header = 'WWW-Authenticate: Digest realm="r", nonce="n", algorithm=AKAv1-MD5, qop="auth", opaque="o", ik="1", ' \
             'ck="2"\nContent-Length'
    ctx = words.ctx(RINGING.replace("180 Ringing", "401 No").replace("Content-Length", header))
    found = [words.get(ctx, f"challenge.{n}") for n in ("realm", "nonce", "algorithm", "qop", "opaque", "ik", "ck")]
    assert found == ["r", "n", "AKAv1-MD5", "auth", "o", "1", "2"]
