"""Tables of credentials and challenges."""

from __future__ import annotations

import pytest

from osip.core.errors import ParseError
from osip.core.sip.auth import find_credentials, parse_auth
from osip.core.sip.message import parse


@pytest.mark.parametrize(
    ("text", "scheme", "params", "token"),
    [
        (
            'Digest realm="a, b", nonce="x=y", stale=FALSE',
            "Digest",
            {"realm": "a, b", "nonce": "x=y", "stale": "FALSE"},
            "",
        ),
        ('digest\r\n username="a\\"b" ,\t RESPONSE = "z"', "digest", {"username": 'a"b', "response": "z"}, ""),
        ("Bearer abc.def==", "Bearer", {}, "abc.def=="),
        ("NoOne opaque-data=here", "NoOne", {"opaque-data": "here"}, ""),
        ("Negotiate", "Negotiate", {}, ""),
        ('Digest username="a",realm="b" , nc=00000001,x=,qop=auth', "Digest",
         {"username": "a", "realm": "b", "nc": "00000001", "x": "", "qop": "auth"}, ""),
        ('Digest username="\u00e4", realm="b c"', "Digest", {"username": "\u00e4", "realm": "b c"}, ""),
        ('Digest qop="auth,auth-int", realm=""', "Digest", {"qop": "auth,auth-int", "realm": ""}, ""),
        ('Digest uri="sip:a,b;c", qop=auth,', "Digest", {"uri": "sip:a,b;c", "qop": "auth"}, ""),
    ],
)
def test_parse(text: str, scheme: str, params: dict, token: str) -> None:
    auth = parse_auth(text)
    assert (auth.scheme, auth.params, auth.token) == (scheme, params, token)
    again = parse_auth(str(auth))
    assert (again.params, again.token) == (params, token)


@pytest.mark.parametrize(
    "text", ["", 'Digest realm="x', "Digest realm", 'Digest a="1" b="2"', 'Digest a="1", A="2"', "=", "Digest a=b c, d=e",
             'Digest a="b" c, d=e', 'Digest a=b"c"', 'Digest a="b"c"']
)
def test_refused(text: str) -> None:
    with pytest.raises(ParseError):
        parse_auth(text)


def test_quotes_when_built() -> None:
    text = 'Digest username="u", algorithm=MD5, qop=auth, nc=00000001, response="r"'
    assert str(parse_auth(text)) == text
    assert str(parse_auth('Digest realm="r", qop=auth')) == 'Digest realm="r", qop="auth"'


def test_reading() -> None:
    auth = parse_auth('DIGEST realm="r"')
    assert auth.is_digest and auth.get("realm") == "r" and auth.get("nonce") == ""


@pytest.mark.parametrize(
    ("headers", "realm"),
    [
        ("", None),
        ('Authorization: Digest realm="a"', "a"),
        ('Proxy-Authorization: Digest realm="p"', "p"),
        ('Proxy-Authorization: Digest realm="p"\r\nAuthorization: Digest realm="a"', "a"),
    ],
)
def test_find_credentials(headers: str, realm: str | None) -> None:
    found = find_credentials(parse(f"BYE sip:a SIP/2.0\r\n{headers or 'To: x'}\r\n\r\n".encode()))
    assert (found.get("realm") if found else None) == realm
