"""Serve tests that change modules or derive from their classes, which is not possible with compiled ones."""
from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import osip.api
from osip.modules.tm import machine

IS_COMPILED = not str(machine.__file__).endswith(".py")
needs_source = pytest.mark.skipif(IS_COMPILED, reason="what is compiled cannot be changed: runs with OSIP_PURE=1")
ROOT = Path(__file__).resolve().parents[2]


def source_of(name: str, **given: Any) -> ModuleType:
    """Return a second copy of module `name`, made from its source; `given` stands in osip.api for it."""
    path = ROOT.joinpath(*name.split(".")).with_suffix(".py")
    spec = spec_from_file_location(f"source_of.{name}", path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        for word, value in given.items():
            patch.setattr(osip.api, word, value)
        spec.loader.exec_module(module)
    return module
