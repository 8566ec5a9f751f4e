"""Follow a script as it runs: which statement, in which route, and what it changed.

Emitted code carries the positions of the script, so Python's own tracing tells where it is. The trace looks at single
instructions: statements that share a line are told apart by their columns.
"""
from __future__ import annotations

import sys
from collections import Counter
from types import CodeType, FrameType
from typing import Any

from osip.core.run.ctx import Ctx
from osip.core.run.place import place
from osip.testing.journal import Entered, Journal, Step
from osip.testing.sites import Key, Site, Sites
from osip.testing.watch import Watch


class Tracer:
    """Trace the routes of one script; `with tracer:` around what runs them.

    `hits` counts the runs of each statement. With a `watch` every step carries what it changed.
    """

    def __init__(self, sites: Sites, journal: Journal, watch: Watch | None = None) -> None:
        self.sites, self.journal, self.watch = sites, journal, watch
        self.hits: Counter[Key] = Counter()
        self.runs: Counter[str] = Counter()
        self.depth = 0
        self.last: Step | None = None
        self._files = sites.files
        self._tables: dict[CodeType, list[Site | None]] = {}
        self._before: Any = None

    def __enter__(self) -> Tracer:
        self._before = sys.gettrace()
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _call(self, frame: FrameType, event: str, arg: Any) -> Any:
        """Look at a new frame: only those of the script are followed."""
        code = frame.f_code
        if code.co_filename not in self._files or code.co_name.startswith("<"):
            return self._before(frame, event, arg) if self._before is not None else None
        if isinstance(frame.f_trace, _Frame):           # a route that waited goes on
            self.depth += 1
            return frame.f_trace
        return _Frame(self, frame)

    def table(self, code: CodeType) -> list[Site | None]:
        """Return the statement of each instruction of a code object."""
        found = self._tables.get(code)
        if found is None:
            sites, file, names = self.sites.by_key, code.co_filename, self.sites.names
            found = self._tables[code] = [
                sites.get((*place(file, line, names), col + 1)) if line is not None and col is not None else None
                for line, _, col, _ in code.co_positions()]
        return found

    def changed(self, ctx: Ctx | None) -> None:
        """Credit what is different now to the step that ran last."""
        if self.watch is not None and ctx is not None:
            changes = self.watch.changes(ctx)
            if self.last is not None:
                self.last.changes += changes


class _Frame:
    """The trace of one run of one route."""
    __slots__ = ("_ctx", "_route", "_site", "_table", "_tracer")

    def __init__(self, tracer: Tracer, frame: FrameType) -> None:
        self._tracer, self._table = tracer, tracer.table(frame.f_code)
        found = frame.f_locals.get("ctx")
        self._ctx: Ctx | None = found if isinstance(found, Ctx) else None
        self._site: Site | None = None
        self._route = frame.f_code.co_name
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        if self._route in tracer.sites.routes:
            if tracer.depth == 0:
                tracer.last = None          # what is different since then was no statement's doing
            tracer.changed(self._ctx)
            tracer.runs[self._route] += 1
            tracer.journal.add(Entered(self._route, tracer.depth))
        tracer.depth += 1

    def __call__(self, frame: FrameType, event: str, arg: Any) -> _Frame:
        if event == "opcode":
            site = self._table[frame.f_lasti >> 1]
            if site is not None and site is not self._site:
                self._step(site)
        elif event == "return":
            self._tracer.depth -= 1
            self._tracer.changed(self._ctx)
        return self

    def _step(self, site: Site) -> None:
        inside = self._site is not None and site.key in self._site.above
        self._site = site
        if inside and not site.is_loop:         # the rest of a choice whose arm has run
            return
        tracer = self._tracer
        tracer.changed(self._ctx)
        if not inside:
            tracer.hits[site.key] += 1
        file, line, col = site.key
        step = tracer.last = Step(file, line, col, site.route, tracer.depth - 1, site.line)
        tracer.journal.add(step)
