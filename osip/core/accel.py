"""Choose between the compiled leaf and its pure-Python twin; the only place where that is decided.

`LEAF` reads and builds messages, `DATAGRAM` moves UDP in batches, `MEMORY` keeps objects in huge pages; each is an
extension module, or None when it was not built or the environment says OSIP_PURE=1. A file that has a compiled twin
asks once, while it is imported: `parse_uri = _parse_uri if LEAF is None else ...`.
"""
from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from osip._compiled import SourceFinder, is_pure, state

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr
else:
    def mypyc_attr(**_: Any) -> Any:
        """Tell mypyc, which alone reads it, how instances of a class are kept.

        With `free_list_len=1` one that was freed is kept for the next one, with `acyclic=True` the collector does not
        look at them: they hold nothing that could hold them for good.
        """
        return lambda cls: cls


def _load(name: str) -> Any:
    if is_pure():
        return None
    try:
        return importlib.import_module(f"osip.core._accel.{name}")
    except ImportError:
        return None


LEAF: Final = _load("leaf")
DATAGRAM: Final = _load("datagram")
MEMORY: Final = _load("memory")


def active() -> str:
    """Return what does the work: "cython" (the leaves), "mypyc" (osip._compiled), "cython+mypyc" or "pure".

    What was built from other sources than those that are there is not used, and that is said too.
    """
    found = ["cython"] if LEAF is not None else []
    if any(finder is SourceFinder for finder in sys.meta_path):
        stale = not is_pure() and state(Path(__file__).parents[1]) == "stale"
        return ("+".join(found) or "pure") + (", mypyc out of date: scripts/build_compiled.py" if stale else "")
    return "+".join([*found, "mypyc"])
