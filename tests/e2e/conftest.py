"""Give end-to-end tests the server under test; OSIP_E2E_SERVER=kamailio runs them against Kamailio instead."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit.server import CHECKOUT, Running, kamailio_server, osip_server


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Running]:
    """Run the registrar and proxy of cfg/residential.cfg."""
    if os.environ.get("OSIP_E2E_SERVER") == "kamailio":
        running = kamailio_server(Path(__file__).parent / "kamailio.cfg", tmp_path / "server")
    else:
        running = osip_server(CHECKOUT / "cfg/residential.cfg", tmp_path / "server")
    with running as server:
        yield server
