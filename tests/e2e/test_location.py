"""Many users in SQLite, PostgreSQL and MariaDB; a server that is killed; three servers that share contacts in Redis.

`OSIP_USERS=10000 .venv/bin/python -m pytest -n 0 tests/e2e/test_location.py` does it with as many users as that.
"""
from __future__ import annotations

import asyncio
import os
import re
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from kit.crowd import PASSWORD, Crowd, md5
from kit.databases import SERVERS
from kit.nodes import Phone, call, final, mi
from kit.peer import eventually
from kit.redis import ask, redis_server
from kit.server import Running, osip_server
from kit.udp_phone import UdpPhone

from osip.core.store.sql import Sql
from osip.core.store.tables import create_tables
from osip.modules.auth_db import AuthDb
from osip.modules.usrloc import Usrloc

pytestmark = pytest.mark.timeout(600)
KINDS = [pytest.param(kind, marks=() if kind == "sqlite" else pytest.mark.peer(kind)) for kind in SERVERS]
USERS = int(os.environ.get("OSIP_USERS", "300"))
SCRIPT = """\
log_level = 2
socket = udp:127.0.0.1:5060
loadmodule "proto_udp.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "signaling.so"
loadmodule "httpd.so"
loadmodule "mi_http.so"
{more}
loadmodule "usrloc.so"
modparam("usrloc", "working_mode_preset", "{mode}")
modparam("usrloc", "timer_interval", 2)
{after}
loadmodule "registrar.so"
modparam("registrar", "min_expires", 1)
route {{
	if (is_method("REGISTER")) {{
		{auth}
		save("location");
		exit;
	}}
	if (is_method("OPTIONS")) {{ sl_send_reply(200, "OK"); exit; }}
	if (!lookup("location")) {{ sl_send_reply(404, "Not Found"); exit; }}
	if (is_method("MESSAGE")) {{ sl_send_reply(202, "Accepted"); exit; }}
	t_relay();
}}
""".replace('loadmodule "usrloc.so"', 'loadmodule "sipmsgops.so"\nloadmodule "usrloc.so"')
DIGEST = 'if (!www_authorize("example.com", "subscriber")) { www_challenge("example.com"); exit; }\n\t\tconsume_credentials();'


def sql_script(mode: str, url: str) -> str:
    more = (f'db_default_url = "{url}"\nloadmodule "auth.so"\nloadmodule "auth_db.so"\n'
            'modparam("auth_db", "use_domain", 0)\nmodparam("auth_db", "calculate_ha1", 0)')
    return SCRIPT.format(more=more, after="", mode=mode, auth=DIGEST)


async def make_tables(url: str) -> None:
    sql = Sql(url)
    await create_tables(sql, [AuthDb.subscriber.spec(), Usrloc.location.spec()])
    rows = [{"u": f"u{n}", "h": md5(f"u{n}:example.com:{PASSWORD}")} for n in range(USERS)]
    for at in range(0, len(rows), 500):
        await sql.execute("insert into subscriber (username, domain, ha1) values (:u, 'example.com', :h)", rows[at:at + 500])
    await sql.close()


async def stored(url: str) -> set[int]:
    sql = Sql(url)
    rows = await sql.fetch("select username, domain, contact from location")
    await sql.close()
    assert len({row["username"] for row in rows}) == len(rows)
    return {int(row["username"][1:]) for row in rows if row["domain"] == "example.com"}


async def dumped(server: Running) -> set[int]:
    [domain] = (await asyncio.to_thread(mi, server, "ul_dump"))["Domains"]
    assert all(len(entry["Contacts"]) == 1 for entry in domain["AORs"])
    return {int(entry["AOR"].split("@")[0][1:]) for entry in domain["AORs"]}


def looked_up(server: Running, users: range) -> set[int]:
    """Ask the script for some users."""
    found = set()
    with UdpPhone("alice", server.port) as alice:
        for user in users:
            alice.request("MESSAGE", f"sip:u{user}@example.com", call_id=f"m{user}")
            if final(alice) == 202:
                found.add(user)
    return found


@pytest.mark.parametrize("mode", ["single-instance-sql-write-through", "sql-only"])
@pytest.mark.parametrize("kind", KINDS)
async def test_register_renew_expire_unregister(tmp_path: Path, kind: str, mode: str) -> None:
    with SERVERS[kind](tmp_path) as url:        # type: ignore[attr-defined]
        await make_tables(url)
        with osip_server(sql_script(mode, url), tmp_path / "osip") as server:
            crowd = await Crowd.open(server.port)
            every = set(range(USERS))
            await crowd.register(every)
            assert crowd.online == await stored(url) == await dumped(server) == every and not crowd.refused
            some = range(0, USERS, max(1, USERS // 50))
            assert await asyncio.to_thread(looked_up, server, some) == set(some)
            third = USERS // 3
            await crowd.register(range(third), 900)             # renew
            await crowd.register(range(third, 2 * third), 0)    # unregister
            await crowd.register(range(2 * third, USERS), 1)    # let expire
            assert await stored(url) >= set(range(third)) and not await stored(url) & set(range(third, 2 * third))
            left = set(range(third))
            async with asyncio.timeout(15):
                while await dumped(server) != left or await stored(url) != left:
                    await asyncio.sleep(0.2)
            assert await asyncio.to_thread(looked_up, server, some) == left & set(some)
            assert await asyncio.to_thread(mi, server, "get_statistics", "usrloc:") is not None


@pytest.mark.parametrize("mode", ["single-instance-sql-write-through", "single-instance-sql-write-back", "sql-only"])
@pytest.mark.parametrize("kind", KINDS)
async def test_killed_in_the_middle(tmp_path: Path, kind: str, mode: str) -> None:
    with SERVERS[kind](tmp_path) as url:        # type: ignore[attr-defined]
        await make_tables(url)
        with osip_server(sql_script(mode, url), tmp_path / "osip") as server:
            crowd = await Crowd.open(server.port)
            half = USERS // 2
            await crowd.register(range(half))
            if mode.endswith("write-back"):
                async with asyncio.timeout(10):
                    while await stored(url) != set(range(half)):
                        await asyncio.sleep(0.1)
            task = asyncio.create_task(crowd.register(range(half, USERS)))
            while len(crowd.online) < half + half // 3:
                await asyncio.sleep(0.002)
            os.kill(server.child.pid, signal.SIGKILL)
            await asyncio.to_thread(server.child.wait, 10)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            told = crowd.online
        with osip_server(sql_script(mode, url), tmp_path / "osip2") as server:
            known = await dumped(server)
            eventually(lambda: mode == "sql-only" or re.search(r"Contacts \d+ loaded in", server.child.text()), "the line of loading")
            # Written at once: everything that was accepted; else what came before the last flush at the least.
            assert known >= (set(range(half)) if mode.endswith("back") else told)
            assert await stored(url) == known


@pytest.mark.parametrize("mode", ["single-instance-sql-write-through"])
@pytest.mark.parametrize("kind", [pytest.param("postgresql", marks=pytest.mark.peer("postgresql")),
                                  pytest.param("mariadb", marks=pytest.mark.peer("mariadb"))])
async def test_a_database_that_goes_away(tmp_path: Path, kind: str, mode: str) -> None:
    from kit.databases import mariadb, postgres
    from kit.peer import free_port

    serve, port = {"postgresql": postgres, "mariadb": mariadb}[kind], free_port()
    folder = tmp_path / "db"
    folder.mkdir()
    with ExitStack() as stack:
        with serve(folder, port) as url:
            await make_tables(url)
            script = SCRIPT.format(more=f'db_default_url = "{url}"', after="", mode=mode, auth="")
            server = stack.enter_context(osip_server(script, tmp_path / "osip"))
            crowd = await Crowd.open(server.port)
            await crowd.register(range(20))
        await crowd.register(range(20, 40))                     # served all the same
        assert crowd.online == set(range(40)) and not crowd.refused
        server.child.wait_for("contacts cannot be stored")      # said when the first write fails, after the answers
        assert await dumped(server) == set(range(40))
        with serve(folder, port):
            async with asyncio.timeout(30):
                while await stored(url) != set(range(40)):
                    await asyncio.sleep(0.2)


@pytest.mark.parametrize("kind", KINDS)
async def test_two_servers_on_one_table(tmp_path: Path, kind: str) -> None:
    """In sql-only neither server remembers anything: what one takes the other one knows at once."""
    with SERVERS[kind](tmp_path) as url, ExitStack() as stack:       # type: ignore[attr-defined]
        await make_tables(url)
        script = sql_script("sql-only", url)
        one, two = (stack.enter_context(osip_server(script, tmp_path / f"n{n}", "-n", n)) for n in "12")
        crowd, other = await Crowd.open(one.port), await Crowd.open(two.port)
        users = range(60)
        await asyncio.gather(crowd.register(range(30)), other.register(range(30, 60)))
        assert crowd.online | other.online == await stored(url) == await dumped(two) == set(users)
        assert await asyncio.to_thread(looked_up, one, users) == set(users)
        os.kill(one.child.pid, signal.SIGKILL)
        await asyncio.to_thread(one.child.wait, 10)
        assert await asyncio.to_thread(looked_up, two, users) == set(users)
        crowd.server = other.server
        await crowd.register(range(30), 0)              # taken back at the server that is left
        assert await stored(url) == await dumped(two) == set(range(30, 60))


@pytest.mark.parametrize("kind", [pytest.param("postgresql", marks=pytest.mark.peer("postgresql")),
                                  pytest.param("mariadb", marks=pytest.mark.peer("mariadb"))])
async def test_nothing_is_accepted_while_the_only_store_is_away(tmp_path: Path, kind: str) -> None:
    from kit.databases import mariadb, postgres
    from kit.peer import free_port

    serve, port = {"postgresql": postgres, "mariadb": mariadb}[kind], free_port()
    folder = tmp_path / "db"
    folder.mkdir()
    with ExitStack() as stack:
        with serve(folder, port) as url:
            await make_tables(url)
            script = SCRIPT.format(more=f'db_default_url = "{url}"', after="", mode="sql-only", auth="")
            server = stack.enter_context(osip_server(script, tmp_path / "osip"))
            crowd = await Crowd.open(server.port)
            await crowd.register(range(20))
        await crowd.register(range(20, 40))
        assert crowd.online == set(range(20)) and crowd.refused == dict.fromkeys(range(20, 40), 500)
        eventually(lambda: "the table of contacts cannot be used" in server.child.text(), "a clear error")
        with serve(folder, port):
            await crowd.register(range(20, 40))
            assert await stored(url) == await dumped(server) == crowd.online == set(range(40))


def cluster_script(port: int) -> str:
    after = f'modparam("usrloc", "cachedb_url", "redis://127.0.0.1:{port}/")'
    return SCRIPT.format(more='loadmodule "cachedb_redis.so"', after=after, mode="full-sharing-cachedb-cluster", auth="")


@pytest.mark.peer("redis")
def test_three_servers_share_contacts(tmp_path: Path) -> None:
    with ExitStack() as stack:
        (tmp_path / "redis").mkdir()
        inner = stack.enter_context(ExitStack())
        redis, port = inner.enter_context(redis_server(tmp_path / "redis"))
        nodes = [stack.enter_context(osip_server(cluster_script(port), tmp_path / f"n{n}", "-n", workers))
                 for n, workers in enumerate("121")]
        phones = [stack.enter_context(Phone(f"user{n}", node.port)) for n, node in enumerate(nodes)]
        for phone in phones:
            phone.register()
        eventually(lambda: all(len(mi(node, "ul_dump")["Domains"][0]["AORs"]) == 3 for node in nodes), "all know all")
        with UdpPhone("caller", nodes[1].port) as caller:
            call(caller, phones[0])                     # registered on the first, called through the second
        os.kill(nodes[2].child.pid, signal.SIGKILL)
        nodes[2].child.wait(10)
        with UdpPhone("caller", nodes[1].port) as caller, Phone("late", nodes[0].port) as late:
            call(caller, phones[2])                     # its server is gone, its binding is not
            inner.close()                               # Redis is gone
            call(caller, phones[0])
            eventually(lambda: "contacts cannot be stored" in nodes[0].child.text() + nodes[1].child.text(), "a clear error")
            late.register()                             # served while it is away
            (tmp_path / "redis2").mkdir()
            stack.enter_context(redis_server(tmp_path / "redis2", port=port))       # empty
            eventually(lambda: len(mi(nodes[1], "ul_dump")["Domains"][0]["AORs"]) == 4, "what was missed", 20)
            eventually(lambda: ask(port, "hlen", "osip:ul:{location}:contacts") == "4", "what Redis had lost", 20)
            call(caller, phones[2])
        fresh = stack.enter_context(osip_server(cluster_script(port), tmp_path / "n3"))
        assert len(mi(fresh, "ul_dump")["Domains"][0]["AORs"]) == 4
        assert mi(nodes[0], "ul_rm", "location", "user1@localhost") == "OK"
        eventually(lambda: len(mi(fresh, "ul_dump")["Domains"][0]["AORs"]) == 3, "a removal is heard of")


@pytest.mark.parametrize("kind", KINDS)
async def test_several_workers_write_one_table(tmp_path: Path, kind: str) -> None:
    with SERVERS[kind](tmp_path) as url:        # type: ignore[attr-defined]
        await make_tables(url)
        script = sql_script("single-instance-sql-write-through", url)
        with osip_server(script, tmp_path / "osip", "-n", "2") as server:
            crowd = await Crowd.open(server.port)
            users = set(range(60))
            await crowd.register(users)
            assert crowd.online == await stored(url) == await dumped(server) == users
            await crowd.register(range(30), 0)
            assert await stored(url) == await dumped(server) == set(range(30, 60))
        with osip_server(script, tmp_path / "osip2", "-n", "2") as server:
            assert await dumped(server) == set(range(30, 60))
