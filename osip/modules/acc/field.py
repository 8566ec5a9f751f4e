"""Read the texts that name fields of records, and comments."""
from __future__ import annotations

import re

from osip.api import Ctx, Env

MAX_LEGS = 32
"""Legs of one record that AVPs may give (multi_leg_info)."""
_VARIABLE = re.compile(r"\$(avp\([^)]*\))")


def comment_of(comment: str) -> tuple[str, str]:
    """Split "404 Not here" into code and reason; words alone are the reason."""
    code, _, reason = comment.strip().partition(" ")
    return (code, reason) if code.isdigit() else ("", comment)


def pairs(texts: list[str], kind: str) -> list[tuple[str, str]]:
    """Read `"log: tag->name; tag2"` for one kind of record."""
    out = []
    for text in texts:
        head, _, rest = text.partition(":")
        if head.strip() == kind:
            for item in filter(None, (part.strip() for part in rest.split(";"))):
                tag, _, name = item.partition("->")
                out.append((tag.strip(), name.strip() or tag.strip()))
    return out


def old_pairs(text: str) -> list[tuple[str, str]]:
    """Read `"name=$var;..."` of 1.x."""
    return [(name.strip(), value.strip()) for name, _, value in (part.partition("=") for part in text.split(";"))
            if name.strip()]


def expanded(env: Env, ctx: Ctx, wanted: list[tuple[str, str]]) -> dict[str, str]:
    """Return the present values of 1.x fields."""
    if not wanted or env.program is None:
        return {}
    out = {}
    for name, text in wanted:
        value = env.program.expand(ctx, text)
        out[name] = "" if value == "<null>" else value
    return out


def legs_of(env: Env, ctx: Ctx, wanted: list[tuple[str, str]]) -> list[dict[str, str]]:
    """Return the legs that AVPs give (`multi_leg_info`): the first values of all of them, the second..."""
    out: list[dict[str, str]] = []
    if not wanted or env.program is None:
        return out
    for number in range(MAX_LEGS):
        values = {name: env.program.expand(ctx, _VARIABLE.sub(rf"$(\1[{number}])", text)) for name, text in wanted}
        if all(value == "<null>" for value in values.values()):
            break
        out.append({name: "" if value == "<null>" else value for name, value in values.items()})
        if not any(_VARIABLE.search(text) for _, text in wanted):
            break                               # what is no AVP has one value only
    return out
