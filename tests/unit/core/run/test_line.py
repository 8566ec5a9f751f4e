"""The line between master and worker: values and files, whole and in order."""
from __future__ import annotations

import os

from osip.core.exports.diagnostic import Diagnostic, Severity, Span
from osip.core.run.line import Line, pack, unpack


def test_values_and_files() -> None:
    one, other = Line.pair()
    assert other.receive() == (None, [])
    reader, writer = os.pipe()
    assert one.send("word", 1, [("x", True)], files=[writer]) and one.send("second")
    value, files = other.receive()
    assert value == ("word", 1, [("x", True)]) and len(files) == 1
    os.write(files[0], b"through")
    assert os.read(reader, 10) == b"through"
    assert other.receive() == (("second",), [])
    for file in (reader, writer, *files):
        os.close(file)
    assert one.send("big", b"x" * 300_000) and other.receive()[0] == ("big", b"x" * 300_000)
    one.close()
    assert other.receive() == ((), []) and not other.send("gone") and one.fileno() == -1
    other.close()


def test_a_side_that_does_not_listen_blocks_nobody() -> None:
    one, other = Line.pair()
    sent = 0
    while one.send("x" * 10_000):
        sent += 1
    assert sent > 5
    for end in (one, other):
        end.close()


def test_findings_travel() -> None:
    found = [Diagnostic("E101", "unknown", Span("a.cfg", 1, 2, 3, 4), hint="h", notes=("n", "m")),
             Diagnostic("W1", "careful", severity=Severity.WARNING)]
    one, other = Line.pair()
    one.send("prepared", pack(found))
    assert unpack(other.receive()[0][1]) == found           # type: ignore[index]
    for end in (one, other):
        end.close()
