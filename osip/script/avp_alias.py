"""Give AVPs the names that `avp_aliases` of 1.x defines: `avp_aliases = "a=i:1;b=s:x"` makes `$avp(a)` `$avp(i:1)`."""
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from osip.core.exports.diagnostic import Diagnostic
from osip.script import nodes

SETTING = "avp_aliases"
_PIECE = re.compile(r"\s*([\w.-]+)\s*=\s*((?:[is]:)?[\w.-]+)\s*")
_MENTION = re.compile(r"(\$(?:\((?:<\w+>)?)?avp\()([\w.-]+)(?=\))")


def translate(script: nodes.Script) -> tuple[nodes.Script, list[Diagnostic]]:
    """Return the script with each alias replaced by what it stands for, and what is no alias."""
    names: dict[str, str] = {}
    faults: list[Diagnostic] = []
    for item in script.items:
        if not isinstance(item, nodes.Setting) or item.name != SETTING or not isinstance(item.value, nodes.Str):
            continue
        for piece in filter(str.strip, item.value.value.split(";")):
            found = _PIECE.fullmatch(piece)
            if found is not None:
                names[found[1]] = found[2]
            else:
                faults.append(Diagnostic("E503", f'"{piece.strip()}" is no alias of an AVP', item.value.span,
                                         hint='write "name=i:1;other=s:x"'))
    if not names:
        return script, faults
    return replace(script, items=tuple(_renamed(item, names) for item in script.items)), faults


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    if isinstance(node, tuple):
        return tuple(_renamed(part, names) for part in node)
    if isinstance(node, nodes.Str):
        return replace(node, value=_text(node.value, names), raw=_text(node.raw, names))
    if not isinstance(node, nodes.Node):
        return node
    changes = {one.name: _renamed(getattr(node, one.name), names) for one in fields(node) if one.name != "span"}
    if isinstance(node, nodes.VarRef) and node.name == "avp" and node.key in names:
        changes["key"] = names[node.key]
    return replace(node, **changes)


def _text(text: str, names: Mapping[str, str]) -> str:
    """Rename the AVPs that a text mentions: most texts are formats, or name variables."""
    if "avp(" not in text:
        return text
    return _MENTION.sub(lambda found: found[1] + names.get(found[2], found[2]), text)
