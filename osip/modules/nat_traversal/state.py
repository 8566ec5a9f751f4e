"""Keep the endpoints over a restart, in a file: a line each, `uri socket reason until`."""
from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, unquote

from osip.modules.nat_traversal.endpoint import KINDS, MOST, Key

HEAD = "# endpoints that osip keeps alive: uri socket reason until\n"
Item = tuple[Key, tuple[str, float]]


def write(path: Path, items: Iterable[Item]) -> None:
    """Replace the file in one step; OSError when that cannot be done."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(HEAD)
            for (uri, reason), (socket, until) in items:
                file.write(f"{_word(uri)} {_word(socket)} {_word(reason)} {until:.0f}\n")
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def read(path: Path, now: float) -> tuple[list[Item], int]:
    """Return what still holds, and how many lines are broken; OSError when the file cannot be read."""
    found: list[Item] = []
    broken = 0
    with path.open(encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("#") or not line.strip():
                continue
            words = line.split()
            try:
                uri, socket, reason = map(unquote, words[:3])
                until = float(words[3])
            except (ValueError, IndexError):
                broken += 1
                continue
            if len(words) != 4 or not uri.startswith("sip:") or reason[:1] not in KINDS:
                broken += 1
            elif until > now and len(found) < MOST:
                found.append(((uri, reason), (socket, until)))
    return found, broken


def _word(text: str) -> str:
    return quote(text, safe=":;=@[]+") or "-"
