"""Parse the CSeq header (RFC 3261 section 20.16)."""
from __future__ import annotations

from osip.core.errors import ParseError
from osip.core.sip.bounds import MAX_DIGITS
from osip.core.sip.names import METHOD_IDS
from osip.core.sip.params import is_token


def parse_cseq(text: str) -> tuple[int, str]:
    """Return number and method; whether the number is in range is for `check` to say."""
    number, _, method = text.partition(" ")
    if method not in METHOD_IDS:
        parts = text.split()
        if len(parts) != 2 or not is_token(parts[1]):
            raise ParseError("bad CSeq header")
        number, method = parts
    if not (number.isascii() and number.isdigit()) or len(number) > MAX_DIGITS:
        raise ParseError("bad CSeq header")
    return int(number), method
