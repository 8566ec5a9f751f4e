"""Contacts in SQL and nowhere else: read before a request, written behind it, by several servers."""
from __future__ import annotations

import asyncio

import pytest
from kit.location import stored_office
from kit.registration import contacts, invite, register

from osip.api import MIError, StoreError, StoreLost, parse
from osip.modules.registrar.flag import LookupFlags, parse_lookup, parse_save

BOB = "bob@example.com"
ONLY = "sql-only"


async def rows(office):
    return await office.env.sql("").fetch("select * from location order by contact_id")


async def save(office, *args, flags="", **more):
    """Register; return the reply."""
    before = len(office.net.log)
    office.code = await office.registrar.save(office.ctx(register(*args, **more)), "location", parse_save(flags))
    sent = office.net.log[before:]
    return parse(sent[0][1]) if sent else None


async def lookup(office, ruri="sip:bob@example.com", flags="", **more):
    ctx = office.ctx(invite(ruri))
    office.code = await office.registrar.lookup(ctx, "location", parse_lookup(flags) if flags else LookupFlags(), **more)
    return [ctx.target.uri, *(target.uri for target in ctx.targets or ())]


def is_empty(office):
    domain = office.usrloc.domain("location")
    return not domain.records and not domain.contacts and not office.usrloc.keeper._turns


async def test_two_servers_on_one_table_have_nothing_in_memory(tmp_path):
    async with stored_office(tmp_path, ONLY) as one, stored_office(tmp_path, ONLY) as two:
        reply = await save(one, "<sip:bob@10.0.0.1>;q=0.5;expires=100", headers="User-Agent: phone\r\n")
        assert (reply.status, contacts(reply)) == (200, [("sip:bob@10.0.0.1", 100)]) and is_empty(one)
        assert await lookup(two) == ["sip:bob@10.0.0.1"] and two.code == 1 and is_empty(two)
        reply = await save(two, "<sip:bob@10.0.0.2>;q=0.9", call_id="other")
        assert [uri for uri, _ in contacts(reply)] == ["sip:bob@10.0.0.2", "sip:bob@10.0.0.1"]
        assert await lookup(one) == ["sip:bob@10.0.0.2", "sip:bob@10.0.0.1"]
        reply = await save(two, "<sip:bob@10.0.0.1>;expires=50", cseq=2)            # renewed at the other server
        [old] = [row for row in await rows(one) if row["contact"] == "sip:bob@10.0.0.1"]
        assert old["expires"] == 1_800_000_060 and old["cseq"] == 2                 # min_expires
        assert (await save(one, "<sip:bob@10.0.0.1>", cseq=1)).status == 400        # older than what the table has
        await save(one, "*", expires=0, cseq=3)
        assert await rows(two) == [] and await lookup(two) == [None] and two.code == -1


async def test_a_phone_that_asks_or_repeats_writes_nothing(tmp_path):
    async with stored_office(tmp_path, ONLY) as office:
        await save(office, "<sip:bob@10.0.0.1>")
        before = office.usrloc.keeper.written
        assert contacts(await save(office, None, cseq=2))[0][0] == "sip:bob@10.0.0.1"
        assert (await save(office, "<sip:bob@10.0.0.1>")).status == 200             # a retransmission
        assert office.usrloc.keeper.written == before == 1


async def test_what_sql_does_not_take_is_not_accepted(tmp_path, caplog):
    async with stored_office(tmp_path, ONLY, closed=False) as office:
        office.registrar.retry_after = 7
        await save(office, "<sip:bob@10.0.0.1>")

        async def refuse(*_):
            raise StoreError("the column is too short")
        keeper = office.usrloc.keeper
        good, keeper._change = keeper._change, refuse
        reply = await save(office, "<sip:bob@10.0.0.2>", call_id="b")
        assert (reply.status, reply.get("Retry-After"), office.code) == (500, "7", -1)
        assert (office.registrar.accepted_regs, office.registrar.rejected_regs) == (1, 1)
        assert await save(office, "<sip:bob@10.0.0.2>", call_id="b", flags="no-reply") is None and office.code == -1
        keeper._change = good
        assert await lookup(office) == ["sip:bob@10.0.0.1"] and is_empty(office)

        async def lost(*_):
            raise StoreLost("gone")
        keeper.sql.fetch = lost
        assert await lookup(office) == [None] and office.code == -3
        assert (await save(office, "<sip:bob@10.0.0.3>", call_id="c")).status == 500
        assert "does not answer" in await keeper.check() and "gone" in caplog.text
        assert await office.registrar.is_registered(office.ctx(invite()), "location", BOB) == -1
        with pytest.raises(MIError, match="No database"):
            await office.usrloc.mi_show_contact("location", BOB)
        assert await office.usrloc.ul_add_key(None, "location", BOB, "k", "v") == -1


async def test_many_at_once_and_one_that_is_refused(tmp_path):
    async with stored_office(tmp_path, ONLY) as office:
        keeper = office.usrloc.keeper
        good, sizes = keeper._change, []

        async def change(table, rows, ids):
            sizes.append(len(rows))
            if any(row["user"] == "u7" for row in rows):
                raise StoreError("refused")
            await good(table, rows, ids)
        keeper._change = change
        replies = await asyncio.gather(*(office.registrar.save(office.ctx(register(
            f"<sip:u{n}@10.0.0.1>", aor=f"sip:u{n}@example.com", call_id=f"c{n}")), "location", parse_save("no-reply"))
            for n in range(40)))
        assert [n for n, code in enumerate(replies) if code < 0] == [7] and max(sizes) > 5
        assert {row["username"] for row in await rows(office)} == {f"u{n}" for n in range(40)} - {"u7"} and is_empty(office)
        # The same phone twice at the same moment: they take turns.
        await asyncio.gather(*(office.registrar.save(office.ctx(register("<sip:al@10.0.0.1>", aor="sip:al@example.com", cseq=n)),
                                                     "location", parse_save("no-reply")) for n in (1, 2, 3)))
        assert [row["cseq"] for row in await rows(office) if row["username"] == "al"] == [3]


async def test_two_rows_of_one_contact_go_together(tmp_path):
    async with stored_office(tmp_path, ONLY) as one, stored_office(tmp_path, ONLY) as two:
        await asyncio.gather(save(one, "<sip:bob@10.0.0.1>", call_id="x"), save(two, "<sip:bob@10.0.0.1>", call_id="x"))
        if len(await rows(one)) == 1:           # no race this time: make the second row
            [row] = await rows(one)
            await one.env.sql("").execute(
                "insert into location (contact_id, username, domain, contact, expires, callid, cseq) values "
                "(1, 'bob', 'example.com', 'sip:bob@10.0.0.1', :e, 'x', 1)", {"e": row["expires"]})
        assert len(await rows(one)) == 2 and await lookup(one) == ["sip:bob@10.0.0.1"]
        assert (await save(one, "<sip:bob@10.0.0.1>;expires=0", call_id="x", cseq=2)).status == 200
        assert await rows(two) == []


async def test_what_scripts_and_operators_do(tmp_path):
    async with stored_office(tmp_path, ONLY) as office:
        ul, reg = office.usrloc, office.registrar
        assert await ul.ul_add_key(None, "location", BOB, "k", "v") == -1
        await save(office, "<sip:bob@10.0.0.1:5060>", headers="")
        assert await ul.ul_add_key(None, "location", BOB, "k", "v") == 1
        assert [row["kv_store"] for row in await rows(office)] == ['{"k": "v"}']
        ctx = office.ctx(invite())
        assert await reg.is_registered(ctx, "location", "sip:bob@example.com") == 1
        assert await reg.is_registered(ctx, "location", "sip:eve@example.com") == -1
        assert await reg.is_contact_registered(ctx, "location", "sip:bob@example.com", "sip:bob@10.0.0.1:5060") == 1
        await ul.mi_add("location", "al@example.com", "sip:al@10.0.0.2", 0, "1", "0", "", 0)
        [table] = (await ul.mi_dump())["Domains"]
        assert {entry["AOR"] for entry in table["AORs"]} == {BOB, "al@example.com"}
        assert (await ul.mi_show_contact("location", BOB))["Contacts"][0]["Contact"] == "sip:bob@10.0.0.1:5060"
        with pytest.raises(MIError, match="not found"):
            await ul.mi_rm("location", "eve@example.com")
        with pytest.raises(MIError, match="No database"):
            await ul.mi_sync("location")
        await ul.mi_flush()
        assert await reg.remove_ip_port(ctx, "10.0.0.1", 5060, "location") == 1
        assert await reg.remove_ip_port(ctx, "10.0.0.1", 5060, "location") == -1
        assert await reg.remove(ctx, "location", "sip:al@example.com") == 1
        assert await rows(office) == [] and is_empty(office)


async def test_events_are_those_of_changes_and_expired_rows_go(tmp_path):
    async with stored_office(tmp_path, ONLY) as office:
        heard = []
        for name in ("E_UL_AOR_INSERT", "E_UL_CONTACT_INSERT", "E_UL_CONTACT_UPDATE", "E_UL_CONTACT_DELETE", "E_UL_AOR_DELETE"):
            office.env.events.subscribe(name, f"test:{name}", lambda event, params: heard.append(event))
        await save(office, "<sip:bob@10.0.0.1>")
        assert heard == ["E_UL_AOR_INSERT", "E_UL_CONTACT_INSERT"]
        await lookup(office)
        await save(office, "<sip:bob@10.0.0.1>", cseq=2)
        await save(office, "<sip:bob@10.0.0.1>;expires=0", cseq=3)
        assert heard[2:] == ["E_UL_CONTACT_UPDATE", "E_UL_CONTACT_DELETE", "E_UL_AOR_DELETE"]
        await save(office, "<sip:bob@10.0.0.1>", call_id="z")
        await office.env.sql("").execute("update location set expires = 1000")
        assert await lookup(office) == [None]
        office.usrloc.sweep()
        async with asyncio.timeout(5):
            while await rows(office):
                await asyncio.sleep(0.01)


async def test_an_index_is_made_once_and_many_reads_are_one(tmp_path, caplog):
    async with stored_office(tmp_path, ONLY) as office:
        assert "has an index on username, domain now" in caplog.text
        caplog.clear()
        asked = []
        fetch = office.usrloc.keeper.sql.fetch

        async def count(*args):
            asked.append(args)
            return await fetch(*args)
        office.usrloc.keeper.sql.fetch = count
        await asyncio.gather(*(office.registrar.lookup(office.ctx(invite(f"sip:u{n}@example.com")), "location")
                               for n in range(50)))
        assert len(asked) <= 3
        office.usrloc.keeper.sql.fetch = fetch
    async with stored_office(tmp_path, ONLY, use_domain=0) as office:
        assert "index" not in caplog.text
        await save(office, "<sip:bob@10.0.0.1>", aor="sip:bob@a.com")
        assert await lookup(office, "sip:bob@b.com") == ["sip:bob@10.0.0.1"]


async def test_an_index_that_cannot_be_made(tmp_path, caplog, monkeypatch):
    def refuse(*_):
        raise StoreError("denied")
    monkeypatch.setattr("osip.modules.usrloc.only.make_index", refuse)
    async with stored_office(tmp_path, ONLY) as office:
        assert "each request reads the whole table location" in caplog.text and "denied" in caplog.text
        assert (await save(office)).status == 200
