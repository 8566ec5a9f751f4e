"""Look up at other servers of a federation; sql-only is tested with usrloc's OnlyKeeper."""
from __future__ import annotations

import pytest
from kit.registration import Office, invite, register

from osip.api import StoreError
from osip.modules.registrar.flag import parse_lookup, parse_save
from osip.modules.registrar.remote import MARK
from osip.modules.usrloc.mode import FEDERATION, ONLY

BOB = "sip:bob@example.com"
AWAY = f"{BOB};{MARK}"


def federation(homes=(), error=None):
    office = Office({"usrloc": {"working_mode_preset": FEDERATION, "cachedb_url": "redis://x/"}})
    asked = []

    async def answer(table, aor):
        asked.append((table, aor))
        if error is not None:
            raise error
        return list(homes)
    office.usrloc.homes = answer
    return office, asked


async def find(office, ruri=BOB, flags="global", aor=None):
    ctx = office.ctx(invite(ruri))
    found = office.registrar.lookup(ctx, "location", parse_lookup(flags), aor)
    office.code = found if isinstance(found, int) else await found
    return [(target.uri, target.du) for target in (ctx.target, *(ctx.targets or ()))]


def test_what_may_wait():
    assert [Office().registrar.waits, Office().registrar.asks] == [False, False]
    assert [federation()[0].registrar.waits, federation()[0].registrar.asks] == [False, True]
    only = Office({"usrloc": {"working_mode_preset": ONLY}})
    assert [only.registrar.waits, only.registrar.asks] == [True, True]


async def test_nobody_here_and_two_servers_elsewhere():
    office, asked = federation(["sip:n1", "sip:n2:5070"])
    assert await find(office) == [(AWAY, "sip:n1"), (AWAY, "sip:n2:5070")] and office.code == 1
    assert asked == [("location", "bob@example.com")]
    assert await find(office, flags="global,no-branches") == [(AWAY, "sip:n1")] and office.code == 1
    assert await find(office, flags="global,to-branches-only") == [(None, None), (AWAY, "sip:n1"), (AWAY, "sip:n2:5070")]
    assert await find(office, "sip:al@example.com", aor="<sip:bob@example.com>") == [(AWAY, "sip:n1"), (AWAY, "sip:n2:5070")]


async def test_contacts_here_come_first():
    office, _ = federation(["sip:n1"])
    office.usrloc.domain("location").insert("bob@example.com", office.usrloc.new_contact("sip:bob@10.0.0.1"))
    assert await find(office) == [("sip:bob@10.0.0.1", None), (AWAY, "sip:n1")] and office.code == 1
    assert await find(office, flags="global,no-branches") == [("sip:bob@10.0.0.1", None)]


@pytest.mark.parametrize(("ruri", "flags"), [(BOB, ""), (AWAY, "global"), (f"{BOB};gr;{MARK}", "global")])
async def test_who_does_not_ask(ruri, flags):
    office, asked = federation(["sip:n1"])
    assert await find(office, ruri, flags) == [(None, None)] and office.code == -1 and not asked


async def test_nobody_anywhere_and_nobody_knows():
    assert await find((office := federation()[0])) == [(None, None)] and office.code == -1
    office, _ = federation(error=StoreError("gone"))
    assert await find(office) == [(None, None)] and office.code == -3
    office.usrloc.domain("location").insert("bob@example.com", office.usrloc.new_contact("sip:bob@10.0.0.1"))
    assert await find(office) == [("sip:bob@10.0.0.1", None)] and office.code == 1


async def test_a_register_that_is_none_is_refused_before_sql_is_asked():
    office = Office({"usrloc": {"working_mode_preset": ONLY}})
    office.registrar.max_username_len = 2
    office.registrar.rules.read()
    ctx = office.ctx(register())
    assert await office.registrar.save(ctx, "location", parse_save("")) == -1
    assert b"400 Username Too Long" in office.net.log[0][1]
