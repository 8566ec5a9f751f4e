"""Hold what one test of a test file works with: the bench, made when the first statement needs it, and the call."""
from __future__ import annotations

from typing import Any

from osip.core.errors import OsipError
from osip.testing.bench import Bench
from osip.testing.call import Call


class Stage:
    """One run of one test."""

    def __init__(self) -> None:
        self._options: dict[str, Any] = {}
        self._bench: Bench | None = None
        self._call: Call | None = None

    def set(self, **options: Any) -> None:
        """Set options of the bench, which must not exist yet."""
        if self._bench is not None:
            raise OsipError("this comes too late: the script is loaded already")
        self._options.update(options)

    def put(self, option: str, name: str, value: str) -> None:
        """Add to an option that is a table."""
        self.set(**{option: {**self._options.get(option, {}), name: value}})

    @property
    def bench(self) -> Bench:
        """The server under test."""
        if self._bench is None:
            if not self._options.get("path"):
                raise OsipError("no script was named: begin with `script FILE`")
            self._bench = Bench(**self._options)
        return self._bench

    @property
    def has_call(self) -> bool:
        """Say whether something was sent already."""
        return self._call is not None

    @property
    def call(self) -> Call:
        """The call of the last `send` or `message`."""
        if self._call is None:
            raise OsipError("nothing was sent yet: `send` or `message` comes first")
        return self._call

    def take(self, call: Call) -> None:
        """Make a call the current one."""
        self._call = call

    def close(self) -> Bench | None:
        """End the run; return the bench when there was one."""
        if self._bench is not None:
            self._bench.close()
        return self._bench
