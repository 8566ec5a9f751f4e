"""Contacts in SQLite: written, loaded, expired, removed; a database that goes away and refuses."""
from __future__ import annotations

import asyncio

import pytest
from kit.location import BACK, THROUGH, stored_office, written

from osip.api import MIError, StoreLost

BOB = "bob@example.com"


async def rows(office):
    return await office.env.sql("").fetch("select * from location order by contact_id")


async def test_what_is_registered_is_in_the_row_and_comes_back(tmp_path):
    async with stored_office(tmp_path, closed=False) as office:
        office.env.branch_flags.bit("NAT")
        office.register("<sip:bob@10.0.0.1;transport=tcp>;q=0.5;expires=100", headers="User-Agent: é phone\r\nAllow: INVITE\r\n"
                        "Path: <sip:edge;lr>\r\n", flags="path-off", call_id="c1", cseq=7)
        await written(office)
        office.usrloc.ul_add_key(None, "location", BOB, "k", "v")
        await written(office)
        [row] = await rows(office)
        assert (row["username"], row["domain"], row["contact"]) == ("bob", "example.com", "sip:bob@10.0.0.1;transport=tcp")
        assert (row["q"], row["callid"], row["cseq"], row["path"]) == (0.5, "c1", 7, "<sip:edge;lr>")
        assert (row["expires"], row["methods"], row["kv_store"]) == (1_800_000_100, 1, '{"k": "v"}')
        old = office.usrloc.domain("location").get(BOB).contacts[0]
    async with stored_office(tmp_path) as office:
        record = office.usrloc.domain("location").get(BOB)
        [new] = record.contacts
        for name in ("id", "uri", "q", "call_id", "cseq", "user_agent", "path", "methods", "instance", "attr"):
            assert getattr(new, name) == getattr(old, name), name
        assert new.expires - office.env.now == pytest.approx(100, abs=1) and record.kv == {"k": "v"}
        assert new.socket is office.env.sockets[0] and new.state == "CS_SYNC"


async def test_the_answer_waits_for_the_row(tmp_path):
    async with stored_office(tmp_path) as office:
        assert office.register() is None and office.code == 1
        assert office.register() is None                        # a retransmission waits as well
        await written(office)
        assert [raw.split(b" ", 2)[1] for _, raw, *_ in [(None, sent[1]) for sent in office.net.log]] == [b"200", b"200"]
        assert len(await rows(office)) == 1
        assert office.register(None, cseq=9).status == 200      # who only asks need not wait


async def test_renewed_and_removed(tmp_path):
    async with stored_office(tmp_path) as office:
        office.register("<sip:a@10.0.0.1>, <sip:b@10.0.0.1>")
        office.register("<sip:a@10.0.0.1>;expires=500", cseq=2)
        office.register("<sip:b@10.0.0.1>;expires=0", cseq=3)   # before anything was written
        await written(office)
        assert [(row["contact"], row["cseq"]) for row in await rows(office)] == [("sip:a@10.0.0.1", 2)]
        office.register("*", cseq=4, expires=0)
        await written(office)
        assert await rows(office) == []


@pytest.mark.parametrize(("mode", "left"), [(THROUGH, 0), (BACK, 0)])
async def test_expired_rows_go(tmp_path, mode, left):
    async with stored_office(tmp_path, mode, closed=False) as office:
        office.register("<sip:a@10.0.0.1>;expires=60")
        await office.usrloc.keeper.flush()
        office.clock.now += 200
        office.env.now = office.clock.now
        office.usrloc.sweep()
        await written(office)
        assert len(await rows(office)) == left
    async with stored_office(tmp_path, mode) as office:
        assert office.uris() == []


async def test_expired_rows_are_not_loaded(tmp_path):
    async with stored_office(tmp_path, closed=False) as office:
        office.register("<sip:a@10.0.0.1>;expires=60")
        await written(office)
    async with stored_office(tmp_path, wall=1_800_000_100.0) as office:
        assert office.uris() == [] and await rows(office) == []


async def test_write_back_waits_for_the_timer_and_for_the_end(tmp_path):
    async with stored_office(tmp_path, BACK, closed=False) as office:
        assert office.register().status == 200
        assert await rows(office) == []
        office.usrloc.sweep()
        await written(office)
        assert len(await rows(office)) == 1
        office.register("<sip:lost@10.0.0.1>", aor="sip:al@example.com", call_id="x")
    async with stored_office(tmp_path, BACK) as office:         # killed: what came after the last flush is lost
        assert len(office.uris()) == 1 and office.uris("al@example.com") == []
        office.register("<sip:kept@10.0.0.1>", aor="sip:al@example.com", call_id="y")
    async with stored_office(tmp_path, BACK) as office:         # stopped: nothing is
        assert office.uris("al@example.com") == ["sip:kept@10.0.0.1"]


async def test_a_store_that_is_only_read(tmp_path):
    async with stored_office(tmp_path) as office:
        office.register()
    async with stored_office(tmp_path, "single-instance-no-db", restart_persistency="load-from-sql", sql_write_mode="none") as office:
        assert office.uris() and office.register("<sip:new@10.0.0.1>", call_id="x").status == 200
    async with stored_office(tmp_path) as office:
        assert office.uris() == ["sip:bob@10.0.0.1"]


async def test_memory_only_contacts_are_not_stored(tmp_path):
    async with stored_office(tmp_path) as office:
        assert office.register(flags="memory-only").status == 200
        assert await rows(office) == []


async def test_a_database_that_is_away(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("osip.modules.usrloc.keeper.FIRST_PAUSE", 0.01)
    async with stored_office(tmp_path) as office:
        sql, broken = office.env.sql(""), True
        run = sql.run

        async def fail(work):
            if broken:
                raise StoreLost("gone fishing")
            return await run(work)
        monkeypatch.setattr(sql, "run", fail)
        office.register()
        while not office.usrloc.keeper.is_down:
            await office.env.sql("").ping()
        assert len(office.net.log) == 1                         # the phone is served all the same
        assert office.register("<sip:c@h>", aor="sip:al@example.com", call_id="x").status == 200
        with pytest.raises(MIError, match="Not written"):
            await office.env.mi.run("ul_flush", [])
        assert "gone fishing" in caplog.text and "2 changes wait" in await office.usrloc.keeper.check()
        broken = False
        await written(office)
        assert len(await rows(office)) == 2 and await office.usrloc.keeper.check() == ""


async def test_one_row_that_is_refused_does_not_hold_up_the_others(tmp_path, caplog):
    async with stored_office(tmp_path) as office:
        await office.env.sql("").execute("create trigger t before insert on location when new.username = 'bad' "
                                         "begin select raise(abort, 'not him'); end")
        for user in ("a", "bad", "c"):
            office.register(f"<sip:{user}@10.0.0.1>", aor=f"sip:{user}@example.com", call_id=user)
        await written(office)
        assert {row["username"] for row in await rows(office)} == {"a", "c"}
        assert "not him" in caplog.text and len(office.net.log) == 3


async def test_sync_reads_what_somebody_else_wrote(tmp_path):
    async with stored_office(tmp_path) as office:
        office.register()
        await written(office)
        await office.env.sql("").execute(
            "insert into location (contact_id, username, domain, contact, expires, q, last_modified) values "
            "(1, 'al', 'example.com', 'sip:al@h', 0, -1, '2027-01-15 08:00:00.000000')")
        assert await office.env.mi.run("ul_sync", ["location", "al@example.com"]) == "OK"
        assert office.uris("al@example.com") == ["sip:al@h"]
        await office.env.mi.run("ul_sync", ["location"])
        assert len(office.uris()) == 1


async def test_a_table_that_is_named_while_it_runs(tmp_path):
    async with stored_office(tmp_path) as office:
        office.usrloc.domain("other").insert("x@y", office.usrloc.new_contact("sip:x@z", office.env.now + 99))
        await written(office)
        assert len(await office.env.sql("").fetch("select * from other")) == 1


@pytest.mark.parametrize("use_domain", [0, 1])
async def test_the_domain_counts_or_not(tmp_path, use_domain):
    async with stored_office(tmp_path, use_domain=use_domain) as office:
        office.register()
        await written(office)
        [row] = await rows(office)
        assert (row["username"], row["domain"]) == ("bob", "example.com" if use_domain else None)


@pytest.mark.parametrize("wait", [0.005, 0.02, 0.05])
async def test_a_stop_in_the_middle_of_the_timer_s_write_loses_nothing(tmp_path, wait):
    async with stored_office(tmp_path, BACK, closed=False) as office:
        domain = office.usrloc.domain("location")
        for number in range(3000):
            domain.insert(f"u{number}@example.com", office.usrloc.new_contact(f"sip:u{number}@10.0.0.1", office.env.now + 900))
        office.usrloc.sweep()
        await asyncio.sleep(wait)
        await office.env.finish_tasks()             # as a worker does at its end: what runs is cancelled
        await office.usrloc.destroy()
        assert len(await rows(office)) == 3000 and not office.usrloc.keeper.waiting
