"""Reload the script while calls run: none may fail, a faulty script changes nothing, a later good one works."""
from __future__ import annotations

import json
import os
import socket
import time
import urllib.request
from pathlib import Path

import pytest
from kit.peer import free_port, sipp
from kit.server import PROBE, Running
from kit.user import register

pytestmark = [pytest.mark.peer("sipp"), pytest.mark.timeout(1800)]
RELOADS = int(os.environ.get("OSIP_RELOADS", "10"))
RATE = int(os.environ.get("OSIP_CALL_RATE", "50"))


def mi(server: Running, method: str, *params: str) -> dict:
    """Run a management command over HTTP."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{server.mi_port}/mi", body,
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)


def test_reloads_cost_no_call(proxy: Running, tmp_path: Path) -> None:
    """Reload good and faulty scripts in turn, half of OSIP_RELOADS each, under OSIP_CALL_RATE calls a second."""
    callee_port = free_port()
    register(tmp_path, proxy.address, callee_port)
    script = proxy.folder / "residential.cfg"
    good = script.read_text()
    refused = taken = 0
    with sipp(tmp_path, "-sn", "uas", name="uas", port=callee_port), \
            sipp(tmp_path, proxy.address, "-sn", "uac", "-s", "bob", "-r", RATE, name="uac", port=free_port()) as caller:
        for _ in range(RELOADS // 2):
            script.write_text(good + "\nroute[broken] { no_such_word(); }\n")
            refused += "error" in mi(proxy, "reload_routes")
            script.write_text(good)
            taken += mi(proxy, "reload_routes")["result"] == "OK"
        made = caller.quit(60)
    print(f"{taken} reloads, {refused} refused, {made.created} calls, {made.failed} failed")
    assert made.failed == 0 and made.successful == made.created > 0, made
    assert refused == taken == RELOADS // 2


def test_new_behaviour_comes_with_a_reload(proxy: Running) -> None:
    script = proxy.folder / "residential.cfg"

    def ask() -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(5)
            text = PROBE.format(host="127.0.0.1", port=proxy.port, own=sock.getsockname()[1], number=time.time_ns())
            sock.sendto(text.encode(), ("127.0.0.1", proxy.port))
            return sock.recv(65535).split(b"\r\n")[0]
    assert ask() == b"SIP/2.0 200 OK"
    text = script.read_text()
    script.write_text(text.replace("options_reply();", 'send_reply(486, "Reloaded");', 1))
    assert mi(proxy, "reload_routes", "1")["result"] == "OK" and ask() == b"SIP/2.0 200 OK", "a dry run changes nothing"
    assert mi(proxy, "reload_routes")["result"] == "OK"
    assert ask() == b"SIP/2.0 486 Reloaded"
    script.write_text(text.replace('modparam("tm", "fr_inv_timeout", 60)', 'modparam("tm", "wt_timer", 6)', 1))
    warnings = mi(proxy, "reload_routes")["result"]
    assert warnings == "OK" or all("restart" in line for line in warnings["Warnings"])
