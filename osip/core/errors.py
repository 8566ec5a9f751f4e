"""Name the ways osip fails: one base class and its five children."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class OsipError(Exception):
    """Be the base of every error that osip raises on purpose."""


class ParseError(OsipError):
    """Say that bytes or text are not SIP; carry the reply code that fits and, where known, the offset.

    `partial` is the message as far as it could be read: enough for an error reply, or None.
    """

    def __init__(self, reason: str, code: int = 400, offset: int = -1, partial: Any = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.offset = offset
        self.partial = partial


class ScriptError(OsipError):
    """Say that a script cannot be run; carry the diagnostics that tell why, and the script to show them in."""

    def __init__(self, reason: str = "script has errors", diagnostics: Sequence[Any] = (), script: Any = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.diagnostics = list(diagnostics)
        self.script = script


class ModuleError(OsipError):
    """Say that a module cannot be found, loaded or started."""


class StoreError(OsipError):
    """Say that a database or cache failed or did not answer in time."""


class StoreLost(StoreError):
    """Say that a database could not be reached or was silent: another one may do."""


class MIError(OsipError):
    """Say that a management command failed: JSON-RPC code, message and optional details."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
