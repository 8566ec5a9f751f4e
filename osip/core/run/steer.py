"""Name the worker that owns a message: a hash of its Call-ID, so that a whole call meets in one process."""
from __future__ import annotations

from zlib import crc32

from osip.core.sip.message import peek_call_id


def owner(raw: bytes, workers: int) -> int:
    """Return the number of the owning worker; 0 when there is one worker or no Call-ID to be found."""
    if workers == 1:
        return 0
    call_id = peek_call_id(raw)
    return crc32(call_id) % workers if call_id else 0
