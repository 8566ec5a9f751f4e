"""What belongs to a traced transaction or dialog, and how long."""
from __future__ import annotations

from typing import Any

import pytest
from kit.message import request, response

from osip.api import parse
from osip.modules.tracer import watch as watches
from osip.modules.tracer.trace import Trace
from osip.modules.tracer.watch import LINGER, RINGING, TALKING, Watch, Watches

SIP = frozenset(("sip",))
TRACE = Trace("t", [])
INVITE = parse(request("INVITE"))


def a_watch(is_dialog: bool = True, msg: Any = INVITE) -> Watch:
    return Watch(TRACE, msg, is_dialog, SIP, 1000.0)


@pytest.mark.parametrize(("is_dialog", "more", "covered"), [
    (False, {}, True), (False, {"method": "ACK"}, True), (False, {"method": "CANCEL"}, True), (False, {"cseq": 2}, False),
    (False, {"from_tag": "other"}, False), (True, {"cseq": 7, "from_tag": "other"}, True)])
def test_what_is_covered(is_dialog: bool, more: dict[str, Any], covered: bool) -> None:
    method = more.pop("method", "INVITE")
    assert a_watch(is_dialog).covers(parse(request(method, **more))) is covered


@pytest.mark.parametrize(("from_tag", "is_request", "direction", "side"), [
    ("a1", True, "in", "C"), ("a1", True, "out", "c"), ("a1", False, "in", "c"), ("a1", False, "out", "C"),
    ("b1", True, "in", "c"), ("b1", True, "out", "C"), ("b1", False, "in", "C"), ("b1", False, "out", "c")])
def test_sides(from_tag: str, is_request: bool, direction: str, side: str) -> None:
    raw = request("BYE", from_tag=from_tag, to_tag="x")
    msg = parse(raw if is_request else response(raw, 200))
    one = a_watch()
    for wanted in ("", "C", "c"):
        one.side = wanted
        assert one.is_wanted(msg, direction) is (wanted in ("", side))


@pytest.mark.parametrize(("is_dialog", "steps", "left"), [
    (True, [], RINGING), (True, [("INVITE", 180, "in")], RINGING), (True, [("INVITE", 200, "in")], RINGING),
    (True, [("INVITE", 200, "out")], TALKING), (True, [("INVITE", 486, "out")], LINGER),
    (True, [("INVITE", 486, "in")], RINGING), (True, [("INVITE", 200, "out"), ("BYE", 200, "out")], LINGER),
    (True, [("INVITE", 200, "out"), ("INVITE", 488, "out")], TALKING),
    (True, [("INVITE", 200, "out"), ("INFO", 200, "out")], TALKING), (True, [("MESSAGE", 200, "out")], LINGER),
    (False, [("INVITE", 200, "out")], LINGER), (False, [("INVITE", 486, "out"), ("ACK", 0, "in")], LINGER)])
def test_how_long(is_dialog: bool, steps: list[tuple[str, int, str]], left: float) -> None:
    one = a_watch(is_dialog)
    for method, status, direction in steps:
        raw = request(method)
        one.move(parse(response(raw, status) if status else raw), direction, 1000.0)
    assert one.until == 1000.0 + left


def test_the_first_and_the_last_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    monkeypatch.setattr(watches, "MOST", 2)
    found = Watches(lambda: told.append(found.count))
    first, second = a_watch(), a_watch(msg=parse(request("INVITE", call_id="other")))
    assert found.add(first) and found.add(second) and not found.add(a_watch())
    assert list(found) == [first, second] and found.of("other") == [second] and not found.of("none")
    assert found.find(TRACE, INVITE) is first and found.find(Trace("u", []), INVITE) is None
    found.keep(lambda one: one is first)
    found.keep(lambda one: False)
    found.keep(lambda one: False)
    assert told == [1, 0] and not list(found)
