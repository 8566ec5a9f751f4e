"""The tables of all modules, and users that register, in SQLite, PostgreSQL and MariaDB; one that dies and comes back."""
from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from kit.databases import SERVERS, mariadb, postgres
from kit.message import request
from kit.peer import HOST, free_port
from kit.server import osip_server

from osip.api import answer_challenge, digest_ha1, parse, parse_auth
from osip.cli.db_catalog import catalog
from osip.core.errors import StoreError
from osip.core.store import dump
from osip.core.store.quick import Lookup
from osip.core.store.sql import Sql

KINDS = [pytest.param(kind, marks=() if kind == "sqlite" else pytest.mark.peer(kind)) for kind in SERVERS]
pytestmark = pytest.mark.timeout(180)


ADDRESS = [spec for _, spec in catalog(("address",))]
TABLE = sa.table("t", sa.column("n"), sa.column("s"))
BY_S = Lookup(sa.select(TABLE.c.n).where(TABLE.c.s == sa.bindparam("s")).limit(1))


ROWS = {
    "dbaliases": [{"alias_username": "sales", "alias_domain": "example.com", "username": "bob",
                   "domain": "example.com"}],
    "grp": [{"username": "alice", "domain": "example.com", "grp": "o'ld"}],
    "re_grp": [{"reg_exp": "^sip:alice@", "group_id": 7}],
    "speed_dial": [{"username": "alice", "domain": "example.com", "sd_username": "11", "sd_domain": "example.com",
                    "new_uri": "sip:carol@example.com", "fname": "", "lname": "", "description": ""}],
    "userblacklist": [{"username": "alice", "domain": "example.com", "prefix": "49", "whitelist": 0},
                      {"username": "alice", "domain": "example.com", "prefix": "491", "whitelist": 1}],
    "globalblacklist": [{"prefix": "00", "whitelist": 0, "description": ""}],
    "uri": [{"username": "eve", "domain": "example.com", "uri_user": "alice"}],
}
"""What the words of these modules find; eve authenticates, and alice is in From."""
MODULES = ("proto_udp", "sl", "sipmsgops", "auth", "alias_db", "group", "speeddial", "userblacklist", "uri", "avpops",
           "cachedb_local", "sql_cacher")
PARAMS = (
    'modparam("auth", "username_spec", "$avp(user)") modparam("auth", "password_spec", "$avp(password)") '
    'modparam("auth", "calculate_ha1", 1) modparam("group", "re_table", "re_grp") modparam("uri", "use_uri_table", 1) '
    'modparam("uri", "use_domain", 1) modparam("sql_cacher", "spec_delimiter", "|") '
    'modparam("sql_cacher", "cache_table", "id=all|db_url={url}|table=dbaliases|key=alias_username|columns=username") '
    'modparam("sql_cacher", "cache_table", "id=some|db_url={url}|table=grp|key=username|on_demand=1")')
ASKED = [                                               # a word, what it changes, and both afterwards
    ('alias_db_lookup("dbaliases")', "$ru", "1 sip:bob@example.com"),
    ('alias_db_lookup("dbaliases", "d")', "$ru", "1 sip:bob@example.com"),
    ('alias_db_find("dbaliases", "sip:bob@example.com", $avp(found), "r")', "$avp(found)", "1 sip:sales@example.com"),
    ('alias_db_find("dbaliases", "sip:nobody@example.com", $avp(x))', "$avp(x)", "-1 <null>"),
    ('db_is_user_in("From", "o\'ld")', "", "1"), ('db_is_user_in("To", "o\'ld")', "", "-1"),
    ('db_get_user_group("From", $avp(group))', "$avp(group)", "1 7"),
    ('$ru = "sip:11@example.com"; sd_lookup("speed_dial")', "$ru", "1 sip:carol@example.com"),
    ('sd_lookup("speed_dial")', "$ru", "-1 sip:sales@example.com"),
    ('check_user_blacklist("alice", "example.com", "4930")', "", "-1"),
    ('check_user_blacklist("alice", "example.com", "4911")', "", "1"),
    ('check_user_blacklist("bob", "example.com", "4930")', "", "1"),
    ('$ru = "sip:0049@example.com"; check_blacklist("globalblacklist")', "", "-1"),
    ('check_blacklist("globalblacklist")', "", "1"),
    ("db_check_from()", "", "1"), ("db_check_to()", "", "-1"), ('is_user("bob")', "", "-1"),
    ('is_user("eve")', "$au $ar $Au", "1 eve example.com eve"),
    ('$ru = "sip:alice@example.com"; db_does_uri_exist()', "", "1"), ("db_does_uri_exist()", "", "-1"),
    ('db_get_auth_id("sip:alice@example.com", $avp(id), $avp(realm))', "$avp(id) $avp(realm)", "1 eve example.com"),
    ('$avp(n) = 5; $avp(s) = "o\'k"; avp_db_store("$fu", "$avp(n)"); '
     'avp_db_store("$fu", "$avp(s)")', "", "1"),
    ('avp_delete("*"); avp_db_load("$fu", "*")', "$avp(n) $avp(s)", "1 5 o'k"),
    ('avp_db_query("select value from usr_preferences order by value", "$avp(q)")', "$(avp(q)[0]) $(avp(q)[1])",
     "1 5 o'k"),
    ('avp_db_delete("$fu", "$avp(n)")', "", "1"),
    ('avp_db_query("select value from usr_preferences", "$avp(r)")', "$avp(r) $(avp(r)[1])", "1 o'k <null>"),
    ('sql_cache_dump("all", "username", "$avp(dump)")', "$avp(dump)", "1 bob"),
    ('is_method("INVITE")', "$sql_cached_value(all:username:sales) $sql_cached_value(some:grp:alice) "
     "$sql_cached_value(some:grp:none)", "1 bob o'ld <null>"),
]


def script(url: str) -> str:
    """Return a script that answers with a header for each word."""
    lines = ['log_level = 3', 'socket = udp:127.0.0.1:5060', f'db_default_url = "{url}"',
             *(f'loadmodule "{name}.so"' for name in MODULES), PARAMS.replace("{url}", url),
             'route { $avp(user) = "eve"; $avp(password) = "secret";',
             'if (!pv_www_authorize("")) { www_challenge("", "auth"); exit; }']
    for word, shown, _ in ASKED:
        lines.append(f'$ru = "sip:sales@example.com"; {word}; append_to_reply("X-Said: $rc {shown}\r\n");')
    return "\n".join([*lines, 'sl_send_reply(200, "OK"); }'])


def ask(port: int) -> list[str]:
    """Send a request, answer the challenge behind made-up credentials, and return what each word said."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.connect((HOST, port))
        phone.settimeout(10)
        via = f"{HOST}:{phone.getsockname()[1]}"
        phone.send(request("INVITE", "sip:sales@example.com", via=via))
        challenge = parse_auth(str(parse(phone.recv(65535)).get("WWW-Authenticate")))
        auth = answer_challenge(challenge, "eve", digest_ha1("eve", challenge.get("realm"), "secret"), "INVITE",
                                "sip:sales@example.com", "cafe")
        phone.send(request("INVITE", "sip:sales@example.com", via=via, cseq=2, branch="z9hG4bK-2",
                           headers=f'Authorization: Digest username="bob", realm="other"\r\nAuthorization: {auth}\r\n'))
        return [str(text) for text in parse(phone.recv(65535)).get_all("X-Said")]


def osip(*args: str) -> Any:
    run = subprocess.run([sys.executable, "-m", "osip", *args, "-o", "json"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("kind", KINDS)
async def test_tables_and_the_words_that_ask_them(tmp_path: Path, kind: str) -> None:
    with SERVERS[kind](tmp_path) as url:        # type: ignore[attr-defined]
        made = osip("db", "create", "--url", url)
        assert len(made) > 15 and {row["state"] for row in made} == {"made"}
        assert {row["state"] for row in osip("db", "create", "--url", url)} == {"was there"}
        assert {row["state"] for row in osip("db", "show", "--url", url)} == {"ok"}
        sql = Sql(url)
        await sql.execute("insert into address (grp, ip) values (1, '10.0.0.1')")
        row, = await sql.fetch("select * from address")
        assert (row["mask"], row["proto"], row["port"], row["pattern"]) == (32, "any", 0, None)     # the defaults, too
        for name, rows in ROWS.items():
            await sql.execute(sa.table(name, *map(sa.column, rows[0])).insert(), rows)
        other = Sql(f"sqlite:///{tmp_path}/other.db")           # there and back, by the text form of both
        for source, target in ((sql, other), (other, sql)):
            with (tmp_path / "rows").open("wb") as out:
                assert await dump.backup(source, ADDRESS, out) == {"address": 1}
            assert await dump.restore(target, ADDRESS, tmp_path / "rows", replace=True) == {"address": 1}
        await other.close()
        await sql.execute("insert into address (grp, ip) values (2, '10.0.0.2')")
        assert [row["id"] for row in await sql.fetch("select id from address order by grp")] == [1, 2], "numbers go on"
        await sql.close()
        with osip_server(script(url), tmp_path / "server") as server:
            said = await asyncio.to_thread(ask, server.port)
            assert dict(zip((word for word, _, _ in ASKED), said, strict=True)) == {
                word: answer for word, _, answer in ASKED}, server.child.last_words()


@pytest.mark.parametrize("kind", KINDS)
async def test_plain_questions(tmp_path: Path, kind: str) -> None:
    with SERVERS[kind](tmp_path) as url:        # type: ignore[attr-defined]
        sql = Sql(url, pool=4)
        await sql.execute("create table t (n integer, s varchar(20))")
        await sql.execute("insert into t values (:n, :s)", [{"n": 1, "s": "é'"}, {"n": 2, "s": "b"}])
        for number in range(3):
            rows = await asyncio.gather(*(sql.first(BY_S, {"s": text}) for text in ("é'", "b", "none") * 20))
            assert [row and row["n"] for row in rows] == [1 + number, 2 + number, None] * 20
            await sql.execute("update t set n = n + 1")     # each answer is of now, not of the first question's time
        asking = asyncio.create_task(sql.first(BY_S, {"s": "b"}))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert dict(await sql.first(BY_S, {"s": "b"}) or {}) == {"n": 5}
        await sql.close()
        assert dict(await sql.first(BY_S, {"s": "b"}) or {}) == {"n": 5}, "it opens again"
        await sql.close()


@pytest.mark.parametrize(("kind", "serve"), [pytest.param("postgresql", postgres, marks=pytest.mark.peer("postgresql")),
                                             pytest.param("mariadb", mariadb, marks=pytest.mark.peer("mariadb"))])
async def test_a_server_that_dies_and_comes_back(tmp_path: Path, kind: str, serve: Any) -> None:
    port = free_port()
    with serve(tmp_path, port) as url:
        sql = Sql(url, deadline=5)
        await sql.execute("create table t (n integer, s varchar(20))")
        await sql.execute("insert into t values (:n, :s)", [{"n": 1, "s": "é"}, {"n": 2, "s": None}])
        assert [tuple(row.values()) for row in await sql.fetch("select n, s from t order by n")] == [(1, "é"), (2, None)]
        assert dict(await sql.first(BY_S, {"s": "é"}) or {}) == {"n": 1}
    with pytest.raises(StoreError) as caught:
        await sql.first(BY_S, {"s": "é"})
    assert "opensipsrw" not in str(caught.value) and "127.0.0.1" in str(caught.value)
    with pytest.raises(StoreError) as caught:
        await sql.fetch("select n from t")
    assert "opensipsrw" not in str(caught.value) and "127.0.0.1" in str(caught.value)
    with serve(tmp_path, port):
        assert await sql.first(BY_S, {"s": "é"}) and len(await sql.fetch("select n from t")) == 2
        with pytest.raises(StoreError):
            await sql.fetch("select nothing from nowhere")
        with pytest.raises(StoreError, match="nowhere"):
            await sql.first(Lookup(sa.select(sa.column("n")).select_from(sa.table("nowhere"))), {})
        slow = Sql(url, deadline=0.3)
        with pytest.raises(StoreError, match="did not answer within 0.3"):
            await slow.fetch("select pg_sleep(3)" if kind == "postgresql" else "select sleep(3)")
        await slow.close()
        await sql.close()
