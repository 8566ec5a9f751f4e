"""Many users in SQLite, PostgreSQL and MariaDB; a server that is killed; three servers that share contacts in Redis.

`OSIP_USERS=10000 .venv/bin/python -m pytest -n 0 tests/e2e/test_location.py` does it with as many users as that; SIPp
plays their phones.
"""
from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from kit.crowd import PASSWORD, Crowd, md5
from kit.databases import SERVERS
from kit.nodes import Phone, call, final, mi
from kit.peer import eventually
from kit.phones import Phones, register, send_to
from kit.redis import ask, redis_server
from kit.server import Running, osip_server
from kit.udp_phone import UdpPhone

from osip.core.store.sql import Sql
from osip.core.store.tables import create_tables
from osip.modules.auth_db import AuthDb
from osip.modules.usrloc import Usrloc

KINDS = [pytest.param(kind, marks=() if kind == "sqlite" else pytest.mark.peer(kind)) for kind in SERVERS]
USERS = int(os.environ.get("OSIP_USERS", "200"))
INTERVAL = 1
"""Seconds between two writes in write-back, and between two looks for what has expired."""
pytestmark = pytest.mark.timeout(600 + USERS // 4)
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
modparam("usrloc", "timer_interval", {interval})
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
    return SCRIPT.format(interval=INTERVAL, more=more, after="", mode=mode, auth=DIGEST)


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


@pytest.fixture(scope="module", params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run one database for all tests that only need a table without contacts; give its URL."""
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as url:     # type: ignore[attr-defined]
        asyncio.run(make_tables(url))
        yield url


@pytest.fixture
def url(database: str) -> str:
    """Give the URL of a database whose users have not registered."""
    async def forget() -> None:
        sql = Sql(database)
        await sql.execute("delete from location")
        await sql.close()
    asyncio.run(forget())
    return database


def know(server: Running, url: str, users: Collection[int]) -> None:
    """Wait until the table and `ul_dump` have these users and no others."""
    deadline = time.monotonic() + 20
    while not asyncio.run(stored(url)) == asyncio.run(dumped(server)) == set(users):
        assert time.monotonic() < deadline, "the table, or the list, has others"
        time.sleep(0.2)


def check_lookups(server: Running, there: set[int], folder: Path) -> None:
    """Send to all users: those who are there are found, the others are not."""
    for users, answer in ((there, 202), (set(range(USERS)) - there, 404)):
        if users:
            send_to(server, users, answer, folder)


def kill_while(server: Running, phones: Phones, back: bool) -> tuple[set[int], set[int]]:
    """Kill the server while phones register; return who was accepted until then, and who of them must not be lost."""
    count = len(phones.users)
    with phones.registering(server, rate=count // 4 if back else count):
        eventually(lambda: len(phones.accepted()) > count // 4, "a quarter of them", 60)
        safe = phones.accepted()
        if back:
            time.sleep(INTERVAL + 1.5)          # others register meanwhile; one write has begun, and ended
        os.kill(server.child.pid, signal.SIGKILL)
        server.child.wait(10)
        accepted = phones.accepted()
    assert len(accepted) < count, "the server was killed too late"
    return accepted, safe if back else accepted


@pytest.mark.peer("sipp")
@pytest.mark.parametrize("mode", ["single-instance-sql-write-through", "single-instance-sql-write-back", "sql-only"])
def test_users_come_and_go_and_the_server_is_killed(tmp_path: Path, url: str, mode: str) -> None:
    third = USERS // 3
    stay, leave, fade = (Phones(name, users, tmp_path) for name, users in (
        ("stay", range(third)), ("leave", range(third, 2 * third)), ("fade", range(2 * third, USERS))))
    with osip_server(sql_script(mode, url), tmp_path / "osip") as server:
        register(server, (stay, 600), (leave, 600), (fade, 600))
        if not mode.endswith("write-back"):             # the answers came when it was written
            assert asyncio.run(stored(url)) == set(range(USERS))
        know(server, url, range(USERS))
        check_lookups(server, set(range(USERS)), tmp_path)
        register(server, (stay, 900), (leave, 0), (fade, 1))
        know(server, url, stay.users)
        check_lookups(server, set(stay.users), tmp_path)
        late = Phones("late", [*leave.users, *fade.users], tmp_path)
        accepted, safe = kill_while(server, late, mode.endswith("write-back"))
    with osip_server(sql_script(mode, url), tmp_path / "osip2") as server:
        if mode != "sql-only":
            server.child.wait_for(r"Contacts \d+ loaded in")
        there = asyncio.run(dumped(server))
        assert safe | set(stay.users) <= there and there == asyncio.run(stored(url))
        check_lookups(server, there, tmp_path)
        register(server, (stay, 0))                     # and life goes on
        know(server, url, there - set(stay.users))


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
            script = SCRIPT.format(interval=INTERVAL, more=f'db_default_url = "{url}"', after="", mode=mode, auth="")
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


async def test_two_servers_on_one_table(tmp_path: Path, url: str) -> None:
    """In sql-only neither server remembers anything: what one takes the other one knows at once."""
    with ExitStack() as stack:
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
            script = SCRIPT.format(interval=INTERVAL, more=f'db_default_url = "{url}"', after="", mode="sql-only", auth="")
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
    return SCRIPT.format(interval=INTERVAL, more='loadmodule "cachedb_redis.so"', after=after, mode="full-sharing-cachedb-cluster", auth="")


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


async def test_several_workers_write_one_table(tmp_path: Path, url: str) -> None:
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
