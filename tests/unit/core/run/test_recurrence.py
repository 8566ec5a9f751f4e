"""Recurrences against hand-made calendars."""
from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from osip.core.run.recurrence import parse_recurrence

UTC = "UTC|"
CASES = [   # text, UTC time, whether it holds
    ("20260101T080000|20260101T170000", "2026-01-01 12:00", True),
    ("20260101T080000|20260101T170000", "2026-01-01 17:00", False),
    ("20260101T080000|20260101T170000", "2026-01-02 12:00", False),
    ("20260101T080000", "2030-01-01 00:00", True),
    ("20260101T080000", "2026-01-01 07:59", False),
    ("20260101T080000||PT9H|daily", "2026-03-05 16:59", True),
    ("20260101T080000||PT9H|daily", "2026-03-05 17:00", False),
    ("20260101T080000||PT9H|daily||2", "2026-01-02 12:00", False),
    ("20260101T080000||PT9H|daily||2", "2026-01-03 12:00", True),
    ("20260101T080000|20260101T170000||weekly|||MO,TU,WE,TH,FR", "2026-11-20 09:00", True),      # a Friday
    ("20260101T080000|20260101T170000||weekly|||MO,TU,WE,TH,FR", "2026-11-21 09:00", False),
    ("20260101T080000|20260101T170000||weekly", "2026-11-19 09:00", True),       # Thursdays, as its start
    ("20260101T080000|20260101T170000||weekly", "2026-11-20 09:00", False),
    ("20260105T220000||PT8H|weekly", "2026-01-13 05:59", True),                  # past midnight
    ("20260105T220000||PT8H|weekly", "2026-01-13 06:00", False),
    ("20260101T000000||P1D|monthly|||2MO", "2026-11-09 10:00", True),
    ("20260101T000000||P1D|monthly|||2MO", "2026-11-16 10:00", False),
    ("20260101T000000||P1D|monthly|||-1SU", "2026-11-29 10:00", True),
    ("20260101T000000||P1D|monthly||||-1", "2026-02-28 10:00", True),
    ("20260101T000000||P1D|monthly||||-1", "2026-02-27 10:00", False),
    ("20260101T000000|||yearly|||||||12", "2026-12-03 10:00", True),
    ("20260101T000000|||yearly|||||||12", "2026-11-03 10:00", False),
    ("20260101T000000|||yearly|||||366", "2028-12-31 10:00", True),
    ("20260101T000000|||yearly||||||1", "2026-12-30 10:00", False),
    ("20260101T000000|||daily|20260110T000000", "2026-01-10 10:00", True),
    ("20260101T000000|||daily|20260110T000000", "2026-01-11 10:00", False),
    ("|||weekly|||SU", "2026-11-22 10:00", True),
]


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(("text", "now", "holds"), CASES)
def test_holds(text: str, now: str, holds: bool) -> None:
    assert parse_recurrence(UTC + text).holds(at(now)) is holds


def test_zone() -> None:
    hours = parse_recurrence("America/New_York|20260101T090000||PT8H|daily")
    assert hours.holds(at("2026-07-01 13:30")) and not hours.holds(at("2026-07-01 12:59"))


@pytest.mark.parametrize(("text", "now", "holds"), [
    ("UTC|20260101T080000||PT1H|daily / UTC|20260101T100000||PT1H|daily", "2026-05-05 10:30", True),
    ("UTC|20260101T080000||PT1H|daily/UTC|20260101T100000||PT1H|daily", "2026-05-05 09:30", False),
    ("UTC|20260101T080000||PT9H|daily & !UTC|20260101T000000||P1D|yearly", "2026-05-05 10:30", True),
    ("UTC|20260101T080000||PT9H|daily & !UTC|20260101T000000||P1D|yearly", "2027-01-01 10:30", False),
    ("!(UTC|20260101T080000||PT9H|daily)", "2026-05-05 10:30", False),
    ("Europe/Berlin|20260101T080000||PT1H|daily/Europe/Berlin|20260101T100000||PT1H|daily", "2026-01-05 09:30", True),
])
def test_combined(text: str, now: str, holds: bool) -> None:
    assert parse_recurrence(text).holds(at(now)) is holds


@pytest.mark.parametrize(("text", "words"), [
    ("Nowhere/Town|20260101", "neither a time"), ("2026|", "neither a time"), ("20260101|20250101", "not after"),
    ("20260101||P|daily", "not a duration"), ("20260101|||hourly", "unknown frequency"),
    ("20260101|||weekly|||XX", "not a day"), ("20260101|||monthly||||32", "from 1 to 31"),
    ("20260101|||daily||0", "bad interval"), ("(20260101", 'missing'), ("20260101)", "unexpected"),
    ("!" * 40, "nested"), ("1" * 5000, "too long"), ("20261301", "month")])
def test_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_recurrence(text)
