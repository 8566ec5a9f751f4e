"""Hosts and networks in memory."""
from __future__ import annotations

from typing import Any

import pytest

from osip.modules.permissions.address import Addresses, read_row


def row(ip: str, mask: int = 32, grp: int = 1, port: int = 0, proto: str = "any", pattern: str | None = None,
        info: str | None = None) -> dict[str, Any]:
    return {"ip": ip, "mask": mask, "grp": grp, "port": port, "proto": proto, "pattern": pattern, "context_info": info}


ROWS = [row("10.0.0.0", 8, info="wide"), row("10.1.0.0", 16, info="narrow"), row("10.1.2.3", info="host"),
        row("192.168.1.1", grp=2, port=5060, proto="udp", pattern="sip*"), row("2001:db8::", 32, grp=3), row("::1", 128, 4)]


@pytest.mark.parametrize(("ip", "infos"), [
    ("10.1.2.3", ["host", "narrow", "wide"]), ("10.1.9.9", ["narrow", "wide"]), ("10.200.0.1", ["wide"]), ("11.0.0.1", []),
    ("2001:db8:1::1", [None]), ("[::1]", [None]), ("::ffff:10.200.0.1", ["wide"]), ("fe80::1%eth0", [])])
def test_find(ip: str, infos: list[str | None]) -> None:
    table = Addresses()
    for one in ROWS:
        table.add(read_row(one))
    assert [found.info for found in table.find(ip)] == infos


@pytest.mark.parametrize(("group", "port", "proto", "pattern", "fits"), [
    (2, 5060, "udp", None, True), (0, 0, "any", None, True), (1, 5060, "udp", None, False), (2, 5061, "udp", None, False),
    (2, 5060, "tcp", None, False), (2, 5060, "udp", "sipp", True), (2, 5060, "udp", "x", False)])
def test_fits(group: int, port: int, proto: str, pattern: str | None, fits: bool) -> None:
    assert read_row(ROWS[3]).fits(group, port, proto, pattern) is fits


@pytest.mark.parametrize("bad", [row("x"), row("10.0.0.1", 33), row("10.0.0.1", proto="ftp")])
def test_bad_rows(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        read_row(bad)


def test_no_address() -> None:
    with pytest.raises(ValueError):
        list(Addresses().find("nonsense"))
