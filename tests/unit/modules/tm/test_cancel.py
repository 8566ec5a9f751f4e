"""What cancelling does to one branch by its state (flows are in tests/flow)."""
from __future__ import annotations

import pytest

from kit.flows import flow
from osip.modules.tm import cancel
from osip.modules.tm.branch import CANCEL_SENT, CANCEL_WANTED, NOT_CANCELLED

CASES = [(None, CANCEL_WANTED, 0), (180, CANCEL_SENT, 1), (200, NOT_CANCELLED, 0), (486, NOT_CANCELLED, 0)]


@pytest.mark.parametrize("status,state,sent", CASES)
def test_by_state(status: int | None, state: int, sent: int) -> None:
    play = flow("bob", "carol").recv("INVITE")          # carol keeps the transaction open
    if status:
        play.answer("bob", status)
    branch = next(b for b in play.modules["tm"].table.clients.values() if b.dest.host == "10.0.0.2")
    for _ in range(2):
        cancel.cancel_branch(branch)
    assert branch.cancelling == state
    play.quiet_cancels = [m for m in play.net.boxes["10.0.0.2:5060"] if m.startswith(b"CANCEL")]    # type: ignore
    assert len(play.quiet_cancels) == sent              # type: ignore[attr-defined]


def test_only_invites_are_cancelled() -> None:
    play = flow("bob").recv("MESSAGE").sent("MESSAGE", "bob")
    cancel.cancel_pending(next(iter(play.modules["tm"].table.servers.values())))
    play.quiet()
