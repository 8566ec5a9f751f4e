"""Several workers: calls meet, contacts are known everywhere, one that is killed is replaced and nobody else notices."""
from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kit.callers import Call, Callers, answer, header
from kit.peer import eventually, free_port
from kit.server import Running, osip_server

from osip.core.run.steer import owner_of

pytestmark = pytest.mark.timeout(120)

WORKERS = 3
RATE = int(os.environ.get("OSIP_KILL_RATE", "200"))
SCRIPT = """\
udp_workers = 3
log_level = 3
socket = udp:127.0.0.1:5060
socket = tcp:127.0.0.1:5060
loadmodule "proto_udp.so"
loadmodule "proto_tcp.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "signaling.so"
loadmodule "sipmsgops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "httpd.so"
loadmodule "mi_http.so"
startup_route { $shv(started) = $shv(started) + 1; }
route {
    if (is_method("REGISTER")) { save("location"); exit; }
    if (is_method("OPTIONS")) { sl_send_reply(200, "Started $shv(started)"); exit; }
    if (has_totag()) { loose_route(); t_relay(); exit; }
    if (is_method("CANCEL")) { t_relay(); exit; }
    record_route();
    if (!lookup("location")) { t_reply(404, "Not Here"); exit; }
    t_relay();
}
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with osip_server(SCRIPT, tmp_path / "server") as running:
        eventually(lambda: len(workers(running)) == WORKERS, "all workers")
        for of in range(WORKERS):               # what was sent while they started is behind them now
            talk(running, options(call_id(1000 + of, of)))
        yield running


def mi(server: Running, method: str, *params: Any) -> Any:
    """Run a management command over HTTP and return its result; its error when it has one."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{server.mi_port}/mi", body,
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as response:
        found = json.load(response)
    return found.get("result", found.get("error"))


def workers(server: Running) -> dict[int, int]:
    """Return the process id of every worker by its number; empty while nobody answers."""
    try:
        return {one["ID"] - 1: one["PID"] for one in mi(server, "ps")["Processes"] if one["Type"] == "worker"}
    except OSError:
        return {}


def call_id(number: int, of: int) -> str:
    """Return a Call-ID that belongs to a worker."""
    return next(text for count in range(99) if owner_of(text := f"{number}-{count}@test", WORKERS) == of)


async def finish(*calls: Call, seconds: float = 10.0) -> None:
    """Wait until the calls have ended."""
    until = time.monotonic() + seconds
    while not all(call.succeeded for call in calls) and time.monotonic() < until:
        await asyncio.sleep(0.01)


async def test_killed_under_load(server: Running) -> None:
    """Kill a worker twice, the second time the leader, under load: OSIP_KILL_RATE calls a second for OSIP_KILL_SECONDS."""
    callers = await Callers.open(server.port)
    callers.patient = True
    await callers.register()
    seconds = float(os.environ.get("OSIP_KILL_SECONDS", "6"))
    pids, killed, began = workers(server), {}, time.monotonic()
    victims = {seconds * 0.3: 1, seconds * 0.65: 0}
    for number in range(int(seconds * RATE)):
        due = began + number / RATE
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        for after in [after for after in victims if time.monotonic() - began > after]:
            victim = victims.pop(after)
            os.kill(pids[victim], signal.SIGKILL)
            killed[victim] = time.monotonic()
        callers.call(f"load-{number}@test")
    await finish(*list(callers.calls.values())[-RATE:])
    failed = [call for call in callers.calls.values() if not call.succeeded]
    owners = {call.id: owner_of(call.id, WORKERS) for call in failed}
    print(f"calls={len(callers.calls)} failed={len(failed)} repeated={callers.repeated}")
    assert len(killed) == 2 and set(owners.values()) <= {0, 1}, "calls of a worker that lived have failed"
    for call in failed:
        assert call.began < killed[owners[call.id]] + 1.0, f"{call} began after the worker was back"
        assert call.began > killed[owners[call.id]] - 1.0, f"{call} was over before"
    new = await asyncio.to_thread(workers, server)
    assert {number for number in pids if new[number] != pids[number]} == {0, 1}
    statistics = await asyncio.to_thread(mi, server, "get_statistics", ["location-contacts"])
    assert statistics == {"usrloc:location-contacts": 1}


async def test_registered_here_called_there(server: Running) -> None:
    callers = await Callers.open(server.port)
    for of in range(WORKERS):
        callers.user = f"user{of}"
        await callers.register(call_id(1, of))
    before = (await asyncio.to_thread(mi, server, "get_statistics", ["core:rcv_requests"]))["core:rcv_requests"]
    calls = []
    for of in range(WORKERS):
        for user in range(WORKERS):
            callers.user = f"user{user}"
            calls.append(callers.call(call_id(100 * of + user, of)))
    await finish(*calls)
    assert [call.finals for call in calls] == [["INVITE 200", "BYE 200"]] * len(calls)
    statistics = await asyncio.to_thread(mi, server, "get_statistics", ["usrloc:", "core:rcv_requests"])
    assert statistics["usrloc:registered_users"] == 3, "what all know is not summed"
    assert statistics["core:rcv_requests"] - before == 3 * len(calls), "INVITE, ACK and BYE, wherever they arrived"
    dump = await asyncio.to_thread(mi, server, "ul_dump")
    assert {one["AOR"] for one in dump["Domains"][0]["AORs"]} == {f"user{n}@127.0.0.1" for n in range(3)}
    assert await asyncio.to_thread(mi, server, "ul_rm", "location", "user1@127.0.0.1") == "OK"
    callers.user, count = "user1", 900
    for of in range(WORKERS):           # the others hear of it well under a millisecond later
        gone = callers.call(call_id(count, of))
        while gone.finals != ["INVITE 404"]:
            await asyncio.sleep(0.01)
            if gone.finals == ["INVITE 200", "BYE 200"]:
                count += 10
                gone = callers.call(call_id(count, of))
                assert count < 950, "a worker still knows the contact"


def talk(server: Running, raw: str, port: int = 0) -> bytes:
    """Send one datagram and return what comes back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        own = sock.getsockname()[1]
        sock.sendto(raw.replace("OWN", str(own)).encode(), ("127.0.0.1", port or server.port))
        return sock.recv(65535)


def options(call: str, name: str = "Call-ID", body: str = "") -> str:
    return ("OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:OWN;branch=z9hG4bK" + call.split("@")[0]
            + f"\r\nMax-Forwards: 5\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:x@x>\r\n{name}: {call}\r\nCSeq: 1 OPTIONS\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}")


def test_every_spelling_of_a_call_id_finds_its_worker(server: Running) -> None:
    # The kernel may read the Call-ID of a part of a message in the body (RFC 3420), which belongs to another worker.
    before = mi(server, "ps")["Processes"]
    for number in range(30):
        got = talk(server, options(call_id(number, 2), ("Call-ID", "i", "call-id ", "CALL-ID")[number % 4],
                                   f"From: <sip:a@x>\r\nCall-ID: {call_id(number, number // 4 % 2)}\r\n"))
        assert got.startswith(b"SIP/2.0 200 Started 1\r\n"), got
    counts = {one["ID"]: one.get("Messages", 0) for one in mi(server, "ps")["Processes"]}
    was = {one["ID"]: one.get("Messages", 0) for one in before}
    assert {number: counts[number] - was[number] for number in counts if counts[number] != was[number]} == {3: 30}


def test_a_reload_reaches_all_or_none(server: Running) -> None:
    script = server.folder / "test.cfg"
    good, extra = script.read_text(), free_port()
    script.write_text(good + "route[x] { no_such_word(); }\n")
    assert "old one stays" in mi(server, "reload_routes")["message"]
    for of in range(WORKERS):
        assert talk(server, options(call_id(of, of))).startswith(b"SIP/2.0 200 Started 1\r\n")
    script.write_text(good.replace("Started", "Reloaded").replace(
        "socket = tcp", f"socket = udp:127.0.0.1:{extra}\nsocket = tcp"))
    assert mi(server, "reload_routes") == "OK"
    for of in range(WORKERS):
        assert talk(server, options(call_id(10 + of, of))).startswith(b"SIP/2.0 200 Reloaded 1\r\n")
        assert talk(server, options(call_id(20 + of, of)), extra).startswith(b"SIP/2.0 200 Reloaded 1\r\n")
    pids = workers(server)
    os.kill(pids[2], signal.SIGKILL)
    assert talk(server, options(call_id(30, 2)), extra).startswith(b"SIP/2.0 200 Reloaded 1\r\n"), "as do its successors"


def test_a_connection_serves_all_workers(server: Running) -> None:
    """Register on a connection; calls of every worker arrive there, and their answers come back."""
    with socket.create_connection(("127.0.0.1", server.port)) as stream, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        stream.settimeout(5)
        caller.settimeout(5)
        caller.bind(("127.0.0.1", 0))
        own, port = stream.getsockname()[1], caller.getsockname()[1]
        for of in range(WORKERS):
            stream.sendall((f"REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:{own};branch=z9hG4bKr{of}\r\n"
                            f"Max-Forwards: 5\r\nFrom: <sip:tcp{of}@127.0.0.1>;tag=1\r\nTo: <sip:tcp{of}@127.0.0.1>\r\n"
                            f"Call-ID: {call_id(of, of)}\r\nCSeq: 1 REGISTER\r\n"
                            f"Contact: <sip:tcp{of}@127.0.0.1:{own};transport=tcp>\r\nContent-Length: 0\r\n\r\n").encode())
            assert stream.recv(65535).startswith(b"SIP/2.0 200")
        for of in range(WORKERS):
            caller.sendto(
                f"MESSAGE sip:tcp{of}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKm{of}\r\n"
                f"Max-Forwards: 5\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:x@x>\r\nCall-ID: {call_id(50 + of, of)}\r\n"
                "CSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n".encode(), ("127.0.0.1", server.port))
            arrived = stream.recv(65535)
            assert arrived.startswith(f"MESSAGE sip:tcp{of}@127.0.0.1:{own}".encode()), arrived
            stream.sendall(answer(arrived, "200 OK"))
            got = caller.recv(65535)
            assert got.startswith(b"SIP/2.0 200") and header(got, "Call-ID") == call_id(50 + of, of)


async def test_stopping_finishes_what_is_in_flight(server: Running) -> None:
    """A call that rings when TERM comes is answered; new ones are refused; then all processes end."""
    loop = asyncio.get_running_loop()
    callers = await Callers.open(server.port)
    await callers.register()
    pids, ringing = workers(server), []
    callers._on_request = lambda raw: ringing.append(raw) if raw.startswith(b"INVITE") else \
        Callers._on_request(callers, raw)                           # type: ignore[method-assign]
    call = callers.call(call_id(1, 2))
    while not ringing:
        await asyncio.sleep(0.01)
    callers.transport.sendto(answer(ringing[0], "180 Ringing"), callers.server)
    server.child.popen.send_signal(signal.SIGTERM)
    await asyncio.to_thread(server.child.wait_for, "stopping")
    await asyncio.sleep(0.1)            # the order is on its way to the workers, and nothing tells when it is there
    refused = callers.call(call_id(2, 1))
    until = loop.time() + 5
    while not refused.finals and loop.time() < until:
        await asyncio.sleep(0.01)
    contact = f"Contact: <sip:bob@127.0.0.1:{callers.port}>\r\n".encode()
    callers.transport.sendto(answer(ringing[0], "200 OK", contact), callers.server)
    await finish(call, seconds=5)
    assert refused.finals == ["INVITE 503"] and "INVITE 200" in call.finals
    assert await asyncio.to_thread(server.child.popen.wait, 10) == 0
    assert not [pid for pid in pids.values() if os.path.exists(f"/proc/{pid}")]


def test_workers_do_not_outlive_the_master(server: Running) -> None:
    pids = workers(server)
    server.child.popen.kill()
    server.child.popen.wait(5)
    eventually(lambda: not any(is_running(pid) for pid in pids.values()), "the end of the workers")


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
