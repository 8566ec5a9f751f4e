"""`osipctl tls`: an authority, and what it signs, as OpenSSL takes it."""
from __future__ import annotations

import socket
import ssl
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from osip.cli.ctl import certificate


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate, "BITS", 2048)          # a key is made in a moment


def test_a_server_with_such_a_certificate_is_trusted(ctl: Any, here: Path) -> None:
    made = ctl("tls", "rootCA", "pki")
    assert made.exit_code == 0 and "has no password" in made.stderr
    hosts = ("--host", "192.0.2.1", "--host", "sip.example.com")
    assert ctl("tls", "userCERT", "example.com", "pki", *hosts).exit_code == 0
    own = here / "pki" / "example.com"
    for key in (own / "example.com-privkey.pem", here / "pki" / "rootCA" / "private" / "cakey.pem"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(own / "example.com-cert.pem", own / "example.com-privkey.pem")
    client = ssl.create_default_context(cafile=str(own / "example.com-calist.pem"))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    one, other = socket.socketpair()

    def serve() -> None:
        with server.wrap_socket(one, server_side=True) as wrapped:
            wrapped.recv(1)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with client.wrap_socket(other, server_hostname="sip.example.com") as wrapped:
        told = wrapped.getpeercert()
        wrapped.send(b"x")
    thread.join(5)
    assert told is not None and set(told["subjectAltName"]) == {
        ("URI", "sip:example.com"), ("DNS", "example.com"), ("DNS", "sip.example.com"), ("IP Address", "192.0.2.1")}


def test_nothing_is_overwritten(ctl: Any, here: Path) -> None:
    (here / "opensipsctlrc").write_text(f"ETCDIR={here}/etc\n")
    lacking = ctl("tls", "userCERT", "bob")
    assert lacking.exit_code == 1 and "osipctl tls rootCA" in lacking.stderr
    assert ctl("tls", "rootCA").exit_code == 0
    before = (here / "etc" / "tls" / "rootCA" / "cacert.pem").read_bytes()
    again = ctl("tls", "rootCA")
    assert again.exit_code == 1 and "is there already" in again.stderr
    assert (here / "etc" / "tls" / "rootCA" / "cacert.pem").read_bytes() == before
    (here / "etc" / "tls" / "rootCA" / "private" / "cakey.pem").write_text("broken")
    broken = ctl("tls", "userCERT", "bob")
    assert broken.exit_code == 1 and "cannot be used" in broken.stderr and not (here / "etc" / "tls" / "bob").exists()


@pytest.mark.parametrize("name", ["../bob", "", "a/b", ".hidden", "x" * 65, "bób", "a b"])
def test_names_that_are_none(ctl: Any, name: str) -> None:
    ctl("tls", "rootCA")
    assert ctl("tls", "userCERT", "--", name).exit_code == 2
