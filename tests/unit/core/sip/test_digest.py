"""Check digest responses against the published examples (RFC 7616 section 3.9, RFC 2617 section 3.5)."""

from __future__ import annotations

import pytest

from osip.core.errors import ParseError
from osip.core.sip.auth import parse_auth
from osip.core.sip.digest import answer_challenge, digest_ha1, digest_response, is_known_algorithm, verify_digest

NONCE, CNONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_published(algorithm: str, expected: str) -> None:
    ha1 = digest_ha1("Mufasa", "http-auth@example.org", "Circle of Life", algorithm)
    assert digest_response(ha1, "GET", "/dir/index.html", NONCE, algorithm, "auth", "00000001", CNONCE) == expected


def test_published_without_qop() -> None:
    ha1 = digest_ha1("Mufasa", "testrealm@host.com", "Circle Of Life")
    nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    assert digest_response(ha1, "GET", "/dir/index.html", nonce) == "670fd8c2df070c60b045671b8b24ff02"
    assert digest_response(ha1, "GET", "/dir/index.html", nonce, "", "auth", "00000001", "0a4f113b") == (
        "6629fae49393a05397450978507c4ef1"
    )


@pytest.mark.parametrize(
    "algorithm", ["", "MD5", "md5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"]
)
@pytest.mark.parametrize("qop", ["", "auth", "auth-int", "auth-int, auth"])
def test_round_trip(algorithm: str, qop: str) -> None:
    text = f'Digest realm="r", nonce="n", opaque="o", qop="{qop}"' + (f", algorithm={algorithm}" if algorithm else "")
    ha1 = digest_ha1("u", "r", "p", algorithm)
    answer = parse_auth(str(answer_challenge(parse_auth(text), "u", ha1, "INVITE", "sip:x", "cn", 3, b"body\xff")))
    assert verify_digest(answer, "INVITE", ha1, b"body\xff")
    assert not verify_digest(answer, "BYE", ha1, b"body\xff")
    assert not verify_digest(answer, "INVITE", digest_ha1("u", "r", "wrong", algorithm), b"body\xff")
    if qop == "auth-int":
        assert not verify_digest(answer, "INVITE", ha1, b"other")
    assert answer.get("opaque") == "o" and answer.get("qop") == ("auth" if "auth" in qop.split(", ") else qop)


@pytest.mark.parametrize(
    "text",
    ["Digest", 'Digest algorithm=FOO, response="x"', 'Digest qop=weird, response="x"', 'Digest response="\xe9\udcff"'],
)
def test_odd_credentials_are_wrong(text: str) -> None:
    assert not verify_digest(parse_auth(text), "INVITE", "0" * 32)


def test_unknown_algorithm() -> None:
    assert not is_known_algorithm("FOO") and is_known_algorithm("") and is_known_algorithm("sha-256")
    with pytest.raises(ParseError):
        digest_ha1("u", "r", "p", "FOO")
