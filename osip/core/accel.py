"""Choose between the compiled leaf and its pure-Python twin; the only place where that is decided.

`LEAF` reads and builds messages, `DATAGRAM` moves UDP in batches; each is an extension module, or None when it was not
built or the environment says OSIP_PURE=1. A file that has a compiled twin asks once, while it is imported:
`parse_uri = _parse_uri if LEAF is None else ...`.
"""
from __future__ import annotations

import importlib
import os
from typing import Any, Final


def _load(name: str) -> Any:
    if os.environ.get("OSIP_PURE", "") not in ("", "0"):
        return None
    try:
        return importlib.import_module(f"osip.core._accel.{name}")
    except ImportError:
        return None


LEAF: Final = _load("leaf")
DATAGRAM: Final = _load("datagram")


def active() -> str:
    """Return what does the work: "cython" or "pure"."""
    return "pure" if LEAF is None else "cython"
