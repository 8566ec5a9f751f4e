"""`osipctl address`: networks that are checked, the table, the running server."""
from __future__ import annotations

from typing import Any

import click
import pytest

from osip.cli.ctl.address import checked_network


@pytest.mark.parametrize(("ip", "mask", "found"), [
    ("10.0.0.1", "", ("10.0.0.1", 32)), ("10.0.0.0", "8", ("10.0.0.0", 8)), ("10.0.0.0", "255.255.0.0", ("10.0.0.0", 16)),
    ("10.0.0.0/24", "", ("10.0.0.0", 24)), ("2001:DB8::1", "", ("2001:db8::1", 128)), ("[::1]", "64", ("::1", 64))])
def test_networks(ip: str, mask: str, found: tuple[str, int]) -> None:
    assert checked_network(ip, mask) == found


@pytest.mark.parametrize(("ip", "mask"), [("10.0.0.256", ""), ("10.0.0.1", "33"), ("::1", "129"), ("host", ""), ("10.0.0.1", "x")])
def test_what_is_no_network(ip: str, mask: str) -> None:
    with pytest.raises(click.UsageError, match="is no address"):
        checked_network(ip, mask)


def test_table(ctl: Any, rows: Any) -> None:
    done = ctl("address", "add", 1, "10.0.0.0", 8, 5060, "udp", "carrier one", "^sip:")
    assert done.exit_code == 0 and "osipctl address reload" in done.stderr
    assert ctl("address", "add", 2, "::1").exit_code == 0
    again = ctl("address", "add", 2, "::1")
    assert again.exit_code == 1 and "already" in again.stderr
    assert rows("address", "show") == [
        {"group": 1, "ip": "10.0.0.0", "mask": 8, "port": 5060, "proto": "udp", "pattern": "^sip:", "context": "carrier one"},
        {"group": 2, "ip": "::1", "mask": 128, "port": 0, "proto": "any", "pattern": "", "context": ""}]
    assert [r["group"] for r in rows("address", "show", "-g", 2)] == [2]
    assert ctl("address", "rm", 1, "10.0.0.0", 8).exit_code == 1, "the port counts"
    assert ctl("address", "rm", 1, "10.0.0.0", 8, 5060).exit_code == 0 and len(rows("address", "show")) == 1


@pytest.mark.parametrize("words", [(1, "10.0.0.1", 32, 99999), (1, "10.0.0.1", 32, 0, "icmp"), (70000, "10.0.0.1"),
                                   (1, "10.0.0.1", 32, 0, "any", "", "(")])
def test_bad_rows(words: tuple[Any, ...], ctl: Any) -> None:
    assert ctl("address", "add", *words).exit_code == 2


def test_server(ctl: Any, rows: Any, played: Any) -> None:
    played.answers = {"address_dump": {"Partitions": [{"name": "default", "Destinations": [{"grp": 1, "ip": "a"}]}]},
                      "subnet_dump": {"Partitions": [{"name": "default", "Destinations": [{"grp": 2, "mask": 8}]}]},
                      "address_reload": "OK"}
    assert rows("address", "dump") == [{"partition": "default", "grp": 1, "ip": "a", "mask": ""},
                                       {"partition": "default", "grp": 2, "ip": "", "mask": 8}]
    ctl("address", "reload"), ctl("address", "reload", "two")
    assert played.asked[-2:] == [("address_reload", []), ("address_reload", ["two"])]


def test_no_table(ctl: Any, here: Any) -> None:
    done = ctl("--db-url", f"sqlite:///{here}/own.db", "address", "show")
    assert done.exit_code == 1 and f"osip db create permissions --url sqlite:///{here}/own.db" in done.stderr
    nowhere = ctl("address", "show")
    assert nowhere.exit_code == 1 and "--db-url" in nowhere.stderr and not (here / "osip.db").exists()
