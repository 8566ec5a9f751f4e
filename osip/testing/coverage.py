"""Count which lines and arms of scripts tests have run; report as text, JSON and lcov."""
from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from osip.testing.sites import Key, Site
from osip.testing.trace import Tracer

Arm = tuple[int, int, int]
"""An arm: line and column of its choice, its number."""


@dataclass(slots=True)
class Covered:
    """The counts of one file: runs by line, by arm, and of each route (with its line)."""
    lines: Counter[int] = field(default_factory=Counter)
    arms: Counter[Arm] = field(default_factory=Counter)
    routes: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def missed(self) -> list[int]:
        """The lines that never ran."""
        return sorted(line for line, hits in self.lines.items() if not hits)

    @property
    def missed_arms(self) -> list[Arm]:
        """The arms that were never taken, of choices that ran."""
        return sorted(arm for arm, hits in self.arms.items() if not hits)


def percent(hit: int, total: int) -> float:
    """Return a share in per cent; of nothing, all is covered."""
    return 100.0 * hit / total if total else 100.0


def ranges(lines: Iterable[int]) -> str:
    """Write line numbers as `3-5, 9`."""
    found: list[list[int]] = []
    for line in sorted(lines):
        if found and line == found[-1][1] + 1:
            found[-1][1] = line
        else:
            found.append([line, line])
    return ", ".join(f"{a}-{b}" if a != b else str(a) for a, b in found)


class Coverage:
    """What several benches ran, by file."""

    def __init__(self) -> None:
        self.files: dict[str, Covered] = {}
        self.texts: dict[str, list[str]] = {}           # the lines of each file, by its absolute path

    def add(self, tracer: Tracer | None) -> None:
        """Take in what one bench ran."""
        if tracer is None:
            return
        self.texts.update({os.path.abspath(path): lines for path, lines in tracer.sites.texts.items()})
        lines: Counter[tuple[str, int]] = Counter()
        for key, site in tracer.sites.by_key.items():
            covered = self._file(key[0])
            lines[key[0], key[1]] = max(lines[key[0], key[1]], tracer.hits[key])    # several may share a line
            for number, taken in enumerate(arms_of(site, tracer.hits)):
                covered.arms[key[1], key[2], number] += taken
        for (file, line), hits in lines.items():
            self._file(file).lines[line] += hits
        for label, (file, line) in tracer.sites.routes.items():
            covered = self._file(file)
            covered.routes[label] = (line, covered.routes.get(label, (line, 0))[1] + tracer.runs[label])

    def _file(self, path: str) -> Covered:
        return self.files.setdefault(os.path.abspath(path), Covered())

    def __iter__(self) -> Iterator[tuple[str, Covered]]:
        return ((shown(path), covered) for path, covered in sorted(self.files.items()))

    @property
    def line_percent(self) -> float:
        """The share of lines that ran."""
        every = [hits for covered in self.files.values() for hits in covered.lines.values()]
        return percent(sum(map(bool, every)), len(every))

    @property
    def arm_percent(self) -> float:
        """The share of arms that were taken."""
        every = [hits for covered in self.files.values() for hits in covered.arms.values()]
        return percent(sum(map(bool, every)), len(every))


def arms_of(site: Site, hits: Counter[Key]) -> list[int]:
    """Return how often each arm of a choice was taken; the way past an `if` is what its other arm leaves over."""
    if not any(site.arms):
        return []
    known = sum(hits[arm] for arm in site.arms if arm is not None)
    return [max(hits[site.key] - known, 0) if arm is None else hits[arm] for arm in site.arms]


def shown(path: str) -> str:
    """Return a path as seen from here, where that is shorter."""
    near = os.path.relpath(path)
    return near if not near.startswith("..") else path


def as_text(coverage: Coverage) -> str:
    """Return a table: lines, arms and routes of each script, and what is missing."""
    rows = [("script", "lines", "missed", "cover", "arms", "missed", "cover", "routes", "missing")]
    for path, covered in coverage:
        lines, arms = len(covered.lines), len(covered.arms)
        ran = sum(1 for _, hits in covered.routes.values() if hits)
        unrun = set(covered.missed)
        half = [f"{line}:{'then' if not number else 'else' if number == 1 else 'case'}" if number < 2 else
                f"{line}:arm {number + 1}" for line, _, number in covered.missed_arms if line not in unrun]
        missing = ", ".join(filter(None, (ranges(unrun), *half)))
        rows.append((path, str(lines), str(len(unrun)), f"{percent(lines - len(unrun), lines):.1f}%", str(arms),
                     str(len(covered.missed_arms)), f"{percent(arms - len(covered.missed_arms), arms):.1f}%",
                     f"{ran}/{len(covered.routes)}", missing))
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) if place in (0, 8) else cell.rjust(width)
                               for place, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
                     for row in rows)


def as_json(coverage: Coverage) -> dict[str, Any]:
    """Return the counts as JSON-ready data."""
    return {"lines": round(coverage.line_percent, 2), "arms": round(coverage.arm_percent, 2), "files": {
        path: {"lines": {str(line): hits for line, hits in sorted(covered.lines.items())},
               "missed": covered.missed,
               "arms": [{"line": line, "column": col, "arm": number, "hits": hits}
                        for (line, col, number), hits in sorted(covered.arms.items())],
               "routes": {label: hits for label, (_, hits) in covered.routes.items()}}
        for path, covered in coverage}}


def as_lcov(coverage: Coverage) -> str:
    """Return the counts as an lcov tracefile, which editors and CI services read."""
    out: list[str] = []
    for path, covered in coverage:
        out += ["TN:", f"SF:{path}"]
        out += [f"FN:{line},{label}" for label, (line, _) in covered.routes.items()]
        out += [f"FNDA:{hits},{label}" for label, (_, hits) in covered.routes.items()]
        out += [f"FNF:{len(covered.routes)}", f"FNH:{sum(1 for _, hits in covered.routes.values() if hits)}"]
        out += [f"BRDA:{line},{col},{number},{hits if covered.lines[line] else '-'}"
                for (line, col, number), hits in sorted(covered.arms.items())]
        out += [f"BRF:{len(covered.arms)}", f"BRH:{len(covered.arms) - len(covered.missed_arms)}"]
        out += [f"DA:{line},{hits}" for line, hits in sorted(covered.lines.items())]
        out += [f"LF:{len(covered.lines)}", f"LH:{len(covered.lines) - len(covered.missed)}", "end_of_record"]
    return "\n".join(out) + "\n" if out else ""
