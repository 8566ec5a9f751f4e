"""Global parameters at work: what each of them changes for the messages of a script (dsl.md section 3)."""

from __future__ import annotations

from typing import Any

import pytest
from kit.message import request
from kit.script import ScriptBook

from osip.core.net.endpoint import LocalSocket
from osip.core.run import worker
from osip.core.run.config import SETTINGS, Config, SettingSpec
from osip.main import new_registry
from osip.script.boot import compile_script
from osip.script.source import Source

RELAY = "route { t_relay(); }"


# --- thresholds and log events ---------------------------------------------------------------------------------------


def test_exec_msg_threshold_raises_an_event() -> None:
    book = ScriptBook("""exec_msg_threshold = 1
    route { $var(n) = 0; while ($var(n) < 200) $var(n) = $var(n) + 1; }
    event_route[E_CORE_THRESHOLD] { if ($param(time) > 0) xlog("$param(source): $param(extra)"); }""").recv("INVITE")
    assert book.said[0].startswith("msg processing: INVITE sip:bob@10.0.0.2")
    assert "slow message" in book.said[1] and book.env.stats.get("core:slow_messages") == 1


def test_without_threshold_nothing_is_timed() -> None:
    ScriptBook('route { exit; } event_route[E_CORE_THRESHOLD] { xlog("slow"); }').recv("INVITE").says()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("log_event_enabled = 1", ["osip.script 2 hello", "osip 1 careful"]),
        ("log_event_enabled = 0", []),
        ("log_event_enabled = 1 log_event_level_filter = 1", ["osip 1 careful"]),
    ],
)
def test_log_event(settings: str, told: list[str]) -> None:
    book = ScriptBook(
        settings
        + """
    route { xlog("hello"); log(1, "careful"); }
    event_route[E_CORE_LOG] { xlog("told $param(level)"); $avp(x) = "y"; }"""
    )
    heard: list[str] = []
    book.env.events.subscribe(
        "E_CORE_LOG", "t:", lambda _, values: heard.append(f"{values['module']} {values['level']} {values['message']}")
    )
    book.recv("INVITE")
    assert heard == told  # what the event's own route logs is not told again


# --- sockets ---------------------------------------------------------------------------------------------------------

BONDED = [
    LocalSocket("udp", "10.0.0.9", 5060),
    LocalSocket("udp", "10.0.1.9", 5070),
    LocalSocket("tcp", "10.0.1.9", 5071),
    LocalSocket("tcp", "10.0.0.9", 5060),
]


@pytest.mark.parametrize(
    ("out", "ruri", "via"),
    [
        ("bond:out", "sip:bob@10.0.0.2", "SIP/2.0/UDP 10.0.1.9:5070"),
        ("bond:out", "sip:bob@10.0.0.2;transport=tcp", "SIP/2.0/TCP 10.0.1.9:5071"),
        ("udp:10.0.0.9:5060", "sip:bob@10.0.0.2", "SIP/2.0/UDP 10.0.0.9:5060"),
    ],
)
def test_bond(out: str, ruri: str, via: str) -> None:
    book = ScriptBook(
        f"""socket = bond:out {{ "udp:10.0.1.9:5070", "tcp:10.0.1.9:5071" }}
    loadmodule "proto_udp.so" loadmodule "proto_tcp.so"
    route {{ $socket_out = "{out}"; t_relay();
        if (socket_belongs_to_bond("udp:10.0.1.9:5070", "out")) xlog("member"); }}""",
        sockets=[LocalSocket(s.proto, s.host, s.port) for s in BONDED],
    )
    book.recv("INVITE", ruri).says("member").sent(100).sent("INVITE", "bob")
    assert book.got.get_all("Via")[0].startswith(via)


def test_unknown_bond_leaves_the_choice() -> None:
    book = ScriptBook('route { $socket_out = "bond:none"; t_relay(); }').recv("INVITE").sent(100).sent("INVITE", "bob")
    assert "bond:none" in book.said[0]


class Transport:
    """A stream transport with or without a connection to everyone."""

    def __init__(self, net: Any, is_connected: bool) -> None:
        self.send, self._is_connected = net.send, is_connected

    def reaches(self, dest: Any) -> bool:
        """Say whether there is a connection."""
        return self._is_connected


@pytest.mark.parametrize(
    ("flag", "is_connected", "status"), [("setbflag(KEEP);", False, 477), ("setbflag(KEEP);", True, 0), ("", False, 0)]
)
def test_tcp_no_new_conn_bflag(flag: str, is_connected: bool, status: int) -> None:
    book = ScriptBook(f"tcp_no_new_conn_bflag = KEEP\nroute {{ {flag} t_relay(); }}")
    book.worker.transports.update(tcp=Transport(book.net, is_connected), udp=Transport(book.net, True))
    book.env.send = book.worker.send
    book.recv("INVITE", "sip:bob@10.0.0.2;transport=tcp").sent(100)
    if status:
        book.sent(status).quiet("bob")
    else:
        book.sent("INVITE", "bob").quiet("alice")


# --- blacklists ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "words", "blocked"),
    [
        ("{ 10.0.0.2 }", 'use_blacklist("l");', True),
        ("{ 10.0.0.2 }", "", False),
        ("{ 10.0.0.0/24, !10.0.0.0/8 }", 'use_blacklist("all");', True),
        ("{ (tcp, 10.0.0.2) }", 'use_blacklist("l");', False),
        ("{ (udp, 10.0.0.2, 5060) }", 'use_blacklist("l");', True),
        ('{ (udp, 10.0.0.2, 5060, "*X-Mark: 1*") }', 'use_blacklist("l"); append_hf("X-Mark: 1\\r\\n");', True),
        ('{ (udp, 10.0.0.2, 5060, "*X-Mark: 1*") }', 'use_blacklist("l");', False),
        ("{ 10.0.0.2 }", 'use_blacklist("l"); unuse_blacklist("l");', False),
        ("{ 10.0.0.2 }", 'use_blacklist("none");', False),
    ],
)
@pytest.mark.parametrize("word", ["t_relay();", "forward();", 'send("10.0.0.2");'])
def test_dst_blacklist(rules: str, words: str, blocked: bool, word: str) -> None:
    if word.startswith("send") and "Mark" in words and blocked:
        blocked = False  # send() takes the message as received
    book = ScriptBook(f"dst_blacklist = l : {rules}\nroute {{ {words} {word} }}").recv("INVITE")
    book._collect()
    assert bool(book.received.get("bob")) is not blocked


def test_default_list_needs_no_word_and_the_next_address_is_tried() -> None:
    book = ScriptBook("dst_blacklist = l/default : { 10.0.0.2 }\n" + RELAY)
    book.net.names["two.example"] = ["10.0.0.2", "10.0.0.3"]
    book.recv("INVITE", "sip:x@two.example").sent(100).sent("INVITE", "carol").quiet("bob")


def test_a_branch_that_is_filtered_does_not_stop_the_others() -> None:
    book = ScriptBook('dst_blacklist = l/default : { 10.0.0.2 }\nroute { $branch = "sip:carol@10.0.0.3"; t_relay(); }')
    book.recv("INVITE").sent(100).sent("INVITE", "carol").quiet("bob").answer("carol", 200).sent(200)


def test_dns_blacklist() -> None:
    book = ScriptBook('modparam("tm", "fr_timeout", 5) disable_dns_blacklist = no\n' + RELAY)
    book.recv("INVITE").sent(100).sent("INVITE", "bob").advance(5.2).sent(408)
    book.recv("ACK", to_tag=book.got.to_tag)
    book.recv("INVITE", branch="z9hG4bK-2", call_id="2").sent(100).sent(473)
    book.recv("INVITE", "sip:c@10.0.0.3", branch="z9hG4bK-3", call_id="3").sent(100).sent("INVITE", "carol")
    book.advance(245).recv("INVITE", branch="z9hG4bK-4", call_id="4")
    book._collect()
    assert [m.call_id for m in book.received["bob"] if m.method == "INVITE"][-1] == "4"


# --- names and headers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ('server_header = "Server: mine"', b"Server: mine\r\n"),
        ("server_signature = no", b""),
        ("sip_warning = yes", b"Warning: 392 "),
    ],
)
def test_headers_of_local_replies(settings: str, line: bytes) -> None:
    book = ScriptBook(f'{settings}\nroute {{ sl_send_reply(404, "x"); }}').recv("INVITE").sent(404)
    assert line in book.got.raw and (line or b"Server" not in book.got.raw)


@pytest.mark.parametrize("word", ['sl_send_reply(404, "x");', 't_reply(404, "x");', "t_relay();"])
@pytest.mark.parametrize(("flag", "is_connected", "is_sent"), [("setflag(KEEP);", False, False),
                                                              ("setflag(KEEP);", True, True), ("", False, True)])
def test_tcp_no_new_conn_rplflag(word: str, flag: str, is_connected: bool, is_sent: bool) -> None:
    book = ScriptBook(f"tcp_no_new_conn_rplflag = KEEP\nroute {{ {flag} {word} }}")
    book.worker.transports.update(tcp=Transport(book.net, is_connected), udp=Transport(book.net, True))
    book.env.send = book.worker.send
    book.feed(request("INVITE", "sip:bob@10.0.0.2", via="10.0.0.1:5060").replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP"),
              proto="tcp")
    book._collect()
    if "relay" in word:
        book.answer("bob", 404)._collect()
    assert (404 in [msg.status for msg in book.received.get("alice", [])]) is is_sent


@pytest.mark.parametrize(("setting", "port"), [("", 6000), ("reply_to_via = yes", 5070)])
def test_reply_to_via(setting: str, port: int) -> None:
    book = ScriptBook(f'{setting}\nroute {{ sl_send_reply(404, "x"); }}')
    book.feed(request("INVITE", "sip:bob@10.0.0.2", via="10.0.0.1:5070", via_params=";rport"), port=6000)
    assert [where for where, _ in book.net.log] == [f"10.0.0.1:{port}"]


def test_user_agent_header() -> None:
    book = ScriptBook("""user_agent_header = "User-Agent: mine/1"
    timer_route[t, 1] { t_new_request("OPTIONS", "sip:bob@10.0.0.2", "sip:a@b", "sip:c@d"); }
    route { exit; }""")
    book.advance(1.2).sent("OPTIONS", "bob").check(lambda msg: msg.get("User-Agent") == "mine/1")


# --- asserts ---------------------------------------------------------------------------------------------------------

FALSE = 'route { assert($rm == "BYE", "no BYE"); xlog("on"); } error_route { xlog("$err.class $err.info"); }'


@pytest.mark.parametrize(("settings", "said", "stopped"), [
    ("", ["on"], []), ("enable_asserts = yes", ["4 no BYE"], []),
    ("enable_asserts = yes abort_on_assert = yes", [], [False])])
def test_asserts(settings: str, said: list[str], stopped: list[bool]) -> None:
    book, asked = ScriptBook(f"{settings}\n{FALSE}"), []
    book.env.shutdown = asked.append
    book.recv("INVITE")
    assert [line for line in book.said if "assertion" not in line] == said and asked == stopped
    assert len(book.said) - len(said) == (1 if settings else 0)


# --- names of ours ---------------------------------------------------------------------------------------------------


async def test_auto_aliases(monkeypatch: pytest.MonkeyPatch) -> None:
    async def own_names(address: str) -> list[str]:
        return {"10.0.0.9": ["edge.example", "edge"]}.get(address, [])
    monkeypatch.setattr(worker, "own_names", own_names)
    book = ScriptBook('route { if (is_myself("edge.example")) xlog("ours"); }').recv("INVITE").says()
    await book.worker._add_own_names()
    book.recv("INVITE", branch="z9hG4bK-2", call_id="2").says("ours")


# --- without effect --------------------------------------------------------------------------------------------------

INERT = [(name, spec) for spec in SETTINGS if spec.inert for name in (spec.name, *spec.aliases)]


@pytest.mark.parametrize(("name", "spec"), INERT, ids=[name for name, _ in INERT])
def test_a_setting_without_effect_says_why_in_one_line(name: str, spec: SettingSpec) -> None:
    value = '"x"' if spec.kind == "text" else "1"
    found = compile_script(Source.from_text(f"{name} = {value}\nroute {{ exit; }}", "x.cfg"), new_registry(), Config(),
                           need_socket=False).diagnostics
    assert [(one.code, one.severity) for one in found] == [("N705", "info")]
    assert found[0].message.startswith(f'"{name}" has no effect here: ') and spec.inert in found[0].message
