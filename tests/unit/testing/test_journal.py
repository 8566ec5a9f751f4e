"""Check the record of what happened, and the borrowing of the log."""
from __future__ import annotations

import logging

from osip.testing.journal import Entered, Journal, Listener, Said


def test_events_by_kind() -> None:
    journal = Journal()
    for event in (Entered("route", 0), Said("warning", "osip.script", "x"), Entered("route[a]", 1), Entered("route", 0)):
        journal.add(event)
    assert journal.routes == ["route", "route[a]"]
    assert [line.by_script for line in journal.said] == [True]
    assert journal.sent == []


def test_the_log_is_borrowed() -> None:
    journal, logger = Journal(), logging.getLogger("osip")
    before = (list(logger.handlers), logger.propagate, logger.level)
    listener = Listener(journal, logging.INFO)
    with listener:
        logging.getLogger("osip.x").info("one %d", 1)
        logging.getLogger("osip.x").debug("two")
        logger.setLevel(logging.DEBUG)                      # as $log_level does
    with listener:
        logging.getLogger("osip.x").debug("three")
        try:
            raise ValueError("why")
        except ValueError:
            logger.error("four", exc_info=True)
    logger.error("outside") if not before[1] else None
    assert [(line.level, line.logger, line.text) for line in journal.said] == [
        ("info", "osip.x", "one 1"), ("debug", "osip.x", "three"), ("error", "osip", "four (ValueError: why)")]
    assert (list(logger.handlers), logger.propagate, logger.level) == before
