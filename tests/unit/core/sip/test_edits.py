"""Check edits: where they go, what wins, and what the spliced message says."""

from __future__ import annotations

import pytest

from osip.core.sip import names
from osip.core.sip.edits import Edits, merge, splice
from osip.core.sip.message import Message, parse

RAW = (
    b"INVITE sip:u@h SIP/2.0\r\nVia: SIP/2.0/UDP a;rport;branch=z1\r\nMax-Forwards: 70\r\nFoo: 1\r\nFoo: 2\r\n"
    b"Subject: s\r\n f\r\n"
    b"Content-Type: a/b\r\nContent-Length: 4\r\n\r\nbody"
)


def edited(*calls: tuple, raw: bytes = RAW) -> bytes:
    edits = Edits(parse(raw))
    for name, *arguments in calls:
        getattr(edits, name)(*arguments)
    return splice(raw, edits, "out")


def changed(old: bytes, new: bytes, raw: bytes = RAW) -> bytes:
    assert old in raw
    return raw.replace(old, new, 1)


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([], RAW),
        ([("set_max_forwards", 69)], changed(b": 70", b": 69")),
        ([("set_max_forwards", 69), ("set_max_forwards", 5)], changed(b": 70", b": 5")),
        ([("append_hf", "A: 1\r\n")], changed(b"\r\n\r\n", b"\r\nA: 1\r\n\r\n")),
        ([("append_hf", "A: 1"), ("append_hf", b"B: 2\n")], changed(b"\r\n\r\n", b"\r\nA: 1\r\nB: 2\r\n\r\n")),
        ([("append_hf", "A: 1", "Foo")], changed(b"Foo: 1\r\n", b"Foo: 1\r\nA: 1\r\n")),
        ([("append_hf", "A: 1", names.H_SUBJECT)], changed(b" f\r\n", b" f\r\nA: 1\r\n")),
        ([("append_hf", "A: 1", "Nope")], changed(b"\r\n\r\n", b"\r\nA: 1\r\n\r\n")),
        ([("append_hf", lambda out: b"Z: " + out.encode() + b"\r\n")], changed(b"\r\n\r\n", b"\r\nZ: out\r\n\r\n")),
        ([("insert_hf", "A: 1")], changed(b"Via", b"A: 1\r\nVia")),
        ([("insert_hf", "A: 1", "Subject")], changed(b"Subject", b"A: 1\r\nSubject")),
        ([("insert_hf", "A: 1"), ("add_via", b"Via: x\r\n")], changed(b"Via", b"Via: x\r\nA: 1\r\nVia")),
        ([("remove_hf", "foo")], changed(b"Foo: 1\r\nFoo: 2\r\n", b"")),
        ([("remove_hf", "Subject")], changed(b"Subject: s\r\n f\r\n", b"")),
        ([("remove_hf", "foo"), ("append_hf", "Foo: 3", "Foo")], changed(b"Foo: 1\r\nFoo: 2\r\n", b"Foo: 3\r\n")),
        ([("insert_hf", "Foo: 0", "Foo"), ("remove_hf", "foo")], changed(b"Foo: 1\r\nFoo: 2\r\n", b"Foo: 0\r\n")),
        ([("set_value", 2, "9"), ("remove_hf", "foo")], changed(b"Foo: 1\r\nFoo: 2\r\n", b"")),
        ([("remove_hf", "foo"), ("set_value", 2, "9")], changed(b"Foo: 1\r\nFoo: 2\r\n", b"")),
        ([("set_value", 4, "new")], changed(b"s\r\n f", b"new")),
        ([("set_body", b"longer body")], changed(b"4\r\n\r\nbody", b"11\r\n\r\nlonger body")),
        (
            [("set_body", "x"), ("set_body", "yy", "c/d")],
            changed(b"a/b\r\nContent-Length: 4\r\n\r\nbody", b"c/d\r\nContent-Length: 2\r\n\r\nyy"),
        ),
        (
            [("set_body", b"")],
            changed(b"Content-Type: a/b\r\nContent-Length: 4\r\n\r\nbody", b"Content-Length: 0\r\n\r\n"),
        ),
        ([("remove_hf", "Content-Length"), ("set_body", b"xy")], changed(b"4\r\n\r\nbody", b"2\r\n\r\nxy")),
        ([("set_received", "9.9.9.9", 7)], changed(b"a;rport;branch=z1", b"a;branch=z1;received=9.9.9.9;rport=7")),
        ([("insert", len(RAW), b"!")], changed(b"4\r\n\r\nbody", b"5\r\n\r\nbody!")),
        ([("replace", len(RAW) - 4, len(RAW) - 2, b"")], changed(b"4\r\n\r\nbody", b"2\r\n\r\ndy")),
    ],
)
def test_edits(calls: list, expected: bytes) -> None:
    assert edited(*calls) == expected


def test_headers_are_added_where_there_are_none() -> None:
    raw = b"BYE sip:u SIP/2.0\r\nTo: x\r\n\r\n"
    assert edited(("set_max_forwards", 7), raw=raw) == b"BYE sip:u SIP/2.0\r\nTo: x\r\nMax-Forwards: 7\r\n\r\n"
    assert edited(("set_max_forwards", 7), ("set_max_forwards", 6), raw=raw).count(b"Max-Forwards: 6") == 1
    assert edited(("set_body", "hi", "t/p"), raw=raw) == (
        b"BYE sip:u SIP/2.0\r\nTo: x\r\nContent-Type: t/p\r\nContent-Length: 2\r\n\r\nhi"
    )


def test_no_headers_at_all() -> None:
    assert edited(("append_hf", "A: 1"), raw=b"BYE sip:u SIP/2.0\r\n\r\n") == b"BYE sip:u SIP/2.0\r\nA: 1\r\n\r\n"


def test_counts() -> None:
    edits = Edits(parse(RAW))
    assert not edits and len(edits) == 0
    assert (edits.remove_hf("foo"), edits.remove_hf("foo"), edits.remove_hf("nope")) == (2, 0, 0)
    assert edits and len(edits) == 2
    edits.clear()
    assert not edits


def test_branch_lays_its_own_over() -> None:
    base = Edits(parse(RAW))
    base.set_max_forwards(69)
    branch = base.copy()
    branch.append_hf("B: 1")
    branch.set_max_forwards(68)
    assert b"B: 1" not in splice(RAW, base) and b": 69" in splice(RAW, base)
    assert b"B: 1" in splice(RAW, branch) and b": 68" in splice(RAW, branch)


def test_merge() -> None:
    msg = parse(RAW)
    base, extra = Edits(msg), Edits(msg)
    base.set_value(2, "base")
    base.append_hf("B: 1")
    extra.set_value(2, "extra")
    extra.append_hf("E: 1")
    assert splice(RAW, merge(base, extra)) == changed(
        b"\r\n\r\n", b"\r\nB: 1\r\nE: 1\r\n\r\n", changed(b"Foo: 1", b"Foo: extra")
    )


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([(2, 4, b"X"), (3, 5, b"Y")], b"01X456789"),
        ([(3, 5, b"Y"), (2, 4, b"X")], b"012Y56789"),
        ([(2, 4, b"X"), (2, 4, b"Y")], b"01X456789"),
        ([(2, 2, b"a"), (2, 4, b"X"), (2, 2, b"b")], b"01abX456789"),
        ([(2, 4, b"X"), (3, 3, b"a")], b"01X456789"),
        ([(3, 3, b"a"), (2, 4, b"X")], b"012a3456789"),
        ([(2, 4, b"X"), (4, 4, b"a"), (4, 6, b"Y")], b"01XaY6789"),
        ([(8, 99, b"X"), (5, 4, b"Y")], b"0123456789"),
        ([(10, 10, b"e"), (0, 0, b"s")], b"s0123456789e"),
        ([(0, 10, b"")], b""),
        ([(2, 4, lambda out: out), (3, 5, lambda out: 1 / 0)], b"01O456789"),
    ],
)
def test_overlaps(items: list, expected: bytes) -> None:
    assert splice(b"0123456789", items, b"O") == expected


def test_readers_see_what_was_received() -> None:
    msg: Message = parse(RAW)
    Edits(msg).set_max_forwards(3)
    assert msg.max_forwards == 70


def test_a_line_is_dropped_once_with_what_was_laid_over_it() -> None:
    start = RAW.index(b"Foo: 1")
    edits = Edits(parse(RAW))
    edits.replace(start + 5, start + 6, b"9")
    edits.insert(start, b"Bar: 1\r\n")
    assert edits.drop(start, start + 8) and not edits.drop(start, start + 8)
    assert splice(RAW, edits) == changed(b"Foo: 1\r\n", b"Bar: 1\r\n")
