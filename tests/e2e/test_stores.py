"""Caches and accounting of a whole server with two workers: through Redis that dies, and over kill -9."""
from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from kit.peer import eventually, free_port, sipp
from kit.redis import ask, redis_server
from kit.server import Running, osip_server

pytestmark = pytest.mark.timeout(120)

CALLS = 100
SCRIPT = """\
udp_workers = 2
log_level = 3
restart_persistency_cache_file = "{folder}/kept"
socket = udp:127.0.0.1:5060
loadmodule "proto_udp.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "sipmsgops.so"
loadmodule "httpd.so"
loadmodule "mi_http.so"
loadmodule "cachedb_local.so"
loadmodule "cachedb_redis.so"
loadmodule "acc.so"
modparam("cachedb_local", "enable_restart_persistency", 1)
modparam("cachedb_redis", "cachedb_url", "redis:one://127.0.0.1:{redis}/")
modparam("cachedb_redis", "query_timeout", 500)
modparam("acc", "db_url", "sqlite:///{folder}/acc.db")
route {{
    if (is_method("OPTIONS")) {{ sl_send_reply(200, "OK"); exit; }}
    if (has_totag()) {{
        if (!loose_route()) $du = "sip:127.0.0.1:{callee}";     # SIPp's own scenario knows no Route
        t_relay();
        exit;
    }}
    record_route();
    if (is_method("INVITE")) {{
        t_newtran();                    # a retransmission ends here: nothing is counted twice
        do_accounting("db", "cdr|failed");
        cache_add("local", "calls", 1, 0);
        if (!cache_add("redis:one", "calls", 1, 600)) xlog("no redis");
    }}
    $du = "sip:127.0.0.1:{callee}";
    t_relay();
}}
"""


def rpc(server: Running, command: str, /, **params: Any) -> Any:
    """Run a management command; return its result, or its error."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": command, "params": params}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{server.mi_port}/mi", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            found = json.load(response)
    except OSError:
        return {}
    return found.get("result", found.get("error"))


def value(server: Running, system: str) -> str:
    """Return the counter of calls."""
    return str(rpc(server, "cache_fetch", system=system, attr="calls").get("value"))


def calls(folder: Path, server: Running, callee: int) -> None:
    """Make calls; none may fail."""
    with sipp(folder, "-sn", "uas", name="uas", port=callee), \
            sipp(folder, server.address, "-sn", "uac", "-m", CALLS, "-r", 50, "-d", 100, "-timeout", "50s", name="uac") as caller:
        made = caller.finish(60)
    assert (made.successful, made.failed) == (CALLS, 0), f"{made}"


@pytest.mark.peer("sipp")
@pytest.mark.peer("redis")
def test_calls_are_counted_and_booked(tmp_path: Path) -> None:
    redis, callee = free_port(), free_port()
    script = SCRIPT.format(folder=tmp_path, redis=redis, callee=callee)
    run = subprocess.run([sys.executable, "-m", "osip", "db", "create", "--url", f"sqlite:///{tmp_path}/acc.db", "acc"],
                         capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    with osip_server(script, tmp_path / "one") as server:
        eventually(lambda: len(rpc(server, "ps").get("Processes", [])) == 3, "both workers")
        with redis_server(tmp_path, port=redis):
            eventually(lambda: rpc(server, "cache_store", system="redis:one", attr="there", value="1") == "OK", "Redis")
            calls(tmp_path, server, callee)
            assert ask(redis, "get", "calls") == value(server, "redis:one") == str(CALLS)
            assert value(server, "local") == str(CALLS)
        calls(tmp_path, server, callee)         # without Redis
        assert value(server, "local") == str(2 * CALLS)
        assert "redis:one" in str(rpc(server, "cache_fetch", system="redis:one", attr="calls"))
        with redis_server(tmp_path, port=redis):
            eventually(lambda: rpc(server, "cache_store", system="redis:one", attr="calls", value="7") == "OK", "Redis")
            assert value(server, "redis:one") == "7"
        eventually(lambda: count(tmp_path) == 2 * CALLS, "rows", 20)
        rpc(server, "cache_store", system="local", attr="last", value="word")
        eventually(lambda: '"last"' in (tmp_path / "kept").read_text() if (tmp_path / "kept").exists() else False, "the file", 15)
        server.child.send_signal(signal.SIGKILL)        # the workers follow their master
        server.child.wait(10)
    with osip_server(script, tmp_path / "two") as server:
        eventually(lambda: value(server, "local") == str(2 * CALLS), "the counter")
        assert rpc(server, "cache_fetch", system="local", attr="last") == {"key": "last", "value": "word"}


def count(folder: Path) -> int:
    """Count the rows of calls that ended, and look into them."""
    with sqlite3.connect(folder / "acc.db") as base:
        found = base.execute("select method, sip_code, ms_duration, created from acc").fetchall()
    assert {row[:2] for row in found} <= {("INVITE", "200")}
    # SIPp and osip each read their clock once for what arrived together, so that a busy machine shortens single calls.
    lengths = sorted(row[2] for row in found)
    assert not lengths or (lengths[len(lengths) // 20] >= 90 and lengths[0] >= 10), lengths[:10]
    assert all(row[2] < 20_000 and row[3] for row in found), found[:3]
    return len(found)



CACHED = """\
udp_workers = 2
log_level = 3
socket = udp:127.0.0.1:5060
loadmodule "proto_udp.so"
loadmodule "sl.so"
loadmodule "httpd.so"
loadmodule "mi_http.so"
loadmodule "cachedb_local.so"
loadmodule "sql_cacher.so"
modparam("sql_cacher", "spec_delimiter", "|")
modparam("sql_cacher", "cache_table", "id=all|db_url=sqlite:///{folder}/a.db|table=people|key=name")
modparam("sql_cacher", "cache_table", "id=some|db_url=sqlite:///{folder}/a.db|table=people|key=name|on_demand=1")
route {{
    sl_send_reply(200, "$sql_cached_value(all:word:$rU) $sql_cached_value(some:word:$rU)");
}}
"""


def asked(server: Running, user: str, number: int) -> str:
    """Return the reason phrase of an answer to OPTIONS; the Call-ID chooses the worker."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
        own = sock.getsockname()[1]
        sock.sendto(f"OPTIONS sip:{user}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{own};branch=z9hG4bK{number};rport\r\n"
                    f"Max-Forwards: 7\r\nFrom: <sip:a@127.0.0.1>;tag=a\r\nTo: <sip:{user}@127.0.0.1>\r\nCall-ID: c{number}\r\n"
                    "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n".encode(), ("127.0.0.1", server.port))
        return sock.recv(65535).decode().split("\r\n")[0].removeprefix("SIP/2.0 200 ")


def test_rows_are_cached_for_all_workers(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as base:
        base.execute("create table people (name text, word text)")
        base.executemany("insert into people values (?, ?)", [(f"u{n}", f"w{n}") for n in range(500)])
    with osip_server(CACHED.format(folder=tmp_path), tmp_path / "server") as server:
        eventually(lambda: len(rpc(server, "ps").get("Processes", [])) == 3, "both workers")
        assert [asked(server, f"u{n}", n) for n in range(40)] == [f"w{n} w{n}" for n in range(40)]
        with sqlite3.connect(tmp_path / "a.db") as base:
            base.execute("update people set word = 'new'")
        assert asked(server, "u1", 101) == "w1 w1", "nobody asks the database"
        assert rpc(server, "sql_cacher_reload", id="all") in ("OK", ["OK", "OK"])
        eventually(lambda: {asked(server, "u1", n) for n in range(200, 208)} == {"new w1"}, "the new rows in both workers")
        rpc(server, "sql_cacher_reload", id="some", key="u1")
        eventually(lambda: {asked(server, "u1", n) for n in range(300, 308)} == {"new new"}, "the new row in both workers")
        assert asked(server, "nobody", 400) == "<null> <null>"
