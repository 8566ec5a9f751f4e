"""Check the bench: a script runs on a virtual network and clock, and tells what happened."""
from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from osip.core.errors import OsipError, ScriptError
from osip.testing.bench import Bench, wall_clock
from osip.testing.expect import Mismatch

CFG = Path(__file__).resolve().parents[3] / "cfg"
HEAD = """socket = udp:eth7:5060
socket = tcp:127.0.0.1:5060
loadmodule "proto_udp.so"
loadmodule "proto_tcp.so"
loadmodule "sl.so"
loadmodule "tm.so"
"""


def bench(route: str, more: str = "", **options: object) -> Bench:
    return Bench(text=f"{HEAD}{more}\nroute {{\n{route}\n}}\n", **options)  # type: ignore[arg-type]


def test_a_message_in_and_what_left() -> None:
    with bench('xlog("L_WARN", "hello $rU\\n"); t_relay();') as made:
        call = made.send("MESSAGE sip:bob@10.0.0.2", body="hi", headers={"X-A": ["1", "2"], "Contact": None})
        call.expect_relay("sip:bob@10.0.0.2", to="udp:10.0.0.2:5060", header={"X-A": "2", "Contact": None}, body="hi")
        made.expect_log("hello bob").expect_log("~^hel").expect_route("route")
        assert [line.by_script for line in made.logs] == [True]
        assert made.statistic("core:rcv_requests") == 1
        call.answer(200, headers={"X-B": "z"}).expect_reply(200, header={"X-B": "z"}).expect_nothing()


def test_interfaces_have_addresses() -> None:
    with bench("exit;", addresses={"eth7": "10.1.1.1"}) as made:
        assert [socket.text for socket in made.env.sockets] == ["udp:10.1.1.1:5060", "tcp:127.0.0.1:5060"]
    with bench("exit;") as made:
        assert made.socket("udp").host == "192.0.2.1"
        with pytest.raises(OsipError, match="no socket"):
            made.send("OPTIONS sip:x@y", source="tls:10.0.0.1")


def test_tcp_and_down() -> None:
    with bench("t_relay();") as made:
        made.network.down.add("10.0.0.9")
        made.send("OPTIONS sip:x@10.0.0.2;transport=tcp", source="tcp:10.0.0.1:4000") \
            .expect_relay(to="tcp:10.0.0.2:5060").answer(200).expect_reply(200, to="tcp:10.0.0.1")
        made.send("OPTIONS sip:x@10.0.0.9").expect_reply("4xx")


def test_time_is_virtual_and_exact() -> None:
    tick = 'timer_route[tick, 10] {\nxlog("L_WARN", "tick");\n}'
    with bench("t_relay();", f'modparam("tm", "fr_timeout", 5)\n{tick}', now="2026-05-06T07:08:09") as made:
        assert made.env.wall() == wall_clock("2026-05-06T07:08:09+00:00") == 1778051289
        call = made.send("INVITE sip:bob@10.0.0.2").expect_relay()
        made.advance(4.5)
        with pytest.raises(Mismatch):
            call.expect_reply(408)
        made.advance(0.5)
        call.expect_reply(408)
        made.advance(10)
        assert [line.text for line in made.logs] == ["tick"]
        assert 15.0 <= made.env.wall() - 1778051289 < 16.0


def test_names_are_asked_for() -> None:
    with bench("t_relay();") as made:
        made.dns.srv("_sip._udp.example.com", "gw.example.com", 5090)
        made.dns.add("gw.example.com", "10.0.0.7")
        made.send("OPTIONS sip:example.com").expect_relay(to="10.0.0.7:5090")
        assert ("SRV", "_sip._udp.example.com") in made.dns.queries
        made.dns.fail("dead.example.com")
        made.send("OPTIONS sip:dead.example.com").expect_reply(476)


def test_caches_and_waiting_routes() -> None:
    route = 'cache_fetch("redis:x", "k", $avp(v)); $var(v) = $avp(v); cache_store("local", "seen", "$rU");'
    redis = 'loadmodule "cachedb_redis.so"\nmodparam("cachedb_redis", "cachedb_url", "redis:x://127.0.0.1/")'
    with bench(route, redis) as made:
        made.cache.set("redis:x", "k", "value")
        made.send("OPTIONS sip:bob@10.0.0.2")
        assert (made.var("v"), made.cache.get("local", "seen")) == ("value", "bob")


def test_a_faulty_script_says_where() -> None:
    with pytest.raises(ScriptError) as caught:
        bench("t_rely();")
    assert [found.code for found in caught.value.diagnostics if found.is_error] == ["E101"]


def test_an_exception_out_of_a_module_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("t_relay();") as made:
        monkeypatch.setattr(made.worker.dispatch.env, "resolve", lambda *_: 1 / 0)
        made.send("OPTIONS sip:bob@10.0.0.2")
        made.expect_log("~ZeroDivisionError")
        with pytest.raises(Mismatch, match="no log line"):
            made.expect_no_log()


def test_log_and_trace_are_given_back() -> None:
    logger = logging.getLogger("osip")
    before = (list(logger.handlers), logger.propagate, logger.level, sys.gettrace())
    with bench('xlog("x\\n");') as made:
        made.send("OPTIONS sip:bob@10.0.0.2")
        assert (list(logger.handlers), logger.propagate, logger.level, sys.gettrace()) == before


def test_two_runs_are_the_same() -> None:
    def run() -> list[bytes]:
        with Bench(CFG / "residential.cfg") as made:
            made.location.add("bob@localhost", "sip:bob@10.0.0.2")
            made.send("INVITE sip:bob@localhost").answer(486).ack()
            return [sent.data for sent in made.sent if not sent.is_request]
    first = run()
    assert first == run() and len(first) == 2


def test_management_opens_nothing() -> None:
    with Bench(CFG / "dispatcher.cfg") as made:
        made.start()
        assert made.module("httpd")._runner is None


def test_times_that_are_none() -> None:
    with pytest.raises(OsipError, match="no time"):
        wall_clock("yesterday")
