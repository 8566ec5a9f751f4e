"""Fill environment variables and files into parameter values: `${X}`, `${X:-default}`, `file:/path`.

Only values of `modparam` and of global parameters are filled; what is secret among them is kept out of the logs.
"""
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from osip.core.exports.diagnostic import Diagnostic
from osip.script import nodes

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_SECRET_NAME = re.compile(r"PASS|PW|SECRET|KEY|TOKEN|CRED", re.IGNORECASE)
MAX_FILE = 65536
"""Longest file that a value may come from (bytes)."""


def is_filled(value: nodes.Str) -> bool:
    """Say whether the text of a value asks for a variable or a file."""
    return "${" in value.raw or value.raw.startswith("file:/")


def fill(script: nodes.Script, environ: Mapping[str, str]) -> tuple[nodes.Script, list[Diagnostic], set[str]]:
    """Return the script with its values filled, what could not be filled, and the secrets among the values."""
    found: list[Diagnostic] = []
    secrets: set[str] = set()
    items: list[nodes.Item] = []
    for item in script.items:
        if isinstance(item, nodes.ModParam | nodes.Setting) and isinstance(item.value, nodes.Str) \
                and is_filled(item.value):
            item = replace(item, value=_value(item.value, environ, found, secrets))
        items.append(item)
    return replace(script, items=tuple(items)), found, secrets


def _value(value: nodes.Str, environ: Mapping[str, str], found: list[Diagnostic], secrets: set[str]) -> nodes.Str:
    if value.raw.startswith("file:/"):
        text = _file(value, found)
        if text:
            secrets.add(text)
        return replace(value, value=text)

    def one(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        text = environ.get(name)
        if text is None or (text == "" and default is not None):
            if default is None:
                found.append(Diagnostic("E309", f'environment variable "{name}" is not set', value.span,
                                        hint=f"set it, or write ${{{name}:-default}}"))
            return default or ""
        if _SECRET_NAME.search(name) and text:
            secrets.add(text)
        return text
    return replace(value, value=_VARIABLE.sub(one, value.value))


def _file(value: nodes.Str, found: list[Diagnostic]) -> str:
    path = Path(value.value.removeprefix("file:"))
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        found.append(Diagnostic("E310", f"cannot read {path}: {error.strerror}", value.span))
        return ""
    if len(data) > MAX_FILE:
        found.append(Diagnostic("E310", f"{path} is longer than {MAX_FILE} bytes", value.span))
        return ""
    return data.decode("utf-8", "surrogateescape").strip()
