"""What callgrind prints: totals, functions; the table and its ratios."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest
from kit.server import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "scripts"))

from bench import callgrind  # noqa: E402  (found through the line above)
from bench.callgrind import as_instructions_table, count_instructions, read_functions, total_of  # noqa: E402
from bench.server import BenchError  # noqa: E402
from bench.workload import WORKLOADS  # noqa: E402

SHOWN = """\
Ir
--------------------------------------------------------------------------------
51,789,000 (100.0%)  PROGRAM TOTALS

6,013,000 (11.61%)  Python/ceval.c:_PyEval_EvalFrameDefault'2 [/usr/lib/libpython3.11.so.1.0]
1,270,400 ( 2.45%)  ???:0x0000000000240ce0 [/usr/lib/x86_64-linux-gnu/libcrypto.so.3]
    9,000 ( 0.02%)  /usr/include/scan.h:parse [/x/leaf.so]
    3,000 ( 0.01%)  leaf.c:parse [/x/leaf.so]
    2,000 ( 0.01%)  ./string/memmove.S:memcpy
"""


def test_functions_of_an_operation() -> None:
    assert read_functions(SHOWN, 1000) == {
        "_PyEval_EvalFrameDefault'2 (libpython3.11.so.1.0)": 6013, "0x0000000000240ce0 (libcrypto.so.3)": 1270,
        "parse (leaf.so)": 12, "memcpy": 2}


@pytest.mark.parametrize(("text", "total"), [("summary: 12\nfn=1\ntotals: 34\n", 34), ("totals: 0\n", 0), ("", 0)])
def test_total_of_a_dump(text: str, total: int) -> None:
    assert total_of(text) == total


def test_table() -> None:
    rows = [{"workload": "call", "server": "osip", "instructions": 500, "per_message": 38, "operations": 9, "lost": 0,
             "functions": {"f (lib)": 12}},
            {"workload": "call", "server": "kamailio", "instructions": 1000, "per_message": 76, "operations": 9,
             "lost": 0}]
    lines = as_instructions_table(rows).splitlines()
    assert lines[2].endswith("| 0.50 |") and lines[3].endswith("| 0 |  |") and lines[4] == "       12  f (lib)"


def test_without_valgrind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callgrind.shutil, "which", lambda name: None)
    with pytest.raises(BenchError, match="apt-get install valgrind"):
        count_instructions(WORKLOADS["options"], "osip", tmp_path, {0}, None)   # type: ignore[arg-type]
