"""Read what a server has used: CPU time and memory of its whole process tree (Linux /proc)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """Hold one reading: CPU seconds in user and in system mode, and resident bytes with shared pages split."""

    user: float
    system: float
    resident: int

    @property
    def cpu(self) -> float:
        """Give user and system seconds together."""
        return self.user + self.system


def _stat(pid: int) -> list[str] | None:
    """Read /proc/PID/stat from its third field on (the second may hold blanks); None when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 2:].split()


def tree(root: int) -> list[int]:
    """List a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := _stat(int(entry))) is not None:
            children.setdefault(int(stat[1]), []).append(int(entry))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def _resident(pid: int) -> int:
    """Give the proportional set size: pages that several processes share are counted once over the tree."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        pass
    return 0


def read_usage(root: int) -> Usage:
    """Read the usage of a process tree; children that have ended count through the root that reaped them."""
    user = system = resident = 0
    for pid in tree(root):
        stat = _stat(pid)
        if stat is None:
            continue
        reaped = pid == root
        user += int(stat[11]) + (int(stat[13]) if reaped else 0)
        system += int(stat[12]) + (int(stat[14]) if reaped else 0)
        resident += _resident(pid)
    return Usage(user / TICK, system / TICK, resident)
