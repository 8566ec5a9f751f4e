"""Hold one trace: its name, whether it is on, where its records go, and, of one that MI started, what it asks for."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osip.api import Message, ParseError, Source, Uri

if TYPE_CHECKING:
    from osip.modules.tracer.target import Target

TYPES = ("sip", "xlog", "rest")
SCOPES = {"m": "m", "t": "t", "d": "d", "b": "d", "message": "m", "transaction": "t", "dialog": "d"}
_KEYS = ("caller", "callee", "ip")


class Trace:
    """One name that `trace()` knows. `conditions` are those of `trace_start`: None for a trace of the script."""
    __slots__ = ("conditions", "is_on", "log_kind", "name", "scope", "targets", "types")

    def __init__(self, name: str, targets: list[Target]) -> None:
        self.name, self.targets, self.is_on = name, targets, True
        self.conditions: list[tuple[str, str]] | None = None
        self.scope = ""
        self.types: frozenset[str] = frozenset(("sip",))
        self.log_kind = 0

    def describe(self) -> dict[str, Any]:
        """Return it as MI shows it."""
        found: dict[str, Any] = {"name": self.name, "state": "on" if self.is_on else "off",
                                 "destinations": [target.describe() for target in self.targets]}
        if self.conditions is not None:
            found["filters"] = [f"{key}={value}" for key, value in self.conditions]
            found["type"] = "|".join(one for one in TYPES if one in self.types)
            found["scope"] = self.scope or "widest"
        return found

    def wants(self, msg: Message, source: Source) -> bool:
        """Say whether a request meets all conditions of `trace_start`."""
        return all(_meets(key, value, msg, source) for key, value in self.conditions or ())


def _meets(key: str, value: str, msg: Message, source: Source) -> bool:
    if key == "ip":
        return source.host == value
    try:
        if key == "caller":
            return _names(msg.from_.uri, value)
        return _names(msg.to.uri, value) or _names(msg.uri, value)      # type: ignore[attr-defined]
    except ParseError:
        return False


def _names(uri: Uri, value: str) -> bool:
    """Say whether a value of a filter means this URI: its user, user@host, or all of it."""
    value = value.removeprefix("sip:").removeprefix("sips:").removeprefix("tel:")
    user, at, host = value.rpartition("@")
    if not at:
        return value in (uri.user, uri.user.removeprefix("+"))
    return user == uri.user and host.lower() in (uri.host.lower(), uri.host_port.lower())


def parse_types(text: str) -> frozenset[str]:
    """Read `sip|xlog`; ValueError for others."""
    found = frozenset(filter(None, (word.strip().lower() for word in text.replace(",", "|").split("|"))))
    unknown = sorted(found - set(TYPES))
    if unknown or not found:
        raise ValueError(f'"{text}" is no type of trace: there are {", ".join(TYPES)}, with | between several')
    return found


def parse_scope(text: str) -> str:
    """Read a scope: m, t, d or b, in either case; ValueError for others."""
    found = SCOPES.get(text.strip().lower())
    if found is None:
        raise ValueError(f'"{text}" is no scope: m message, t transaction, d dialog, b session')
    return found


def parse_side(text: str) -> str:
    """Read the flags: C only the caller's side, c only the callee's; both or none mean all."""
    if set(text) - set("Cc"):
        raise ValueError(f'"{text}" has unknown flags: there are C (caller side only) and c (callee side only)')
    return text if len(set(text)) == 1 and len(text) == 1 else (text[0] if len(set(text)) == 1 else "")


def parse_filter(value: Any) -> list[tuple[str, str]]:
    """Read the filter of `trace_start`: `caller=a` and the like, one text with `;` or `,` between, or a list."""
    texts = value if isinstance(value, list) else str(value).replace(",", ";").split(";")
    found = []
    for text in filter(None, (str(one).strip() for one in texts)):
        key, equals, wanted = text.partition("=")
        if key.strip().lower() not in _KEYS or not equals or not wanted.strip():
            raise ValueError(f'"{text}" is no filter: write caller=, callee= or ip=')
        found.append((key.strip().lower(), wanted.strip().strip("[]") if key.strip() == "ip" else wanted.strip()))
    return found
