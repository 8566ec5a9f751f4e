"""The management commands of the core: processes, logs, statistics, events, reload (MI section 2)."""
from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from osip import __version__
from osip.core.errors import MIError, OsipError
from osip.core.exports.declare import event, mi
from osip.core.exports.module import Module
from osip.core.exports.spec import MiSpec, Scope, StatKind
from osip.core.mi.access import role_of
from osip.core.mi.commands import BAD_PARAMS
from osip.core.run import log
from osip.core.run.log import python_level
from osip.core.store.sql import hide
from osip.core.run.stats import Stat, Stats

LEVELS = range(-3, 5)
INTERFACE = "4.1.0"         # the OpenSIPS whose commands, shapes and names these are


class CoreCommands(Module):
    """Management commands that need no module."""
    name = "core"

    threshold = event("E_CORE_THRESHOLD", "Something took longer than its threshold.", source=str, time=int, extra=str)
    log_line = event("E_CORE_LOG", "A line was logged (log_event_enabled).", time=float, pid=int, level=int,
                     module=str, function=str, prefix=str, message=str)

    def mod_init(self) -> None:
        """Tell log lines as events when the script wants it, now and after each reload."""
        self._told = log.EventLines(self._tell_line)
        self._sampled = time.monotonic(), 0.0               # when `ps` was last asked, CPU seconds used until then
        self._choose_lines()
        self.env.on_reload.append(self._choose_lines)

    def _choose_lines(self) -> None:
        config = self.env.config
        self.env.log.removeHandler(self._told)
        if config.log_event_enabled:
            log.show_functions(True)
            self._told.setLevel(python_level(config.log_event_level_filter or config.log_level))
            self.env.log.addHandler(self._told)

    def _tell_line(self, values: dict[str, Any]) -> None:
        self.log_line(**values, prefix=self.env.config.log_prefix)

    @mi(aliases=("arg",))
    def arg(self) -> list[str]:
        """List the command line."""
        return list(sys.argv)

    @mi("help", aliases=("help",))
    def help(self, mi_cmd: str | None = None) -> dict[str, Any] | str:
        """Describe a command."""
        if mi_cmd is None:
            return "usage: help mi_cmd - returns information about 'mi_cmd'"
        try:
            spec = self.env.mi.find(mi_cmd)
        except MIError:
            raise MIError(404, f'command "{mi_cmd}" not found; "which" lists all') from None
        return {"Help": spec.doc, "Exported by": spec.module, "Params": [list(r) for r in spec.recipes],
                "Aliases": list(spec.aliases), "Role": role_of(spec, {}).name.lower()}

    @mi(aliases=("kill",))
    def kill(self) -> None:
        """Stop the server, finishing what is in flight."""
        self.env.shutdown(True)

    @mi(aliases=("log_level",), recipes=((), ("level",), ("level", "pid")), scope=Scope.EACH)
    def log_level(self, level: int | None = None, pid: int | None = None) -> dict[str, Any]:
        """Show or set the log level (-3 to 4), of all processes or one."""
        if pid is not None and pid != os.getpid():
            raise MIError(BAD_PARAMS, "Invalid params", f"no process {pid}; ps lists them")
        if level is None:
            return {"Processes": [{"PID": os.getpid(), "Log level": self.env.config.log_level, "Type": "worker"}]}
        self.env.config.log_level = self._checked(level)
        self.env.log.setLevel(python_level(level))
        return {"Log level": level} if pid is not None else {"New global log level": level}

    @mi(aliases=("xlog_level",), scope=Scope.EACH)
    def xlog_level(self, level: int | None = None) -> dict[str, Any]:
        """Show or set the limit of xlog."""
        if level is None:
            return {"xLog Level": self.env.config.xlog_level}
        self.env.config.xlog_level = self._checked(level)
        return {"New xLog level": level}

    @mi(aliases=("log_level_filter",), scope=Scope.EACH)
    def log_level_filter(self, consumer: str, level_filter: int | None = None) -> dict[str, Any] | None:
        """Show or set the own level limit of a consumer of log lines: stderror, syslog or event (0 = log_level)."""
        name = self._consumer(consumer, "log_event_level_filter", "{}_level_filter")
        if level_filter is None:
            return {"Log level filter": getattr(self.env.config, name)}
        self._set_log(name, level_filter and self._checked(level_filter))
        return None

    @mi(aliases=("log_mute_state",), scope=Scope.EACH)
    def log_mute_state(self, consumer: str, mute_state: int | None = None) -> dict[str, Any] | None:
        """Show or set whether a consumer of log lines (stderror, syslog, event) is muted: 1 or 0."""
        name = self._consumer(consumer, "log_event_enabled", "{}_enabled")
        if mute_state is None:
            return {"mute state": int(not getattr(self.env.config, name))}
        if mute_state not in (0, 1):
            raise MIError(BAD_PARAMS, "Invalid params", "a mute state is 0 or 1")
        self._set_log(name, 1 - mute_state)
        return None

    @staticmethod
    def _consumer(consumer: str, event_name: str, pattern: str) -> str:
        if consumer not in ("stderror", "syslog", "event"):
            raise MIError(BAD_PARAMS, "Invalid params", "a consumer is stderror, syslog or event")
        return event_name if consumer == "event" else pattern.format(consumer)

    def _set_log(self, name: str, value: int) -> None:
        setattr(self.env.config, name, value)
        log.set_up(self.env.config)
        self._choose_lines()

    def _checked(self, level: int) -> int:
        if level not in LEVELS or level == 0:
            raise MIError(BAD_PARAMS, "Invalid params", "a level is -3 -2 -1 1 2 3 or 4")
        return level

    @mi(aliases=("ps",), scope=Scope.EACH)
    def ps(self) -> dict[str, Any]:
        """List the processes: load is the share of a core (percent) since the last look, messages what it handled."""
        env, now, used = self.env, time.monotonic(), time.process_time()
        was, had = self._sampled
        self._sampled = now, used
        load = round(100 * (used - had) / max(now - was, 0.001))
        worker = {"ID": env.number, "PID": os.getpid(), "Type": "worker", "Load": load,
                  "Messages": env.dispatch.number}
        if env.workers == 1:
            return {"Processes": [worker]}
        worker["ID"] += 1
        master = [{"ID": 0, "PID": os.getppid(), "Type": "master"}] if env.number == 0 else []
        return {"Processes": [*master, worker]}

    @mi(aliases=("pwd",))
    def pwd(self) -> dict[str, str]:
        """Show the working folder."""
        return {"WD": os.getcwd()}

    @mi(aliases=("reload_routes",))
    async def reload_routes(self, dry_run: int | None = None) -> dict[str, Any] | None:
        """Read the script again and swap it in at once; with errors the old one stays. dry_run 1 only checks."""
        found = await self.env.reload(bool(dry_run))
        errors = [d for d in found if d.is_error]
        if errors:
            first = errors[0]
            raise MIError(500, f"script has {len(errors)} error(s), the old one stays",
                          f"{first.span.file}:{first.span.line}:{first.span.col}: {first.code} {first.message}")
        warnings = [f"{d.code} {d.message}" for d in found if d.severity == "warning"]
        return {"Status": "OK", "Warnings": warnings} if warnings else None

    @mi(aliases=("uptime",))
    def uptime(self) -> dict[str, str]:
        """Show since when the server runs."""
        now = time.time()
        return {"Now": time.ctime(now), "Up since": time.ctime(self.env.started_at),
                "Up time": f"{int(now - self.env.started_at)} [sec]"}

    @mi(aliases=("version",))
    def version(self, revision: str | None = None) -> dict[str, str]:
        """Show the server's version: `Server` names the OpenSIPS whose interface this is, as its tools read it."""
        return {"Server": f"OpenSIPS ({INTERFACE} (osip {__version__}/python {sys.version_info.major}."
                          f"{sys.version_info.minor}/{sys.platform}))", "osip": __version__}

    @mi(aliases=("which",))
    def which(self, command: str | None = None) -> list[Any]:
        """List the commands by new and old name, those that start with a text; of one its lists of parameters."""
        names = self.env.mi.spellings(command or "")
        if command in names:
            return [list(recipe) for recipe in self.env.mi.find(command).recipes]
        return names

    # --- statistics ------------------------------------------------------------------------------------------------

    @mi("get", group="statistics", aliases=("get_statistics",))
    def get_statistics(self, statistics: list[str]) -> Any:
        """Show statistics by name, `group:` or `all`."""
        return self._of_all(statistics, _values)

    @mi("list", group="statistics", aliases=("list_statistics",))
    def list_statistics(self, statistics: list[str] | None = None) -> Any:
        """List the names of statistics and whether they count up."""
        return self._of_all(statistics or ["all"], lambda found: {
            s.full_name: "counter" if s.kind is StatKind.COUNTER else "non-counter" for s in found})

    def _of_all(self, patterns: list[str], show: Callable[[list[Stat]], Any]) -> Any:
        """Show what is selected of the statistics; with several workers those that only another one has as well."""
        def chosen(stats: Stats) -> Any:
            return show([s for pattern in patterns for s in stats.select(str(pattern))])

        async def gathered() -> Any:
            return chosen(await self.env.gather_stats())
        return gathered() if self.env.workers > 1 else chosen(self.env.stats)

    @mi("reset", group="statistics", aliases=("reset_statistics",), scope=Scope.EACH)
    def reset_statistics(self, statistics: list[str]) -> None:
        """Set counters back to 0."""
        found = [s for pattern in statistics for s in self.env.stats.select(str(pattern))]
        if not found:
            raise MIError(404, "Statistics Not Found")
        for stat in found:
            if stat.reset is not None:
                stat.reset()

    @mi("reset_all", group="statistics", aliases=("reset_all_statistics",), scope=Scope.EACH)
    def reset_all_statistics(self) -> None:
        """Set every counter back to 0."""
        self.reset_statistics(["all"])

    # --- events ----------------------------------------------------------------------------------------------------

    @mi("list", group="evi", aliases=("events_list",))
    def events_list(self) -> dict[str, Any]:
        """List the events."""
        return {"Events": [{"name": r.name, "id": r.id} for r in self.env.events.records.values()]}

    @mi("subscribers", group="evi", aliases=("subscribers_list",))
    def subscribers_list(self, event: str | None = None, socket: str | None = None) -> dict[str, Any]:
        """List who listens to events."""
        records = self.env.events.records
        if event is not None and event not in records:
            raise MIError(404, "Event not registered")
        listed = [self._subscribers(records[name], socket) for name in ([event] if event else records)]
        return {"Event": listed[0]} if event else {"Events": [e for e in listed if e["Subscribers"]]}

    def _subscribers(self, record: Any, socket: str | None) -> dict[str, Any]:
        now = self.env.now
        return {"name": record.name, "id": record.id, "Subscribers": [
            {"socket": hide(s.address), "expire": "never" if s.asked is None else int(s.asked),
             "ttl": "never" if s.until is None else max(0, int(s.until - now))}
            for s in record.subscribers if socket in (None, s.address)]}

    @mi("raise", group="evi", aliases=("raise_event",))
    def raise_event(self, event: str, params: list[Any] | None = None) -> None:
        """Raise an event."""
        values = params if params is not None else []
        named = values[0] if len(values) == 1 and isinstance(values[0], dict) else dict(enumerate(values, 1))
        self.env.events.raise_event(event, {str(k): v for k, v in named.items()})

    @mi("subscribe", group="evi", aliases=("event_subscribe",), scope=Scope.EACH)
    def event_subscribe(self, event: str, socket: str, expire: int | None = None) -> None:
        """Subscribe an address to an event for some seconds (3600; 0 ends it)."""
        events = self.env.events
        if event not in events.records:
            raise MIError(404, "Event not registered")
        if expire == 0:
            events.unsubscribe(event, socket)
            return
        connect = events.transports.get(socket.partition(":")[0])
        if connect is None:
            raise MIError(400, "No transport for this address",
                          f'load the event_* module of "{socket.partition(":")[0]}"')
        try:
            deliver = connect(socket)
        except (ValueError, OsipError) as error:
            raise MIError(400, "Bad socket", str(error)) from None
        if not events.subscribe(event, socket, deliver, self.env.now + (3600 if expire is None else expire)):
            raise MIError(500, "Too many subscribers")


def describe(spec: MiSpec) -> dict[str, Any]:
    """Return a command as JSON-ready data, for `osip modules` and help."""
    return {"name": spec.canonical, "aliases": list(spec.aliases), "doc": spec.doc,
            "params": [{"name": a.label, "type": a.kind, "optional": a.optional} for a in spec.args]}


def _values(found: list[Stat]) -> dict[str, int]:
    if not found:
        raise MIError(404, "Statistics Not Found")
    return {stat.full_name: stat.read() for stat in found}
