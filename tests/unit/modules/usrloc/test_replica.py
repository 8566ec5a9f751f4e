"""Location tables of several workers that stay alike."""
from __future__ import annotations

from typing import Any

from kit.clock import FakeClock
from kit.playbook import make_worker
from osip.core.run.bus import LocalBus
from osip.modules.usrloc import Usrloc
from osip.modules.usrloc.replica import Replica
from osip.modules.usrloc.state import DIRTY, NEW, SYNC, Contact


class Bus(LocalBus):
    """`others` reaches the buses beside this one."""

    def __init__(self) -> None:
        super().__init__()
        self.beside: list[LocalBus] = []
        self.is_cut = False

    def others(self, topic: str, value: Any) -> None:
        for bus in self.beside:
            if not self.is_cut:
                LocalBus.publish(bus, topic, value)


def tables(count: int = 2) -> tuple[list[Usrloc], list[FakeClock]]:
    """Make the modules of several workers."""
    made, clocks, buses = [], [], [Bus() for _ in range(count)]
    for number, bus in enumerate(buses):
        worker, _, clock = make_worker((Usrloc,))
        env = worker.env
        bus.beside = [other for other in buses if other is not bus]
        env.bus, env.number, env.workers = bus, number, count
        ul = env.modules["usrloc"]
        ul.replica = Replica(ul)
        ul.watchers.append(ul.replica.on_change)
        ul.domain("location").number(ul._first_id(), count)
        made.append(ul)
        clocks.append(clock)
    return made, clocks


def shown(ul: Usrloc) -> list[tuple[str, str, int, int]]:
    return sorted((c.aor, c.uri, c.q, c.id) for c in ul.domain("location").all())


def contact(uri: str = "sip:a@10.0.0.1", modified: float = 1000.0, **more: Any) -> Contact:
    return Contact(uri, more.pop("expires", 2000.0), modified=modified, **more)


def test_what_one_changes_all_have() -> None:
    (one, two), _ = tables()
    table = one.domain("location")
    socket = one.env.sockets[1]
    made = table.insert("alice@x", contact(socket=socket, path="<sip:p>", q=500, call_id="c", cseq=3, attr="z"))
    (copy,) = two.domain("location").get("alice@x").contacts        # type: ignore[union-attr]
    assert (copy.uri, copy.q, copy.path, copy.cseq, copy.attr) == ("sip:a@10.0.0.1", 500, "<sip:p>", 3, "z")
    assert copy.socket is two.env.sockets[1] and copy.id == made.id and copy.expires == 2000.0
    assert (made.state, copy.state) == (NEW, SYNC), "only the first one has something to write"
    table.update(made, contact(modified=1001.0, q=900))
    assert shown(one) == shown(two) and shown(two)[0][2] == 900
    two.domain("location").update(copy, contact(modified=1002.0, q=100))
    assert copy.state == DIRTY and shown(one) == shown(two) and shown(one)[0][2] == 100
    two.domain("other").insert("bob@x", contact())
    assert len(one.domain("other").records) == 1
    two.domain("location").delete(copy)
    assert shown(one) == shown(two) == []


def test_ids_do_not_meet() -> None:
    (one, two), _ = tables()
    for number in range(20):
        for ul in (one, two):
            ul.domain("location").insert(f"u{number}", contact(f"sip:{ul.env.number}-{number}@h"))
    ids = [id for *_, id in shown(one)]
    assert len(set(ids)) == 40 and shown(one) == shown(two)


def test_the_later_version_stays() -> None:
    (one, two), _ = tables()
    one.env.bus.is_cut = two.env.bus.is_cut = True
    first = one.domain("location").insert("a", contact(call_id="c", q=1, modified=1000.0))
    second = two.domain("location").insert("a", contact(call_id="c", q=2, modified=1005.0))
    one.env.bus.is_cut = two.env.bus.is_cut = False
    one.replica.on_change("contact_update", first)
    assert shown(two)[0][2] == 2, "older news changes nothing"
    two.replica.on_change("contact_update", second)
    assert shown(one) == shown(two) and len(shown(one)) == 1
    two.replica._apply((1, "location", "a", second.id, 1004.0))
    assert len(shown(two)) == 1, "a removal of an older version comes too late"
    two.replica._apply((1, "location", "a", second.id, 1005.0))
    two.replica._apply((1, "location", "a", second.id, 1005.0))
    assert shown(two) == []


def test_only_the_worker_where_it_began_tells() -> None:
    (one, two), clocks = tables()
    heard: list[tuple[int, str]] = []
    for ul in (one, two):
        ul.watch(lambda what, thing, number=ul.env.number: heard.append((number, what)))
    one.domain("location").insert("a", contact(expires=1010.0))
    assert heard == [(0, "aor_insert"), (0, "contact_insert")]
    heard.clear()
    for clock, ul in zip(clocks, (one, two), strict=True):
        clock.advance(200)
        ul.sweep()
    assert shown(one) == shown(two) == [] and heard == [(0, "contact_delete"), (0, "aor_delete")]


def test_a_late_worker_learns_all() -> None:
    (one, two), _ = tables()
    one.env.bus.is_cut = True
    for number in range(5):
        one.domain("location").insert(f"u{number}", contact(f"sip:{number}@h"))
    one.domain("location").get("u3").kv = {"k": "v"}                # type: ignore[union-attr]
    two.replica._load(list(one.replica._known()))
    assert shown(one) == shown(two)
    assert two.domain("location").get("u3").kv == {"k": "v"}        # type: ignore[union-attr]


def test_keys_travel() -> None:
    (one, two), _ = tables()
    one.domain("location").insert("a", contact())
    assert one.ul_add_key(None, "location", "a", "k", "v") == 1     # type: ignore[arg-type]
    assert two.domain("location").get("a").kv == {"k": "v"}         # type: ignore[union-attr]
    assert two.ul_del_key(None, "location", "a", "k") == 1          # type: ignore[arg-type]
    assert not one.domain("location").get("a").kv                   # type: ignore[union-attr]
