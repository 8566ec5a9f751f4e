"""Several destinations behind one address."""
from __future__ import annotations

from typing import Any

import pytest

from kit.playbook import make_worker
from osip.modules.event_virtual import EventVirtual


class Ears:
    """Destinations `ear:N`; those in `deaf` raise."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.deaf: set[str] = set()

    def connect(self, address: str) -> Any:
        def deliver(name: str, params: dict[str, Any]) -> None:
            if address in self.deaf:
                raise OSError(f"{address} is deaf")
            self.heard.append(address[-1])
        return deliver


def make(policy: str) -> tuple[Any, Ears, Any]:
    worker, _, clock = make_worker((EventVirtual,))
    ears = Ears()
    worker.env.events.transports["ear"] = ears.connect
    module = worker.env.modules["event_virtual"]
    return module._connect(f"virtual:{policy} ear:1 ear:2 ear:3"), ears, clock


@pytest.mark.parametrize(("policy", "heard"), [("PARALLEL", "123123"), ("FAILOVER", "11"), ("ROUND-ROBIN", "12")])
def test_policies(policy: str, heard: str) -> None:
    deliver, ears, _ = make(policy)
    deliver("E", {})
    deliver("E", {})
    assert "".join(ears.heard) == heard


def test_failover_and_back() -> None:
    deliver, ears, clock = make("FAILOVER")
    ears.deaf = {"ear:1"}
    deliver("E", {})
    ears.deaf = set()
    deliver("E", {})            # left out for failover_timeout
    clock.advance(31)
    deliver("E", {})
    assert "".join(ears.heard) == "221"
    ears.deaf = {"ear:1", "ear:2", "ear:3"}
    with pytest.raises(Exception, match="ear:1 is deaf.*ear:3 is deaf"):
        deliver("E", {})


def test_parallel_tells_of_each_failure_but_serves_the_others() -> None:
    deliver, ears, _ = make("PARALLEL")
    ears.deaf = {"ear:2"}
    with pytest.raises(Exception, match="ear:2 is deaf"):
        deliver("E", {})
    assert ears.heard == ["1", "3"]


@pytest.mark.parametrize("address", ["virtual:", "virtual:ALL ear:1", "virtual:FAILOVER", "virtual:FAILOVER none:1",
                                     "virtual:FAILOVER virtual:x"])
def test_refused(address: str) -> None:
    module = make_worker((EventVirtual,))[0].env.modules["event_virtual"]
    with pytest.raises(ValueError):
        module._connect(address)
