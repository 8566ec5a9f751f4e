"""Pipes in scripts."""
from __future__ import annotations

from typing import Any

import pytest
from kit.script import ScriptBook, faults_of

from osip.api import MIError
from osip.modules.ratelimit import module as ratelimit

SCRIPT = '''log_level = 3 modparam("ratelimit", "timer_interval", 2) modparam("ratelimit", "window_size", 2) %s
route { if (rl_check("p", 2, "%s")) xlog("1 $rl_count(p)"); else xlog("-1 $rl_count(p)"); }'''


def book_of(algorithm: str, settings: str = "") -> ScriptBook:
    book = ScriptBook(SCRIPT % (settings, algorithm), "ratelimit")
    book.clock.advance(2 - book.env.now % 2)
    return book


def send(book: ScriptBook, count: int) -> list[str]:
    for _ in range(count):
        send.number += 1                                    # type: ignore[attr-defined]
        book.recv("OPTIONS", call_id=str(send.number))      # type: ignore[attr-defined]
    found = list(book.said)
    book.said.clear()
    return found


send.number = 0                                             # type: ignore[attr-defined]


def passed(lines: list[str]) -> int:
    return sum(line.startswith("1") for line in lines)


@pytest.mark.parametrize(("settings", "most"), [("", 4), ('modparam("ratelimit", "limit_per_interval", 1)', 2)])
def test_taildrop(settings: str, most: int) -> None:
    book = book_of("TAILDROP", settings)
    lines = send(book, 6)
    assert passed(lines) == most and lines[-1] == "-1 6" and lines[:most] == [f"1 {n + 1}" for n in range(most)]
    book.clock.advance(2.1)
    assert passed(send(book, 6)) == most


def test_red_learns_from_the_last_interval() -> None:
    book = book_of("RED")
    assert passed(send(book, 16)) == 16
    book.clock.advance(2.1)
    assert passed(send(book, 16)) == 4
    book.clock.advance(9)
    assert passed(send(book, 3)) == 3


def test_sliding_window() -> None:
    book = book_of("SBT")
    assert passed(send(book, 3)) == 3
    book.clock.advance(1.5)
    assert passed(send(book, 3)) == 1
    book.clock.advance(1.0)                                 # the first three have left the window
    assert passed(send(book, 9)) == 3


def test_network_and_feedback(monkeypatch: pytest.MonkeyPatch) -> None:
    book, waiting = book_of("NETWORK"), [0]
    book.env.stats.register("net", "waiting_test", lambda: waiting[0])
    assert passed(send(book, 2)) == 2
    waiting[0] = 3
    book.modules["ratelimit"].look()
    assert passed(send(book, 2)) == 0
    book = book_of("FEEDBACK")
    monkeypatch.setattr(book.modules["ratelimit"], "_load", type("Busy", (), {"look": lambda self: 1.0})())
    assert passed(send(book, 8)) == 8
    for _ in range(6):
        book.clock.advance(2)
        send(book, 1)
    assert passed(send(book, 8)) == 0


def test_words() -> None:
    book = ScriptBook('''log_level = 3 route { rl_check("a", 1); rl_check("a", 1); rl_check("ab", 5);
        if (rl_dec_count("a")) xlog("$rl_count(a)"); if (!rl_dec_count("none")) xlog("none");
        rl_values($avp(all)); rl_values($avp(some), "b$"); xlog("$(avp(all)[*]) $(avp(some)[*])");
        rl_reset_count("a"); xlog("$rl_count(a)"); if (!rl_reset_count("none") && $rl_count(none) == NULL) xlog("null"); }
        ''', "ratelimit")
    lines = send(book, 1)
    assert (lines[0], lines[1], lines[3:]) == ("1", "none", ["0", "null"])
    assert sorted(lines[2].replace(",", " ").split()) == ["a", "ab", "ab"]


def test_bad_algorithm_is_found_by_the_check() -> None:
    assert any("BLUE" in one.message for one in faults_of('route { rl_check("a", 1, "BLUE"); }', "ratelimit"))


def test_management() -> None:
    book = book_of("TAILDROP")
    send(book, 3)
    module = book.modules["ratelimit"]
    module._pipe("q/b", 7, "SBT")
    entry = {"id": "p", "algorithm": "TAILDROP", "limit": 2, "counter": 3}
    assert module.mi_list(pipe="p") == {"Pipes": [entry]}
    assert module.mi_list(filter="p|q", filter_out="^q") == {"Pipes": [entry]}
    assert [one["id"] for one in module.mi_list()["Pipes"]] == ["p", "q/b"]
    assert module.mi_list(filter="q")["Pipes"][0]["window"] == {"seconds": 2, "slot_milliseconds": 200}
    assert module.mi_dump_pipe("p")["last_counter"] == 0
    module.mi_reset_pipe("p")
    assert module.mi_list(pipe="p")["Pipes"][0]["counter"] == 0
    module.mi_set_pid("-10", "0.5", "1")
    assert module.mi_get_pid() == {"ki": -10.0, "kp": 0.5, "kd": 1.0, "drop_rate": 0.0}
    for call in (lambda: module.mi_list(pipe="x"), lambda: module.mi_reset_pipe("x"), lambda: module.mi_list(filter="("),
                 lambda: module.mi_set_pid("a", "b", "c")):
        with pytest.raises(MIError):
            call()


def test_unused_pipes_are_forgotten_and_their_number_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    book = book_of("TAILDROP", 'modparam("ratelimit", "expire_time", 60)')
    module = book.modules["ratelimit"]
    send(book, 1)
    book.clock.advance(30)
    module.look()
    assert list(module.pipes) == ["p"]
    book.clock.advance(40)
    module.look()
    assert not module.pipes
    monkeypatch.setattr(ratelimit, "PIPES", 100)
    for number in range(1000):
        module.rl_check(None, f"n{number}", 1)
        module.rl_check(None, "busy", 1)
    assert len(module.pipes) == 100 and module.pipes["busy"].counter == 1000
    assert len([line for line in book.said if "pipes=100" in line]) == 1


def test_other_workers_count_too() -> None:
    book = book_of("TAILDROP")
    assert passed(send(book, 2)) == 2
    book.modules["ratelimit"]._counts._apply((True, [("p", 2)]))
    assert passed(send(book, 2)) == 0


async def test_servers_share_a_pipe_through_a_cache() -> None:
    settings = 'modparam("ratelimit", "cachedb_url", "local")'
    one, two = (book_of("TAILDROP", settings).modules["ratelimit"] for _ in range(2))
    two.env.cache = one.env.cache
    for module in (one, two):
        module.env.wall = lambda: 1000.0
    assert [one.rl_check(None, "x/s", 3) for _ in range(5)] == [True] * 5
    assert two.rl_check(None, "x/s", 3)
    await one.exchange()
    await two.exchange()
    assert two.pipes["x/s"].total() == 6 and not two.rl_check(None, "x/s", 3)
    await one.exchange()
    assert one.pipes["x/s"].total() == 6


async def test_a_cache_that_fails_is_told_once(caplog: Any) -> None:
    book = book_of("TAILDROP", 'modparam("ratelimit", "cachedb_url", "nothing")')
    module = book.modules["ratelimit"]
    assert module.rl_check(None, "x/s", 3)
    await module.exchange()
    module.rl_check(None, "x/s", 3)
    await module.exchange()
    assert len([line for line in book.said if "ratelimit_cache" in line]) == 1
    assert module.rl_check(None, "x/s", 3)
