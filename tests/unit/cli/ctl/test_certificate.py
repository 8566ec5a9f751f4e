"""Whom a certificate is for; test_tls.py makes some."""
from __future__ import annotations

import pytest

from osip.cli.ctl import certificate


@pytest.mark.parametrize(("user", "names"), [
    ("bob@example.com", ["sip:bob@example.com"]), ("bob", []), ("example.com", ["sip:example.com", "example.com"])])
def test_whom_it_is_for(user: str, names: list[str]) -> None:
    assert [one.value for one in certificate.alternatives(user)] == names
