"""A mid-registrar in front of a main registrar, osip or Kamailio: registering, throttling, calls, what vanishes."""
from __future__ import annotations

import json
import os
import signal
import sqlite3
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from kit.peer import HOST, eventually
from kit.redis import redis_server
from kit.server import Running, kamailio_server, osip_server
from kit.udp_phone import SDP, UdpPhone
from osip.cli.main import osip

pytestmark = pytest.mark.timeout(120)
HEAD = """\
log_level = 3
socket = udp:127.0.0.1:5060
%(more)s
loadmodule "proto_udp.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "signaling.so"
loadmodule "sipmsgops.so"
loadmodule "httpd.so"
loadmodule "mi_http.so"
loadmodule "usrloc.so"
modparam("usrloc", "timer_interval", 1)
"""
MAIN = HEAD % {"more": ""} + """
loadmodule "registrar.so"
modparam("registrar", "min_expires", 1)
route {
	if (has_totag()) { if (loose_route()) t_relay(); exit; }
	if (is_method("CANCEL")) { t_relay(); exit; }
	if (is_method("REGISTER")) { save("location"); exit; }
	if (is_method("OPTIONS")) { sl_send_reply(200, "OK"); exit; }
	record_route();
	if (!lookup("location")) { sl_send_reply(404, "Not Found"); exit; }
	t_relay();
}
"""
MID = HEAD + """
loadmodule "mid_registrar.so"
modparam("mid_registrar", "mode", %(mode)d)
modparam("mid_registrar", "min_expires", 1)
modparam("mid_registrar", "contact_id_insertion", "%(insertion)s")
route {
	if (has_totag()) { if (loose_route()) t_relay(); exit; }
	if (is_method("CANCEL")) { t_relay(); exit; }
	if (is_method("OPTIONS")) { sl_send_reply(200, "OK"); exit; }
	if (is_method("REGISTER")) {
		mid_registrar_save("location");
		$var(rc) = $rc;
		if ($var(rc) == 1) { xlog("passed on $ci"); $ru = "sip:127.0.0.1:%(main)d"; t_relay(); }
		exit;
	}
	record_route();
	mid_registrar_lookup("location");
	$var(rc) = $rc;
	if ($var(rc) < 0) { sl_send_reply(404, "Not Found"); exit; }
	t_relay();
}
"""


@contextmanager
def main_registrar(kind: str, folder: Path) -> Iterator[Running]:
    """Run the main registrar."""
    if kind == "kamailio":
        with kamailio_server(Path(__file__).parent / "kamailio.cfg", folder) as running:
            yield running
    else:
        with osip_server(MAIN, folder) as running:
            yield running


def mid_script(main: Running, mode: int, insertion: str = "ct-param", more: str = "") -> str:
    """Return the script of the mid-registrar."""
    return MID % {"mode": mode, "main": main.port, "insertion": insertion, "more": more}


def mi(server: Running, method: str, *params: Any) -> Any:
    """Ask for management data."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{server.mi_port}/mi", body, {
            "Content-Type": "application/json"}), timeout=20) as reply:
        return json.load(reply)["result"]


def contacts(server: Running) -> list[tuple[str, int]]:
    """List the contacts of an osip server with their seconds."""
    return [(one["Contact"], one["Expires"]) for domain in mi(server, "ul_dump")["Domains"] for aor in domain["AORs"]
            for one in aor["Contacts"]]


class Phone(UdpPhone):
    """A phone that registers at the mid-registrar for an AoR of the main one."""

    def __init__(self, user: str, server: Running, main: Running) -> None:
        super().__init__(user, server.port, main.address)
        self.number = 0

    def sign_on(self, expires: int = 60) -> Any:
        """Register; return the answer."""
        self.number += 1
        self.request("REGISTER", f"sip:{self.domain}", f"<sip:{self.user}@{self.domain}>", cseq=self.number,
                     call_id=f"reg-{self.port}", headers=f"Expires: {expires}\r\n")
        return self.expect(200)


def call(main: Running, callee: Phone) -> int:
    """Let somebody call bob at the main registrar, talk and hang up; return the code of the INVITE's answer."""
    with UdpPhone("alice", main.port, main.address) as alice:
        invite = alice.request("INVITE", f"sip:bob@{main.address}", body=SDP, call_id=f"call-{alice.port}")
        try:
            asked = callee.expect("INVITE", 3.0)
        except AssertionError:
            alice.expect(404, 3.0)
            return 404
        assert asked.ruri == callee.contact.strip("<>")
        callee.reply(asked, 180, "Ringing")
        callee.reply(asked, 200, body=SDP)
        answer = alice.expect(200)
        alice.within("ACK", invite, answer, 1)
        callee.expect("ACK")
        alice.within("BYE", invite, answer, 2)
        callee.reply(callee.expect("BYE"), 200)
        alice.expect(200)
        return 200


def rows(path: Path) -> int:
    """Count the contacts that are stored."""
    with closing(sqlite3.connect(path)) as base:
        return int(base.execute("select count(*) from location").fetchone()[0])


def passed_on(mid: Running) -> int:
    """Count the REGISTERs that went on."""
    return mid.child.text().count("passed on reg-")


@pytest.mark.parametrize("kind", ["osip", pytest.param("kamailio", marks=pytest.mark.peer("kamailio"))])
@pytest.mark.parametrize(("mode", "insertion", "went_on"), [
    (0, "ct-param", 3), (1, "ct-param", 1), (1, "ct-username", 1), (2, "ct-param", 1)])
def test_registering_and_calls(tmp_path: Path, kind: str, mode: int, insertion: str, went_on: int) -> None:
    with ExitStack() as stack:
        main = stack.enter_context(main_registrar(kind, tmp_path / "main"))
        mid = stack.enter_context(osip_server(mid_script(main, mode, insertion), tmp_path / "mid"))
        bob = stack.enter_context(Phone("bob", mid, main))
        for _ in range(3):
            reply = bob.sign_on()
            assert [(c.uri_text, c.expires) for c in reply.contacts] == [(bob.contact.strip("<>"), 60)]
        eventually(lambda: passed_on(mid) == went_on, "the lines of those that went on")
        if kind == "osip":
            [(uri, left)] = contacts(main)
            assert f"@{HOST}:{mid.port}" in uri and left > (3000 if mode else 0)
        assert [uri for uri, _ in contacts(mid)] == [bob.contact.strip("<>")]
        assert call(main, bob) == 200
        bob.sign_on(0)
        assert contacts(mid) == [] and call(main, bob) == 404


@pytest.mark.parametrize("kind", ["osip", pytest.param("kamailio", marks=pytest.mark.peer("kamailio"))])
@pytest.mark.parametrize("mode", [1, 2])
def test_a_phone_that_vanishes_is_taken_back(tmp_path: Path, kind: str, mode: int) -> None:
    with ExitStack() as stack:
        main = stack.enter_context(main_registrar(kind, tmp_path / "main"))
        mid = stack.enter_context(osip_server(mid_script(main, mode), tmp_path / "mid"))
        bob = stack.enter_context(Phone("bob", mid, main))
        bob.sign_on(2)
        assert call(main, bob) == 200
        eventually(lambda: contacts(mid) == [], "the phone to expire")
        eventually(lambda: call(main, bob) == 404, "the main registrar to know", 20)
        if kind == "osip":
            assert contacts(main) == []


def test_a_mid_registrar_that_is_killed_knows_all_again(tmp_path: Path) -> None:
    more = f'udp_workers = 2\ndb_default_url = "sqlite:///{tmp_path}/mid.db"'
    stored = 'modparam("usrloc", "working_mode_preset", "single-instance-sql-write-through")'
    with ExitStack() as stack:
        main = stack.enter_context(main_registrar("osip", tmp_path / "main"))
        script = mid_script(main, 1, more=more).replace('modparam("usrloc", "timer_interval", 1)',
                                                        f'modparam("usrloc", "timer_interval", 1)\n{stored}')
        done = CliRunner().invoke(osip, ["db", "create", "--url", f"sqlite:///{tmp_path}/mid.db", "usrloc"])
        assert done.exit_code == 0, done.output
        with osip_server(script, tmp_path / "mid") as mid:
            port = mid.port
            bob = stack.enter_context(Phone("bob", mid, main))
            bob.sign_on(60)
            assert call(main, bob) == 200
            eventually(lambda: rows(tmp_path / "mid.db") == 1, "the row, which is written after the answer")
            os.kill(mid.child.pid, signal.SIGKILL)
            mid.child.wait(10)
        mid = stack.enter_context(osip_server(script, tmp_path / "mid", port=port))
        assert call(main, bob) == 200
        bob.sign_on(60)
        bob.sign_on(2)                                  # answered here: it is known how long the main one holds it
        assert passed_on(mid) == 0
        eventually(lambda: contacts(mid) == [], "the phone to expire", 20)
        eventually(lambda: contacts(main) == [], "the main registrar to know", 20)


def test_two_mid_registrars_keep_nothing_but_one_table(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/mid.db"
    done = CliRunner().invoke(osip, ["db", "create", "--url", url, "usrloc"])
    assert done.exit_code == 0, done.output
    with ExitStack() as stack:
        main = stack.enter_context(main_registrar("osip", tmp_path / "main"))
        script = mid_script(main, 1, more=f'db_default_url = "{url}"').replace(
            'loadmodule "usrloc.so"', 'loadmodule "usrloc.so"\nmodparam("usrloc", "working_mode_preset", "sql-only")')
        first, second = (stack.enter_context(osip_server(script, tmp_path / name)) for name in ("first", "second"))
        bob = stack.enter_context(Phone("bob", first, main))
        bob.sign_on(60)
        assert rows(tmp_path / "mid.db") == 1                   # the answer came when it was written
        assert [uri for uri, _ in contacts(second)] == [bob.contact.strip("<>")]
        bob.sign_on(60)
        assert passed_on(first) == 1 and call(main, bob) == 200
        os.kill(first.child.pid, signal.SIGKILL)
        first.child.wait(10)
        bob.socket.connect((HOST, second.port))
        bob.sign_on(2)                                  # answered here: it is known how long the main one holds it
        assert passed_on(second) == 0 and len(contacts(main)) == 1
        eventually(lambda: contacts(second) == [], "the phone to expire", 20)
        eventually(lambda: contacts(main) == [], "the main registrar to know", 20)
        bob.sign_on(60)
        bob.sign_on(0)
        assert rows(tmp_path / "mid.db") == 0 and contacts(main) == [] and call(main, bob) == 404


@pytest.mark.peer("redis")
@pytest.mark.parametrize("mode", [1, 2])
def test_two_mid_registrars_share_contacts_through_redis(tmp_path: Path, mode: int) -> None:
    with ExitStack() as stack:
        (tmp_path / "redis").mkdir()
        _, redis = stack.enter_context(redis_server(tmp_path / "redis"))
        main = stack.enter_context(main_registrar("osip", tmp_path / "main"))
        script = mid_script(main, mode).replace('loadmodule "usrloc.so"', f"""\
loadmodule "cachedb_redis.so"
loadmodule "usrloc.so"
modparam("usrloc", "working_mode_preset", "full-sharing-cachedb-cluster")
modparam("usrloc", "cachedb_url", "redis://{HOST}:{redis}/")""")
        first = stack.enter_context(osip_server(script, tmp_path / "first"))
        second = stack.enter_context(osip_server(script, tmp_path / "second"))
        bob = stack.enter_context(Phone("bob", first, main))
        bob.sign_on(60)
        first.child.wait_for("passed on reg-")
        eventually(lambda: [uri for uri, _ in contacts(second)] == [bob.contact.strip("<>")], "the second to know")
        assert call(main, bob) == 200
        os.kill(first.child.pid, signal.SIGKILL)
        first.child.wait(10)
        bob.socket.connect((HOST, second.port))
        bob.sign_on(2)                                  # answered here: it is known how long the main one holds it
        assert passed_on(second) == 0
        eventually(lambda: contacts(second) == [], "the phone to expire", 20)
        eventually(lambda: contacts(main) == [], "the main registrar to know", 20)
