"""Give each process of a server a part of a core, so that two cores have room for several workers and the generator.

How many calls two workers make, each on a core of its own, cannot be seen where the generator needs one of two cores.
With a third of a core for each process there are six such cores.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.server import BenchError

PERIOD_US = 5000
"""Short, so that what arrives while a process has to rest finds room at its socket; the system takes 1000 and more."""
ROOT = Path("/sys/fs/cgroup/cpu" if Path("/sys/fs/cgroup/cpu").is_dir() else "/sys/fs/cgroup")


@contextmanager
def quota(pids: Sequence[int], percent: float) -> Iterator[None]:
    """Limit each process to a part of a core, one core after the other; the processes must have ended at the exit."""
    cores = sorted(range(os.cpu_count() or 1))
    groups: list[Path] = []
    try:
        for number, pid in enumerate(pids):
            groups.append(ROOT / f"osip-bench-{pid}")
            groups[-1].mkdir()
            _limit(groups[-1], int(PERIOD_US * percent / 100))
            (groups[-1] / "cgroup.procs").write_text(str(pid))
            os.sched_setaffinity(pid, {cores[number % len(cores)]})
        yield
    except OSError as error:
        raise BenchError(f"--quota needs root and control groups that can be written: {error}") from error
    finally:
        for group in groups:
            if group.exists():
                group.rmdir()


def _limit(group: Path, share_us: int) -> None:
    if ROOT.name == "cpu":                  # control groups of the first version: a tree for each resource
        (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (group / "cpu.cfs_quota_us").write_text(str(share_us))
    else:
        (group / "cpu.max").write_text(f"{share_us} {PERIOD_US}")
