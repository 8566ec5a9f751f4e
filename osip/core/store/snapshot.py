"""Keep what is in memory in a file: one JSON text a line, replaced at once, so that a crash leaves the old or the new."""
from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from osip.core.errors import StoreError


def write(path: Path, items: Iterable[Any]) -> int:
    """Write items and return their number; StoreError when that fails."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    count = 0
    try:
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            for count, item in enumerate(items, 1):
                out.write(json.dumps(item, separators=(",", ":")) + "\n")
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise StoreError(f"cannot write {path}: {error.strerror}") from None
    return count


def read(path: Path) -> Iterator[Any]:
    """Give the items of a file, none when there is none; StoreError when it is not ours."""
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield json.loads(line)
                except ValueError:
                    raise StoreError(f"{path} line {number} is no JSON: move the file away") from None
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"cannot read {path}: {error}") from None
