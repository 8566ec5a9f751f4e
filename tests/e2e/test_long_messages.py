"""SIPp with messages of 8 kB, and with UDP on one side and TCP on the other."""
from __future__ import annotations

from pathlib import Path

import pytest
from kit.peer import free_port, sipp
from kit.server import osip_server
from kit.user import SCENARIOS

pytestmark = [pytest.mark.peer("sipp"), pytest.mark.timeout(90)]

CALLS = 20
SCRIPT = """log_level = 2
socket = udp:127.0.0.1:5060
socket = tcp:127.0.0.1:5060
loadmodule "proto_udp.so"
loadmodule "proto_tcp.so"
loadmodule "rr.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "sipmsgops.so"
modparam("tm", "fr_timeout", 5)
{size}
route {{
	if (is_method("OPTIONS")) {{
		sl_send_reply(200, "OK");
		exit;
	}}
	if (has_totag() || is_method("CANCEL")) {{
		loose_route();
		t_relay();
		exit;
	}}
	record_route();
	$ru = "sip:x@127.0.0.1:{port}{transport}";
	t_relay();
}}
"""
LONG = "x" * 8000 + " END-OF-MESSAGE"


@pytest.mark.parametrize(("near", "far", "size"), [
    ("t1", "t1", ""), ("u1", "t1", ""), ("t1", "u1", ""), ("u1", "u1", ""),
    # RFC 3261 18.1.1: what does not fit goes by TCP although nobody asked for it.
    ("u1", "switch", "udp_mtu = 1300")], ids=lambda value: str(value)[:6].strip() or "plain")
def test_eight_kilobytes(tmp_path: Path, near: str, far: str, size: str) -> None:
    (tmp_path / "message.txt").write_text(LONG)
    port = free_port()
    transport = ";transport=tcp" if far == "t1" else ""
    listens = "t1" if far == "switch" else far
    with (osip_server(SCRIPT.format(port=port, transport=transport, size=size), tmp_path / "server") as server,
          sipp(tmp_path, "-sf", SCENARIOS / "uas_message.xml", "-t", listens, name="uas", port=port) as callee,
          sipp(tmp_path, server.address, "-sf", SCENARIOS / "uac_message.xml", "-t", near, "-m", CALLS, "-r", 20,
               name="uac") as caller):
        made = caller.finish(40)
        assert (made.successful, made.failed) == (CALLS, 0), made
        taken = callee.quit()
        assert (taken.successful, taken.failed) == (CALLS, 0), taken


@pytest.mark.parametrize(("near", "far"), [("u1", "t1"), ("t1", "u1"), ("t1", "t1")])
def test_calls_from_one_transport_to_the_other(tmp_path: Path, near: str, far: str) -> None:
    port = free_port()
    transport = ";transport=tcp" if far == "t1" else ""
    with (osip_server(SCRIPT.format(port=port, transport=transport, size=""), tmp_path / "server") as server,
          sipp(tmp_path, "-sf", SCENARIOS / "uas_routed.xml", "-t", far, name="uas", port=port) as callee,
          sipp(tmp_path, server.address, "-sf", SCENARIOS / "uac_routed.xml", "-t", near, "-m", CALLS, "-r", 20,
               name="uac") as caller):
        made = caller.finish(40)
        assert (made.successful, made.failed) == (CALLS, 0), made
        taken = callee.quit()
        assert (taken.successful, taken.failed) == (CALLS, 0), taken
