"""Say who an HTTP request comes from: names, roles and tokens of the script, and what is done about wrong ones."""
from __future__ import annotations

import hashlib
import hmac
import shlex
import time
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

from osip.api import Caller, ModuleError, Role

SHORTEST_TOKEN = 16
MOST_WRONG, WRONG_SECONDS = 10, 60.0    # wrong tokens of one address, before it has to wait
MOST_ADDRESSES = 1024
HINT = "make one with: openssl rand -hex 24"


@dataclass(frozen=True, slots=True)
class Access:
    """Somebody who may send requests: name, role, the SHA-256 of the token, and for a tenant the domains."""
    name: str
    role: Role
    digest: bytes
    domains: frozenset[str] | None = None


def parse_access(text: str) -> Access:
    """Read `name=NAME role=read|operate|admin token=TOKEN [domains=a,b]`; ValueError says what is wrong.

    In the place of `token` there may be `token_file=PATH` or `token_sha256=HEX`.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"{error}: write name=NAME role=ROLE token=TOKEN") from None
    given: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key in given or key not in ("name", "role", "token", "token_file", "token_sha256", "domains"):
            raise ValueError(f'cannot use "{key}": write name=NAME role=read|operate|admin token=TOKEN [domains=a,b], '
                             "each once; token_file=PATH and token_sha256=HEX may stand for token")
        given[key] = value
    name, role = given.get("name", ""), given.get("role", "")
    if not name or not name.isprintable() or ":" in name or " " in name:
        raise ValueError("name=NAME is missing, or has a colon or blank")
    if role.upper() not in Role.__members__:
        raise ValueError(f'{name}: role is "{role}" and must be read, operate or admin')
    domains = frozenset(filter(None, given["domains"].lower().split(","))) if "domains" in given else None
    if domains is not None and not domains:
        raise ValueError(f"{name}: domains= names none; leave it out for somebody who may see all")
    return Access(name, Role[role.upper()], _digest(name, given), domains)


def _digest(name: str, given: dict[str, str]) -> bytes:
    """Return the digest of the one token that is given."""
    named = [key for key in ("token", "token_file", "token_sha256") if key in given]
    if len(named) != 1:
        raise ValueError(f"{name}: give one of token, token_file and token_sha256; {HINT}")
    value = given[named[0]]
    if named[0] == "token_sha256":
        try:
            digest = bytes.fromhex(value)
        except ValueError:
            digest = b""
        if len(digest) != 32:
            raise ValueError(f"{name}: token_sha256 must be 64 hex digits, as sha256sum prints them")
        return digest
    if named[0] == "token_file":
        try:
            with open(value, encoding="utf-8") as file:
                value = file.read(4096).strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ValueError(f"{name}: cannot read token_file {value}: {reason}") from None
    if len(value) < SHORTEST_TOKEN:
        raise ValueError(f"{name}: a token has at least {SHORTEST_TOKEN} characters; {HINT}")
    return hashlib.sha256(value.encode()).digest()


class Refused(Exception):
    """A request is not let in: status, and what to tell its sender."""

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, headers or {}


class Gate:
    """Who may come in. Without any name everybody is let in, which `httpd` allows on loopback only."""

    def __init__(self, entries: list[Access], user: str = "", password: str = "", realm: str = "",
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._entries = list(entries)
        if user or password:
            self._entries.append(Access(user, Role.ADMIN, hashlib.sha256(password.encode()).digest()))
        names = [entry.name for entry in self._entries]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ModuleError(f'httpd: access names {", ".join(doubled)} twice: give each a name of its own')
        digests = {entry.digest for entry in entries}
        if len(digests) < len(entries):
            raise ModuleError("httpd: two access entries have the same token: nobody could tell them apart")
        self._basic_only = user or password
        self._realm = realm.replace("\\", "").replace('"', "")
        self._clock = clock
        self._wrong: dict[str, tuple[int, float]] = {}

    @property
    def is_open(self) -> bool:
        """Say whether nobody has to prove who he is."""
        return not self._entries

    def caller(self, header: str, peer: str, via: str = "http") -> Caller:
        """Return who sends a request with this Authorization header; Refused when that is nobody known."""
        host = peer.rpartition(":")[0].strip("[]")
        if self.is_open:
            return Caller("local", Role.ADMIN, None, via, peer)
        self._may_try(host)
        if not header:
            raise self._unknown("no credentials")
        entry = self._entry(header)
        if entry is None:
            self._note_wrong(host)
            raise self._unknown("wrong credentials")
        self._wrong.pop(host, None)
        return Caller(entry.name or "-", entry.role, entry.domains, via, peer)

    def _entry(self, header: str) -> Access | None:
        scheme, _, value = header.partition(" ")
        name: str | None = None
        if scheme.lower() == "bearer":
            token = value.strip().encode()
        elif scheme.lower() == "basic":
            try:
                user, colon, token = b64decode(value, validate=True).partition(b":")
            except ValueError:
                return None
            if not colon:
                return None
            name = user.decode("utf-8", "replace")
        else:
            return None
        digest, found = hashlib.sha256(token).digest(), None
        for entry in self._entries:         # all of them, so that the time does not tell which one was near
            is_it = hmac.compare_digest(entry.digest, digest)
            if is_it and (name == entry.name if name is not None else self._takes_bearer(entry)):
                found = entry
        return found

    def _takes_bearer(self, entry: Access) -> bool:
        """Say whether a token alone is enough: a password is not, it goes with its user's name."""
        return not (self._basic_only and entry is self._entries[-1])

    def _unknown(self, reason: str) -> Refused:
        return Refused(401, reason, {"WWW-Authenticate": f'Basic realm="{self._realm}"'})

    def _may_try(self, host: str) -> None:
        count, since = self._wrong.get(host, (0, 0.0))
        left = since + WRONG_SECONDS - self._clock()
        if count >= MOST_WRONG and left > 0:
            raise Refused(429, "too many wrong credentials", {"Retry-After": str(int(left) + 1)})

    def _note_wrong(self, host: str) -> None:
        if is_loopback(host):
            return              # a reverse proxy on this machine: all its clients would wait for one of them
        now = self._clock()
        count, since = self._wrong.pop(host, (0, now))
        if now - since >= WRONG_SECONDS:
            count, since = 0, now
        if len(self._wrong) >= MOST_ADDRESSES:
            del self._wrong[next(iter(self._wrong))]
        self._wrong[host] = (count + 1, since)


def is_loopback(host: str) -> bool:
    """Say whether an address or name is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def is_local_name(host: str) -> bool:
    """Say whether a Host header means an address or localhost: a web page's name that leads here does not.

    A browser that was led here by a name of somebody else's (DNS rebinding) sends that name.
    """
    name = host.strip()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    try:
        ip_address(name)
    except ValueError:
        return name.lower().rstrip(".") == "localhost"
    return True
