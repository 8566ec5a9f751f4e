"""Fill environment variables and files into parameter values: `${X}`, `${X:-default}`, `file:/path`.

Values of `modparam`, of global parameters (numbers and booleans too) and of sockets are filled, where they are
quoted; what is secret among them is kept out of the logs.
"""
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from osip.core.exports.diagnostic import Diagnostic
from osip.core.run.config import BOOL, BY_NAME, INT
from osip.script import nodes
from osip.script.lexer import FALSE_WORDS, TRUE_WORDS

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_SECRET_NAME = re.compile(r"PASS|PW|SECRET|KEY|TOKEN|CRED", re.IGNORECASE)
_SOCKET = re.compile(r"(?:([A-Za-z_]+):(?!\d+$))?(\[[^\]]*\]|[^:\[\]]+)(?::(\d+)(?:-(\d+))?)?")
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
            item = _typed(replace(item, value=_value(item.value, environ, found, secrets)))
        elif isinstance(item, nodes.SocketDef) and item.bond is None:
            item = _socket(item, environ, found, secrets)
        items.append(item)
    return replace(script, items=tuple(items)), found, secrets


def _typed(item: nodes.ModParam | nodes.Setting) -> nodes.ModParam | nodes.Setting:
    """Return a global parameter with the number that its text is, when it wants one; the checks say what else it is."""
    spec = BY_NAME.get(item.name) if isinstance(item, nodes.Setting) else None
    if spec is None or spec.kind not in (INT, BOOL) or not isinstance(item.value, nodes.Str):
        return item
    text = item.value.value.strip()
    if text in TRUE_WORDS or text in FALSE_WORDS:
        return replace(item, value=nodes.Num(item.value.span, int(text in TRUE_WORDS), text))
    if re.fullmatch(r"-?\d{1,9}", text):
        return replace(item, value=nodes.Num(item.value.span, int(text), text))
    return item


def _socket(item: nodes.SocketDef, environ: Mapping[str, str], found: list[Diagnostic],
            secrets: set[str]) -> nodes.SocketDef:
    """Fill a socket, and take apart what stands in quotes as a whole: `"udp:${HOST}:${PORT:-5060}"`."""
    text = item.host
    if "${" in text:
        text = _value(nodes.Str(item.span, text, raw=text), environ, found, secrets).value
    match = _SOCKET.fullmatch(text) if item.proto is None and not item.ports else None
    if match is None:
        return replace(item, host=text) if text != item.host else item
    proto, host, first, last = match.groups()
    ports = ((int(first), int(last or first)),) if first else ()
    return replace(item, proto=proto.lower() if proto else None, host=host.strip("[]"), ports=ports)


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
