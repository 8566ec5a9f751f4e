"""State the bounds on what is read from the network; the only place where they are written."""
from __future__ import annotations

from typing import Final

MAX_HEAD: Final = 65536          # start line and headers, bytes
MAX_BODY: Final = 1 << 20        # body on a stream, bytes
MAX_HEADERS: Final = 256         # header lines in one message
MAX_URI: Final = 4096            # request-URI, bytes
MAX_DIGITS: Final = 10           # digits of any number in a header: 2**32 has ten
MAX_VALUES: Final = 256          # elements in one comma-separated header over all its lines
MAX_SECONDS: Final = 2**32 - 1   # Expires and the like are 32 bits wide (RFC 3261 section 20.19)
MAX_CSEQ: Final = 2**31          # a CSeq number is smaller than this (RFC 3261 section 8.1.1.5)
