"""Several workers count as one server: floods, rates and captures."""
from __future__ import annotations

import socket
import time
from pathlib import Path

from kit.message import request
from kit.peer import eventually, free_port
from kit.server import osip_server

from osip.api import HepPacket, encode_hep

CFG = '''socket = udp:127.0.0.1:5060
socket = hep_udp:127.0.0.1:%d
udp_workers = 2
loadmodule "proto_udp.so"
loadmodule "proto_hep.so"
loadmodule "sl.so"
loadmodule "pike.so"
loadmodule "ratelimit.so"
modparam("pike", "sampling_time_unit", 30)
modparam("pike", "reqs_density_per_unit", 20)
modparam("ratelimit", "timer_interval", 30)
modparam("ratelimit", "limit_per_interval", 1)
route {
    if ($socket_in(proto) =~ "(?i)hep") { xlog("captured $ci from $si\\n"); exit; }
    if ($rU == "flood") { pike_check_req(); sl_send_reply(200, "$rc"); exit; }
    if ($rU == "rate") { if (rl_check("all", 20)) sl_send_reply(200, "1"); else sl_send_reply(200, "-1"); exit; }
    sl_send_reply(200, "OK");
}
'''


def ask(port: int, user: str, count: int) -> list[str]:
    """Send requests of many calls, slowly enough that the workers tell each other; return the reasons."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.settimeout(5)
        found = []
        for number in range(count):
            call_id = f"{user}{number}-{time.monotonic_ns()}"
            sock.send(request("OPTIONS", f"sip:{user}@127.0.0.1", call_id=call_id, branch=f"z9hG4bK{call_id}",
                              via=f"127.0.0.1:{sock.getsockname()[1]}"))
            found.append(sock.recv(9999).split(b"\r\n")[0].split(b" ", 2)[2].decode())
            time.sleep(0.02)        # what a worker counts is told to the others ten times a second
        return found


def test_two_workers_count_together(tmp_path: Path) -> None:
    hep = free_port()
    with osip_server(CFG % hep, tmp_path) as server:
        rates = ask(server.port, "rate", 60)
        # 20 in all; each worker may be late by what the other one counted in a tenth of a second. A new interval may
        # have begun meanwhile.
        assert 20 <= rates.count("1") <= 32 or 42 <= rates.count("1") <= 54, rates      # 40: each counts alone
        floods = ask(server.port, "flood", 60)
        assert floods.count("1") <= 52 and floods[-1] == "-1", floods
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("127.0.0.1", hep))
            for number in range(20):
                raw = request("OPTIONS", call_id=f"hep{number}.")
                probe.send(encode_hep(HepPacket("127.0.0.77", 5099, "192.0.2.2", 5060, raw, seconds=1)))
        eventually(lambda: all(f"captured hep{number}. from 127.0.0.77" in server.child.text() for number in range(20)),
                   "all captures reach the script")
