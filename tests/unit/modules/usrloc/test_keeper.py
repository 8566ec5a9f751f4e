"""What is kept for a store, and who waits for it, with a store that is played."""
from __future__ import annotations

import asyncio

import pytest
from kit.registration import Office

from osip.api import StoreError
from osip.modules.usrloc import keeper as module
from osip.modules.usrloc.keeper import Keeper


class Played(Keeper):
    """Notes what it is given; fails while `reason` is set, waits for `gate` when there is one."""
    reason, gate = "", None

    def __init__(self, *args):
        super().__init__(*args)
        self.log = []

    async def _write(self, puts, gone):
        self.log.append((sorted(c.uri for c in puts), len(gone)))
        if self.gate is not None:
            await self.gate.wait()
        if self.reason:
            raise StoreError(self.reason)


@pytest.fixture
async def office(monkeypatch):
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)
    made = Office()
    made.usrloc.keeper = made.keeper = Played(made.usrloc, True)
    made.usrloc.watchers.append(made.keeper.on_change)
    made.registrar.rules.read()
    yield made
    await made.env.finish_tasks()


async def done(office):
    await office.keeper._task


async def test_changes_of_one_moment_are_one_write(office):
    for user in "abc":
        office.register(f"<sip:{user}@h>", aor=f"sip:{user}@example.com", call_id=user)
    await done(office)
    assert office.keeper.log == [(["sip:a@h", "sip:b@h", "sip:c@h"], 0)] and office.keeper.written == 3
    assert office.usrloc.domain("location").get("a@example.com").contacts[0].state == "CS_SYNC"


async def test_what_never_was_stored_need_not_be_removed(office):
    office.register("<sip:a@h>")
    office.register("<sip:a@h>;expires=0", cseq=2)
    await done(office)
    assert office.keeper.log == []


async def test_what_changes_during_a_write_is_written_again(office):
    office.keeper.gate = asyncio.Event()
    office.register("<sip:a@h>")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    office.register("<sip:a@h>", cseq=2)
    assert office.keeper.waiting == 1 and len(office.net.log) == 0
    office.keeper.gate.set()
    await done(office)
    assert office.keeper.log == [(["sip:a@h"], 0)] * 2 and len(office.net.log) == 2


async def test_one_that_goes_during_a_write_that_fails_is_removed_there(office):
    office.keeper.gate, office.keeper.reason = asyncio.Event(), "gone"
    office.register("<sip:a@h>")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    office.register("<sip:a@h>;expires=0", cseq=2)
    office.keeper.gate.set()
    while not office.keeper.is_down:
        await asyncio.sleep(0)
    office.keeper.reason = ""
    await done(office)
    assert office.keeper.log[-1] == ([], 1) and not office.keeper.is_down


async def test_many_registrations_while_it_is_away_cost_no_more_than_their_contacts(office):
    office.keeper.reason = "gone"
    office.register("<sip:a@h>")
    while not office.keeper.is_down:
        await asyncio.sleep(0)
    for cseq in range(2, 200):
        assert office.register("<sip:a@h>", cseq=cseq).status == 200
    assert office.keeper.waiting == 1
    assert "1 changes" in await office.keeper.check()
    office.keeper.reason = ""
    await done(office)
    assert await office.keeper.check() == "" and office.keeper.waiting == 0


async def test_the_end_writes_what_is_left(office, caplog):
    office.keeper._at_once = False
    office.register("<sip:a@h>")
    await office.keeper.close()
    assert office.keeper.log == [(["sip:a@h"], 0)]
    office.register("<sip:b@h>", call_id="y")
    office.keeper.reason = "gone"
    await office.keeper.close()
    assert "1 changes of contacts are lost" in caplog.text
