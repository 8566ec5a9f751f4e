"""The diagrams of docs/transactions.md are those of the tables."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_diagrams_are_in_step() -> None:
    run = subprocess.run([sys.executable, ROOT / "scripts" / "gen_machines.py", "--check"], capture_output=True,
                         text=True)
    assert run.returncode == 0, run.stdout + run.stderr
