"""Run many storms (tests/kit/storm.py): random interleavings of one request, each from its seed.

    python scripts/flow_fuzz.py --count 100000 [--start 0] [--every 1000]

Prints the seeds that break an invariant, and now and then how far it is; counts what the garbage collector would have
to find. A seed is looked at alone with `--start SEED --count 1`. Exit code 1 when anything was found.
"""
from __future__ import annotations

import argparse
import gc
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from kit.storm import storm

KINDS = ("Transaction", "Branch", "Cancel", "Ctx", "Request", "Response")


def alive() -> dict[str, int]:
    """Count the objects that only cycles keep alive, the collector being off."""
    counts: dict[str, int] = {}
    for thing in gc.get_objects():
        name = type(thing).__name__
        if name in KINDS:
            counts[name] = counts.get(name, 0) + 1
    return counts


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--every", type=int, default=1000, help="report and look for leaks after so many")
    args = parser.parse_args()
    bad = 0
    started = time.process_time()
    gc.collect()
    gc.disable()
    for seed in range(args.start, args.start + args.count):
        faults = storm(seed)
        if faults:
            bad += 1
            print(f"seed {seed}: {'; '.join(faults)}", flush=True)
        done = seed + 1 - args.start
        if done % args.every == 0 or done == args.count:
            left = {name: count for name, count in alive().items() if name in KINDS[:3]}
            if left:
                bad += 1
                print(f"after seed {seed}: kept alive by cycles: {left}", flush=True)
            gc.collect()
            print(f"{done} done, {bad} bad, {time.process_time() - started:.0f} s of CPU", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
