"""A mid-registrar whose contacts are in SQL alone: saving, looking up, what expires, a database that refuses."""
from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from kit.midway import US, Midway

from osip.api import StoreError, StoreLost
from osip.core.store.sql import Stores

ONLY = 'modparam("usrloc", "working_mode_preset", "sql-only")'
BOB, URI = "<sip:bob@10.0.0.2>", "sip:bob@10.0.0.2"


class Table(Midway):
    """A mid-registrar on an SQLite file; what it does takes a moment."""

    async def at_rest(self):
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0.001)
        self._collect()

    async def sign_on(self, contact=BOB, **more):
        before = len(self.replies("bob"))
        self.register(contact, **more)
        await self.at_rest()
        found = [msg for msg in self.received.get("bob", []) if not msg.is_request][before:]
        return found[-1] if found else None

    async def granted(self, *args, **more):
        before = len(self.replies("bob"))
        self.grant(*args, **more)
        await self.at_rest()
        return [msg for msg in self.received["bob"] if not msg.is_request][before:][-1]

    async def rows(self):
        found = await self.env.sql("").fetch("select * from location order by contact_id")
        return [(row["contact"], row["expires"] - round(self.env.wall())) for row in found]

    async def later(self, seconds):
        self.clock.advance(seconds)
        self.usrloc.sweep()
        await self.at_rest()

    async def invite(self, ruri):
        self.said.clear()
        self.calls = getattr(self, "calls", 0) + 1
        self.recv("INVITE", ruri, peer="dave", via="10.0.0.4:5060", branch=f"z9hG4bK{self.calls}", call_id=f"c{self.calls}")
        await self.at_rest()
        return [line for line in self.said if line.startswith("lookup")]

    def is_empty(self):
        domain = self.usrloc.domain("location")
        return not domain.records and not domain.contacts and not domain.ids and not self.usrloc.keeper._turns


@asynccontextmanager
async def table(folder, mode, params="", save=""):
    book = Table(mode, f"{ONLY} {params}", save=save)
    stores, env = Stores(book.env.config), book.env
    env.sql = lambda url="": stores.sql(f"sqlite:///{folder}/ul.db")
    await book.usrloc.child_init(env)
    try:
        yield book
    finally:
        await book.usrloc.destroy()
        await env.finish_tasks()
        await stores.close()


def pairs(reply):
    return [(c.uri_text, c.expires) for c in reply.contacts]


@pytest.mark.parametrize("mode", [0, 1, 2])
async def test_what_the_main_registrar_accepts_is_stored_before_the_answer_goes_on(tmp_path, mode):
    async with table(tmp_path, mode) as book:
        assert await book.sign_on() is None and "save 1" in book.said       # it went on
        [seen] = book.contact()
        assert f"@{US}" in seen.uri_text and await book.rows() == []
        book.grant()
        assert [code for code in book.replies("bob") if code >= 200] == []  # not before it is written
        await book.at_rest()
        reply = [msg for msg in book.received["bob"] if not msg.is_request][-1]
        assert reply.status == 200 and pairs(reply) == [(URI, 600)] and await book.rows() == [(URI, 600)]
        assert await book.invite(seen.uri_text) == ["lookup 1"] and book.inbox("bob")[-1].ruri == URI
        assert book.is_empty()
        book.said.clear()
        reply = await book.sign_on(expires=300)
        if mode:                                                            # throttled
            assert "save 2" in book.said and pairs(reply) == [(URI, 300)] and await book.rows() == [(URI, 300)]
        else:
            assert reply is None and pairs(await book.granted()) == [(URI, 300)]
        assert await book.sign_on(expires=0) is None
        assert pairs(await book.granted()) == [] and await book.rows() == []
        assert await book.invite(seen.uri_text) == ["lookup -1"]


@pytest.mark.parametrize("mode", [1, 2])
async def test_what_expires_is_taken_back_by_one_of_two_servers(tmp_path, mode):
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(table(tmp_path, mode)) for _ in "12"]
        await one.sign_on(expires=60)
        await one.granted()
        [seen] = one.contact()
        await one.sign_on("<sip:bob@10.0.0.3>", call_id="other", expires=600)
        if one.count() == 2:                                                # each contact has its own in mode 1
            await one.granted()
        asked = one.count()
        await one.later(61)
        gone = one.inbox("dave")[asked:]
        if mode == 1:
            assert [(msg.method, msg.get("Expires"), msg.contacts[0].uri_text) for msg in gone] == [
                ("REGISTER", "0", seen.uri_text)]
        else:
            assert gone == []                                               # the other phone is still there
        assert [uri for uri, _ in await one.rows()] == ["sip:bob@10.0.0.3"]
        two.clock.advance(600)
        asked = one.count()
        await two.later(1)
        assert len(two.inbox("dave")) == 1 and two.inbox("dave")[-1].get("Expires") == "0"
        await one.later(600)
        assert one.count() == asked and await one.rows() == [] and one.is_empty() and two.is_empty()


async def test_a_phone_that_comes_back_before_its_old_contact_was_removed(tmp_path):
    async with table(tmp_path, 1) as book:
        await book.sign_on(expires=60)
        await book.granted()
        old = book.contact()[0].uri_text
        book.clock.advance(61)
        await book.sign_on(call_id="anew")
        await book.granted()
        new = book.contact()[0].uri_text
        assert new != old
        await book.later(1)
        assert book.inbox("dave")[-1].contacts[0].uri_text == old
        assert await book.invite(new) == ["lookup 1"] and await book.invite(old) == ["lookup -1"]
        assert await book.rows() == [(URI, 599)]


async def test_by_aor_and_what_cannot_be_read(tmp_path):
    async with table(tmp_path, 1) as book:
        await book.sign_on()
        await book.granted()
        assert await book.invite("sip:bob@example.com") == ["lookup 1"]
        for id in (7, "9" * 20):                                            # more than any database takes
            assert await book.invite(f"sip:x@{US};ctid={id}") == ["lookup -1"]
        assert (await book.sign_on("<tel:123>")).status == 400 and book.is_empty()


async def test_a_database_that_is_away(tmp_path):
    async with table(tmp_path, 1, 'modparam("mid_registrar", "retry_after", 9)') as book:
        await book.sign_on()
        await book.granted()
        keeper = book.usrloc.keeper
        good, fetch = keeper._change, keeper.sql.fetch

        async def refuse(*_):
            raise StoreError("the column is too short")
        keeper._change = refuse
        reply = await book.sign_on(expires=300)                             # would have been answered here
        assert (reply.status, reply.get("Retry-After")) == (500, "9")
        await book.sign_on("<sip:bob@10.0.0.3>", call_id="b")
        reply = await book.granted()                                        # not the 200 of the main registrar
        assert (reply.status, reply.get("Retry-After")) == (500, "9")
        assert any("accepted what cannot be kept" in line for line in book.said)

        async def lost(*_):
            raise StoreLost("gone")
        keeper._change, keeper.sql.fetch = good, lost
        assert (await book.sign_on(expires=200)).status == 500
        assert await book.invite("sip:bob@example.com") == ["lookup -3"]
        assert await book.invite(f"sip:x@{US};ctid=7") == ["lookup -3"]
        keeper.sql.fetch = fetch
        assert await book.rows() == [(URI, 600)] and book.is_empty()
