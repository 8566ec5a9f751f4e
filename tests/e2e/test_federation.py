"""Three servers that keep their contacts to themselves and find each other's users in one Redis."""
from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest
from kit.nodes import Phone, call, final, mi
from kit.peer import eventually, free_port
from kit.redis import ask, redis_server
from kit.server import osip_server
from kit.udp_phone import UdpPhone

pytestmark = [pytest.mark.timeout(180), pytest.mark.peer("redis")]
SCRIPT = """\
log_level = 2
socket = udp:127.0.0.1:5060
loadmodule "proto_udp.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "signaling.so"
loadmodule "httpd.so"
loadmodule "mi_http.so"
loadmodule "sipmsgops.so"
loadmodule "cachedb_redis.so"
loadmodule "usrloc.so"
modparam("usrloc", "working_mode_preset", "federation-cachedb-cluster")
modparam("usrloc", "cachedb_url", "redis://127.0.0.1:{redis}/")
modparam("usrloc", "timer_interval", 2)
loadmodule "registrar.so"
route {{
	if (is_method("REGISTER")) {{ save("location"); exit; }}
	if (is_method("OPTIONS")) {{ sl_send_reply(200, "OK"); exit; }}
	$var(found) = lookup("location", "global");
	if ($var(found) == -3) {{ sl_send_reply(503, "Service Unavailable"); exit; }}
	if ($var(found) < 0) {{ sl_send_reply(404, "Not Found"); exit; }}
	t_relay();
}}
"""


def known(server) -> int:
    return len(mi(server, "ul_dump")["Domains"][0]["AORs"])


def refused(caller: UdpPhone, user: str) -> int:
    call_id = f"refused-{next(caller.count)}"
    caller.request("INVITE", f"sip:{user}@localhost", call_id=call_id)
    return final(caller, call_id)


def test_three_servers_find_each_others_users(tmp_path: Path) -> None:
    with ExitStack() as stack:
        for name in ("redis", "redis2"):
            (tmp_path / name).mkdir()
        inner = stack.enter_context(ExitStack())
        _, redis = inner.enter_context(redis_server(tmp_path / "redis"))
        script, ports = SCRIPT.format(redis=redis), [free_port() for _ in range(3)]
        nodes = [stack.enter_context(osip_server(script, tmp_path / f"n{n}", "-n", workers, port=ports[n]))
                 for n, workers in enumerate("121")]
        phones = [stack.enter_context(Phone(f"user{n}", port)) for n, port in enumerate(ports)]
        for phone in phones:
            phone.register()
        assert [known(node) for node in nodes] == [1, 1, 1]             # each has its own
        callers = [stack.enter_context(UdpPhone(f"caller{n}", port)) for n, port in enumerate(ports)]
        for caller in callers:
            for phone in phones:
                call(caller, phone)
        assert refused(callers[0], "nobody") == 404
        # A user with phones at two servers: both ring, the caller's server has neither.
        twins = [stack.enter_context(Phone("twin", port)) for port in (ports[0], ports[2])]
        for twin in twins:
            twin.register()
        callers[1].request("INVITE", "sip:twin@localhost", call_id="both")
        assert [twin.expect("INVITE").call_id for twin in twins] == ["both", "both"]
        # A server that is killed has its contacts again when it is back.
        os.kill(nodes[0].child.pid, signal.SIGKILL)
        nodes[0].child.wait(10)
        nodes[0] = stack.enter_context(osip_server(script, tmp_path / "n0b", port=ports[0]))
        assert known(nodes[0]) == 2
        for caller in callers[1:]:
            call(caller, phones[0])
        call(callers[0], phones[1])
        # Without Redis users of the own server and those that were called before are found.
        call(callers[0], phones[2])
        inner.close()
        for caller in callers:
            call(caller, phones[2])
        call(callers[0], phones[1])
        assert refused(callers[2], "stranger") == 503
        late = stack.enter_context(Phone("late", ports[0]))
        late.register()
        call(callers[0], late)
        eventually(lambda: "contacts cannot be stored" in nodes[0].child.text(), "a clear error")
        stack.enter_context(redis_server(tmp_path / "redis2", port=redis))          # empty
        eventually(lambda: all(ask(redis, "hlen", f"osip:ul:{{location}}:home:{user}@localhost") == "1" for user in (
            "user0", "user1", "user2", "late")), "what Redis had lost", 20)
        eventually(lambda: refused(callers[2], "stranger") == 404, "an answer that is sure", 10)
        for caller in callers:
            for phone in (*phones, late):
                call(caller, phone)
