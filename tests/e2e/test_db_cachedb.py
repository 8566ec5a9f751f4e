"""Users and contacts in Redis, asked as if it were SQL: many register with digest, the server is killed."""
from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import sqlalchemy as sa
from kit.crowd import PASSWORD, Crowd, md5
from kit.nodes import mi
from kit.redis import ask, redis_server
from kit.server import osip_server

from osip.api import parse_cache_url
from osip.modules.cachedb_redis.cache import RedisCache
from osip.modules.cachedb_redis.link import Settings
from osip.modules.db_cachedb.store import CacheStore

pytestmark = [pytest.mark.timeout(180), pytest.mark.peer("redis")]
USERS = 100
SCRIPT = """\
log_level = 2
socket = udp:127.0.0.1:5060
db_default_url = "cachedb://redis:users"
loadmodule "proto_udp.so"
loadmodule "sl.so"
loadmodule "signaling.so"
loadmodule "httpd.so"
loadmodule "mi_http.so"
loadmodule "cachedb_redis.so"
loadmodule "db_cachedb.so"
modparam("db_cachedb", "cachedb_url", "redis:users://127.0.0.1:{redis}/")
loadmodule "auth.so"
loadmodule "auth_db.so"
loadmodule "sipmsgops.so"
loadmodule "usrloc.so"
modparam("usrloc", "working_mode_preset", "single-instance-sql-write-through")
loadmodule "registrar.so"
route {{
	if (!is_method("REGISTER")) {{ sl_send_reply(200, "OK"); exit; }}
	if (!www_authorize("example.com", "subscriber")) {{ www_challenge("example.com"); exit; }}
	save("location");
}}
"""


async def add_users(redis: int) -> None:
    cache = RedisCache(parse_cache_url(f"redis://127.0.0.1:{redis}/"), Settings())
    table = sa.table("subscriber", sa.column("username"), sa.column("domain"), sa.column("ha1"))
    rows = [{"username": f"u{n}", "domain": "example.com", "ha1": md5(f"u{n}:example.com:{PASSWORD}")} for n in range(USERS)]
    await CacheStore("cachedb://redis:users", cache).execute(table.insert(), rows)
    await cache.close()


async def test_users_and_contacts_in_redis(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    with redis_server(tmp_path / "redis") as (_, redis):
        await add_users(redis)
        script = SCRIPT.format(redis=redis)
        with osip_server(script, tmp_path / "one") as server:
            crowd = await Crowd.open(server.port)
            await crowd.register(range(USERS + 5))          # five are no users
            assert crowd.online == set(range(USERS)) and set(crowd.refused) == set(range(USERS, USERS + 5))
            assert ask(redis, "hlen", "osip:db:{location}:rows") == str(USERS)
            os.kill(server.child.pid, signal.SIGKILL)
            server.child.wait(10)
        with osip_server(script, tmp_path / "two", port=server.port) as server:
            [table] = mi(server, "ul_dump")["Domains"]
            assert {entry["AOR"] for entry in table["AORs"]} == {f"u{n}@example.com" for n in range(USERS)}
            await crowd.register(range(USERS), 0)
            assert ask(redis, "hlen", "osip:db:{location}:rows") == "0"
