"""The choice between the compiled leaves and pure Python, made when a process starts."""
from __future__ import annotations

import os
import subprocess
import sys

import pytest

from osip.core import accel

SHOW = "from osip.core import accel; from osip.core.sip import message; " \
       "print(accel.active(), accel.LEAF is None, accel.DATAGRAM is None, message.READER is None)"


def shown(**changes: str) -> list[str]:
    environment = {name: value for name, value in os.environ.items() if name != "OSIP_PURE"} | changes
    return subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, check=True,
                          env=environment).stdout.split()


@pytest.mark.parametrize("value", ["1", "yes"])
def test_pure_is_chosen_by_the_environment(value: str) -> None:
    assert shown(OSIP_PURE=value) == ["pure", "True", "True", "True"]


@pytest.mark.parametrize("value", ["", "0"])
def test_otherwise_it_is_what_was_built(value: str) -> None:
    if accel.active() == "pure":
        pytest.skip("the accelerator was not built, or OSIP_PURE=1")
    assert shown(OSIP_PURE=value) == shown() == [accel.active(), "False", "False", "False"]
    assert accel.active().startswith("cython")


HUGE = """
import gc
from osip.core._accel import memory
early = [str(number) for number in range(100_000)]
memory.use_huge_pages()
memory.use_huge_pages()
assert memory.held() == 0
late = [str(number) for number in range(1_000_000)]
assert memory.held() > 15, memory.held()
kept = late[::100_000]
assert len(set(map(id, late))) == len(late) and late[123_456] == "123456" and early[99_999] == "99999"
del early, late
gc.collect()
assert memory.held() < 14, memory.held()
assert kept == [str(number) for number in range(0, 1_000_000, 100_000)]
again = [str(number) for number in range(1_000_000)]
assert sum(map(len, again)) == 5_888_890
"""

SLOW = """
from osip.core._accel import memory
memory.use_huge_pages(%d)
late = [str(number) for number in range(%d)]
assert late[123_456] == "123456"
print(memory.held(), memory.ordinary())
"""


@pytest.mark.skipif(accel.MEMORY is None, reason="the accelerator was not built, or OSIP_PURE=1")
def test_objects_live_in_huge_pages_which_go_back() -> None:
    subprocess.run([sys.executable, "-c", HUGE], check=True)


@pytest.mark.skipif(accel.MEMORY is None, reason="the accelerator was not built, or OSIP_PURE=1")
def test_ordinary_pages_are_taken_where_huge_ones_come_slowly() -> None:
    def blocks(slow: int, objects: int) -> tuple[int, int]:
        done = subprocess.run([sys.executable, "-c", SLOW % (slow, objects)], check=True, capture_output=True, text=True)
        held, ordinary = map(int, done.stdout.split())
        return held, ordinary

    held, ordinary = blocks(0, 1_000_000)               # each of them is called slow, and three are asked for
    assert held - ordinary <= 3 and ordinary > 10
    held, ordinary = blocks(0, 4_000_000)               # another chance, which costs the block a huge page
    assert held > 100 and held - ordinary <= 3
    assert blocks(10 ** 9, 1_000_000)[1] == 0           # no page takes longer than 17 minutes


def test_the_version_says_which_is_active() -> None:
    from osip.cli.main import version_text

    assert f"accelerator: {accel.active()})" in version_text()
