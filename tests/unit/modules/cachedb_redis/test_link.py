"""What a URL and the parameters make of a client."""
from __future__ import annotations

from typing import Any

import pytest

from osip.api import StoreError, parse_cache_url
from osip.modules.cachedb_redis.link import (
    CountingCluster,
    Settings,
    number_of,
    options_of,
)


@pytest.mark.parametrize(("url", "settings", "expected"), [
    ("redis://h/", Settings(1, 2, 0), {"username": None, "password": None, "socket_connect_timeout": 1, "socket_timeout": 2}),
    ("redis://u:p@h/", Settings(), {"username": "u", "password": "p", "socket_keepalive": True}),
    ("redis://p@h/", Settings(), {"username": None, "password": "p"}),
    ("redis://h/", Settings(use_tls=True), {"ssl": True, "ssl_ca_certs": None, "ssl_check_hostname": True}),
    ("redis://h/?ca=/x.pem", Settings(), {"ssl": True, "ssl_ca_certs": "/x.pem"})])
def test_options(url: str, settings: Settings, expected: dict[str, Any]) -> None:
    found = options_of(parse_cache_url(url), settings)
    assert {name: found.get(name) for name in expected} == expected and ("ssl" in found) == ("ssl" in expected)


@pytest.mark.parametrize(("url", "number"), [("redis://h", 0), ("redis://h/", 0), ("redis://h/7", 7)])
def test_numbers(url: str, number: int) -> None:
    assert number_of(parse_cache_url(url)) == number


def test_no_number() -> None:
    with pytest.raises(StoreError, match="is no number"):
        number_of(parse_cache_url("redis://h/x"))


def test_redirections_are_counted() -> None:
    client = CountingCluster.__new__(CountingCluster)
    for value in (0, 1, 2, 0, 1):       # it begins anew when the topology was learned
        client.reinitialize_counter = value
    assert client.moved == 3
