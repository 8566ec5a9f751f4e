"""Check that t_relay waits where the script answers by itself: semantics rule 17 with names that must be asked for."""
from __future__ import annotations

import pytest

from osip.modules.tm.settled import is_needed
from osip.testing.bench import Bench

HEAD = ('loadmodule "proto_udp.so"\nloadmodule "tm.so"\nloadmodule "sl.so"\nloadmodule "cfgutils.so"\n'
        'loadmodule "sipmsgops.so"\n')
FIRST = '("", 1, 476)', '("\\"no-auto-477\\"", -4, 500)'


@pytest.mark.parametrize(("given", "functions", "needed"), [
    ((), "t_relay", False), (("no-auto-477",), "t_relay", True), (("0x02",), "t_relay", True),
    (("no-dns-failover",), "t_relay", False), (("", "10.0.0.1:5060"), "t_relay", False), ((None,), "t_relay", True),
    (("0x04", "junk-"), "t_relay", False), ((), "t_newtran", True)])
def test_which_calls_wait(given: tuple[str | None, ...], functions: str, needed: bool) -> None:
    assert is_needed(given, frozenset((functions,))) is needed


@pytest.mark.parametrize(("before", "call", "code", "status"), [
    ("", "t_relay()", 1, 476), ("", 't_relay("no-auto-477")', -4, 500), ("", "t_relay(0x02)", -4, 500),
    ("t_newtran();", "t_relay()", -4, 500), ("if (0) t_newtran();", "t_relay()", 1, 476),
    ('$var(f) = "no-auto-477";', "t_relay($var(f))", -4, 500), ('$var(f) = "";', "t_relay($var(f))", 1, 476),
    ('$du = "sip:other.example";', 't_relay("no-auto-477")', -4, 500)])
@pytest.mark.parametrize("fails", [False, True])
def test_a_name_that_leads_nowhere(before: str, call: str, code: int, status: int, fails: bool) -> None:
    text = f'{HEAD}route {{\n\t{before}\n\t$var(c) = {call};\n\tif ($var(c) < 0) t_reply(500, "Mine");\n}}\n'
    with Bench(text=text) as bench:
        if fails:
            bench.dns.fail("nowhere.example")
        bench.send("INVITE sip:bob@nowhere.example").expect_reply(status)
        assert bench.var("c") == code
        bench.expect_nothing()


def test_a_name_that_is_found() -> None:
    text = HEAD + 'route {\n\tt_on_branch("b");\n\t$branch = "sip:carol@gone.example";\n\t' \
                  '$var(c) = t_relay("no-auto-477");\n}\nbranch_route[b] { xlog("$ru"); }\n'
    with Bench(text=text) as bench:
        bench.dns.add("there.example", "10.0.0.9")
        call = bench.send("INVITE sip:bob@there.example")
        call.expect_relay(to="10.0.0.9:5060")
        call.answer(486).expect_reply(486)
        assert bench.var("c") == 1


def test_an_ack_goes_on_at_once() -> None:
    text = HEAD + 'route {\n\tt_newtran();\n\t$var(c) = t_relay();\n}\n'
    with Bench(text=text) as bench:
        bench.dns.add("there.example", "10.0.0.9")
        bench.send("ACK sip:bob@there.example").expect_relay(to="10.0.0.9:5060")


class Stream:
    """A stream transport whose connections are being made; it is its own table and its only connection."""

    def __init__(self) -> None:
        self.is_connecting, self.sent = True, []        # type: ignore[var-annotated]
        self.connections = self

    def send(self, data: bytes, dest: object) -> bool:
        """Keep a message until there is a connection."""
        self.sent.append((data, dest))
        return True

    def find(self, dest: object) -> Stream:
        """Return the connection."""
        return self


TCP = ('loadmodule "proto_tcp.so"\n' + HEAD + 'socket = udp:10.0.0.2:5060\nsocket = tcp:10.0.0.2:5060\n'
       'route {\n\t%s\n\t$var(c) = t_relay(%s);\n\tif ($var(c) < 0) t_reply(500, "Mine");\n}\n'
       'failure_route[f] { xlog("failed $T_reply_code"); }\n')


@pytest.mark.parametrize(("before", "flags", "code", "status"), [
    ('t_on_failure("f");', '"no-auto-477"', -6, 500), ("t_newtran();", "", -6, 500), ("if (0) t_newtran();", "", 1, 477)])
def test_a_connection_that_is_refused(before: str, flags: str, code: int, status: int) -> None:
    with Bench(text=TCP % (before, flags)) as bench:
        stream = bench.worker.transports["tcp"] = Stream()
        call = bench.send("INVITE sip:bob@10.0.0.9;transport=tcp")
        assert bench.var("c") is None and len(stream.sent) == 1
        bench.module("tm").on_unsent(*stream.sent[0])
        stream.is_connecting = False
        bench.advance(0.2)
        call.expect_reply(status)
        assert bench.var("c") == code
        bench.expect_nothing().expect_no_log()
        bench.advance(40)
        bench.expect_nothing()
        assert not bench.module("tm").table.servers


@pytest.mark.parametrize("made", [True, False])
def test_a_connection_that_is_made_or_takes_its_time(made: bool) -> None:
    with Bench(text=TCP % ("", '"no-auto-477"')) as bench:
        stream = bench.worker.transports["tcp"] = Stream()
        call = bench.send("INVITE sip:bob@10.0.0.9;transport=tcp")
        stream.is_connecting = not made
        bench.advance(0.2)
        assert bench.var("c") == 1
        bench.module("tm").on_unsent(*stream.sent[0])           # what is lost later is tm's again
        call.expect_reply(477)
