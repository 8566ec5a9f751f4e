"""Match times against recurrence texts: `[zone|]dtstart|dtend|duration|freq|until|interval|byday|bymday|byyday|byweekno|
bymonth`, values as in RFC 2445 section 4.3.10; trailing fields may be left out.

Several texts combine with `&`, `/` (or), `!` and parentheses. An occurrence lasts until dtend or for the duration; without
either it lasts for its day when there is a frequency, else for ever.
"""
from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)?(Z)?)?", re.IGNORECASE)
_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.IGNORECASE)
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_DAY = re.compile(r"([+-]?\d+)?(MO|TU|WE|TH|FR|SA|SU)", re.IGNORECASE)
_FREQUENCIES = ("daily", "weekly", "monthly", "yearly")
_FIELDS = 11
MAX_TEXT = 4096


class Times(Protocol):
    """A set of times."""

    def holds(self, seconds: float) -> bool:
        """Say whether a time in Unix seconds belongs to it."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """One recurrence; the `by` fields are empty when they allow everything."""
    zone: tzinfo | None
    start: datetime
    length: timedelta | None
    freq: str
    until: datetime | None
    interval: int
    byday: tuple[tuple[int, int], ...]      # (n-th or 0, weekday from Monday = 0)
    bymday: tuple[int, ...]
    byyday: tuple[int, ...]
    byweekno: tuple[int, ...]
    bymonth: tuple[int, ...]

    def holds(self, seconds: float) -> bool:
        """Say whether a time in Unix seconds lies in an occurrence."""
        now = datetime.fromtimestamp(seconds, UTC).astimezone(self.zone).replace(tzinfo=None)
        if now < self.start:
            return False
        if not self.freq:
            return self.length is None or now < self.start + self.length
        length = self.length or timedelta(days=1) - timedelta(
            hours=self.start.hour, minutes=self.start.minute, seconds=self.start.second)
        # An occurrence that began on an earlier day may still last.
        for back in range(length.days + 2):
            day = now.date() - timedelta(days=back)
            begin = datetime.combine(day, self.start.time())
            if begin < self.start:
                break
            if begin <= now < begin + length and (self.until is None or begin <= self.until) and self._falls_on(day):
                return True
        return False

    def _falls_on(self, day: date) -> bool:
        first = self.start.date()
        if self.freq == "daily":
            periods = (day - first).days
        elif self.freq == "weekly":
            periods = ((day - timedelta(days=day.weekday())) - (first - timedelta(days=first.weekday()))).days // 7
        elif self.freq == "monthly":
            periods = (day.year - first.year) * 12 + day.month - first.month
        else:
            periods = day.year - first.year
        return periods % self.interval == 0 and self._by_rules(day) and (self._has_rules() or self._same_place(day))

    def _has_rules(self) -> bool:
        return bool(self.byday or self.bymday or self.byyday or self.byweekno or self.bymonth)

    def _same_place(self, day: date) -> bool:
        first = self.start.date()
        return self.freq == "daily" or (self.freq == "weekly" and day.weekday() == first.weekday()) or (
            self.freq == "monthly" and day.day == first.day) or (
            self.freq == "yearly" and (day.month, day.day) == (first.month, first.day))

    def _by_rules(self, day: date) -> bool:
        in_month = monthrange(day.year, day.month)[1]
        in_year = date(day.year, 12, 31).timetuple().tm_yday
        year_day = day.timetuple().tm_yday
        week = day.isocalendar().week
        weeks = date(day.year, 12, 28).isocalendar().week
        return ((not self.bymonth or day.month in self.bymonth)
                and _is_one_of(self.bymday, day.day, in_month)
                and _is_one_of(self.byyday, year_day, in_year)
                and _is_one_of(self.byweekno, week, weeks)
                and (not self.byday or any(self._is_nth(day, nth, weekday, in_month, in_year, year_day)
                                           for nth, weekday in self.byday)))

    def _is_nth(self, day: date, nth: int, weekday: int, in_month: int, in_year: int, year_day: int) -> bool:
        if day.weekday() != weekday:
            return False
        if nth == 0 or self.freq not in ("monthly", "yearly"):
            return True
        place, last = (day.day, in_month) if self.freq == "monthly" or self.bymonth else (year_day, in_year)
        return nth == (place - 1) // 7 + 1 if nth > 0 else -nth == (last - place) // 7 + 1


def _is_one_of(wanted: tuple[int, ...], value: int, last: int) -> bool:
    """Negative numbers count from the end."""
    return not wanted or value in wanted or value - last - 1 in wanted


@dataclass(frozen=True, slots=True)
class Combined:
    """Several sets of times, combined by `&`, `/` or (alone) `!`."""
    operator: str
    parts: tuple[Times, ...]

    def holds(self, seconds: float) -> bool:
        """Say whether a time in Unix seconds belongs to it."""
        if self.operator == "!":
            return not self.parts[0].holds(seconds)
        return (all if self.operator == "&" else any)(part.holds(seconds) for part in self.parts)


def parse_recurrence(text: str) -> Times:
    """Parse a recurrence text; ValueError with words when it is malformed."""
    if len(text) > MAX_TEXT:
        raise ValueError("the time recurrence is too long")
    tokens = _tokens(text)
    times, rest = _either(tokens, 0)
    if rest:
        raise ValueError(f'unexpected "{rest[0]}" in a time recurrence')
    return times


def _tokens(text: str) -> list[str]:
    """Split at operators; a slash before the first bar of a text belongs to the name of its zone."""
    tokens, operand = [], ""
    for sign in text:
        if sign in "&()!" or (sign == "/" and ("|" in operand or not operand.strip() or _STAMP.fullmatch(operand.strip()))):
            tokens += [operand, sign]
            operand = ""
        else:
            operand += sign
    return [token for token in [*tokens, operand] if token.strip()]


def _either(tokens: list[str], depth: int) -> tuple[Times, list[str]]:
    return _chain(tokens, depth, "/")


def _chain(tokens: list[str], depth: int, operator: str) -> tuple[Times, list[str]]:
    below = _chain if operator == "/" else None
    parts = []
    while True:
        part, tokens = below(tokens, depth, "&") if below else _term(tokens, depth)
        parts.append(part)
        if not tokens or tokens[0] != operator:
            return (parts[0] if len(parts) == 1 else Combined(operator, tuple(parts))), tokens
        tokens = tokens[1:]


def _term(tokens: list[str], depth: int) -> tuple[Times, list[str]]:
    if depth > 20:
        raise ValueError("the time recurrence is nested too deeply")
    if not tokens:
        raise ValueError("the time recurrence ends too early")
    if tokens[0] == "!":
        part, rest = _term(tokens[1:], depth + 1)
        return Combined("!", (part,)), rest
    if tokens[0] == "(":
        part, rest = _either(tokens[1:], depth + 1)
        if not rest or rest[0] != ")":
            raise ValueError('")" is missing in a time recurrence')
        return part, rest[1:]
    return _single(tokens[0]), tokens[1:]


def _single(text: str) -> Recurrence:
    fields = [field.strip() for field in text.strip().split("|")]
    zone: tzinfo | None = None
    if fields[0] and not _STAMP.fullmatch(fields[0]):
        try:
            zone = ZoneInfo(fields.pop(0))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f'"{text.split("|")[0]}" is neither a time (YYYYMMDDThhmmss) nor a time zone') from None
    if len(fields) > _FIELDS + 1:                       # the last one would be wkst
        raise ValueError(f"a time recurrence has at most {_FIELDS} fields")
    fields += [""] * (_FIELDS - len(fields))
    freq = fields[3].lower()
    if freq and freq not in _FREQUENCIES:
        raise ValueError(f'unknown frequency "{fields[3]}"; known: {", ".join(_FREQUENCIES)}')
    start = _stamp(fields[0], zone) if fields[0] else datetime(1970, 1, 1)
    length = _duration(fields[2]) if fields[2] else None
    if fields[1]:
        length = _stamp(fields[1], zone) - start
    if length is not None and length <= timedelta(0):
        raise ValueError("dtend is not after dtstart")
    if length is not None and freq and length > timedelta(days=366):
        raise ValueError("a recurring occurrence lasts a year at most")
    interval = int(fields[5]) if fields[5].isdigit() else 1
    if interval < 1 or (fields[5] and not fields[5].isdigit()):
        raise ValueError(f'bad interval "{fields[5]}"')
    return Recurrence(zone, start, length, freq, _stamp(fields[4], zone) if fields[4] else None, interval,
                      _days(fields[6]), _numbers(fields[7], 31), _numbers(fields[8], 366), _numbers(fields[9], 53),
                      _numbers(fields[10], 12))


def _stamp(text: str, zone: tzinfo | None) -> datetime:
    found = _STAMP.fullmatch(text)
    if found is None:
        raise ValueError(f'"{text}" is not a time: write YYYYMMDDThhmmss')
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    stamp = datetime(year, month, day, hour, minute, second)
    if found[7]:
        stamp = stamp.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
    return stamp


def _duration(text: str) -> timedelta:
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        raise ValueError(f'"{text}" is not a duration: write P1DT8H30M')
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def _days(text: str) -> tuple[tuple[int, int], ...]:
    out = []
    for part in filter(None, re.split(r"[,;\s]+", text)):
        found = _DAY.fullmatch(part)
        if found is None:
            raise ValueError(f'"{part}" is not a day: write MO, TU, … or 2MO, -1SU')
        out.append((int(found[1] or 0), _DAYS.index(found[2].upper())))
    return tuple(out)


def _numbers(text: str, most: int) -> tuple[int, ...]:
    out = []
    for part in filter(None, re.split(r"[,;\s]+", text)):
        if not re.fullmatch(r"[+-]?\d{1,3}", part) or not 1 <= abs(int(part)) <= most:
            raise ValueError(f'"{part}" is not a number from 1 to {most}')
        out.append(int(part))
    return tuple(out)
