"""What a socket's host means on this machine."""
from __future__ import annotations

import pytest

from osip.core.errors import OsipError
from osip.core.net import listen
from osip.core.net.listen import addresses_of, all_addresses, every, expand, interface_addresses


@pytest.mark.parametrize(("host", "addresses"), [
    ("127.0.0.1", ["127.0.0.1"]), ("::1", ["::1"]), ("[::1]", ["::1"]), ("[0:0:0:0:0:0:0:1]",
        ["::1"]),
    ("192.0.2.1", ["192.0.2.1"])])
def test_literals(host: str, addresses: list[str]) -> None:
    assert addresses_of(host) == addresses


def test_names_and_interfaces() -> None:
    assert interface_addresses("lo")[0] == "127.0.0.1" and interface_addresses("no-such-if") == []
    assert addresses_of("lo")[0] == "127.0.0.1"
    assert addresses_of("localhost")[0] in ("127.0.0.1", "::1")
    assert set(interface_addresses("lo")) <= set(all_addresses()) == set(addresses_of("*"))


@pytest.mark.parametrize("host", ["no-such-host.invalid", "999.1.1.1", "a b"])
def test_what_is_no_host_of_this_machine(host: str) -> None:
    with pytest.raises(OsipError, match="not an address, interface or host name"):
        addresses_of(host)


@pytest.mark.parametrize(("host", "which", "addresses"), [
    ("*", "address", ["10.0.0.1", "2001:db8::1", "10.0.0.2"]), ("0.0.0.0", "IPv4 address", ["10.0.0.1", "10.0.0.2"]),
    ("::", "IPv6 address", ["2001:db8::1"]), ("[::]", "IPv6 address", ["2001:db8::1"]),
    ("[0:0:0:0:0:0:0:0]", "IPv6 address", ["2001:db8::1"]), ("10.0.0.1", "", ["10.0.0.1"]), ("::1", "", ["::1"])])
def test_every_address(monkeypatch: pytest.MonkeyPatch, host: str, which: str, addresses: list[str]) -> None:
    monkeypatch.setattr(listen, "all_addresses", lambda: ["10.0.0.1", "2001:db8::1", "10.0.0.2"])
    assert (every(host), addresses_of(host)) == (which, addresses)


def test_every_address_of_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "all_addresses", lambda: ["10.0.0.1"])
    with pytest.raises(OsipError, match=r'cannot listen on "\[::\]": this machine has no IPv6 address'):
        addresses_of("[::]")
    one, = expand("udp", "0.0.0.0", 5060, "192.0.2.1", 5099, "main")
    assert (one.text, one.sent_by, one.tag) == ("udp:10.0.0.1:5060", "192.0.2.1:5099", "main")


def test_expand() -> None:
    one, = expand("udp", "127.0.0.1", 5060, "[2001:db8::1]", 5099, "main", {"reuse_port": 1})
    assert (one.text, one.sent_by, one.tag, one.options) == ("udp:127.0.0.1:5060", "[2001:db8::1]:5099", "main",
        {"reuse_port": 1})
    assert {s.host for s in expand("tcp", "*", 5060)} == set(all_addresses())
