"""Traces in scripts: what is copied of a call, where to, and what management shows and starts."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

import pytest
from kit.message import request
from kit.script import ScriptBook, faults_of

from osip.api import MIError, ModuleError
from osip.core.store.sql import Stores

RELAY = '''route { %s if (is_method("ACK|CANCEL|BYE")) { t_relay(); exit; } t_relay(); exit; }
onreply_route { xlog("reply $rs"); }'''


class Traced:
    """A script with a trace into a file, played."""

    def __init__(self, folder: Path, action: str, settings: str = "", script: str = RELAY) -> None:
        self.path = folder / "trace.log"
        text = f'modparam("tracer", "trace_id", "[t]uri=file:{self.path}") {settings}' + script % action
        self.book = ScriptBook(text, "tm", "sl", "sipmsgops", "tracer")
        self.module: Any = self.book.modules["tracer"]

    async def __aenter__(self) -> Self:
        await self.module.child_init(self.book.env)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.module.destroy()

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def seen(self) -> list[str]:
        """Say direction and first word or status of each record."""
        return [f"{row['direction']} {row['status'] or row['method']}" if row["type"] == "sip" else row["msg"].strip()
                for row in self.rows()]


def call(book: ScriptBook) -> None:
    """Play a whole call with BYE from the callee."""
    book.recv("INVITE").answer("bob", 180).answer("bob", 200).recv("ACK", to_tag="tag-bob", branch="z9hG4bK-ack")
    book.recv("BYE", "sip:alice@10.0.0.1", "bob", from_tag="tag-bob", to_tag="a1", branch="z9hG4bK-bye", cseq=1)
    book.answer("alice", 200, "BYE")


WHOLE = ["in INVITE", "out 100", "out INVITE", "in 180", "out 180", "in 200", "out 200", "in ACK", "out ACK", "in BYE",
         "out BYE", "in 200", "out 200"]


@pytest.mark.parametrize(("action", "expected"), [
    ('trace("t");', WHOLE),
    ('trace("t", "d");', WHOLE),
    ('sip_trace("t", "D", "sip");', WHOLE),
    ('trace_dialog("t");', WHOLE),
    ('sip_trace();', WHOLE),
    ('if (is_method("INVITE")) trace("t", "t");', WHOLE[:9]),
    ('trace("t", "m");', ["in INVITE", "in ACK", "in BYE"]),
    ('trace("t", "d", , , "C");', ["in INVITE", "out 100", "out 180", "out 200", "in ACK", "out BYE", "in 200"]),
    ('trace("t", "d", , , "c");', ["out INVITE", "in 180", "in 200", "out ACK", "in BYE", "out 200"]),
    ('trace("t", "d", , , "Cc");', WHOLE),
    ('xlog("no");', []),
    ('if (is_method("INVITE")) trace("t", "t", "xlog"); xlog("route $rm");', ["route INVITE", "reply 180", "reply 200",
                                                                              "route ACK"]),
    ('trace("t", "m", "sip|xlog"); xlog("one");', ["in INVITE", "one", "in ACK", "one", "in BYE", "one"]),
    ('trace("t", "m", "rest");', []),
])
async def test_what_is_traced_of_a_call(action: str, expected: list[str], tmp_path: Path) -> None:
    async with Traced(tmp_path, action) as traced:
        call(traced.book)
        assert traced.seen() == expected


async def test_nothing_is_touched_while_nothing_is_traced(tmp_path: Path) -> None:
    async with Traced(tmp_path, 'if ($rm == "INVITE" && $ci == "c") trace("t", "t");') as traced:
        env = traced.book.env
        plain = env.send
        traced.book.recv("INVITE").answer("bob", 200)
        assert env.send == plain and env.dispatch.tap is None
        traced.book.recv("INVITE", call_id="c", branch="z9hG4bK-2").answer("bob", 486)
        assert env.send != plain and env.dispatch.tap is not None
        traced.book.recv("ACK", call_id="c", branch="z9hG4bK-2", to_tag="tag-bob")
        assert traced.seen() == ["in INVITE", "out 100", "out INVITE", "in 486", "out ACK", "out 486", "in ACK"]
        traced.book.advance(60)
        traced.module.sweep()
        assert env.send == plain and env.dispatch.tap is None and not traced.module.tap.watches.count


async def test_a_record(tmp_path: Path) -> None:
    settings = 'modparam("tracer", "trace_local_ip", "tcp:192.0.2.9:5090")'
    async with Traced(tmp_path, 'trace("t", "m", , "user=$fU", , "session-1");', settings) as traced:
        traced.book.recv("OPTIONS")
        row, = traced.rows()
        assert row.pop("time") > 1e9 and row.pop("msg").encode() == request("OPTIONS")
        assert row == {"type": "sip", "callid": "session-1", "trace_attrs": "user=alice", "method": "OPTIONS",
                       "status": "", "from_proto": "udp", "from_ip": "10.0.0.1", "from_port": 5060,
                       "to_proto": "tcp", "to_ip": "192.0.2.9", "to_port": 5090, "fromtag": "a1", "direction": "in"}
        assert traced.path.stat().st_mode & 0o777 == 0o600
        stats = traced.book.env.stats
        assert (stats.get("tracer:traced_requests"), stats.get("tracer:traced_replies")) == (1, 0)


async def test_a_retransmission_is_traced_once_each_time(tmp_path: Path) -> None:
    async with Traced(tmp_path, 'trace("t");') as traced:
        traced.book.recv("INVITE").again()
        assert traced.seen() == ["in INVITE", "out 100", "out INVITE", "in INVITE", "out 100"]


async def test_other_calls_are_left_alone(tmp_path: Path) -> None:
    async with Traced(tmp_path, 'if ($ci == "mine") trace("t");') as traced:
        traced.book.recv("INVITE", call_id="mine").recv("INVITE", call_id="other", branch="z9hG4bK-o")
        assert {row["callid"] for row in traced.rows()} == {"mine"}


async def test_the_ack_to_a_challenge_and_the_next_try_are_traced(tmp_path: Path) -> None:
    script = 'route { %s if (is_method("ACK")) exit; if ($cs == 1) t_reply(407, "Auth"); else t_relay(); exit; }'
    async with Traced(tmp_path, 'if ($cs == 1 && is_method("INVITE")) trace("t");', "", script) as traced:
        traced.book.recv("INVITE").recv("ACK", to_tag="x").recv("INVITE", cseq=2, branch="z9hG4bK-2").answer("bob", 200)
        assert traced.seen() == ["in INVITE", "out 100", "out 407", "in ACK", "in INVITE", "out 100", "out INVITE", "in 200",
                                 "out 200"]


async def test_names_that_are_not_there_are_said_once(tmp_path: Path) -> None:
    async with Traced(tmp_path, 'xlog("$(rm)"); if (!trace("x")) xlog("no");') as traced:
        traced.book.recv("OPTIONS").recv("OPTIONS", branch="z9hG4bK-2")
        assert sum("there is no trace_id 'x'; there are: t" in line for line in traced.book.said) == 1
        assert traced.book.said.count("no") == 2


@pytest.mark.parametrize("text", [
    'modparam("tracer", "trace_id", "[t]") route { exit; }', 'modparam("tracer", "trace_id", "[]uri=syslog") route { exit; }',
    'modparam("tracer", "trace_id", "[t]uri=ftp:x") route { exit; }',
    'modparam("tracer", "trace_id", "[t]uri=file:relative") route { exit; }',
    'modparam("tracer", "file_mode", "99") route { exit; }',
    'route { trace("t", "x"); }', 'route { trace("t", "m", "sip|all"); }', 'route { trace("t", "m", , , "z"); }'])
def test_what_a_script_cannot_say(text: str) -> None:
    assert faults_of(text, "tracer")


async def test_places_that_cannot_be_are_said_at_start(tmp_path: Path) -> None:
    for place, words in ((f"file:{tmp_path}/none/x", "cannot write"), ("hep:dst", "proto_hep.so"),
                         (f"sqlite:///{tmp_path}/x.db", "version")):
        book = ScriptBook(f'modparam("tracer", "trace_id", "[t]uri={place}") route {{ exit; }}', "tracer")
        book.env.sql = Stores(book.env.config).sql
        with pytest.raises(ModuleError, match=words):
            await book.modules["tracer"].child_init(book.env)


# --- 1.x ---------------------------------------------------------------------------------------------------------

async def test_flags_of_old_scripts(tmp_path: Path) -> None:
    script = '''modparam("siptrace", "duplicate_uri", "sip:10.0.0.4") modparam("siptrace", "trace_flag", 22)
modparam("siptrace", "traced_user_avp", "$avp(traced)") modparam("siptrace", "enable_ack_trace", 1)
route { if ($rm == "INVITE") setflag(22); if ($rm == "MESSAGE") { $avp(traced) = "x"; sip_trace(); } if ($rm == "INFO") sip_trace();
t_relay(); exit; }'''
    book = ScriptBook(script, "tm", "siptrace")
    await book.modules["tracer"].child_init(book.env)
    book.recv("OPTIONS").recv("INFO", branch="z9hG4bK-i").quiet("dave")
    book.recv("MESSAGE", branch="z9hG4bK-m").sent("MESSAGE", "dave").sent("MESSAGE", "dave").quiet("dave")
    book.recv("INVITE", branch="z9hG4bK-2", cseq=9).sent("INVITE", "dave").sent(100, "dave").sent("INVITE", "dave").quiet("dave")


# --- management --------------------------------------------------------------------------------------------------

async def test_switching_and_showing(tmp_path: Path) -> None:
    async with Traced(tmp_path, 'trace("t");') as traced:
        run = traced.book.env.mi.run
        assert run("trace") == {"global": "on", "trace destinations": [
            {"name": "t", "state": "on", "destinations": [{"type": "file", "uri": f"file:{traced.path}", "lost": 0}]}]}
        for words, count in ((["t", "off"], 0), (["t", "on"], 3), ({"mode": "off"}, 3), ({"mode": "on"}, 6)):
            assert run("tracer:trace", words) == "OK"
            mark = "".join(filter(str.isalnum, str(words)))
            traced.book.recv("INVITE", call_id=mark, branch=f"z9hG4bK-{mark}")
            assert len(traced.rows()) == count
        for words in (["x"], ["t", "maybe"]):
            with pytest.raises(MIError):
                run("trace", words)


@pytest.mark.parametrize(("more", "expected"), [
    ({}, ["in INVITE", "out 100", "out INVITE", "in 200", "out 200", "in MESSAGE", "out MESSAGE"]),
    ({"filter": "caller=alice"}, ["in INVITE", "out 100", "out INVITE", "in 200", "out 200", "in MESSAGE", "out MESSAGE"]),
    ({"filter": ["caller=sip:alice@example.com", "ip=10.0.0.1"], "type": "sip"},
     ["in INVITE", "out 100", "out INVITE", "in 200", "out 200", "in MESSAGE", "out MESSAGE"]),
    ({"filter": "caller=bob"}, []), ({"filter": "ip=10.0.0.2"}, []),
    ({"filter": "callee=carol"}, ["in MESSAGE", "out MESSAGE"]),
    ({"filter": "callee=bob@example.com", "scope": "m", "type": "sip"}, ["in INVITE", "in MESSAGE"]),
    ({"scope": "t", "type": "xlog"}, ["reply 200"]),
])
async def test_traces_of_management(more: dict[str, Any], expected: list[str], tmp_path: Path) -> None:
    async with Traced(tmp_path, "") as traced:
        run, env = traced.book.env.mi.run, traced.book.env
        await run("trace_start", {"id": "dyn", "uri": f"file:{traced.path}", **more})
        traced.book.recv("INVITE").answer("bob", 200)
        traced.book.recv("MESSAGE", "sip:carol@10.0.0.3", branch="z9hG4bK-m", call_id="m")
        assert [one for one in traced.seen() if more.get("type") or not one.startswith("reply")] == expected
        with pytest.raises(MIError, match="exists"):
            await run("trace_start", {"id": "dyn", "uri": "syslog"})
        assert await run("trace_stop", ["dyn"]) == "OK"
        assert env.dispatch.tap is None and "dyn" not in traced.module.traces
        for words in (["dyn"], ["t"]):
            with pytest.raises(MIError):
                await run("trace_stop", words)


@pytest.mark.parametrize("words", [
    {"uri": "ftp:x"}, {"uri": "hep:127.0.0.1:9060"}, {"uri": "syslog", "filter": "from=x"}, {"uri": "syslog", "scope": "z"},
    {"uri": "syslog", "type": "z"}, {"uri": "file:/nowhere/at/all"}, {"uri": "syslog:LOG_NONE"}])
async def test_traces_that_management_cannot_have(words: dict[str, str], tmp_path: Path) -> None:
    async with Traced(tmp_path, "") as traced:
        with pytest.raises(MIError):
            await traced.book.env.mi.run("trace_start", {"id": "a", **words})
        assert list(traced.module.traces) == ["t"]
