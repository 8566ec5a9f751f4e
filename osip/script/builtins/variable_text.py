"""Read the lists of variables that some functions take as text, such as `"$avp(a);name=$var(b)"`."""
from __future__ import annotations

import re

from osip.api import Ctx, Value, Var

_ITEM = re.compile(r"\s*(?:([^=;$\s]+)\s*=\s*)?\$\(?(var|avp)\(([^()]+)\)\)?\s*(?:;|$)")
_AVP = re.compile(r"\$?\(?avp\(([^()]+)\)")

Item = tuple[str, str, str]
"""Given name or "", kind of variable (var, avp), its name."""


def avp_key(text: str) -> str:
    """Return an AVP's name without its old prefix (`i:`, `s:`)."""
    return text[2:] if text[:2] in ("i:", "s:") else text


def parse_variables(text: str) -> list[Item]:
    """Take a list of variables apart; ValueError when it is none."""
    items, pos = [], 0
    text = text.strip().rstrip(";")
    while pos < len(text):
        found = _ITEM.match(text, pos)
        if found is None:
            raise ValueError(f'"{text}" is not a list of $var() and $avp() separated by ";"')
        name, kind, key = found.groups()
        items.append((name or "", kind, avp_key(key) if kind == "avp" else key))
        pos = found.end()
    return items


def assign(ctx: Ctx, kind: str, name: str, value: Value) -> None:
    """Give a variable of such a list its value; NULL leaves an AVP alone."""
    if kind == "var":
        ctx.env.vars[name] = value
    elif value is not None:
        ctx.avp(name).append(value)


def avp_values(ctx: Ctx, var: Var) -> list[str | int]:
    """Return all values of an AVP given by reference, the newest first; the one value of any other variable."""
    found = _AVP.match(var.name)
    if found is not None:
        values = ctx.avps.get(avp_key(found.group(1))) if ctx.avps else None
        return list(reversed(values)) if values else []
    value = var.get(ctx)
    return [] if value is None else [value]
