"""Tell the time (variables.md section 7)."""
from __future__ import annotations

import time

from osip.api import Ctx, Module, Value, pvar

_FIELDS = {"sec": "tm_sec", "min": "tm_min", "hour": "tm_hour", "mday": "tm_mday", "mon": "tm_mon", "year": "tm_year",
           "yday": "tm_yday", "isdst": "tm_isdst"}


def _field(text: str) -> str:
    if text != "wday" and text not in _FIELDS:
        raise ValueError(f"expected one of {', '.join(_FIELDS)}, wday")
    return text


class CoreTime(Module):
    """Wall-clock time."""
    name = "core_time"

    @pvar("Ts", type="is")
    def unix_seconds(self, ctx: Ctx) -> Value:
        """Unix seconds."""
        return int(self.env.wall())

    @pvar("Tsm", type="is")
    def microseconds(self, ctx: Ctx) -> Value:
        """Microseconds within the current second."""
        return int(self.env.wall() * 1_000_000) % 1_000_000

    @pvar("TS", type="is")
    def started(self, ctx: Ctx) -> Value:
        """Unix seconds of the server's start."""
        return int(self.env.started_at)

    @pvar("Tf", type="s")
    def time_text(self, ctx: Ctx) -> Value:
        """The time in words, such as `Tue Aug 04 10:00:00 2026`."""
        return time.strftime("%a %b %d %H:%M:%S %Y", time.localtime(self.env.wall()))

    @pvar("time", key="required")
    def formatted(self, ctx: Ctx, form: str) -> Value:
        """Local time in a form of strftime, `$time(%Y-%m-%d)`."""
        return time.strftime(form, time.localtime(self.env.wall()))

    @pvar("ctime", type="is", key="required", key_parse=_field)
    def calendar(self, ctx: Ctx, field: str) -> Value:
        """A field of local time: sec, min, hour, mday, mon, year, wday (1 = Sunday), yday, isdst."""
        now = time.localtime(self.env.wall())
        if field == "wday":
            return (now.tm_wday + 1) % 7 + 1
        return int(getattr(now, _FIELDS[field]))
