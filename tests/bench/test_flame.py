"""Check flame graphs: stacks are read and added up, the picture is valid, and its widths are the shares."""

from __future__ import annotations

import sys
from collections import Counter
from xml.etree import ElementTree

import pytest
from kit.server import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "scripts"))

from bench.flame import as_svg, grow, read_stacks, self_shares, trim  # noqa: E402  (found through the line above)
from bench.profile import read_perf  # noqa: E402

LINES = ["main;loop;receive;parse 30\n", "main;loop;receive 10\n", "main;loop;send 60\n"]
SVG = "{http://www.w3.org/2000/svg}"


def boxes(svg: str) -> dict[str, tuple[float, int]]:
    """Return name -> (width, depth) of a picture."""
    root = ElementTree.fromstring(svg)
    return {box.attrib["data-name"]: (float(box.attrib["data-w"]), int(box.attrib["data-d"]))
            for box in root.iter(f"{SVG}g")}


def test_stacks_are_read_and_added() -> None:
    stacks = read_stacks([*LINES, LINES[0], "broken\n", "no count x\n"])
    assert stacks == Counter({("main", "loop", "receive", "parse"): 60, ("main", "loop", "receive"): 10,
                              ("main", "loop", "send"): 60})
    root = grow(stacks)
    assert root.total == 130
    assert root.below["main"].below["loop"].below["receive"].total == 70


def test_what_all_have_in_common_is_cut() -> None:
    assert trim(grow(read_stacks(LINES))).name == "loop"


def test_shares_are_of_the_innermost() -> None:
    assert self_shares(read_stacks(LINES)) == [("send", 0.6), ("parse", 0.3), ("receive", 0.1)]


def test_widths_are_shares_and_depth_is_the_caller() -> None:
    drawn = boxes(as_svg(read_stacks(LINES), "a title & more"))
    assert drawn == {"loop": (1200.0, 0), "receive": (480.0, 1), "parse": (360.0, 2), "send": (720.0, 1)}


@pytest.mark.parametrize("name", ["<lambda> (a.py)", 'a"b', "a&b", "operator< (std::x)", "]]>"])
def test_any_name_can_be_drawn(name: str) -> None:
    assert name in boxes(as_svg(Counter({("main", name): 1, ("main", "x"): 1}), name))


def test_the_narrowest_are_left_out() -> None:
    drawn = boxes(as_svg(Counter({("m", "much"): 100_000, ("m", "little"): 1}), "t"))
    assert set(drawn) == {"m", "much"}


PERF = """osip 1234 12.5:     100 cpu-clock:
\t    55d0c0 _PyEval_EvalFrameDefault+0x1a2 (/usr/lib/libpython3.11.so.1.0)
\t    55d0c1 PyObject_Call (/usr/lib/libpython3.11.so.1.0)
\tffffffff81 [unknown] ([kernel.kallsyms])

osip 1234 12.6:     100 cpu-clock:
\t    7f00 sendmmsg+0x5 (/lib/libc.so.6)

"""


def test_perf_is_read_from_the_innermost() -> None:
    assert read_perf(PERF) == Counter({
        ("[unknown] ([kernel.kallsyms])", "PyObject_Call (libpython3.11.so.1.0)",
         "_PyEval_EvalFrameDefault (libpython3.11.so.1.0)"): 1,
        ("sendmmsg (libc.so.6)",): 1})
    assert read_perf("") == Counter()
