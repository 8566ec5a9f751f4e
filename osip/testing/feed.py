"""What a simulation is fed with: message files, standard input, captures, and the answers that peers give."""
from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from osip.core.errors import OsipError
from osip.testing import message
from osip.testing.capture import Captured, read_capture

STDIN = "-"
LONGEST_WAIT = 3600.0
"""Seconds of silence in a capture that are waited for; longer ones are cut to this."""
_START = re.compile(rb"^(?:SIP/2\.0 [1-6]\d\d .*|[A-Za-z!%*_+`'~.-]+ \S+ SIP/2\.0)\r?$", re.MULTILINE)
_ANSWER = re.compile(r"(?:(?P<to>\S+)=)?(?P<status>[1-6]\d\d)(?:\s+(?P<reason>\S.*))?")
_WAIT = re.compile(r"wait=(\d+(?:\.\d+)?)")


class Input(NamedTuple):
    """One message that the server gets: its bytes, `proto:host:port` it comes from ("" for the usual), the seconds
    that pass before it, and where it was written."""
    data: bytes
    source: str = ""
    wait: float = 0.0
    origin: str = ""


class Reply(NamedTuple):
    """One answer of a peer; `to` chooses the branch (R-URI or host[:port]). Without a status time passes."""
    status: int
    reason: str = ""
    to: str = ""
    wait: float = 0.0


# --- files --------------------------------------------------------------------------------------------------------------

def of_file(path: str) -> list[Input]:
    """Return the messages of a file, `-` being standard input; each begins at a start line behind an empty line."""
    if path == STDIN:
        raw = sys.stdin.buffer.read()
    else:
        try:
            with open(path, "rb") as file:
                raw = file.read()
        except OSError as error:
            raise OsipError(f"cannot read {path}: {error.strerror}") from None
    found = pieces(raw)
    if not found:
        raise OsipError(f"{path} holds no SIP message" if path != STDIN else "standard input holds no SIP message")
    return [Input(message.normal(piece), origin=path) for piece in found]


def pieces(raw: bytes) -> list[bytes]:
    """Cut a text into messages; one that does not begin like SIP is given as it is."""
    if not raw.strip():
        return []
    starts = [match.start() for match in _START.finditer(raw) if not raw[:match.start()].strip()
              or re.search(rb"\r?\n\r?\n[\r\n]*\Z", raw[:match.start()])]
    if not starts or raw[:starts[0]].strip():
        return [raw]
    return [raw[start:end] for start, end in zip(starts, [*starts[1:], len(raw)], strict=True)]


# --- captures -----------------------------------------------------------------------------------------------------------

def of_capture(path: str, index: int = 0, call_id: str = "", server: str = "") -> tuple[list[Input], str, float]:
    """Return the messages of a capture that a server got, the host of that server, and the time of the first.

    `index` takes one message by its number, `call_id` those of one call. The server is `server`, host[:port], or
    where the first of the messages went.
    """
    every = read_capture(path)
    if not every:
        raise OsipError(f"{path} holds no SIP message (encrypted ones cannot be read)")
    if index and not 1 <= index <= len(every):
        raise OsipError(f"{path} has {len(every)} messages: there is no number {index}")
    chosen = [every[index - 1]] if index else [one for one in every if not call_id or call_id_of(one) == call_id]
    if not chosen:
        raise OsipError(f'{path} has no message of the call "{call_id}"')
    place = server or _address(chosen[0].dest)
    mine = [one for one in chosen if place in (_address(one.dest), _host(one.dest))]
    if not mine:
        raise OsipError(f"{path}: no message went to {place}; they went to "
                        + ", ".join(sorted({_address(one.dest) for one in chosen})[:8]))
    found, before = [], mine[0].at
    for one in mine:
        found.append(Input(one.data, one.source, min(max(one.at - before, 0.0), LONGEST_WAIT), path))
        before = max(before, one.at)
    return found, _host(mine[0].dest), mine[0].at


def call_id_of(one: Captured) -> str:
    """Return the Call-ID of a captured message."""
    match = re.search(rb"\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r?\n", one.data, re.IGNORECASE)
    return match.group(1).decode("utf-8", "surrogateescape") if match else ""


def listing(path: str) -> list[tuple[int, str, str, str]]:
    """Return number, time since the first, Call-ID and title of each message of a capture."""
    every = read_capture(path)
    first = every[0].at if every else 0.0
    return [(number, f"{one.at - first:.3f}", call_id_of(one), one.title) for number, one in enumerate(every, 1)]


def _address(end: str) -> str:
    return end.partition(":")[2]


def _host(end: str) -> str:
    return _address(end).rpartition(":")[0]


# --- answers ------------------------------------------------------------------------------------------------------------

def replies(words: Iterable[str]) -> list[Reply]:
    """Read answers: `486`, `486 Busy Here`, `10.0.0.2=180`, `wait=5`."""
    found = []
    for word in words:
        if (match := _WAIT.fullmatch(word)) is not None:
            found.append(Reply(0, wait=float(match[1])))
        elif (match := _ANSWER.fullmatch(word)) is not None:
            found.append(Reply(int(match["status"]), match["reason"] or "", match["to"] or ""))
        else:
            raise OsipError(f'"{word}" is no answer: write CODE, "CODE REASON", HOST=CODE or wait=SECONDS')
    return found


def inputs_of(messages: Sequence[str | Input]) -> list[Input]:
    """Return inputs, with files read."""
    return [one for each in messages for one in (of_file(each) if isinstance(each, str) else [each])]
