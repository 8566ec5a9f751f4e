"""Read `opensipsctlrc`: shell assignments, understood and never executed."""
from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from osip.core.errors import OsipError

PLACES = ("/etc/opensips/opensipsctlrc", "/usr/local/etc/opensips/opensipsctlrc", "~/.opensipsctlrc")
"""Where settings are looked for; a later file has the last word."""

_NAME = re.compile(r"(?:export\s+|readonly\s+)?([A-Za-z_][A-Za-z0-9_]*)=")
_DEFAULT = re.compile(r":\s+\$\{([A-Za-z_][A-Za-z0-9_]*):?=(.*)\}\s*(?:#.*)?$")
_VARIABLE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*))?\})")
_SPECIAL = re.compile(r"\$[0-9#*@?$!{'\"-]")
_HOME = re.compile(r"~(?=[/:;\s]|$)")

MOST_JOINED = 100
"""Lines that one value in quotes may have."""

ENGINES = {"MYSQL": "mysql", "PGSQL": "postgres", "POSTGRES": "postgres", "SQLITE": "sqlite", "DBTEXT": "text",
           "TEXT": "text"}
CONNECTORS = {"FIFO": "fifo:", "UNIXSOCK": "unix:", "UNIX": "unix:", "UDP": "udp:", "DATAGRAM": "udp:",
              "HTTP": "http:", "XMLRPC": "xmlrpc:"}


class OpenQuoteError(Exception):
    """A quote that a further line may close."""


class RcError(OsipError):
    """A setting that cannot be used."""


@dataclass(slots=True)
class Rc:
    """The settings, the files they come from, and what in those was left out."""
    values: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def get(self, name: str, default: str = "") -> str:
        """Return a setting."""
        return self.values.get(name, "") or default

    def is_on(self, name: str) -> bool:
        """Say whether a switch is on."""
        return self.get(name).lower() in ("1", "yes", "true", "on")

    def where(self) -> str:
        """Name the file that spoke last."""
        return self.files[-1] if self.files else "opensipsctlrc"

    def db_url(self, read_only: bool = False) -> str:
        """Return the database as a URL; "" when none is set. RcError says what is wrong."""
        engine = self.get("DBENGINE").upper()
        if not engine:
            return ""
        scheme = ENGINES.get(engine)
        if scheme is None:
            raise RcError(f"{self.where()}: DBENGINE={engine} is none that osip knows: MYSQL, PGSQL, SQLITE or DBTEXT")
        if scheme in ("sqlite", "text"):
            path = self.get("DB_PATH") or self.get("DBNAME" if scheme == "sqlite" else "DB_PATH")
            if not path:
                raise RcError(f"{self.where()}: DBENGINE={engine} needs DB_PATH, the path of the database")
            return f"{scheme}://{'/' if scheme == 'sqlite' else ''}{path}"
        user, password = self._login(read_only)
        port = self.get("DBPORT")
        login = quote(user, safe="") + (":" + quote(password, safe="") if password else "")
        return f"{scheme}://{login}@{self.get('DBHOST', 'localhost')}{':' + port if port else ''}/" \
               f"{self.get('DBNAME', 'opensips')}"

    def _login(self, read_only: bool) -> tuple[str, str]:
        if read_only and self.get("DBROUSER"):
            return self.get("DBROUSER"), self.get("DBROPW")
        return self.get("DBRWUSER", "opensips"), self.get("DBRWPW", "opensipsrw")

    def mi_url(self) -> str:
        """Return where management answers, in the form of `--url`; "" when nothing is set."""
        kind, found, place = self.get("MI_CONNECTOR").partition(":")
        if found:
            start = CONNECTORS.get(kind.upper())
            if start is None:
                raise RcError(f"{self.where()}: MI_CONNECTOR={kind}: is none of {', '.join(CONNECTORS)}")
            if start in ("http:", "xmlrpc:"):
                place = "//" + place.removeprefix("//")
                place += "" if "/" in place[2:] else "/mi" if start == "http:" else "/RPC2"
            return start + place
        if self.get("CTLENGINE").upper() == "UNIXSOCK" and self.get("OSIPS_UNIXSOCK"):
            return "unix:" + self.get("OSIPS_UNIXSOCK")
        return "fifo:" + self.get("OSIPS_FIFO") if self.get("OSIPS_FIFO") else ""


def read(paths: Iterable[str] = (), environ: Mapping[str, str] | None = None) -> Rc:
    """Read files that are named (RcError when one cannot be read), else those of the usual places that are there."""
    environ = os.environ if environ is None else environ
    named = list(paths)
    rc = Rc()
    for path in named or PLACES:
        full = Path(os.path.expanduser(path))       # which leaves ~ where nobody has a home
        try:
            text = full.read_text(errors="replace")
        except OSError as error:
            if named:
                raise RcError(f"{path}: {error.strerror}") from None
            continue
        rc.files.append(str(full))
        _read_lines(logical_lines(text), rc, str(full), environ)
    return rc


def _read_lines(lines: list[tuple[int, str]], rc: Rc, path: str, environ: Mapping[str, str]) -> None:
    at = 0
    while at < len(lines):
        number, line = lines[at]
        for more in range(MOST_JOINED):
            try:
                _take(line, rc, f"{path}:{number}", environ)
                at += more
                break
            except OpenQuoteError:
                if at + more + 1 >= len(lines):
                    rc.left_out.append(f"{path}:{number}: a quote that is never closed")
                    break
                line += "\n" + lines[at + more + 1][1]
        else:
            rc.left_out.append(f"{path}:{number}: a quote that is not closed within {MOST_JOINED} lines")
        at += 1


def logical_lines(text: str) -> list[tuple[int, str]]:
    """Return numbered lines, those joined that end in a backslash."""
    out: list[tuple[int, str]] = []
    begun = ""
    first = 0
    for number, line in enumerate(text.splitlines(), 1):
        first = first if begun else number
        slashes = len(line) - len(line.rstrip("\\"))
        if slashes % 2 and not line.lstrip().startswith("#"):
            begun += line[:-1]
            continue
        out.append((first, begun + line))
        begun = ""
    return [*out, (first, begun)] if begun else out


def _take(line: str, rc: Rc, where: str, environ: Mapping[str, str]) -> None:
    """Take the assignments of one line: `A=1`, `export A=1 B="x y"`, `: ${A:=1}`."""
    rest = line.lstrip()
    default = _DEFAULT.match(rest)
    if default is not None:
        name = default[1]
        if not (rc.values.get(name) or environ.get(name)):
            rc.values[name] = _word(default[2], rc.values, environ)[0]
        return
    while rest and not rest.startswith(("#", ";")):
        found = _NAME.match(rest)
        if found is None:
            rc.left_out.append(f"{where}: {rest[:60]}")
            return
        try:
            rc.values[found[1]], rest = _word(rest[found.end():], rc.values, environ)
        except ValueError as error:
            rc.left_out.append(f"{where}: {found[1]}: {error}")
            return
        rest = rest.lstrip()


def _word(text: str, values: Mapping[str, str], environ: Mapping[str, str]) -> tuple[str, str]:
    """Read one shell word; return its value and what is behind it. ValueError for what only a shell can do."""
    out: list[str] = []
    at, quote_ = 0, ""
    while at < len(text):
        char = text[at]
        if quote_ == "'":
            at, quote_ = at + 1, "" if char == "'" else quote_
            out.append("" if char == "'" else char)
            continue
        if char == "\\" and at + 1 < len(text) and (not quote_ or text[at + 1] in '"\\$`'):
            out.append(text[at + 1])
            at += 2
        elif char in "'\"" and (not quote_ or char == quote_):
            quote_ = "" if quote_ else char
            at += 1
        elif char == "`" or text.startswith("$(", at):
            raise ValueError("commands are not run here; write the value")
        elif char == "$":
            found = _VARIABLE.match(text, at)
            if found is None and _SPECIAL.match(text, at) and (not quote_ or text[at + 1] not in "'\""):
                raise ValueError("only a shell knows this variable; write the value")
            out.append("$" if found is None else _value(found, values, environ))
            at = at + 1 if found is None else found.end()
        elif not quote_ and char in " \t;":
            break
        elif not quote_ and _HOME.match(text, at) and (at == 0 or text[at - 1] == ":"):
            out.append(environ.get("HOME", "~"))
            at += 1
        else:
            out.append(char)
            at += 1
    if quote_:
        raise OpenQuoteError
    return "".join(out), text[at:].lstrip(" \t;")


def _value(found: re.Match[str], values: Mapping[str, str], environ: Mapping[str, str]) -> str:
    name = found[1] or found[2]
    return values.get(name) or environ.get(name) or found[3] or ""
