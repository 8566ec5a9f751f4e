"""Our address towards a host."""
from __future__ import annotations

import pytest

from osip.core.net import egress
from osip.core.net.egress import Egress


def test_asks_again_after_a_while_and_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    now, asked = [0.0], []

    def ask(host: str) -> str:
        asked.append(host)
        return f"own-{len(asked)}"
    table = Egress(lambda: now[0], ask)
    assert [table("192.0.2.1"), table("192.0.2.1"), table("192.0.2.2")] == ["own-1", "own-1", "own-2"]
    now[0] = 5.0
    assert table("192.0.2.1") == "own-3" and len(asked) == 3
    monkeypatch.setattr(egress, "ROOM", 10)
    for number in range(100):
        table(f"192.0.2.{number}")
    assert len(table._known) <= 10


def test_the_system_answers() -> None:
    assert Egress(lambda: 0.0)("127.0.0.1") == "127.0.0.1" and Egress(lambda: 0.0)("::1") == "::1"
