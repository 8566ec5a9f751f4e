"""Write events into files, a line each: `flatstore:/path`."""
from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from typing import Any

from osip.api import Ctx, Env, MIError, Module, Scope, event, mi, param

Deliver = Callable[[str, dict[str, Any]], None]
_SIZE = re.compile(r"(\d+)\s*([KMG]?)i?B?", re.IGNORECASE)


def _amount(value: Any) -> int:
    """Read a number with an ending K, M or G; OFF is 0."""
    text = str(value).strip()
    if text.upper() == "OFF":
        return 0
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f'"{text}" is no amount: write 5000, "10K", "1M" or "OFF"')
    return int(found[1]) * 1024 ** " KMG".index(found[2].upper() or " ")


class File:
    """One open file."""
    __slots__ = ("base", "lines", "number", "opened", "path", "size")

    def __init__(self, base: str) -> None:
        self.base, self.path, self.number = base, "", -1
        self.opened = 0.0
        self.lines = self.size = 0


class EventFlatstore(Module):
    """Events in files."""

    sync_mode = param(0, kind=(int, str), removed="telling an event never holds a message up")
    max_open_sockets = param(100, ge=1, doc="Most files at the same time.")
    delimiter = param(",", live=True, doc="What stands between values.")
    escape_delimiter = param("", live=True, doc="What a delimiter inside a value becomes; empty: it stays.")
    file_permissions = param("644", parse=lambda text: int(text, 8), doc="Permissions of new files, octal.")
    suppress_event_name = param(0, ge=0, le=1, live=True, doc="1: lines begin with the first value.")
    rotate_period = param(0, ge=0, live=True, doc="Seconds after which a file is changed, by the clock; 0 never.")
    rotate_count = param(0, kind=(int, str), parse=_amount, doc="Lines after which a file is changed; 0 or OFF never.")
    rotate_size = param(0, kind=(int, str), parse=_amount, doc="Bytes after which a file is changed; 0 or OFF never.")
    suffix = param("", doc="Added to names of files, with variables such as `$time(%Y%m%d)`.")
    rotated = event("E_FLATSTORE_ROTATION", "A file was changed.", timestamp=int, reason=str, filename=str, old_filename=str)

    def mod_init(self) -> None:
        """Take the kind of address."""
        if isinstance(self.file_permissions, str):
            self.file_permissions = int(self.file_permissions, 8)
        self._files: dict[str, File] = {}
        self.env.events.transports["flatstore"] = self._connect

    async def child_init(self, env: Env) -> None:
        """Open nothing before it is used."""
        self._files = {}

    async def destroy(self) -> None:
        """Close the files."""
        for one in self._files.values():
            self._close(one)

    def _connect(self, address: str) -> Deliver:
        path = address.partition(":")[2]
        if not path.startswith("/"):
            raise ValueError(f'"{address}" is no file: write flatstore:/path')
        if path not in self._files and len(self._files) >= self.max_open_sockets:
            raise ValueError(f"there are max_open_sockets={self.max_open_sockets} files already")
        one = self._files.setdefault(path, File(path))
        self._open(one)                             # a folder that is not there is told to who subscribes
        return lambda name, params: self._write(one, name, params)

    def _open(self, one: File) -> None:
        suffix = self.suffix
        if "$" in suffix and self.env.program is not None:
            suffix = self.env.program.expand(Ctx(self.env, *self.env.make_dummy()), suffix)
        path = one.base + suffix
        if one.number >= 0 and path == one.path and os.path.exists(path):
            return
        try:
            number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, self.file_permissions)
        except OSError as error:
            raise ValueError(f"cannot write {path}: {error.strerror}") from None
        self._close(one)
        one.path, one.number, one.opened = path, number, self.env.wall()
        one.lines, one.size = 0, os.fstat(number).st_size

    @staticmethod
    def _close(one: File) -> None:
        if one.number >= 0:
            os.close(one.number)
            one.number = -1

    def _write(self, one: File, name: str, params: dict[str, Any]) -> None:
        reason = self._due(one)
        if reason:
            self._rotate(one, reason)
        values = [] if self.suppress_event_name else [name]
        values += ["" if value is None else str(value) for value in params.values()]
        if self.escape_delimiter:
            values = [value.replace(self.delimiter, self.escape_delimiter) for value in values]
        line = self.delimiter.join(value.replace("\n", " ").replace("\r", " ") for value in values) + "\n"
        data = line.encode("utf-8", "surrogateescape")
        if one.number < 0:
            self._open(one)
        os.write(one.number, data)                  # one write: the lines of several workers do not mix
        one.lines += 1
        one.size += len(data)

    def _due(self, one: File) -> str:
        period = self.rotate_period
        if period and int(one.opened // period) != int(self.env.wall() // period):
            return "period"
        if self.rotate_count and one.lines >= self.rotate_count:
            return "count"
        return "size" if self.rotate_size and one.size >= self.rotate_size else ""

    def _rotate(self, one: File, reason: str) -> None:
        old = one.path
        if old == one.base + self.suffix and reason != "mi" and _is_open(one):
            # Without variables in the suffix the new file would be the old one; another worker may have moved it.
            os.rename(old, f"{old}.{time.strftime('%Y%m%d%H%M%S', time.localtime(self.env.wall()))}")
        self._close(one)
        self._open(one)
        self.rotated(timestamp=int(self.env.wall()), reason=reason, filename=one.path, old_filename=old)

    @mi("rotate", aliases=("evi_flat_rotate",), scope=Scope.EACH)
    def mi_rotate(self, path_to_file: str) -> None:
        """Close a file and open it again, after it was moved away."""
        one = self._files.get(path_to_file)
        if one is None:
            raise MIError(404, "No such file", ", ".join(self._files))
        try:
            self._rotate(one, "mi")
        except ValueError as error:
            raise MIError(500, "Cannot open the file", str(error)) from None


def _is_open(one: File) -> bool:
    """Say whether the path still leads to the file that is open."""
    try:
        return one.number >= 0 and os.stat(one.path).st_ino == os.fstat(one.number).st_ino
    except OSError:
        return False
