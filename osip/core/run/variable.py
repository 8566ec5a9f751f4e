"""Read the names of AVPs that parameters of modules give, such as `$avp(received_nh)`.

Any other variable in a parameter is read through the program: `env.program.variable(text)` and `expand`.
"""
from __future__ import annotations

import re

_AVP = re.compile(r"\$\(?avp\(([^()]+)\)\)?")


def avp_name(text: str) -> str:
    """Return the name of the AVP that a parameter gives as `$avp(name)`; ValueError when it gives none."""
    found = _AVP.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'"{text}" is not an AVP: write "$avp(name)"')
    name = found[1].strip()
    return name[2:] if name[:2] in ("i:", "s:") else name


def avp_or_none(text: str) -> str:
    """Return the name of the AVP that a parameter gives; empty when it is switched off."""
    return avp_name(text) if text.strip() else ""
