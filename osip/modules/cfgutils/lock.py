"""Give scripts locks that hold in all workers: a waiting script lets its worker serve others."""
from __future__ import annotations

import asyncio
import fcntl
import tempfile

_RETRY = 0.002      # seconds between attempts at a lock that another worker holds


class Locks:
    """Numbered locks. Made before the workers fork: the file behind it is what they share."""

    def __init__(self) -> None:
        # POSIX locks belong to a process, so the inherited descriptor of a file without a name will do.
        self._file = tempfile.TemporaryFile()           # noqa: SIM115  # open until `close`
        self._here: dict[int, asyncio.Lock] = {}

    async def acquire(self, number: int, timeout: float) -> bool:
        """Wait for a lock, `timeout` seconds at most; False when it was not to be had."""
        lock = self._here.setdefault(number, asyncio.Lock())
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        try:
            await asyncio.wait_for(lock.acquire(), timeout)
        except TimeoutError:
            return False
        while True:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
                return True
            except BlockingIOError:
                if loop.time() >= deadline:
                    lock.release()
                    return False
            await asyncio.sleep(_RETRY)

    def release(self, number: int) -> bool:
        """Give a lock back; False when nobody here holds it."""
        lock = self._here.get(number)
        if lock is None or not lock.locked():
            return False
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, number)
        lock.release()
        return True

    def close(self) -> None:
        """Close the file."""
        self._file.close()
