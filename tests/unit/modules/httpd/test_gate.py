"""Who an HTTP request comes from, and what is done about wrong tokens."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from pathlib import Path

import pytest

from osip.api import ModuleError, Role
from osip.modules.httpd import gate
from osip.modules.httpd.gate import Gate, Refused, is_local_name, is_loopback, parse_access

TOKEN = "0123456789abcdef0123"
PEER = "192.0.2.7:40000"


def bearer(token: str = TOKEN) -> str:
    return f"Bearer {token}"


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def test_an_entry(tmp_path: Path) -> None:
    digest = hashlib.sha256(TOKEN.encode()).digest()
    entry = parse_access(f"name=al role=operate token={TOKEN} domains=A.example,b.example")
    assert (entry.name, entry.role, entry.digest) == ("al", Role.OPERATE, digest)
    assert entry.domains == {"a.example", "b.example"}
    assert parse_access(f"name=al role=READ token='{TOKEN}'").domains is None
    assert parse_access(f"role=admin name=al token_sha256={digest.hex()}").digest == digest
    (tmp_path / "token").write_text(TOKEN + "\n")
    assert parse_access(f"name=al role=admin token_file={tmp_path / 'token'}").digest == digest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "name=NAME is missing"),
        ("al", 'cannot use "al"'),
        (f"name=al token={TOKEN}", 'role is ""'),
        (f"name=al role=king token={TOKEN}", "must be read, operate or admin"),
        ("name=al role=read", "give one of token"),
        (f"name=al role=read token={TOKEN} token_sha256=00", "give one of token"),
        ("name=al role=read token=short", "at least 16 characters; make one with: openssl"),
        ("name=al role=read token_sha256=zz", "64 hex digits"),
        (f"name=a:b role=read token={TOKEN}", "has a colon"),
        (f"name=al name=bo role=read token={TOKEN}", "each once"),
        (f"name='al role=read token={TOKEN}", "No closing quotation"),
        (f"name=al role=read token={TOKEN} domains=,", "names none"),
        ("name=al role=read token_file=/none", "cannot read"),
    ],
)
def test_what_is_no_entry(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        parse_access(text)
    assert TOKEN not in str(caught.value)


def make() -> Gate:
    entries = [
        parse_access(f"name=al role=read token={TOKEN}"),
        parse_access(f"name=bo role=operate token={TOKEN}x domains=b.example"),
    ]
    return Gate(entries, "root", "pw", 'R"x\\')


@pytest.mark.parametrize(
    ("header", "name", "role"),
    [
        (bearer(), "al", Role.READ),
        (f"bearer {TOKEN}x", "bo", Role.OPERATE),
        (basic("al", TOKEN), "al", Role.READ),
        (basic("root", "pw"), "root", Role.ADMIN),
    ],
)
def test_who_is_known(header: str, name: str, role: Role) -> None:
    caller = make().caller(header, PEER)
    assert (caller.name, caller.role, caller.peer, caller.via) == (name, role, PEER, "http")
    assert caller.is_tenant == (name == "bo")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        bearer("x"),
        bearer(TOKEN[:-1]),
        bearer("pw"),
        basic("bo", TOKEN),
        basic("al", "pw"),
        basic("root", ""),
        basic("", "pw"),
        "Basic",
        "Basic !!!",
        "Basic bWU=",
        "Digest x",
        "Bearer \xff",
        "x" * 10_000,
    ],
)
def test_who_is_not(header: str) -> None:
    with pytest.raises(Refused) as caught:
        make().caller(header, PEER)
    assert caught.value.status == 401 and caught.value.headers == {"WWW-Authenticate": 'Basic realm="Rx"'}
    assert TOKEN not in caught.value.text


def test_without_names_the_gate_is_open() -> None:
    assert Gate([]).is_open and Gate([]).caller("", "127.0.0.1:5").role is Role.ADMIN
    assert not make().is_open and not Gate([], "", "pw").is_open


def test_guessing_is_stopped() -> None:
    now = [0.0]
    found = Gate([parse_access(f"name=al role=read token={TOKEN}")], clock=lambda: now[0])

    def status(header: str, peer: str = PEER) -> int:
        try:
            found.caller(header, peer)
        except Refused as refused:
            return refused.status
        return 200

    assert [status(bearer("wrong")) for _ in range(gate.MOST_WRONG + 2)] == [401] * gate.MOST_WRONG + [429, 429]
    assert status(bearer()) == 429 and status(bearer(), "192.0.2.8:1") == 200
    assert [status("") for _ in range(30)] == [429] * 30
    now[0] = gate.WRONG_SECONDS + 1
    assert status(bearer("wrong")) == 401 and status(bearer()) == 200
    assert [status(bearer("wrong"), "127.0.0.1:9") for _ in range(30)] == [401] * 30, (
        "may be a proxy with many clients"
    )
    assert [status("", "192.0.2.9:1") for _ in range(30)] == [401] * 30, "asking without a token is no guess"


def test_guessing_from_everywhere_takes_no_memory() -> None:
    found = Gate([parse_access(f"name=al role=read token={TOKEN}")])
    for number in range(5000):
        with pytest.raises(Refused):
            found.caller(bearer("wrong"), f"10.0.{number >> 8}.{number & 255}:1")
    assert len(found._wrong) == gate.MOST_ADDRESSES


@pytest.mark.parametrize(
    ("entries", "user", "words"),
    [
        ((f"name=al role=read token={TOKEN}", f"name=al role=read token={TOKEN}x"), "", "names al twice"),
        ((f"name=al role=read token={TOKEN}", f"name=bo role=read token={TOKEN}"), "", "the same token"),
        ((f"name=al role=read token={TOKEN}",), "al", "names al twice"),
    ],
)
def test_entries_that_cannot_be_told_apart(entries: tuple[str, ...], user: str, words: str) -> None:
    with pytest.raises(ModuleError, match=words):
        Gate([parse_access(one) for one in entries], user, "pw" if user else "")


@pytest.mark.parametrize(
    ("host", "is_it"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("example.com", False),
        ("", False),
        ("localhost.example", False),
    ],
)
def test_loopback(host: str, is_it: bool) -> None:
    assert is_loopback(host) is is_it


@pytest.mark.parametrize(
    ("host", "is_it"),
    [
        ("127.0.0.1:8888", True),
        ("localhost:1", True),
        ("[::1]:8888", True),
        ("[::1]", True),
        ("192.0.2.1", True),
        ("evil.example:8888", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("[evil]", False),
    ],
)
def test_names_of_this_machine(host: str, is_it: bool) -> None:
    assert is_local_name(host) is is_it
