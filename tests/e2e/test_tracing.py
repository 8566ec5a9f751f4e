"""Traces read by real programs: sngrep and tshark, opensips-cli, and another osip that stores them."""
from __future__ import annotations

import json
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
import urllib.request
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from kit.certificates import Authority
from kit.databases import SERVERS
from kit.message import request
from kit.peer import HOST, Child, child, eventually, free_port, is_bound, program
from kit.server import Running, osip_server
from kit.udp_phone import UdpPhone
from websockets.sync.client import connect

from osip.api import decode_hep
from osip.core.store.sql import Sql

SCRIPT = '''
log_level = 3
socket = udp:127.0.0.1:5060
loadmodule "proto_udp.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "sipmsgops.so"
loadmodule "rr.so"
loadmodule "httpd.so"
loadmodule "mi_http.so"
loadmodule "proto_hep.so"
loadmodule "tracer.so"
%s
route {
    %s
    if (has_totag()) {
        if (loose_route()) { t_relay(); exit; }
        if (is_method("ACK")) { t_check_trans(); exit; }
    }
    if (is_method("OPTIONS")) { sl_send_reply(200, "OK"); exit; }
    record_route();
    xlog("from $fU to $rU\\n");
    t_relay();
}
'''
TO_HEP = '''modparam("proto_hep", "hep_id", "[homer] 127.0.0.1:%d; transport=%s; version=3")
modparam("tracer", "trace_id", "[t]uri=hep:homer")'''
CALL = ["INVITE", "100", "INVITE", "180", "180", "200", "200", "ACK", "ACK", "BYE", "BYE", "200", "200"]


def play_call(server: Running) -> str:
    """Play a whole call through the server; return its Call-ID."""
    with UdpPhone("alice", server.port) as alice, UdpPhone("bob", server.port) as bob:
        invite = alice.request("INVITE", f"sip:bob@{HOST}:{bob.port}")
        asked = bob.expect("INVITE")
        bob.reply(asked, 180, "Ringing")
        bob.reply(asked, 200)
        answer = alice.expect(200)
        alice.within("ACK", invite, answer, 1)
        bob.expect("ACK")
        alice.within("BYE", invite, answer, 2)
        bob.reply(bob.expect("BYE"), 200)
        alice.expect(200)
        return str(invite.call_id)


def stopped(running: Child) -> None:
    """Let a program end as by Ctrl-C."""
    running.send_signal(signal.SIGINT)
    running.wait(30.0)


@pytest.mark.peer("sngrep")
@pytest.mark.peer("tshark")
def test_sngrep_shows_the_call_and_tshark_reads_it(tmp_path: Path) -> None:
    port, out = free_port(), tmp_path / "sngrep.pcap"
    with child("sngrep", [program("sngrep") or "", "-F", "-N", "-L", f"udp:{HOST}:{port}", "-O", out], tmp_path) as sngrep:
        eventually(lambda: is_bound(port), "sngrep to listen")
        with osip_server(SCRIPT % (TO_HEP % (port, "udp"), 'if (!is_method("OPTIONS")) trace("t");'), tmp_path) as server:
            call_id = play_call(server)
        eventually(lambda: out.exists() and out.stat().st_size > 13 * 300, "the packets in sngrep's file")
        stopped(sngrep)
    done = subprocess.run([program("tshark") or "", "-r", out, "-d", f"udp.port=={server.port},sip", "-Y", "sip", "-T", "fields",
                           *(word for name in ("sip.Method", "sip.Status-Code", "sip.Call-ID", "ip.src", "udp.srcport")
                             for word in ("-e", name))], capture_output=True, text=True, timeout=60, check=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[0] or row[1] for row in rows] == CALL
    assert {row[2] for row in rows} == {call_id} and {row[3] for row in rows} == {HOST}
    ours = [row[4] == str(server.port) for row in rows]
    assert ours == [False, True, True, False, True, False, True, False, True, False, True, False, True]


@contextmanager
def homer(folder: Path, transport: str) -> Iterator[tuple[int, Path]]:
    """Run an osip that stores what it is sent by HEP."""
    port, file = free_port(), folder / "homer.db"
    text = f'''
socket = udp:127.0.0.1:5060
socket = hep_{transport}:127.0.0.1:{port}
db_default_url = "sqlite:///{file}"
loadmodule "proto_udp.so"
loadmodule "proto_hep.so"
loadmodule "sl.so"
loadmodule "sipcapture.so"
modparam("sipcapture", "hep_capture_on", 1)
modparam("sipcapture", "table_name", "sip_%Y")
modparam("sipcapture", "rtcp_table_name", "log_%Y")
modparam("sipcapture", "hep_route", "none")
route {{ sl_send_reply(200, "OK"); }}
'''
    with osip_server(text, folder):
        yield port, file


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_another_osip_stores_the_call(transport: str, tmp_path: Path) -> None:
    with homer(tmp_path / "homer", transport) as (port, file):
        action = 'if (!is_method("OPTIONS")) trace("t", "d", "sip|xlog");'
        with osip_server(SCRIPT % (TO_HEP % (port, transport), action), tmp_path / "proxy") as server:
            call_id = play_call(server)

        def rows(table: str, what: str) -> list[tuple[str, ...]]:
            with sqlite3.connect(file) as db:
                name = db.execute("select name from sqlite_master where name like ?", (f"{table}_2%",)).fetchone()
                return db.execute(f'select {what} from "{name[0]}" order by id').fetchall() if name else []
        eventually(lambda: len(rows("sip", "id")) == len(CALL) and len(rows("log", "id")) == 1, "all rows")
        assert [row[0] for row in rows("sip", "method")] == CALL
        assert {row[0] for row in rows("sip", "callid")} == {call_id}
        assert rows("log", "correlation_id, msg, type") == [(call_id, "from alice to bob", 100)]


@pytest.mark.peer("opensips-cli")
def test_opensips_cli_follows_a_caller(tmp_path: Path) -> None:
    port = free_port()
    with osip_server(SCRIPT % ("", ""), tmp_path) as server:
        options = ["communication_type=http", f"url=http://{HOST}:{server.mi_port}/mi", f"trace_listen_ip={HOST}",
                   f"trace_listen_port={port}"]
        words = [word for option in options for word in ("-o", option)]
        found = program("opensips-cli") or ""
        with child("opensips-cli", [found, *words, "-x", "--", "trace", "caller=alice"], tmp_path,
                   {"HOME": str(tmp_path), "PYTHONUNBUFFERED": "1", "TERM": "dumb"}) as tool:
            eventually(lambda: is_bound(port), "opensips-cli to listen")
            list_it = [found, *words[:4], "-x", "--", "mi", "tracer:trace"]

            def is_started() -> bool:
                done = subprocess.run(list_it, capture_output=True, text=True, timeout=20, check=False)
                return "opensips-cli." in done.stdout
            eventually(is_started, "the trace to begin", 30.0)
            call_id = play_call(server)
            tool.wait_for(r"SIP/2\.0 200")
            tool.wait_for("from alice to bob")
            tool.wait_for(f"Call-ID: {re.escape(call_id)}")
            eventually(lambda: sum("TCP/SIP" in line or "UDP/SIP" in line for line in tool.lines) >= len(CALL),
                       "all messages")
            stopped(tool)
        assert '"opensips-cli.' not in subprocess.run(list_it, capture_output=True, text=True, timeout=20, check=False).stdout


# --- connections -------------------------------------------------------------------------------------------------

STREAMS = '''
socket = udp:127.0.0.1:5060
socket = tls:127.0.0.1:%(tls)d
socket = ws:127.0.0.1:%(ws)d
loadmodule "proto_udp.so"
loadmodule "proto_tls.so"
loadmodule "tls_mgm.so"
loadmodule "proto_ws.so"
loadmodule "proto_hep.so"
loadmodule "httpd.so"
loadmodule "mi_http.so"
loadmodule "sl.so"
modparam("proto_hep", "hep_id", "[homer] 127.0.0.1:%(hep)d")
modparam("tls_mgm", "certificate", "%(cert)s")
modparam("tls_mgm", "private_key", "%(key)s")
modparam("tls_mgm", "verify_cert", "0")
modparam("proto_.*", "trace_destination", "homer")
modparam("proto_tls", "trace_on", 1)
modparam("proto_ws", "trace_filter_route", "FILTER")
route { sl_send_reply(200, "OK"); }
route[FILTER] { if ($sp == %(hidden)d) drop(); }
event_route[E_CORE_TCP_DISCONNECT] { fetch_event_params("$var(ip);$var(port);$var(our);$var(their);proto=$var(proto)");
    xlog("gone $var(proto) from $var(ip) at $var(their)\n"); }
'''


def test_connections_are_told_of(tmp_path: Path) -> None:
    files = Authority(tmp_path).issue("server", hosts=("server.example",))
    ports = {name: free_port() for name in ("tls", "ws", "hidden")}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as homer_socket:
        homer_socket.bind((HOST, 0))
        homer_socket.settimeout(10)

        def told() -> dict[str, Any]:
            packet = decode_hep(homer_socket.recv(65535))
            assert packet.kind == 0x59 and packet.source == packet.dest == HOST
            found: dict[str, Any] = json.loads(packet.payload)
            return found
        text = STREAMS % {**ports, "hep": homer_socket.getsockname()[1], "cert": files.cert, "key": files.key}
        with osip_server(text, tmp_path) as server:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with socket.create_connection((HOST, ports["tls"])) as plain, context.wrap_socket(plain) as stream:
                found = told()
                assert (found["event"], found["proto"], found["tls"]) == ("accepted", "tls", stream.version())
            assert told()["event"] == "closed"
            server.child.wait_for(rf"gone tls from {HOST} at {ports['tls']}")
            with socket.create_connection((HOST, ports["tls"])) as plain:
                plain.send(b"OPTIONS sip:x SIP/2.0\r\n")
                found = told()
                assert (found["event"], found["reason"]) == ("failed", "not TLS")
            assert call_mi(server, "ws_trace") == {"State": "off"}
            assert call_mi(server, "ws_trace", ["on"]) == call_mi(server, "proto_tls:trace", ["off"]) == "OK"
            with socket.create_connection((HOST, ports["tls"])), \
                    socket.create_connection((HOST, ports["ws"]), source_address=(HOST, ports["hidden"])):
                pass
            with connect(f"ws://{HOST}:{ports['ws']}/", subprotocols=["sip"], origin="http://x"):
                assert [told()["event"] for _ in range(2)] == ["accepted", "websocket"]
            assert told()["event"] == "closed"


def call_mi(server: Running, method: str, params: Any = None) -> Any:
    """Call management over HTTP."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params or []}).encode()
    asked = urllib.request.Request(f"http://{HOST}:{server.mi_port}/mi", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return json.load(answer)["result"]


@pytest.mark.parametrize("workers", [2, 3])
def test_several_workers_trace_each_call_once(workers: int, tmp_path: Path) -> None:
    trace = tmp_path / "trace.log"
    script = SCRIPT % (f'modparam("tracer", "trace_id", "[t]uri=file:{trace}")',
                       'if (!is_method("OPTIONS")) trace("t");')
    with osip_server(script, tmp_path, "-n", str(workers)) as server:
        calls = {play_call(server) for _ in range(6)}
        asked = {"id": "all", "uri": f"file:{tmp_path}/all.log", "filter": "caller=alice"}
        assert call_mi(server, "trace_start", asked) == "OK"
        more = {play_call(server) for _ in range(4)}
        assert [one["name"] for one in call_mi(server, "trace")["trace destinations"]] == ["t", "all"]
        assert call_mi(server, "trace_stop", {"id": "all"}) == "OK"
    rows = [json.loads(line) for line in trace.read_text().splitlines()]
    for call_id in calls | more:
        assert [row["status"] or row["method"] for row in rows if row["callid"] == call_id] == CALL
    found = [json.loads(line) for line in (tmp_path / "all.log").read_text().splitlines()]
    assert {row["callid"] for row in found} == more
    assert len([row for row in found if row["type"] == "sip"]) == len(CALL) * len(more)


# --- management commands -----------------------------------------------------------------------------------------

COMMANDS = '''
socket = udp:127.0.0.1:5060
loadmodule "proto_udp.so"
loadmodule "sl.so"
loadmodule "proto_hep.so"
loadmodule "cachedb_local.so"
loadmodule "httpd.so"
loadmodule "mi_http.so"
loadmodule "mi_html.so"
loadmodule "mi_xmlrpc.so"
loadmodule "mi_fifo.so"
loadmodule "mi_datagram.so"
loadmodule "mi_script.so"
modparam("proto_hep", "hep_id", "[homer] 127.0.0.1:%(hep)d; transport=udp; version=3")
modparam("mi_.*", "trace_destination", "homer")
modparam("mi_.*", "trace_bwlist", "b: uptime, core:version")
modparam("mi_html", "root", "pages")
modparam("mi_fifo", "fifo_name", "/tmp/x")
modparam("mi_datagram", "socket_name", "%(folder)s/mi.sock")
route { if ($rm == "MESSAGE") { mi("cache_store local secret hidden"); mi("uptime"); } sl_send_reply(200, "OK"); }
'''
STORE = {"system": "local", "attr": "secret", "value": "hidden"}


def post(server: Running, path: str, body: bytes, ctype: str) -> None:
    """Post something to the server."""
    asked = urllib.request.Request(f"http://{HOST}:{server.mi_port}/{path}", body, {"Content-Type": ctype})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.status == 200 and answer.read()


def test_commands_are_told_of_whatever_way_they_came(tmp_path: Path) -> None:
    request_body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "cache_store", "params": STORE}).encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as homer_socket:
        homer_socket.bind((HOST, 0))
        homer_socket.settimeout(10)
        text = COMMANDS % {"hep": homer_socket.getsockname()[1], "folder": tmp_path}
        with osip_server(text, tmp_path) as server:

            def expect(backend: str) -> None:
                asked, answered = (decode_hep(homer_socket.recv(65535)) for _ in range(2))
                assert asked.kind == answered.kind == 0x57 and asked.correlation == answered.correlation
                request_part, reply = json.loads(asked.payload), json.loads(answered.payload)
                assert request_part.pop("who")
                assert request_part == {"backend": backend, "command": "cache:store", "params": {**STORE, "value": "***"}}
                assert reply == {"backend": backend, "command": "cache:store", "code": 200, "reason": "OK", "reply": "OK"}
            homer_socket.sendto(request("MESSAGE", f"sip:x@{HOST}:{server.port}"), (HOST, server.port))
            expect("mi_script")
            call_mi(server, "uptime")
            call_mi(server, "version")
            post(server, "mi", request_body, "application/json")
            expect("mi_http")
            post(server, "RPC2", xmlrpc.client.dumps((STORE,), "cache:store").encode(), "text/xml")
            expect("mi_xmlrpc")
            post(server, "pages/cache:store", urlencode(STORE).encode(), "application/x-www-form-urlencoded")
            expect("mi_html")
            with open(tmp_path / "osip_fifo", "wb") as pipe:
                pipe.write(b"::" + request_body + b"\n")
            expect("mi_fifo")
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as tool:
                tool.sendto(request_body, str(tmp_path / "mi.sock"))
            expect("mi_datagram")
            assert "hidden" not in server.child.text()


# --- tables ------------------------------------------------------------------------------------------------------

STORED = '''
socket = udp:127.0.0.1:5060
loadmodule "proto_udp.so"
loadmodule "tracer.so"
loadmodule "sipcapture.so"
loadmodule "sl.so"
modparam("tracer", "trace_id", "[t]uri=%(url)s")
modparam("sipcapture", "db_url", "%(url)s")
modparam("sipcapture", "capture_on", 1)
modparam("sipcapture", "rtcp_table_name", "reports_%%Y")
route {
    if ($rU == "bad") { trace("t", "m", , "user=$fU"); sip_capture(, "one"); sip_capture("live_%%Y"); report_capture("id"); }
    sl_send_reply(200, "OK");
}
'''
ODD = "x" * 400 + "\0\u20ac"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", [pytest.param(kind, marks=() if kind == "sqlite" else pytest.mark.peer(kind))
                                  for kind in SERVERS])
async def test_rows_in_every_database(kind: str, tmp_path: Path) -> None:
    with SERVERS[kind](tmp_path) as url:        # type: ignore[attr-defined]
        made = subprocess.run([sys.executable, "-m", "osip", "db", "create", "--url", url], capture_output=True, text=True,
                              check=False)
        assert made.returncode == 0, made.stderr
        with osip_server(STORED % {"url": url}, tmp_path / "server") as server, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            phone.settimeout(10)
            phone.connect((HOST, server.port))
            for number in range(3):
                phone.send(request("MESSAGE", f"sip:bad@{HOST}", call_id=f"c{number}-{'y' * 300}",
                                   headers="User-Agent: \u20ac" + "z" * 400 + "\r\n", branch=f"z9hG4bK{number}",
                                   body=ODD.encode().decode("latin-1"), via_params=";rport"))
                assert phone.recv(9999).startswith(b"SIP/2.0 200")
        sql = Sql(url)
        year = time.strftime("%Y")
        rows = await sql.fetch("select * from sip_trace order by id")
        assert [row["callid"][:3] for row in rows] == ["c0-", "c1-", "c2-"] and len(rows[0]["callid"]) == 255
        assert rows[0]["trace_attrs"] == "user=alice" and str(rows[0]["time_stamp"])[:4] == year
        for table in ("sip_capture", f"live_{year}"):
            rows = await sql.fetch(f"select * from {table} order by id")
            assert [row["callid"][:3] for row in rows] == ["c0-", "c1-", "c2-"]
            assert rows[0]["user_agent"][:2] in ("\u20acz", "\\u") and rows[0]["micro_ts"] > 1_600_000_000_000_000
        rows = await sql.fetch(f"select * from reports_{year}")
        assert len(rows) == 3 and rows[0]["correlation_id"] == "id"
        await sql.close()
