"""Waiting for events in scripts: what comes, what does not, and how long."""
from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kit.script import ScriptBook, faults_of

from osip.modules import event_routing
from osip.modules.event_routing import Queue, Waiter

NOTIFY = '''route { $avp(f) = "aor=%s"; %s if (notify_on_event("E_X", $avp(f), "TOLD", 10)) xlog("armed"); else xlog("refused"); exit; }
route[TOLD] { fetch_event_params("$var(first)"); xlog("told $avp(aor) $avp(n) $avp(f) $rm $var(first)"); }'''


def book(script: str, *modules: str) -> ScriptBook:
    return ScriptBook(script, "event_routing", *(modules or ("sipmsgops",)))


def raised(found: ScriptBook, **params: Any) -> ScriptBook:
    found.env.events.raise_event("E_X", params)
    return found


@pytest.mark.parametrize(("pattern", "more", "told"), [
    ("bob", "", ["bob"]), ("b*", "", ["bob", "bill"]), ("*", "", ["bob", "bill", "alice"]), ("none", "", []),
    ("b*", '$avp(f) = "n=1";', ["bob"]), ("?ob", '$avp(f) = "missing=*";', []), ("b*", '$avp(f) = "n=[12]";', ["bob", "bill"])])
def test_a_route_is_told(pattern: str, more: str, told: list[str]) -> None:
    found = book(NOTIFY % (pattern, more))
    found.recv("OPTIONS").says("armed")
    for number, name in enumerate(("bob", "bill", "alice"), 1):
        raised(found, aor=name, n=number)
    assert [line.split()[1] for line in found.said] == told
    found.env.events.raise_event("E_Y", {"aor": "bob"})
    assert len(found.said) == len(told)


def test_it_sees_the_message_and_ends_with_its_time() -> None:
    found = book(NOTIFY % ("bob", ""))
    found.recv("OPTIONS").says("armed")
    raised(found, aor="bob", n=7, empty=None).says("told bob 7 aor=bob OPTIONS bob")
    assert found.env.stats.get("event_routing:waiting") == 1
    found.advance(11)
    raised(found, aor="bob", n=8).says()
    assert found.env.stats.get("event_routing:waiting") == 0 and not found.env.events.records["E_X"].subscribers


def test_those_that_are_never_told_are_forgotten() -> None:
    found = book(NOTIFY % ("bob", ""))
    found.recv("OPTIONS").advance(11)
    found.modules["event_routing"].sweep()
    assert found.env.stats.get("event_routing:waiting") == 0


def test_branches_are_added_to_a_call_that_waits() -> None:
    script = '''route { if ($rm != "INVITE") { t_relay(); exit; } $avp(f) = "aor=bob"; t_newtran();
notify_on_event("E_X", $avp(f), "FORK", 20); t_wait_for_new_branches(); exit; }
route[FORK] { xlog("fork $avp(uri)"); t_inject_branches("event"); }'''
    found = book(script, "tm", "sipmsgops")
    found.recv("INVITE").quiet("bob")
    raised(found, aor="bob", uri="sip:bob@10.0.0.2")
    found.sent("INVITE", "bob").answer("bob", 200).sent(100).sent(200)
    raised(found, aor="bob", uri="sip:bob@10.0.0.3")
    found.quiet("carol")


@pytest.mark.parametrize("script", [NOTIFY.replace('"aor=%s"', '"aor"%s') % ("", ""),
                                    NOTIFY.replace("10)", "0)") % ("bob", "")])
def test_what_is_refused(script: str) -> None:
    found = book(script)
    found.recv("OPTIONS")
    assert "refused" in found.said and len(found.said) == 2 and not found.env.events.records.get("E_X")


def test_a_route_that_is_not_there_is_a_fault() -> None:
    assert faults_of('route { notify_on_event("E_X", $avp(f), "NONE_SUCH", 10); }', "event_routing")
    assert faults_of('timer_route[t, 5] { notify_on_event("E_X", $avp(f), "R", 10); } route[R] { exit; } route { exit; }',
                     "event_routing")


def test_there_is_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_routing, "MOST", 2)
    found = book(NOTIFY % ("bob", ""))
    for number in range(3):
        found.recv("OPTIONS", branch=f"z9hG4bK-{number}")
    assert [line for line in found.said if "wait already" not in line] == ["armed", "armed", "refused"]


WAIT = '''route { $avp(f) = "aor=bob"; %s exit; }
route[RESUME] { xlog("resumed $rc $avp(n)"); }'''
PLAIN = 'wait_for_event("E_X", $avp(f), %d); xlog("plain $rc $avp(n)");'
DEFERRED = 'async(wait_for_event("E_X", $avp(f), %d), RESUME);'


@pytest.mark.parametrize(("action", "word"), [(PLAIN, "plain"), (DEFERRED, "resumed")])
async def test_waiting(action: str, word: str) -> None:
    found = book(WAIT % (action % 30), "tm")
    found.recv("OPTIONS").recv("OPTIONS", branch="z9hG4bK-2")
    await asyncio.sleep(0)
    assert found.env.stats.get("event_routing:waiting") == 2
    raised(found, aor="alice", n=1)
    raised(found, aor="bob", n=2)
    raised(found, aor="bob", n=3)
    async with asyncio.timeout(5):
        while len(found.said) < 2:
            await asyncio.sleep(0)
    assert found.said == [f"{word} 1 2"] * 2 and found.env.stats.get("event_routing:waiting") == 0


async def test_waiting_in_vain_or_for_nothing() -> None:
    for seconds, filter, code in ((1, "aor=bob", -2), (0, "aor=bob", -1), (1, "aor", -1)):
        found = book((WAIT % (PLAIN % seconds)).replace("aor=bob", filter))
        found.recv("OPTIONS")
        async with asyncio.timeout(5):
            while not any(line.startswith("plain") for line in found.said):
                await asyncio.sleep(0.01)
        assert f"plain {code} <null>" in found.said and found.env.stats.get("event_routing:waiting") == 0


def test_many_that_wait_for_different_things_are_not_all_looked_at() -> None:
    queue, looked = Queue(), []

    class Counted(Waiter):
        def wants(self, params: dict[str, Any]) -> bool:
            looked.append(self)
            return super().wants(params)
    for number in range(1000):
        queue.add(Counted([("aor", f"u{number}")], print, 1.0))
    assert len(queue.of({"aor": "u7", "uri": "x"})) == 1 and len(looked) == 1


def test_other_workers_hear_of_it() -> None:
    """Two workers: what one waits for, the other passes on."""
    one, two = (book(NOTIFY % ("bob", "")) for _ in range(2))
    two.env.number = 1
    links = {one: two, two: one}
    for here, there in links.items():
        def others(topic: str, value: Any, there: ScriptBook = there) -> None:
            there.env.bus.publish(topic, value)
        here.env.bus.others = others            # type: ignore[method-assign]
    one.recv("OPTIONS")
    two.said.clear()
    raised(two, aor="bob", n=5, odd=1.5)
    assert two.said == ["told bob 5 aor=bob OPTIONS bob"]      # the last listener of the logs hears all
    late = book(NOTIFY % ("bob", ""))
    late.env.number = 2
    late.modules["event_routing"]._load(list(one.modules["event_routing"]._snapshot()))
    assert [s.address for s in late.env.events.records["E_X"].subscribers] == ["event_routing:elsewhere"]
    one.advance(11)
    one.modules["event_routing"].sweep()
    assert not two.env.events.records["E_X"].subscribers
