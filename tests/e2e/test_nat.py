"""Phones behind NAT at a running server: pings by datagram and by SIP request, and contacts that stop to answer."""
from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kit.peer import eventually, free_port
from kit.server import Running, osip_server
from kit.udp_phone import UdpPhone
from osip.core.sip.message import parse

SCRIPT = """
socket = udp:127.0.0.1:5060
alias = localhost
log_level = 2
loadmodule "proto_udp.so"
loadmodule "sl.so"
loadmodule "signaling.so"
loadmodule "textops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "nathelper.so"
modparam("usrloc", "nat_bflag", "NAT")
modparam("registrar|nathelper", "received_avp", "$avp(rcv)")
modparam("nathelper", "natping_interval", 1)
modparam("nathelper", "ping_nated_only", 1)
modparam("nathelper", "sipping_from", "sip:ping@localhost")
modparam("nathelper", "sipping_bflag", "SIP")
modparam("nathelper", "remove_on_timeout_bflag", "SIP")
modparam("nathelper", "ping_threshold", 1)
modparam("nathelper", "max_pings_lost", 2)

route {
	force_rport();
	if (is_method("REGISTER")) {
		if (nat_uac_test("diff-ip-src-contact,private-contact")) {
			fix_nated_register();
			setbflag("NAT");
			if ($fU == "asked")
				setbflag("SIP");
		}
		save("location");
		exit;
	}
	if (is_registered("location", "sip:asked@localhost"))
		send_reply(200, "There");
	else
		send_reply(404, "Gone");
}
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    """Run the script."""
    with osip_server(SCRIPT, tmp_path / "server") as running:
        yield running


class Natted(UdpPhone):
    """A phone that knows only its private address."""

    @property
    def contact(self) -> str:
        return f"<sip:{self.user}@10.0.0.5:5062>"


def test_datagrams_keep_the_way_open(server: Running) -> None:
    with Natted("plain", server.port) as phone:
        phone.register()
        phone.socket.settimeout(5)
        assert phone.socket.recv(100) == phone.socket.recv(100) == bytes(4)


def test_a_phone_that_stops_to_answer_is_forgotten(server: Running) -> None:
    with Natted("asked", server.port) as phone, UdpPhone("other", server.port) as other:
        phone.register()
        for _ in range(3):
            ping = phone.expect("OPTIONS", 5)
            assert ping.ruri == "sip:asked@10.0.0.5:5062" and ping.from_.uri_text == "sip:ping@localhost"
            phone.reply(ping, 200)
        assert status(other) == 200
        eventually(lambda: status(other) == 404, "the contact to go", 10)


def status(phone: UdpPhone) -> int:
    """Ask whether the phone is still registered."""
    sent = phone.request("OPTIONS", "sip:localhost", call_id=f"ask-{next(phone.count)}")
    phone.socket.settimeout(5)
    try:
        answer: Any = parse(phone.socket.recv(65535))
    except socket.timeout:
        return 0
    assert answer.call_id == sent.call_id
    return int(answer.status)


TRAVERSAL = """
udp_workers = {workers}
socket = udp:127.0.0.1:5060
alias = localhost
log_level = 2
loadmodule "proto_udp.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "signaling.so"
loadmodule "sipmsgops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "nat_traversal.so"
loadmodule "httpd.so"
loadmodule "mi_http.so"
modparam("nat_traversal", "keepalive_interval", 1)

route {{
	if (client_nat_test(3)) {{
		force_rport();
		fix_contact();
		nat_keepalive();
	}}
	if (is_method("REGISTER"))
		save("location");
	else
		sl_send_reply(200, "$stat(nat_traversal:keepalive_endpoints)");
}}
"""


@pytest.mark.parametrize("workers", [1, 3])
def test_keepalives_go_on_after_a_restart(tmp_path: Path, workers: int) -> None:
    """As long as the registration lasts, in whatever worker it came, also when the server is started anew."""
    folder = tmp_path / "server"
    with Natted("one", free_port()) as phone, UdpPhone("other", free_port()) as other:
        for turn in range(2):
            with osip_server(TRAVERSAL.format(workers=workers), folder) as server:
                for each in (phone, other):
                    each.socket.connect(("127.0.0.1", server.port))
                if not turn:
                    phone.register()
                for _ in range(3):
                    ping = phone.expect("NOTIFY", 5)
                    assert ping.ruri == f"sip:127.0.0.1:{phone.port}" and ping.get("Event") == "keep-alive"
                    phone.reply(ping, 200)
                eventually(lambda: reason(other) == "1", "every worker to know of it")
            assert (folder / "keepalive_state").read_text().count("r:one") == 1


def reason(phone: UdpPhone) -> str:
    """Ask whichever worker the Call-ID leads to how many endpoints there are."""
    found = set()
    for number in range(6):
        phone.request("OPTIONS", "sip:localhost", call_id=f"ask-{number}-{next(phone.count)}")
        phone.socket.settimeout(5)
        found.add(parse(phone.socket.recv(65535)).reason)           # type: ignore[union-attr]
    return ",".join(sorted(found))
