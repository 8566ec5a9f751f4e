"""Read what `trace_id` says: a name, and the places that its traces go to."""
from __future__ import annotations

import re
from dataclasses import dataclass, field

_HEAD = re.compile(r"\s*\[\s*(?P<id>[^\]]*?)\s*\]\s*(?P<rest>.*)", re.DOTALL)
SQL = "sql"
KINDS = ("hep", "sip", "sips", "syslog", "file")
_PARAMS = {"hep": ("transport", "version"), "sip": ("transport",), "sips": ("transport",), SQL: ("table",),
           "syslog": (), "file": ()}


@dataclass(slots=True)
class Place:
    """One place: its kind (hep, sip, sips, syslog, file, sql), the text behind the colon (of SQL the whole URL)."""
    kind: str
    text: str
    params: dict[str, str] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """The place as it is shown to people: without the password of a database."""
        if self.kind == SQL:
            return re.sub(r"(://[^/:@]*):.*@", r"\1:***@", self.text, flags=re.DOTALL)
        return ";".join([f"{self.kind}:{self.text}" if self.text else self.kind,
                         *(f"{name}={value}" for name, value in self.params.items())])


def parse_places(text: str) -> list[Place]:
    """Read `uri=hep:name;uri=mysql://...;table=new;uri=file:/path`; ValueError says what is wrong."""
    places: list[Place] = []
    for piece in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, value = piece.partition("=")
        name, value = name.strip().lower(), value.strip()
        if name == "uri" and equals:
            places.append(_place(value))
        elif not equals or not places:
            raise ValueError(f'"{piece}" is no place: write "[name]uri=hep:id" with hep:, sip:, syslog, file: or a '
                             "database URL")
        elif name not in _PARAMS[places[-1].kind]:
            raise ValueError(f'"{piece}" does not belong behind {places[-1].shown}; there may stand: '
                             f'{", ".join(_PARAMS[places[-1].kind]) or "nothing"}')
        else:
            places[-1].params[name] = value
    if not places:
        raise ValueError(f'"{text}" names no uri=')
    return places


def _place(uri: str) -> Place:
    if re.match(r"[a-zA-Z0-9_+]+://", uri):
        return Place(SQL, uri)
    kind, _, rest = uri.partition(":")
    kind = kind.lower()
    if kind not in KINDS:
        raise ValueError(f'"{uri}" is no place for traces: there are hep:id, sip:host, syslog, file:/path and '
                         "database URLs")
    if kind == "file" and not rest.startswith("/"):
        raise ValueError(f'"{uri}" is no path: write file:/path')
    if kind in ("hep", "sip", "sips") and not rest:
        raise ValueError(f'"{uri}" says not where to')
    return Place(kind, rest)


def parse_trace(text: str) -> tuple[str, list[Place]]:
    """Read `[name]uri=...;uri=...`; without a name it is called default."""
    match = _HEAD.fullmatch(text)
    if match is None:
        return "default", parse_places(text)
    if not match["id"]:
        raise ValueError(f'"{text}" has an empty name: write "[name]uri=..."')
    return match["id"], parse_places(match["rest"])
