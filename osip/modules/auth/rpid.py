"""Read the saved Remote-Party-ID of a user: a URI, or a name and a URI in angle brackets."""
from __future__ import annotations

import re

from osip.api import ParseError, parse_name_addr

_E164 = re.compile(r"\+\d{2,15}")


def is_e164(text: str) -> bool:
    """Say whether the user of a saved rpid is `+` and 2 to 15 digits."""
    try:
        uri = parse_name_addr(text if "<" in text else f"<{text}>").uri
        return _E164.fullmatch(uri.user) is not None
    except ParseError:
        return _E164.fullmatch(text.strip()) is not None
