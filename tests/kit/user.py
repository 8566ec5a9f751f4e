"""Do with SIPp what a user's phone does."""
from __future__ import annotations

from pathlib import Path

from kit.peer import sipp

SCENARIOS = Path(__file__).resolve().parents[1] / "e2e" / "sipp"


def register(folder: Path, server: str, contact_port: int) -> None:
    """Register bob with SIPp."""
    with sipp(folder, server, "-sf", SCENARIOS / "register.xml", "-s", "bob", "-m", 1,
              "-key", "contact_port", contact_port, name="register") as client:
        counts = client.finish(20)
    assert (counts.successful, counts.failed) == (1, 0), counts.errors
