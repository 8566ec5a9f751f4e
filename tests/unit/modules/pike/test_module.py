"""Floods noticed by scripts: the word, the automatic mode, events, lines and management."""
from __future__ import annotations

from typing import Any

import pytest
from kit.message import request
from kit.script import ScriptBook

from osip.api import MIError
from osip.core.net.endpoint import Source

SCRIPT = '''log_level = 3 modparam("pike", "reqs_density_per_unit", 3) modparam("pike", "sampling_time_unit", 2) %s
route { $var(rc) = 0; pike_check_req(); xlog("$rc"); }'''
AUTO = '''log_level = 3 modparam("pike", "reqs_density_per_unit", 2) modparam("pike", "check_route", "%s")
route { xlog("served"); } route[WHICH] { if (is_method("BYE")) drop; } route[SLOW] { sleep(1); }'''


def send(book: ScriptBook, count: int, method: str = "OPTIONS", host: str = "") -> list[str]:
    for _ in range(count):
        send.number += 1        # type: ignore[attr-defined]
        if host:
            book.worker.receive(request(method, call_id=str(send.number)),      # type: ignore[attr-defined]
                                Source(book.env.sockets[0], host, 5060))
        else:
            book.recv(method, call_id=str(send.number))                         # type: ignore[attr-defined]
    found = list(book.said)
    book.said.clear()
    return found


send.number = 0                 # type: ignore[attr-defined]


def events_of(book: ScriptBook) -> list[Any]:
    raised: list[Any] = []
    book.env.events.raise_event = lambda name, params: raised.append((name, params))    # type: ignore[method-assign]
    return raised


def test_word_event_and_lines() -> None:
    book = ScriptBook(SCRIPT % "", "pike")
    raised = events_of(book)
    assert send(book, 5) == ["1", "1", "1", "pike: blocked ip=10.0.0.1 limit=3 seconds=2", "-2", "-1"]
    assert raised == [("E_PIKE_BLOCKED", {"ip": "10.0.0.1"})]
    assert send(book, 1, host="10.0.0.7") == ["1"]
    module = book.modules["pike"]
    assert [(one["IP"], one["state"]) for one in module.mi_list()["IPs"]] == [("10.0.0.1", "BLOCKED")]
    assert module.blocked_ips() == 1
    book.clock.advance(5)
    module.clean()
    assert book.said == ["pike: freed ip=10.0.0.1"] and module.mi_list() == {"IPs": []}
    book.said.clear()
    assert send(book, 1) == ["1"]


def test_log_level_and_bounded_lines() -> None:
    book = ScriptBook(SCRIPT % 'modparam("pike", "pike_log_level", 3)', "pike")
    for number in range(60):
        for _ in range(4):
            book.modules["pike"]._mark(f"192.0.2.{number}")
    lines = [line for line in book.said if line.startswith("pike: blocked")]
    assert len(lines) == 20 and len(book.said) == 21
    quiet = ScriptBook(SCRIPT % 'modparam("pike", "pike_log_level", 4)', "pike")
    assert send(quiet, 5) == ["1", "1", "1", "-2", "-1"]


@pytest.mark.parametrize(("route", "method", "served"), [("WHICH", "OPTIONS", 2), ("WHICH", "BYE", 5)])
def test_automatic(route: str, method: str, served: int) -> None:
    book = ScriptBook(AUTO % route, "pike", "sipmsgops", "cfgutils", "tm")
    assert send(book, 5, method).count("served") == served


@pytest.mark.parametrize(("route", "words"), [("NONE", "there is no route[NONE]"), ("SLOW", "waits for something")])
def test_a_bad_check_route_is_told_and_all_are_checked(route: str, words: str) -> None:
    book = ScriptBook(AUTO % route, "pike", "sipmsgops", "cfgutils", "tm")
    said = send(book, 5)
    assert said.count("served") == 2 and len([line for line in said if words in line]) == 1


def test_remove() -> None:
    book = ScriptBook(SCRIPT % "", "pike")
    send(book, 5)
    book.modules["pike"].mi_rm("10.0.0.1")
    assert send(book, 1) == ["1"]
    for ip, words in (("10.0.0.99", "not found"), ("nonsense", "Bad IP")):
        with pytest.raises(MIError, match=words):
            book.modules["pike"].mi_rm(ip)


def test_other_workers_count_too() -> None:
    book = ScriptBook(SCRIPT % "", "pike")
    book.env.workers = 2
    told: list[Any] = []
    book.env.bus.others = lambda topic, value: told.append((topic, value))      # type: ignore[method-assign]
    module = book.modules["pike"]
    module._counts._apply((True, [("10.0.0.1", 2)]))
    assert send(book, 2) == ["1", "pike: blocked ip=10.0.0.1 limit=3 seconds=2", "-2"]
    book.clock.advance(0.3)
    assert ("pike", (True, [("10.0.0.1", 2)])) in told
