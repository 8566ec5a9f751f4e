"""Watch a server while a load runs, and draw where its time goes.

`Sampled` asks osip itself (bench/sampled.py): Python functions, script routes. `Perf` asks Linux's perf: the
interpreter, compiled leaves and the kernel, of any server.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

from bench.flame import Stacks, as_svg, read_stacks, self_shares
from bench.sampled import TOGGLE
from bench.server import HERE, BenchError, python

PATIENCE = 10.0
TOP = 25
FRAME = re.compile(r"^\s+[0-9a-f]+ (.+?)(?:\+0x[0-9a-f]+)? \((.+)\)$")


class Inside:
    """What osip tells of itself while bench/sampled.py runs it."""
    what: str

    def __init__(self, folder: Path) -> None:
        self._path = folder / "found"

    def command(self, usual: list[str]) -> list[str]:
        """Start osip through the program that watches it from inside."""
        return [python(), "-P", str(HERE / "sampled.py"), self.what, str(self._path), *usual[usual.index("osip") + 1:]]

    def begin(self, pids: list[int]) -> None:
        """Start in each process."""
        for pid in pids:
            os.kill(pid, TOGGLE)

    def end(self, pids: list[int]) -> None:
        """End it, and read what each process wrote."""
        self.begin(pids)
        deadline = time.monotonic() + PATIENCE
        for pid in pids:
            path = Path(f"{self._path}.{pid}")
            while not path.exists():
                if time.monotonic() > deadline:
                    raise BenchError(f"process {pid} of the server wrote no samples")
                time.sleep(0.01)        # the process writes when it next runs; bounded by the deadline
            self.read(path.read_text().splitlines())
            path.unlink()

    def read(self, lines: list[str]) -> None:
        """Take in what one process wrote."""
        raise NotImplementedError


class Sampled(Inside):
    """Stacks of osip's Python functions."""
    what = "stacks"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.stacks: Stacks = Counter()

    def read(self, lines: list[str]) -> None:
        """Take in what one process wrote."""
        self.stacks.update(read_stacks(lines))


class Turns(Inside):
    """Lengths of osip's turns, of the last load alone."""
    what = "turns"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.lengths: list[tuple[int, int]] = []        # microseconds of CPU, turns

    def read(self, lines: list[str]) -> None:
        """Take in what one process wrote."""
        self.lengths = sorted((int(length), int(count)) for length, count in map(str.split, lines))

    def quantile(self, share: float) -> int:
        """Return the microseconds that this share of the turns does not exceed."""
        wanted = share * sum(count for _, count in self.lengths)
        for length, count in self.lengths:
            wanted -= count
            if wanted <= 0:
                return length
        return 0


class Perf:
    """Stacks of machine code, of all the server's processes and the kernel."""

    def __init__(self, folder: Path) -> None:
        if not shutil.which("perf"):
            raise BenchError("perf is not installed: run scripts/install_peers")
        self._path = folder / "perf.bin"
        self._child: subprocess.Popen[bytes] | None = None
        self.stacks: Stacks = Counter()

    def command(self, usual: list[str]) -> list[str]:
        """Change nothing."""
        return usual

    def begin(self, pids: list[int]) -> None:
        """Attach perf."""
        self._child = subprocess.Popen(
            ["perf", "record", "-q", "-F", "499", "-g", "-o", str(self._path), "-p", ",".join(map(str, pids))],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        deadline = time.monotonic() + PATIENCE
        while not self._path.exists() or not self._path.stat().st_size:     # it writes a header when it is attached
            if self._child.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"perf cannot attach: {self._words()}")
            time.sleep(0.01)

    def _words(self) -> str:
        assert self._child is not None and self._child.stderr is not None
        if self._child.poll() is None:
            self._child.kill()
        return self._child.stderr.read().decode(errors="replace").strip()

    def end(self, pids: list[int]) -> None:
        """Detach it and read its stacks."""
        assert self._child is not None
        self._child.send_signal(signal.SIGINT)
        _, said = self._child.communicate(timeout=60)
        if not self._path.exists() or not self._path.stat().st_size:
            raise BenchError(f"perf recorded nothing: {said.decode(errors='replace').strip()}")
        done = subprocess.run(["perf", "script", "-i", str(self._path)], capture_output=True, text=True,
                              errors="replace", timeout=300, check=False)
        self.stacks.update(read_perf(done.stdout))


def read_perf(text: str) -> Stacks:
    """Read what `perf script` prints: a head line for each sample, its frames from the innermost, an empty line."""
    stacks: Stacks = Counter()
    for sample in text.split("\n\n"):
        frames = [found for found in map(FRAME.match, sample.splitlines()) if found]
        names = [f"{frame[1]} ({Path(frame[2]).name})".replace(";", ",") for frame in frames]
        if names:
            stacks[tuple(reversed(names))] += 1
    return stacks


def write_profile(stacks: Stacks, title: str, path: Path) -> str:
    """Write the flame graph and return the functions that cost most by themselves, as text."""
    if not stacks:
        raise BenchError("the profile has no sample: give the load more --seconds")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_svg(stacks, f"{title}: {sum(stacks.values())} samples"))
    return "\n".join(f"{share:6.1%}  {name}" for name, share in self_shares(stacks)[:TOP])
