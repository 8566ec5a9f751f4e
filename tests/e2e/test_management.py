"""Management under rules and under attack: tokens, roles, tenants, audit log, slow clients, long bodies, probes."""

from __future__ import annotations

import http.client
import json
import re
import resource
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from kit.certificates import Authority
from kit.databases import postgres
from kit.peer import HOST, eventually, free_port
from kit.server import CHECKOUT, PROBE, Running, osip_server

READ, OPERATE, ADMIN, TENANT = (f"{word}-0123456789abcdef" for word in ("read", "operate", "admin", "tenant"))
SLOW = 10_000

PLAIN = """
socket = udp:127.0.0.1:5060
mpath = "modules/"
loadmodule "proto_udp.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "httpd.so"
modparam("httpd", "conn_timeout", 5)
loadmodule "mi_http.so"
loadmodule "mi_xmlrpc.so"
loadmodule "prometheus.so"
loadmodule "usrloc.so"
modparam("usrloc", "working_mode_preset", "single-instance-no-db")
modparam("usrloc", "use_domain", 1)
route {
    if ($rU == "silent") {
        $du = "sip:127.0.0.1:SILENT";
        t_relay();
        exit;
    }
    sl_send_reply(200, "OK");
}
"""

GUARDED = PLAIN.replace(
    'loadmodule "mi_http.so"',
    f"""
modparam("httpd", "tls_cert_file", "CERT")
modparam("httpd", "tls_key_file", "KEY")
modparam("httpd", "access", "name=looker role=read token={READ}")
modparam("httpd", "access", "name=worker role=operate token={OPERATE}")
modparam("httpd", "access", "name=boss role=admin token_file=FILE")
modparam("httpd", "access", "name=shop role=operate token={TENANT} domains=shop.example")
loadmodule "mi_http.so"
""",
)


@pytest.fixture(scope="module")
def silent() -> Iterator[socket.socket]:
    """Take requests and answer none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, free_port()))
        yield sock


@pytest.fixture
def plain(tmp_path: Path, silent: socket.socket) -> Iterator[Running]:
    with osip_server(PLAIN.replace("SILENT", str(silent.getsockname()[1])), tmp_path / "server") as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("guarded")
    files = Authority(folder).issue("localhost", hosts=("localhost", HOST))
    (folder / "token").write_text(ADMIN + "\n")
    text = (
        GUARDED.replace("CERT", str(files.cert)).replace("KEY", str(files.key)).replace("FILE", str(folder / "token"))
    )
    with osip_server(text.replace("SILENT", "9"), folder / "server") as running:
        yield running


def connect(server: Running, tls: bool = False) -> http.client.HTTPConnection:
    if not tls:
        return http.client.HTTPConnection(HOST, server.mi_port, timeout=10)
    context = ssl.create_default_context(cafile=str(server.folder.parent / "authority.pem"))
    return http.client.HTTPSConnection("localhost", server.mi_port, timeout=10, context=context)


def ask(
    server: Running,
    path: str,
    method: str = "GET",
    body: Any = None,
    token: str = "",
    tls: bool = False,
    **headers: str,
) -> tuple[int, str]:
    """Send one request; return status and text."""
    connection = connect(server, tls)
    try:
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    finally:
        connection.close()


def mi(server: Running, command: str, params: Any = None, token: str = "", tls: bool = False) -> dict[str, Any]:
    """Run a command; return its answer."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": command, "params": params or []})
    status, text = ask(server, "/mi", "POST", body, token, tls, **{"Content-Type": "application/json"})
    assert status == 200, f"{status} {text}"
    return json.loads(text)


def answers_sip(server: Running, within: float = 1.0) -> bool:
    """Say whether an OPTIONS is answered in time."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        sock.settimeout(within)
        own = sock.getsockname()[1]
        sock.sendto(
            PROBE.format(host=HOST, port=server.port, own=own, number=time.monotonic_ns()).encode(),
            (HOST, server.port),
        )
        try:
            return sock.recv(65535).startswith(b"SIP/2.0 200")
        except TimeoutError:
            return False


def memory(server: Running) -> int:
    """Return the bytes that the server has in memory."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{server.child.pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


# --- tokens, roles, tenants ---------------------------------------------------------------------------------------------


def test_who_may_do_what(guarded: Running) -> None:
    def code(command: str, token: str, params: Any = None) -> int:
        answer = mi(guarded, command, params, token, tls=True)
        return answer["error"]["code"] if "error" in answer else 0

    bob, eve = "bob@shop.example", "eve@other.example"
    add = ["sip:x@192.0.2.1:5060", 60, "1", 0, 0, 0]
    assert code("usrloc:add", OPERATE, ["location", eve, *add]) == 0
    assert code("ul_add", TENANT, ["location", bob, *add]) == 0
    assert code("ul_add", READ, ["location", bob, *add]) == 403 == code("usrloc:add", TENANT, ["location", eve, *add])
    assert (
        code("ul_show_contact", TENANT, ["location", eve]) == 403
        and code("ul_show_contact", TENANT, ["location", bob]) == 0
    )
    assert code("ul_rm", TENANT, ["location", f"{eve};@shop.example"]) == 403
    assert [code(name, TENANT) for name in ("ps", "ul_flush", "get_statistics", "version")] == [403, 403, -32602, 0]
    assert [code("log_level", token, [2]) for token in (READ, OPERATE, ADMIN)] == [403, 0, 0]
    assert [code("reload_routes", token, [1]) for token in (READ, OPERATE)] == [403, 403]
    seen = {
        token: [
            entry["AOR"]
            for table in mi(guarded, "ul_dump", None, token, tls=True)["result"]["Domains"]
            for entry in table["AORs"]
        ]
        for token in (READ, TENANT)
    }
    assert sorted(seen[READ]) == [bob, eve] and seen[TENANT] == [bob]
    assert ask(guarded, "/metrics", token=READ, tls=True)[0] == 200
    assert ask(guarded, "/metrics", token=TENANT, tls=True)[0] == 403


def test_xmlrpc_keeps_the_same_rules(guarded: Running) -> None:
    body = "<methodCall><methodName>kill</methodName><params/></methodCall>"
    status, text = ask(guarded, "/RPC2", "POST", body, OPERATE, tls=True)
    assert status == 200 and "<int>403</int>" in text and answers_sip(guarded)


def test_the_audit_log(guarded: Running) -> None:
    mi(guarded, "log_level", {"level": 2}, ADMIN, tls=True)
    mi(guarded, "kill", None, OPERATE, tls=True)
    log = guarded.child
    log.wait_for(
        r"osip.audit.* who=boss role=admin via=http from=127\.0\.0\.1:\d+ command=core:log_level outcome=ok "
        r'params=\{"level": 2\}'
    )
    log.wait_for(r'osip.audit.* who=worker role=operate .* command="core:kill" outcome=403')
    assert ADMIN not in log.text() and OPERATE not in log.text()


def test_strangers_are_refused_and_do_not_flood_the_log(guarded: Running) -> None:
    before = len(guarded.child.lines)
    connection = connect(guarded, tls=True)
    for number in range(500):
        connection.request("POST", "/mi", b"{}", {"Authorization": f"Bearer guess-{number:020}"})
        response = connection.getresponse()
        response.read()
        assert response.status == 401
    connection.close()
    assert ask(guarded, "/mi", "POST", b"{}", tls=True)[0] == 401
    assert ask(guarded, "/none", tls=True)[0] == 401, "who is unknown does not learn what is there"
    assert ask(guarded, "/livez", tls=True) == (200, "ok\n") == ask(guarded, "/readyz", tls=True)
    with pytest.raises((ConnectionError, http.client.HTTPException, TimeoutError)):
        ask(guarded, "/livez")
    assert len(guarded.child.lines) - before < 10 and answers_sip(guarded)


# --- attacks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begin", "count"),
    [
        (b"POST /mi HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Le", SLOW),
        (
            b"POST /mi HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n{",
            2000,
        ),
    ],
)
def test_slow_clients(plain: Running, begin: bytes, count: int) -> None:
    """They begin a head, or a body, and never end it. Calls go on, who asks gets in, memory and log stay small."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 500
    if hard < wanted:
        pytest.skip(f"this machine allows {hard} open files, {wanted} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    before, lines = memory(plain), len(plain.child.lines)
    clients: list[socket.socket] = []
    try:
        for number in range(count):
            one = socket.socket()
            one.settimeout(5)
            one.connect((HOST, plain.mi_port))
            try:
                one.send(begin)
            except ConnectionError:
                pass  # put out already
            clients.append(one)
            if number % 1000 == 999:
                assert answers_sip(plain)
        descriptors = len(list(Path(f"/proc/{plain.child.pid}/fd").iterdir()))
        assert descriptors < 300, "it keeps 200 connections at most"

        def gets_in() -> bool:
            try:
                return "result" in mi(plain, "pwd")
            except (OSError, http.client.HTTPException):
                return False

        eventually(gets_in, "a request to be answered while the slow ones keep all places", 5)
        assert memory(plain) - before < 50_000_000 and len(plain.child.lines) - lines < 20
        eventually(
            lambda: len(list(Path(f"/proc/{plain.child.pid}/fd").iterdir())) < 60, "the slow ones to be put out", 25
        )
        assert answers_sip(plain)
    finally:
        for one in clients:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_long_bodies(plain: Running) -> None:
    before = memory(plain)
    for _ in range(5):
        try:
            status, _ = ask(
                plain, "/mi", "POST", b'{"a":"' + b"x" * 10_485_760 + b'"}', **{"Content-Type": "application/json"}
            )
            assert status == 413
        except (ConnectionError, BrokenPipeError):
            pass  # refused while it was still sending
    deep = b"[" * 500_000
    status, text = ask(plain, "/mi", "POST", deep, **{"Content-Type": "application/json"})
    assert status == 200 and json.loads(text)["error"]["code"] == -32700
    assert "result" in mi(plain, "pwd") and memory(plain) - before < 50_000_000 and answers_sip(plain)


@pytest.mark.parametrize(
    "path",
    [
        "/mi/../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/mi%00/../x",
        "/..%c0%af..%c0%afetc/passwd",
        "/mi/../metrics",
        "/RPC2;mi",
    ],
)
def test_path_tricks(plain: Running, path: str) -> None:
    status, text = ask(plain, path)
    assert status in (400, 404, 405) and "root:" not in text


# --- probes -------------------------------------------------------------------------------------------------------------


def test_ready_until_it_drains(plain: Running, silent: socket.socket) -> None:
    assert ask(plain, "/readyz") == (200, "ok\n") == ask(plain, "/livez") == ask(plain, "/startupz")
    assert "opensips_rcv_requests" in ask(plain, "/metrics")[1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        own = sock.getsockname()[1]
        sock.sendto(
            (
                f"INVITE sip:silent@{HOST}:{plain.port} SIP/2.0\r\nVia: SIP/2.0/UDP {HOST}:{own};branch=z9hG4bKq\r\n"
                f"Max-Forwards: 9\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:silent@b>\r\nCall-ID: q{own}\r\nCSeq: 1 INVITE\r\n"
                "Content-Length: 0\r\n\r\n"
            ).encode(),
            (HOST, plain.port),
        )
        silent.settimeout(5)
        assert silent.recv(65535).startswith(b"INVITE")
        assert mi(plain, "kill")["result"] == "OK"
        status, text = ask(plain, "/readyz")
        assert status == 503 and "draining" in text and ask(plain, "/livez")[0] == 200
        plain.child.wait(15)


# --- several workers, and a database that goes away ---------------------------------------------------------------------


def test_several_workers(tmp_path: Path) -> None:
    text = PLAIN.replace("SILENT", "9").replace('loadmodule "sl.so"', 'loadmodule "proto_tcp.so"\nloadmodule "sl.so"')
    text = text.replace("socket = udp:127.0.0.1:5060", "socket = udp:127.0.0.1:5060\nsocket = tcp:127.0.0.1:5060")
    with osip_server(text, tmp_path / "server", "-n", "3") as server:
        server.child.wait_for("ready, pid")
        workers = mi(server, "ps")["result"]["Processes"]
        assert [(one["ID"], one["Type"]) for one in workers] == [
            (0, "master"),
            (1, "worker"),
            (2, "worker"),
            (3, "worker"),
        ]
        figures = mi(server, "get_statistics", {"statistics": ["load:", "pkmem:", "shmem:", "timestamp"]})["result"]
        assert figures["load:processes_number"] == 4 and all(
            figures[f"pkmem:{number}-used_size"] > 0 for number in (1, 2, 3)
        )
        assert figures["shmem:used_size"] == pytest.approx(
            sum(figures[f"pkmem:{n}-used_size"] for n in (1, 2, 3)), rel=0.05
        )
        assert figures["shmem:total_size"] == figures["pkmem:1-total_size"] and "load:load-proc-3" in figures
        ends = [socket.create_connection((HOST, server.port)) for _ in range(12)]
        eventually(lambda: len(mi(server, "list_tcp_conns")["result"]["Connections"]) == 12, "twelve connections")
        listed = mi(server, "tcp:list", ["tcp"])["result"]["Connections"]
        assert len({one["ID"] & 255 for one in listed}) > 1, "several workers have some"
        remote = f"{HOST}:{ends[3].getsockname()[1]}"
        assert mi(server, "tcp:close", {"ipport": remote})["result"] == "OK"
        ends[3].settimeout(5)
        assert ends[3].recv(1) == b""
        assert mi(server, "tcp:close", {"ipport": remote})["error"]["code"] == 404
        other = next(one["ID"] for one in listed if one["Remote"] != remote)
        assert mi(server, "tcp:close", {"id": other})["result"] == "OK"
        assert mi(server, "mem:pkg_dump", [workers[3]["PID"]])["result"] == "OK"
        server.child.wait_for(rf"osip.core\[{workers[3]['PID']} w2\] memory used=")
        assert mi(server, "mem:pkg_dump", [1])["error"]["code"] == -32602
        for level in (1, 0):
            assert mi(server, "profiling_proc", {"id": 2, "level": level})["result"] == "OK"
        server.child.wait_for(rf"osip.core\[{workers[2]['PID']} w1\] profile ended")
        assert len(mi(server, "profiling_proc")["result"]["Processes"]) == 3
        assert ask(server, "/readyz") == (200, "ok\n")
        for one in ends:
            one.close()


@pytest.mark.peer("postgresql")
def test_not_ready_while_the_database_is_away(tmp_path: Path) -> None:
    with ExitStack() as whole, ExitStack() as first:
        port, folder = free_port(), Path(whole.enter_context(tempfile.TemporaryDirectory()))  # short, for its sockets
        folder.chmod(0o755)
        url = first.enter_context(postgres(folder, port))
        made = subprocess.run(
            [sys.executable, "-m", "osip", "db", "create", "--url", url],
            capture_output=True,
            text=True,
            cwd=CHECKOUT,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        text = PLAIN.replace("SILENT", "9").replace(
            'loadmodule "tm.so"',
            f"""loadmodule "tm.so"
            loadmodule "domain.so"
            modparam("domain", "db_url", "{url}")
            modparam("domain", "db_mode", 1)""",
        )
        server = whole.enter_context(osip_server(text, tmp_path / "server"))
        assert ask(server, "/readyz") == (200, "ok\n")
        first.close()
        eventually(lambda: ask(server, "/readyz")[0] == 503, "the missing database to be noticed", 15)
        status, reason = ask(server, "/readyz")
        assert status == 503 and reason.startswith("not ready\ndatabase 1: database postgres://") and "***" in reason
        assert ask(server, "/livez")[0] == 200 and answers_sip(server)
        whole.enter_context(postgres(folder, port))
        eventually(lambda: ask(server, "/readyz") == (200, "ok\n"), "the database to be seen again", 15)
