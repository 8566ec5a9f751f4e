#!/usr/bin/env python3
"""Build the compiled leaves and modules of this checkout in place, and say what is active then; needs a C compiler.

scripts/venv does this by itself when a leaf changed, but not when a compiled module did (osip/_compiled.py names them):
until this script is run again osip uses their source. With --remove the checkout runs in pure Python again (so does
OSIP_PURE=1 in the environment, for one run).
"""
from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "osip"


def remove() -> None:
    """Delete what a build leaves behind."""
    for pattern in ("**/*.so", "core/_accel/*.c", "_compiled.sum"):
        for path in PACKAGE.glob(pattern):
            path.unlink()


def main() -> int:
    """Build or remove; 0 when what was asked for is so afterwards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--remove", action="store_true", help="go back to pure Python")
    wished = parser.parse_args()
    python = ROOT / ".venv" / "bin" / "python"
    program = str(python if python.exists() else sys.executable)
    remove()
    if not wished.remove:
        subprocess.run([program, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "-e", str(ROOT)],
                       check=True)
    told = subprocess.run([program, "-c", "from osip.core.accel import active; print(active())"], cwd=ROOT, check=True,
                          capture_output=True, text=True).stdout.strip()
    print(f"accelerator: {told}")
    if wished.remove:
        return int(told != "pure")
    if told != "cython+mypyc":
        print("not all was built: python -m pip install -v --no-deps -e . says why", file=sys.stderr)
    return int(told != "cython+mypyc")


if __name__ == "__main__":
    sys.exit(main())
