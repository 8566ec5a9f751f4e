"""Write down who ran which management command, with what, and how it ended; secrets are blanked out.

Changes are always written. What strangers or loops can repeat at will, refusals and slips, is written a few times in
ten seconds, with the number left out; looks are written at the level of `info`.
"""
from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from osip.core.exports.spec import MiSpec, Role
from osip.core.mi.access import Caller, role_of

NOTICE = 25
LONGEST_VALUE, LONGEST_LINE = 200, 1500
LONGEST_RESULT, DEEPEST_RESULT = 30_000, 20
MOST_REFUSALS, WINDOW = 10, 10.0
_SECRET = re.compile(r"(?i)pass|secret|token|ha1|credential|confidentiality|integrity|private_?key|api_?key")
_HIDDEN = frozenset((("cache:store", "value"), ("config:push", "value"), ("config:push_bulk", "configs")))
_SECRET_RESULTS = frozenset(("cache:fetch", "cachedb_local:fetch_chunk", "config:list"))
_INSIDE = re.compile(r'(?i)\b((?:proxy-)?authorization\s*:)[^\r\n]*'
                     r'|\b(response|password|passwd|ha1|nonce|token|secret)(\s*=\s*|"\s*:\s*)("[^"]*"|[^\s,;&]+)'
                     r"|((?:^|\s)\w+:[^/\s:@]+|://[^/\s:@]*):[^@\s]+@")
_log = logging.getLogger("osip.audit")


def redacted(spec: MiSpec | None, params: Mapping[str, Any]) -> str:
    """Return parameters as one line of JSON, shortened and without secrets."""
    name = spec.canonical if spec is not None else ""
    shown = {key: "***" if _SECRET.search(key) or (name, key) in _HIDDEN else _shortened(value)
             for key, value in params.items()}
    return json.dumps(shown, ensure_ascii=True, default=str)


def concealed(spec: MiSpec | None, result: Any) -> Any:
    """Return the result of a command without secrets, shortened to some 30,000 characters."""
    if spec is not None and spec.canonical in _SECRET_RESULTS:
        return "***"
    return _concealed(result, [LONGEST_RESULT], 0)


def _concealed(value: Any, left: list[int], depth: int) -> Any:
    if left[0] <= 0 or depth > DEEPEST_RESULT:
        return "..."
    if isinstance(value, dict):
        named: dict[str, Any] = {}
        for key, one in value.items():
            if left[0] <= 0:
                named["..."] = f"{len(value) - len(named)} more"
                break
            left[0] -= len(str(key)) + 4
            named[str(key)] = "***" if _SECRET.search(str(key)) else _concealed(one, left, depth + 1)
        return named
    if isinstance(value, list | tuple):
        listed: list[Any] = []
        for one in value:
            if left[0] <= 0:
                listed.append(f"... {len(value) - len(listed)} more")
                break
            left[0] -= 2
            listed.append(_concealed(one, left, depth + 1))
        return listed
    shown = _shortened(value)
    left[0] -= len(str(shown)) + 2
    return shown


def _shortened(value: Any) -> Any:
    if isinstance(value, (int, float, bool)) or value is None:
        return value
    if isinstance(value, (dict, list)):
        if isinstance(value, dict):
            value = {str(key): "***" if _SECRET.search(str(key)) else one for key, one in list(value.items())[:20]}
        try:
            value = json.dumps(value, ensure_ascii=True, default=str)
        except (ValueError, RecursionError):
            value = "(nested too deeply)"
    text = _INSIDE.sub(_blank, str(value)[:LONGEST_LINE])
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}... ({len(text)} characters)"


def _blank(match: re.Match[str]) -> str:
    if match[1]:
        return f"{match[1]} ***"
    return f"{match[2]}{match[3]}***" if match[2] else f"{match[5]}:***@"


class Audit:
    """The audit log of one worker."""
    __slots__ = ("_clock", "_refusals")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._refusals: dict[str, list[float]] = {}     # by name, of the script: since, count, left out

    def done(self, caller: Caller, spec: MiSpec, given: Mapping[str, Any], outcome: str, seconds: float) -> None:
        """Write down a command that ran; `outcome` is `ok` or the error."""
        level = logging.INFO if role_of(spec, given) is Role.READ else NOTICE
        if _log.isEnabledFor(level):
            self._write(level, caller, spec.canonical, redacted(spec, given), outcome, f" took_ms={seconds * 1000:.0f}")

    def refused(self, caller: Caller, method: str, params: str, outcome: str) -> None:
        """Write down a call that was not run."""
        now = self._clock()
        entry = self._refusals.setdefault(caller.name, [now, 0, 0])
        if now - entry[0] >= WINDOW:
            entry[0], entry[1] = now, 0
        entry[1] += 1
        if entry[1] > MOST_REFUSALS:
            entry[2] += 1
            return
        more = f" left_out={entry[2]:.0f}" if entry[2] else ""
        entry[2] = 0
        self._write(logging.WARNING, caller, json.dumps(method[:LONGEST_VALUE]), params, outcome, more)

    def _write(self, level: int, caller: Caller, command: str, params: str, outcome: str, more: str) -> None:
        line = (f"who={caller.name} role={caller.role.name.lower()} via={caller.via or 'local'} "
                f"from={caller.peer or '-'} command={command} outcome={outcome} params={params}")
        _log.log(level, "%s%s", line[:LONGEST_LINE], more)
