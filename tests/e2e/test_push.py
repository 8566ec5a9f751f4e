"""Push notifications end to end: a gateway over HTTP wakes a phone, which registers from another port, and gets it."""
from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from kit.server import Running, osip_server
from kit.udp_phone import SDP, UdpPhone

pytestmark = pytest.mark.timeout(120)
SCRIPT = """\
log_level = 3
udp_workers = %(workers)d
socket = udp:127.0.0.1:5060
loadmodule "proto_udp.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "signaling.so"
loadmodule "sipmsgops.so"
loadmodule "event_route.so"
loadmodule "rest_client.so"
loadmodule "usrloc.so"
modparam("usrloc", "contact_refresh_timer", 1)
loadmodule "registrar.so"
modparam("registrar", "pn_enable", 1)
modparam("registrar", "pn_providers", "apns")
modparam("registrar", "pn_enable_purr", 1)
modparam("registrar", "pn_refresh_timeout", 3)
modparam("registrar", "pn_pnsreg_interval", 9)
modparam("registrar", "pn_trigger_interval", 8)
modparam("registrar", "min_expires", 1)
route {
	if (is_method("REGISTER")) { save("location"); exit; }
	if (is_method("OPTIONS")) { sl_send_reply(200, "OK"); exit; }
	if (has_totag()) {
		loose_route();
		if (is_method("ACK")) { t_relay(); exit; }
		async(pn_process_purr("location"), WOKEN);
	}
	if (is_method("CANCEL")) { t_relay(); exit; }
	record_route();
	t_on_failure("ASLEEP");
	lookup("location");
	$var(rc) = $rc;
	if ($var(rc) == 2) exit;
	if ($var(rc) < 0) { t_reply(404, "Not Found"); exit; }
	t_relay();
}
route[WOKEN] { t_relay(); exit; }
failure_route[ASLEEP] { if (t_check_status("408")) t_reply(480, "Asleep"); }
event_route[E_UL_CONTACT_REFRESH] {
	rest_post("http://127.0.0.1:%(gateway)d/wake", "$param(reason) $param(uri)", "text/plain", $var(answer));
}
"""
WHO = ";pn-provider=apns;pn-prid=ZTY4;pn-param=DEF"


class Gateway:
    """A push service: what it is asked comes out of `asked`."""

    def __init__(self) -> None:
        asked = self.asked = queue.Queue[str]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked.put(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]

    def wakes(self, seconds: float = 10.0) -> str:
        """Wait until somebody is to be woken; return the reason."""
        return self.asked.get(timeout=seconds).split()[0]


@contextmanager
def gateway() -> Iterator[Gateway]:
    """Run a push service."""
    found = Gateway()
    thread = threading.Thread(target=found.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.server.shutdown()
        found.server.server_close()
        thread.join(5)


class App(UdpPhone):
    """A phone app: each time it wakes it has another port, and its dialogs ask for waking."""
    purr = ""

    @property
    def contact(self) -> str:
        """Its address with what wakes it."""
        return f"<sip:{self.user}@127.0.0.1:{self.port}{WHO}{f';pn-purr={self.purr}' if self.purr else ''}>"

    def sign_on(self, expires: int = 600) -> Any:
        """Register, and learn the reference."""
        self.request("REGISTER", f"sip:{self.domain}", f"<sip:{self.user}@{self.domain}>", call_id=f"reg-{self.port}",
                     headers=f"Expires: {expires}\r\n")
        reply = self.expect(200)
        self.purr = reply.get("Feature-Caps").partition('+sip.pnspurr="')[2].rstrip('"')
        return reply


@pytest.mark.parametrize("workers", [1, 3])
def test_calls_to_a_phone_that_sleeps(tmp_path: Path, workers: int) -> None:
    with ExitStack() as stack:
        service = stack.enter_context(gateway())
        script = SCRIPT % {"workers": workers, "gateway": service.port}
        server = stack.enter_context(osip_server(script, tmp_path / "osip"))
        stack.enter_context(App("bob", server.port)).sign_on()
        for number in range(3 if workers == 1 else 6):
            _call(stack, server, service, number)


def _ring(stack: ExitStack, server: Running, service: Gateway, number: int) -> tuple[UdpPhone, Any]:
    """Call bob; once more when the worker that got the INVITE had not yet heard that bob registered at another one."""
    for _ in range(5):
        alice = stack.enter_context(UdpPhone("alice", server.port))
        invite = alice.request("INVITE", "sip:bob@localhost", body=SDP, call_id=f"call-{number}-{alice.port}")
        alice.expect(100)
        try:
            assert service.wakes(2.0) == "ini-INVITE"
            return alice, invite
        except queue.Empty:
            alice.expect(404)
    raise AssertionError("nobody was woken")


def _call(stack: ExitStack, server: Running, service: Gateway, number: int) -> None:
    alice, invite = _ring(stack, server, service, number)
    bob = stack.enter_context(App("bob", server.port))          # it wakes, with another address
    bob.sign_on()
    asked = bob.expect("INVITE")
    assert f":{bob.port}" in asked.ruri and "pn-prid" in asked.ruri
    bob.reply(asked, 200, body=SDP)
    answer = alice.expect(200)
    alice.within("ACK", invite, answer, 1)
    bob.expect("ACK")
    alice.within("BYE", invite, answer, 2)                      # it sleeps again
    assert service.wakes() == "mid-BYE"
    later = stack.enter_context(App("bob", server.port))
    later.sign_on()
    later.reply(later.expect("BYE"), 200)                       # where it is now
    alice.expect(200)


def test_a_phone_that_does_not_wake(tmp_path: Path) -> None:
    with ExitStack() as stack:
        service = stack.enter_context(gateway())
        server = stack.enter_context(osip_server(SCRIPT % {"workers": 1, "gateway": service.port}, tmp_path / "osip"))
        stack.enter_context(App("bob", server.port)).sign_on()
        alice = stack.enter_context(UdpPhone("alice", server.port))
        alice.request("INVITE", "sip:bob@localhost", body=SDP)
        alice.expect(480)
        assert service.wakes() == "ini-INVITE"


def test_a_phone_is_woken_before_its_registration_ends(tmp_path: Path) -> None:
    with ExitStack() as stack:
        service = stack.enter_context(gateway())
        server = stack.enter_context(osip_server(SCRIPT % {"workers": 2, "gateway": service.port}, tmp_path / "osip"))
        stack.enter_context(App("bob", server.port)).sign_on(10)
        assert service.wakes(15) == "reg-refresh"
