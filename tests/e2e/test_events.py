"""Events with several workers: each is told once, whoever raised it, and reaches whoever waits."""
from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from kit.message import request
from kit.peer import HOST, free_port
from kit.server import Running, osip_server

from osip.core.sip.message import parse

SCRIPT = '''
log_level = 3
socket = udp:127.0.0.1:5060
loadmodule "proto_udp.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "sipmsgops.so"
loadmodule "event_datagram.so"
loadmodule "event_routing.so"
startup_route { subscribe_event("E_TEST", "udp:127.0.0.1:%d"); }
route {
    if (is_method("MESSAGE")) {
        $avp(name) = "who";
        $avp(value) = $rU;
        raise_event("E_TEST", $avp(name), $avp(value));
    } else if (is_method("INFO")) {
        $avp(filter) = "who=" + $rU;
        notify_on_event("E_TEST", $avp(filter), "TOLD", 30);
    } else if (is_method("SUBSCRIBE")) {
        $avp(filter) = "who=" + $rU;
        t_newtran();
        $var(code) = wait_for_event("E_TEST", $avp(filter), 20);
        t_reply(200, "$avp(who) came");
        exit;
    }
    sl_send_reply(200, "OK");
}
route[TOLD] { xlog("told $avp(who) $rm $ci\\n"); }
'''


def send(server: Running, method: str, user: str, call_id: str) -> socket.socket:
    """Send a request; its answer can be read from the socket."""
    phone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    phone.bind((HOST, 0))
    phone.settimeout(10)
    own = phone.getsockname()[1]
    phone.sendto(request(method, f"sip:{user}@{HOST}:{server.port}", via=f"{HOST}:{own}", call_id=call_id,
                         branch=f"z9hG4bK-{own}-{call_id}"), (HOST, server.port))
    return phone


def ask(server: Running, method: str, user: str, call_id: str) -> None:
    """Send a request and wait for its answer."""
    with send(server, method, user, call_id) as phone:
        assert parse(phone.recv(65535)).status == 200           # type: ignore[union-attr]


@pytest.mark.parametrize("workers", [1, 3])
def test_events(workers: int, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind((HOST, 0))
        listener.settimeout(10)
        with osip_server(SCRIPT % listener.getsockname()[1], tmp_path, "-n", str(workers)) as server:
            for number in range(9):             # the calls are spread over the workers
                ask(server, "MESSAGE", f"user{number}", f"call-{number}")
                found = json.loads(listener.recv(65535))
                assert (found["method"], found["params"]) == ("E_TEST", {"who": f"user{number}"})
            for number in range(5):
                ask(server, "INFO", "bob", f"info-{number}")
            with send(server, "SUBSCRIBE", "bob", "subscribe") as waiting:
                ask(server, "INFO", "other", "info-x")
                while server.child.alive:       # until the SUBSCRIBE waits, an event passes it by
                    ask(server, "MESSAGE", "bob", "raise-bob")
                    waiting.settimeout(0.3)
                    try:
                        answer = parse(waiting.recv(65535))
                    except TimeoutError:
                        continue
                    break
            assert (answer.status, answer.reason) == (200, "bob came")      # type: ignore[union-attr]
            for number in range(5):
                server.child.wait_for(f"told bob INFO info-{number}")
            assert "told other" not in server.child.text()


FAILOVER = '''
socket = udp:127.0.0.1:5060
loadmodule "proto_udp.so"
loadmodule "sl.so"
loadmodule "event_datagram.so"
loadmodule "event_stream.so"
loadmodule "event_virtual.so"
startup_route { subscribe_event("E_TEST", "virtual:FAILOVER tcp:127.0.0.1:%d http://127.0.0.1:%d/told udp:127.0.0.1:%d"); }
route {
    $avp(name) = "who";
    $avp(value) = $rU;
    raise_event("E_TEST", $avp(name), $avp(value));
    sl_send_reply(200, "OK");
}
'''


def test_failover(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind((HOST, 0))
        listener.settimeout(10)
        with osip_server(FAILOVER % (free_port(), free_port(), listener.getsockname()[1]), tmp_path) as server:
            for number in range(12):
                ask(server, "MESSAGE", f"user{number}", f"call-{number}")
            heard = [json.loads(listener.recv(65535))["params"]["who"] for _ in range(12)]
            assert heard == [f"user{number}" for number in range(12)]
            assert server.child.text().count("not delivered") == 2
