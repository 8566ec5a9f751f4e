"""Take records to the places that a trace names. Nothing here waits: what cannot be taken is counted and lost."""
from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from osip.api import (
    HEP_PROTOCOLS,
    HEP_SIP,
    Complaint,
    Dest,
    HepPacket,
    OsipError,
    RowWriter,
)
from osip.modules.tracer.place import Place
from osip.modules.tracer.record import Record

if TYPE_CHECKING:
    from osip.api import Env

HEP_REST = 88               # 0x58, as OpenSIPS has it
SIZES = {"callid": 255, "trace_attrs": 255, "method": 32, "status": 255, "from_proto": 5, "from_ip": 50,
         "to_proto": 5, "to_ip": 50, "fromtag": 64, "direction": 4}
FACILITIES = {"kern": 0, "user": 1, "mail": 2, "daemon": 3, "auth": 4, "syslog": 5, "lpr": 6, "news": 7, "uucp": 8,
              "cron": 9, "authpriv": 10, "ftp": 11, **{f"local{number}": 16 + number for number in range(8)}}
PRIORITIES = {-3: 1, -2: 2, -1: 3, 1: 4, 2: 5, 3: 6, 4: 7}


class Target(Protocol):
    """One place of a trace."""
    lost: int

    async def open(self) -> None:
        """Get ready; OsipError when that cannot be."""

    def take(self, record: Record) -> None:
        """Take one record."""

    async def close(self) -> None:
        """Write what is left, and close."""

    def describe(self) -> dict[str, Any]:
        """Return type, address and losses for MI."""


class _Base:
    """What all targets share."""
    __slots__ = ("_complain", "_env", "lost", "place")

    def __init__(self, env: Env, place: Place, complain: Complaint) -> None:
        self._env, self.place, self._complain, self.lost = env, place, complain, 0

    async def open(self) -> None:
        """Get ready."""

    async def close(self) -> None:
        """Close."""

    def describe(self) -> dict[str, Any]:
        """Return type, address and losses for MI."""
        return {"type": self.place.kind, "uri": self.place.shown, "lost": self.lost}

    def _lose(self, error: object, count: int = 1) -> None:
        self.lost += count
        self._complain(f"trace_lost_{self.place.shown}", "to=%s lost=%d reason=%s", self.place.shown, self.lost, error)


class HepTarget(_Base):
    """A capture server: one that proto_hep knows by its hep_id, or an address."""
    __slots__ = ("_hep", "_id", "_own")

    def __init__(self, env: Env, place: Place, complain: Complaint, hep: Any) -> None:
        super().__init__(env, place, complain)
        self._hep, self._id, self._own = hep, place.text, False

    async def open(self) -> None:
        """Find the server; an address becomes a server of its own."""
        if self._hep is None:
            raise OsipError(f'{self.place.shown}: add loadmodule "proto_hep.so" to the script')
        if self.place.text in self._hep.senders:
            return
        try:
            if ":" not in self.place.text:
                raise ValueError(self.place.text)
            self._id = self._hep.add_server(";".join([self.place.text, *(
                f"{name}={value}" for name, value in self.place.params.items())]))
        except ValueError:
            known = ", ".join(self._hep.senders) or "none"
            raise OsipError(f"{self.place.shown} is neither a hep_id of proto_hep (there are: {known}) nor an address "
                            "host:port") from None
        self._own = True

    async def close(self) -> None:
        """Give up a server of its own."""
        if self._own:
            self._own = False
            await self._hep.drop_server(self._id)

    def take(self, record: Record) -> None:
        """Send it."""
        kind = {"sip": HEP_SIP, "rest": HEP_REST}.get(record.kind, record.log_kind)
        seconds, micro = divmod(int(record.when * 1e6), 1_000_000)
        packet = HepPacket(record.source.host, record.source.port, record.dest.host, record.dest.port, record.raw,
                           HEP_PROTOCOLS.get(record.source.proto, 17), kind, seconds, micro,
                           correlation=record.call_id)
        if not self._hep.send(self._id, packet):
            self.lost += 1


class SqlTarget(_Base):
    """A table."""
    __slots__ = ("_check", "_columns", "_writer", "table")

    def __init__(self, env: Env, place: Place, complain: Complaint, columns: dict[str, str],
                 check: Callable[[str, str], Any]) -> None:
        super().__init__(env, place, complain)
        self.table = place.params.get("table", "sip_trace")
        self._columns, self._check = columns, check
        self._writer = RowWriter(env, place.text, f"trace to {place.shown}", complain)

    async def open(self) -> None:
        """Check the table."""
        await self._check(self.place.text, self.table)

    def take(self, record: Record) -> None:
        """Keep a row until it is written."""
        row = {self._columns[name]: value[:SIZES[name]] if name in SIZES and value is not None else value
               for name, value in record.columns().items()}
        row[self._columns["time_stamp"]] = datetime.fromtimestamp(record.when)
        self._writer.put(self.table, row)
        self.lost = self._writer.lost

    async def close(self) -> None:
        """Write what is left, once."""
        await self._writer.close()
        self.lost = self._writer.lost

    def describe(self) -> dict[str, Any]:
        """Return type, address, table and losses for MI."""
        self.lost = self._writer.lost
        return {**super().describe(), "table": self.table, "waiting": self._writer.waiting}


class SipTarget(_Base):
    """A SIP server that gets a copy of each message as it is (old duplicate_uri)."""
    __slots__ = ("_dests", "_send")

    def __init__(self, env: Env, place: Place, complain: Complaint, send: Callable[[bytes, Dest], bool]) -> None:
        super().__init__(env, place, complain)
        self._send = send
        self._dests: list[Dest] = []

    async def open(self) -> None:
        """Find its address."""
        uri = ";".join([f"{self.place.kind}:{self.place.text}",
                        *(f"{name}={value}" for name, value in self.place.params.items())])
        self._dests = self._env.resolve(uri) or await self._env.resolve_wait(uri)

    def take(self, record: Record) -> None:
        """Send a copy; lines of logs are no messages."""
        if record.kind != "sip":
            return
        for dest in self._dests:
            if self._send(record.raw, Dest(dest.proto, dest.host, dest.port)):
                return
        self._lose("no address of it takes messages")


class SyslogTarget(_Base):
    """The system's log: `syslog[:facility][:level]`, one JSON object a record."""
    __slots__ = ("_path", "_priority", "_sock")

    def __init__(self, env: Env, place: Place, complain: Complaint, level: int, facility: str,
                 path: str = "/dev/log") -> None:
        super().__init__(env, place, complain)
        for word in filter(None, place.text.split(":")):
            if word.lstrip("-").isdigit():
                level = int(word)
            else:
                facility = word
        number = FACILITIES.get(facility.upper().removeprefix("LOG_").lower())
        if number is None or level not in PRIORITIES:
            raise ValueError(f"{place.shown}: a facility is one of {', '.join(FACILITIES)}, a level one of "
                             f"{', '.join(map(str, PRIORITIES))}")
        self._priority = number << 3 | PRIORITIES[level]
        self._path, self._sock = path, None

    def take(self, record: Record) -> None:
        """Write it."""
        try:
            if self._sock is None:
                sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                try:
                    sock.setblocking(False)
                    sock.connect(self._path)
                except OSError:
                    sock.close()
                    raise
                self._sock = sock
            self._sock.send(f"<{self._priority}>osip[{self._env.pid}]: {record.line()}".encode())
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                gone, self._sock = self._sock, None
                if gone is not None:
                    gone.close()
            self._lose(error)

    async def close(self) -> None:
        """Close the socket."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None


class FileTarget(_Base):
    """A file of JSON lines; when it is moved away, a new one is begun within a second."""
    __slots__ = ("_looked", "_mode", "_number")

    def __init__(self, env: Env, place: Place, complain: Complaint, mode: int) -> None:
        super().__init__(env, place, complain)
        self._mode, self._number, self._looked = mode, -1, 0.0

    async def open(self) -> None:
        """Begin or continue the file."""
        try:
            self._open()
        except OSError as error:
            raise OsipError(f"cannot write {self.place.text}: {error.strerror}") from None

    def _open(self) -> None:
        if self._number >= 0:
            try:
                if os.stat(self.place.text).st_ino == os.fstat(self._number).st_ino:
                    return
            except OSError:
                pass
            os.close(self._number)
            self._number = -1
        self._number = os.open(self.place.text, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, self._mode)

    def take(self, record: Record) -> None:
        """Write it, in one piece: several workers may write to the same file."""
        try:
            if self._number < 0 or self._env.now - self._looked >= 1.0:
                self._looked = self._env.now
                self._open()
            os.write(self._number, record.line().encode() + b"\n")
        except OSError as error:
            self._lose(error)

    async def close(self) -> None:
        """Close the file."""
        if self._number >= 0:
            os.close(self._number)
            self._number = -1
