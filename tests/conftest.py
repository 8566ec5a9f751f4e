"""Set up what all tests share: the kit on sys.path, and tests that need an outside program."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from osip.core.run import supervisor

sys.path.insert(0, str(Path(__file__).parent))
# A shell lets what it starts in the background ignore SIGINT, and so would all that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

from kit.peer import missing_peer  # noqa: E402  (the kit is found through the line above)


@pytest.fixture(autouse=True)
def osip_logger() -> Iterator[None]:
    """Leave the server's logger as it was: set_up and the kit change its level, handlers and propagation."""
    logger = logging.getLogger("osip")
    level, handlers, propagate, disabled = logger.level, list(logger.handlers), logger.propagate, logger.disabled
    yield
    logger.setLevel(level)
    logger.handlers[:], logger.propagate, logger.disabled = handlers, propagate, disabled


@pytest.fixture(autouse=True)
def handlers_of_signals() -> Iterator[None]:
    """Take back what a server in this process does on signals: the next test's would not work, or kill the process."""
    before = {number: signal.getsignal(number) for number in supervisor.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def bare_logger(osip_logger: None) -> logging.Logger:
    """Return the server's logger without handlers."""
    logger = logging.getLogger("osip")
    logger.handlers = []
    return logger


@pytest.fixture(autouse=True, scope="session")
def nested_runs(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give the runs of pytest that tests start (`osip test`) a place of their own.

    Each run closes the usual place to other users, among whom are the database servers that work below it.
    """
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(tmp_path_factory.mktemp("nested"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test marked `peer(name)` whose program is missing; fail it where peers are promised."""
    for marker in item.iter_markers("peer"):
        for name in marker.args:
            lack = missing_peer(name)
            if lack is None:
                continue
            if os.environ.get("OSIP_REQUIRE_PEERS") == "1":
                pytest.fail(f"{lack} (OSIP_REQUIRE_PEERS=1)", pytrace=False)
            pytest.skip(lack)
