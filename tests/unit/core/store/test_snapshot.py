"""Snapshots: what is written is read, and an old one outlives a failure."""
from __future__ import annotations

from pathlib import Path

import pytest

from osip.core.errors import StoreError
from osip.core.store.snapshot import read, write


def test_there_and_back(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert list(read(path)) == []
    items = [["a", 1, None], "é\n\udcff", {"k": 1.5}]
    assert write(path, iter(items)) == 3 and list(read(path)) == items
    assert path.stat().st_mode & 0o777 == 0o600 and write(path, []) == 0 and list(read(path)) == []


def test_failures(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write(path, ["old"])
    with pytest.raises(TypeError):
        write(path, [object()])
    assert list(read(path)) == ["old"]
    with pytest.raises(StoreError, match="cannot write"):
        write(tmp_path / "none" / "file", [])
    path.write_text('"good"\nbad\n')
    with pytest.raises(StoreError, match="line 2 is no JSON"):
        list(read(path))
    with pytest.raises(StoreError, match="cannot read"):
        list(read(tmp_path))
