"""Show statistics to Prometheus, in its text format, over HTTP."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from osip.api import Ctx, Env, Module, ModuleError, StatKind, function, needs, param

TEXT = "text/plain; version=0.0.4; charset=utf-8"
MOST_SAMPLES = 10_000       # a script may make labels of what peers send
_NO_NAME = re.compile(r"[^A-Za-z0-9_:]")
_RULE = re.compile(r"\s*([^:]+):\s*(\W)((?:\\.|(?!\2).)*)\2((?:\\.|(?!\2).)*)\2([gi]*)\s*", re.DOTALL)


@dataclass(slots=True)
class Own:
    """A statistic that the script declares at a scrape."""
    kind: str
    help: str
    samples: list[tuple[str, int]] = field(default_factory=list)


def parse_rule(text: str) -> tuple[str, re.Pattern[str], str, bool]:
    """Read `group: /re/name:label=value/flags`."""
    found = _RULE.fullmatch(text)
    if found is None:
        raise ValueError(f'"{text}" is no rule: write "group: /re/name:label=value/"')
    try:
        pattern = re.compile(found[3], re.IGNORECASE if "i" in found[5] else 0)
    except re.error as error:
        raise ValueError(f'"{found[3]}" is no regular expression: {error}') from None
    return found[1].strip(), pattern, re.sub(r"\\(\d)", r"\\g<\1>", found[4]), "g" in found[5]


class Prometheus(Module):
    """Metrics by `GET /metrics`."""
    root = param("metrics", doc="First part of the path.")
    prefix = param("opensips", doc="Start of every name; empty for none.")
    delimiter = param("_", doc="What stands between the parts of a name.")
    group_prefix = param("", doc="Put before the group, in names and labels.")
    group_label = param("group", doc="Name of the label with the group, when group_mode is 2.")
    group_mode = param(0, ge=0, le=2, doc="Where the group stands: 0 nowhere, 1 in the name, 2 in a label.")
    statistics = param(multiple=True, kind=str, doc="What to show: names, `group:`, `all`; blanks between. Without it, all.")
    labels = param(multiple=True, kind=str, parse=parse_rule, doc='Rule that makes labels of names: '
                   '"group: /re/name:label=value,…/".')
    script_route = param("", doc="Route that is run at every scrape, to declare and push statistics of its own.")
    httpd = needs("httpd")

    def mod_init(self) -> None:
        """Take the path."""
        self._patterns = [word for text in self.statistics for word in text.split()] or ["all"]
        self._own: dict[str, Own] | None = None
        self._last = ""
        self.httpd.register(self.root, self._serve)
        self.env.announcements.append(f"Metrics {self.httpd.url}/{self.root.strip('/')}")

    async def child_init(self, env: Env) -> None:
        """Look whether the route is there."""
        if self.script_route and env.program is not None and env.program.named("route", self.script_route) is None:
            raise ModuleError(f'prometheus: script_route "{self.script_route}" is no route of the script')

    async def _serve(self, request: Any) -> Any:
        from aiohttp import web

        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"Allow": "GET"})
        return web.Response(body=(await self.text()).encode("utf-8", "replace"), headers={"Content-Type": TEXT})

    async def text(self) -> str:
        """Return all metrics; a metric of several samples has its head once."""
        stats = await self.env.gather_stats()
        found = {stat.full_name: stat for pattern in self._patterns for stat in stats.select(pattern)}
        families: dict[str, tuple[str, str, list[str]]] = {}
        for stat in found.values():
            name, labels = self._named(stat.group, stat.name)
            kind = "counter" if stat.kind is StatKind.COUNTER else "gauge"
            families.setdefault(name, (kind, "", []))[2].append(f"{name}{labels} {stat.read()}")
        for name, own in (await self._from_script()).items():
            full = _clean(self.delimiter.join(filter(None, (self.prefix, name))))
            families.setdefault(full, (own.kind, own.help, []))[2].extend(
                f"{full}{labels} {value}" for labels, value in own.samples)
        lines: list[str] = []
        for name, (kind, words, samples) in families.items():
            if words:
                lines.append(f"# HELP {name} {_escape(words)}")
            lines += [f"# TYPE {name} {kind}", *samples]
        return "\n".join(lines) + "\n"

    def _named(self, group: str, name: str) -> tuple[str, str]:
        """Return name and labels of a statistic."""
        labels: list[tuple[str, str]] = []
        for wanted, pattern, template, everywhere in self.labels:
            if wanted == group and pattern.search(name):
                made = pattern.sub(template, name, 0 if everywhere else 1)
                name, _, rest = made.partition(":")
                labels += [(key.strip(), value) for key, equals, value in (
                    part.partition("=") for part in rest.split(",")) if equals]
                break
        parts = [self.prefix, self.group_prefix + group if self.group_mode == 1 else "", name]
        if self.group_mode == 2:
            labels.insert(0, (self.group_label, self.group_prefix + group))
        return _clean(self.delimiter.join(filter(None, parts))), _labels(labels)

    async def _from_script(self) -> dict[str, Own]:
        program = self.env.program
        route = program.named("route", self.script_route) if self.script_route and program is not None else None
        if route is None:
            return {}
        self._own, self._last = {}, ""
        try:
            code: Any = route(Ctx(self.env, *self.env.make_dummy()))
            if code.__class__ is not int:
                await code
            return self._own
        finally:
            self._own = None

    @function("Q")
    def prometheus_declare_stat(self, ctx: Ctx, name: str, type: str | None = None, help: str | None = None) -> int:
        """Declare a statistic of the running scrape: type `counter` (the default) or `gauge`."""
        if self._own is None:
            self.env.log.error("prometheus: prometheus_declare_stat belongs into script_route")
            return -1
        kind = (type or "counter").strip().lower()
        if kind not in ("counter", "gauge"):
            self.env.log.error('prometheus: "%s" is neither counter nor gauge', type)
            return -1
        self._own.setdefault(name, Own(kind, help or ""))
        self._last = name
        return 1

    @function("Q")
    def prometheus_push_stat(self, ctx: Ctx, value: int, label: str | None = None, lvalue: str | None = None) -> int:
        """Add a sample to the statistic that was declared last: with `label="value"`, or a whole `{…}` as label."""
        own = self._own.get(self._last) if self._own else None
        if own is None:
            self.env.log.error("prometheus: prometheus_push_stat without a declared statistic")
            return -1
        if len(own.samples) >= MOST_SAMPLES:
            return -1
        if label and lvalue is None:
            text = label.strip()
            if not re.fullmatch(r'\{(?:[A-Za-z_]\w*="(?:\\.|[^"\\\n])*",?)*\}', text):
                self.env.log.error("prometheus: %r is no set of labels", label)
                return -1
        else:
            text = _labels([(label, lvalue or "")]) if label else ""
        own.samples.append((text, value))
        return 1


def _clean(name: str) -> str:
    """Return a name with nothing that Prometheus refuses."""
    cleaned = _NO_NAME.sub("_", name)
    return "_" + cleaned if cleaned[:1].isdigit() else cleaned


def _labels(pairs: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f'{_clean(key)}="{_escape(value)}"' for key, value in pairs) + "}" if pairs else ""


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
