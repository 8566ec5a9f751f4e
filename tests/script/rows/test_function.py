"""Every core function row by row (core_functions.md): its example, its edges, wrong and NULL arguments.

A row is statements over the request below, the code of the last of them (`$rc`), an expression, and what that then is.
"""
from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kit.message import request
from kit.row import fault
from kit.script import ScriptBook

from osip.core.exports.registry import Registry
from osip.core.net.endpoint import LocalSocket
from osip.script.builtins import BUILTINS

URI = "sip:bob:pw@example.com:5070;transport=tcp;maddr=10.0.0.8"
RAW = request("INVITE", URI)
SOCKETS = (("udp", "10.0.0.9", 5060), ("tcp", "10.0.0.9", 5060), ("udp", "10.0.0.9", 5080))
SETTINGS = ('alias = "alias.example" '
            'dst_blacklist = fixed : { 10.0.0.5, (tcp, 10.1.0.0/16, 5060, "INVITE *") } '
            "dst_blacklist = open/expire : { 10.0.0.6 } ")
BRANCH = '$branch = "sip:b@h"; '
TWO = 'append_msg_branch("sip:b@h", "0.5"); append_msg_branch("sip:c@h", "0.7"); '

ROWS: list[tuple[str, int, str, Any]] = [
    # --- request-URI
    ('seturi("sip:x@y:1");', 1, "$ru", "sip:x@y:1"), ('rewriteuri("sip:$rU@y");', 1, "$ru", "sip:bob@y"),
    ('$var(t) = ""; seturi($var(t));', -1, "$ru", URI), ("seturi($avp(none));", -1, "$ru", URI),
    ('sethost("h");', 1, "$ru", "sip:bob:pw@h:5070;transport=tcp"), ('rewritehost("h");', 1, "$rd", "h"),
    ('seth("h");', 1, "$rd", "h"), ('sethost("");', -1, "$rd", "example.com"),
    ('sethostport("h");', 1, "$ru", "sip:bob:pw@h;transport=tcp"),
    ('sethostport("h:99");', 1, "$ru", "sip:bob:pw@h:99;transport=tcp"), ('rewritehostport("h:99");', 1, "$rp", "99"),
    ('sethp("[::1]:99");', 1, "$rd", "[::1]"), ('sethostport("h:x");', -1, "$rd", "example.com"),
    ('setuser("carol");', 1, "$ru", "sip:carol:pw@example.com:5070;transport=tcp;maddr=10.0.0.8"),
    ('setuser("");', 1, "$rU", None), ('rewriteuser("x");', 1, "$rU", "x"), ('setu("x");', 1, "$rU", "x"),
    ('setuserpass("carol");', 1, "$(ru{uri.passwd})", None), ('setuserpass("carol:s");', 1, "$(ru{uri.passwd})", "s"),
    ('rewriteuserpass("a:b");', 1, "$rU", "a"), ('setup("a:b");', 1, "$rU", "a"),
    ('setport("99");', 1, "$rp", "99"), ("setport(99);", 1, "$rp", "99"), ('rewriteport("99");', 1, "$rp", "99"),
    ('$var(t) = "x"; setp($var(t));', -1, "$rp", "5070"), ('$var(t) = "99999"; setport($var(t));', -1, "$rp", "5070"),
    ('prefix("00");', 1, "$rU", "00bob"), ('setuser(""); prefix("00");', 1, "$rU", "00"), ("prefix($avp(none));", -1, "$rU", "bob"),
    ("strip(1);", 1, "$rU", "ob"), ("strip(3);", 1, "$rU", None), ("strip(9);", 1, "$rU", None), ("strip(0);", 1, "$rU", "bob"),
    ('strip("1");', 1, "$rU", "ob"), ("strip($var(one));", 1, "$rU", "ob"), ("strip($avp(none));", -1, "$rU", "bob"),
    ("$var(t) = -1; strip($var(t));", -1, "$rU", "bob"), ("strip_tail(1);", 1, "$rU", "bo"), ("strip_tail(3);", 1, "$rU", None),
    ("strip_tail(9);", 1, "$rU", None), ('$ru = "rubbish"; strip(1);', -1, "$ru", "rubbish"),
    ('$ru = "rubbish"; sethost("h");', -1, "$ru", "rubbish"), ('$ru = "tel:+4912"; strip(1);', 1, "$rU", "4912"),
    ('$ru = "sip:x@y"; $du = "sip:z"; ' + BRANCH + "revert_uri();", 1, "$ru", URI),
    ('$ru = "sip:x@y"; $du = "sip:z"; revert_uri();', 1, "$du", "sip:z"),
    ('setdsturi("sip:10.0.0.2:5080");', 1, "$du", "sip:10.0.0.2:5080"), ('setduri("sip:a");', 1, "$du", "sip:a"),
    ('$var(t) = "rubbish"; setdsturi($var(t));', -1, "$du", None), ('setdsturi("tel:1");', -1, "$du", None), ('$du = "sip:a"; resetdsturi();', 1, "$du",
                                                                                      None),
    ('$du = "sip:a"; resetduri();', 1, "$du", None), ("isdsturiset();", -1, "$du", None), ('$du = "sip:a"; isdsturiset();', 1, "$du",
                                                                                   "sip:a"),
    ('$du = "sip:a"; isduriset();', 1, "$du", "sip:a"),
    ('is_myself("10.0.0.9");', 1, "$rm", "INVITE"), ('is_myself("10.0.0.9", 5060);', 1, "$rm", "INVITE"),
    ('is_myself("10.0.0.9", 5061);', -1, "$rm", "INVITE"), ('is_myself("10.0.0.9", 0);', 1, "$rm", "INVITE"),
    ('is_myself("alias.example");', 1, "$rm", "INVITE"), ('is_myself("ALIAS.example", 7);', 1, "$rm", "INVITE"),
    ('is_myself("other.example");', -1, "$rm", "INVITE"), ("is_myself($avp(none));", -1, "$rm", "INVITE"),
    ('construct_uri("sip", "bob", "h", "5080", "transport=udp", $avp(o));', 1, "$avp(o)", "sip:bob@h:5080;transport=udp"),
    ('construct_uri("sip", , "h", , , $avp(o));', 1, "$avp(o)", "sip:h"), ('construct_uri("", "b", "h", , , $avp(o));', 1, "$avp(o)",
                                                                          None),
    ('construct_uri("sip", "b", "", , , $avp(o));', 1, "$avp(o)", None),
    ('construct_uri("sips", "", "h", "", "", $avp(o));', 1, "$avp(o)", "sips:h"),
    # --- branches
    ('append_branch("sip:b@h");', 1, "$branch", "sip:b@h"), ('append_branch("sip:b@h", "0.7");', 1, "$(branch(q)[0])", 700),
    ('$du = "sip:d"; append_branch("sip:b@h");', 1, "$(branch(duri)[0])", "sip:d"),
    ('$du = "sip:d"; append_branch();', 1, "$du", None), ('$du = "sip:d"; append_branch();', 1, "$(branch(duri)[0])", "sip:d"),
    ('$du = "sip:d"; append_branch();', 1, "$(branch(uri)[0])", URI), ('append_branch("");', -1, "$branch", None),
    ('$var(t) = "x"; append_branch("sip:b@h", $var(t));', -1, "$branch", None), ('append_branch_old("sip:b@h");', 1, "$branch", "sip:b@h"),
    ('$du = "sip:d"; append_msg_branch("sip:b@h");', 1, "$(branch(duri)[0])", None),
    ('$du = "sip:d"; append_msg_branch("sip:b@h", , "inherite");', 1, "$(branch(duri)[0])", "sip:d"),
    ('append_msg_branch("sip:b@h", "0.3");', 1, "$(branch(q)[0])", 300), ('append_msg_branch("");', -1, "$branch", None),
    (TWO + "remove_branch(0);", 1, "$(branch(uri)[*])", "sip:c@h"), (TWO + "remove_msg_branch(1);", 1, "$(branch(uri)[*])", "sip:b@h"),
    (TWO + "remove_branch(2);", -1, "$(branch(uri)[*])", "sip:b@h, sip:c@h"), ("remove_branch(0);", -1, "$branch", None),
    (TWO + "move_branch(0);", 1, "$ru", "sip:b@h"), (TWO + "move_branch(0);", 1, "$(branch(uri)[*])", "sip:c@h"),
    (TWO + 'move_branch(0, , "keep");', 1, "$(branch(uri)[*])", "sip:b@h, sip:c@h"),
    (TWO + "move_branch(0, 1);", 1, "$(branch(uri)[*])", "sip:b@h"), (TWO + "move_msg_branch(, 0);", 1, "$(branch(uri)[0])", URI),
    (TWO + "move_branch(7);", -1, "$ru", URI), (TWO + "swap_branches(0);", 1, "$ru", "sip:b@h"),
    (TWO + "swap_branches(0);", 1, "$(branch(uri)[0])", URI), (TWO + "swap_msg_branches(0, 1);", 1, "$(branch(uri)[*])", "sip:c@h, sip:b@h"),
    (TWO + "swap_branches(0, 5);", -1, "$ru", URI), ("serialize_branches(1);", 1, "$avp(serial_branch)", None),
    ("next_branches();", -1, "$ru", URI), (TWO + "serialize_branches(1);", 1, "$branch", None),
    (TWO + "serialize_branches(1); next_branches();", 1, "$ru", "sip:c@h"),
    (TWO + "serialize_branches(1); next_branches(); next_branches();", 1, "$ru", "sip:b@h"),
    (TWO + "serialize_branches(1); next_branches(); next_branches(); next_branches();", 2, "$ru", URI),
    (TWO + "serialize_branches(1); next_branches(); next_branches(); next_branches(); next_branches();", -1, "$ru", URI),
    (TWO + "serialize_branches(1, 1); next_branches(); next_branches();", 1, "$ru", "sip:b@h"),
    (BRANCH + "serialize_branches(1);", 1, "$branch", "sip:b@h"),
    # --- steering
    ('force_send_socket("udp:10.0.0.9:5080");', 1, "$socket_out", "udp:10.0.0.9:5080"),
    ("force_send_socket(udp:10.0.0.9:5080);", 1, "$socket_out", "udp:10.0.0.9:5080"),
    ('$var(s) = "tcp:10.0.0.9"; force_send_socket($var(s));', 1, "$socket_out", "tcp:10.0.0.9:5060"),
    ('$var(s) = "udp:1.1.1.1:1"; force_send_socket($var(s));', -1, "$socket_out", "udp:10.0.0.9:5060"),
    ('set_advertised_address("pub.example");', 1, "$rm", "INVITE"), ("set_advertised_address(1.2.3.4);", 1, "$rm", "INVITE"),
    ('set_advertised_address("");', -1, "$rm", "INVITE"), ('set_advertised_port("99");', 1, "$rm", "INVITE"),
    ('$var(t) = "x"; set_advertised_port($var(t));', -1, "$rm", "INVITE"), ('set_via_handling("force-rport, reply-to-via");', 1, "$rm", "INVITE"),
    ("force_rport();", 1, "$rm", "INVITE"), ("add_rport();", 1, "$rm", "INVITE"), ("add_local_rport();", 1, "$rm", "INVITE"),
    ("force_local_rport();", 1, "$rm", "INVITE"), ("force_tcp_alias();", -1, "$rm", "INVITE"), ("add_tcp_alias(5060);", -1, "$rm",
                                                                                      "INVITE"),
    ('tcp_close_conn("77");', -1, "$rm", "INVITE"), ('tcp_close_conn("tcp:10.0.0.1:9");', -1, "$rm", "INVITE"),
    ('tcp_close_conn("rubbish::");', -1, "$rm", "INVITE"), ('socket_belongs_to_bond("udp:10.0.0.9:5060", "none");', -1, "$rm",
                                                           "INVITE"),
    # --- flags
    ('setflag("A");', 1, "$mf", "A"), ("setflag(A);", 1, "$mf", "A"), ("setflag(5);", 1, "$mf", "5"), ("isflagset(A);", -1, "$mf", ""),
    ("setflag(A); isflagset(A);", 1, "$mf", "A"), ("setflag(A); resetflag(A);", 1, "$mf", ""), ("setbflag(B);", 1, "$bf", "B"),
    ("setbranchflag(B);", 1, "$bf", "B"), ("setbflag(B); resetbflag(B);", 1, "$bf", ""), ("setbflag(B); isbflagset(B);", 1, "$bf", "B"),
    ("isbflagset(B);", -1, "$bf", ""), (BRANCH + 'setbflag("B", 1);', 1, "$(msg.branch.flag(B)[1])", 1),
    (BRANCH + 'setbflag(1, "B");', 1, "$(msg.branch.flag(B)[1])", 1), ('setbflag("B", 1);', -1, "$bf", ""),
    (BRANCH + 'setbflag("B", 1); isbflagset("B", 1);', 1, "$bf", ""), (BRANCH + 'resetbranchflag("B", 1);', 1, "$bf", ""),
    ("isbranchflagset(B);", -1, "$bf", ""), ("setsflag(S);", 1, "$sf", "S"), ("setsflag(S); issflagset(S);", 1, "$sf", "S"),
    ("setscriptflag(S); resetscriptflag(S);", 1, "$sf", ""), ("resetsflag(S);", 1, "$sf", ""), ("isscriptflagset(S);", -1, "$sf", ""),
    # --- blacklists
    ('use_blacklist("fixed");', 1, "$rm", "INVITE"), ('use_blacklist("none");', -1, "$rm", "INVITE"),
    ('use_blacklist("all");', 1, "$rm", "INVITE"), ('unuse_blacklist("fixed");', 1, "$rm", "INVITE"),
    ('unuse_blacklist("none");', -1, "$rm", "INVITE"), ('check_blacklist_rule("fixed", "10.0.0.5");', 1, "$rm", "INVITE"),
    ('check_blacklist_rule("fixed", "10.0.0.4");', -1, "$rm", "INVITE"), ('check_blacklist_rule("all", "10.0.0.6");', 1, "$rm",
                                                                         "INVITE"),
    ('check_blacklist_rule("fixed", "10.1.2.3", 5060, "tcp", "INVITE x");', 1, "$rm", "INVITE"),
    ('check_blacklist_rule("fixed", "10.1.2.3", 5060, "udp", "INVITE x");', -1, "$rm", "INVITE"),
    ('check_blacklist_rule("fixed", "10.1.2.3", 5061, "tcp", "INVITE x");', -1, "$rm", "INVITE"),
    ('check_blacklist_rule("none", "10.0.0.5");', -1, "$rm", "INVITE"), ('check_blacklist_rule("fixed", "rubbish");', -1, "$rm",
                                                                        "INVITE"),
    ('add_blacklist_rule("open", "10.9.0.0/16"); check_blacklist_rule("open", "10.9.1.1");', 1, "$rm", "INVITE"),
    ('add_blacklist_rule("open", "!10.0.0.0/8"); check_blacklist_rule("open", "11.0.0.1");', 1, "$rm", "INVITE"),
    ('add_blacklist_rule("open", "10.9.0.1", 5060, "udp", "*", 60); check_blacklist_rule("open", "10.9.0.1", 5060, "udp", "x");', 1,
     "$rm", "INVITE"),
    ('add_blacklist_rule("fixed", "10.9.0.1");', -1, "$rm", "INVITE"), ('add_blacklist_rule("open", "rubbish");', -1, "$rm", "INVITE"),
    ('del_blacklist_rule("open", "10.0.0.6"); check_blacklist_rule("open", "10.0.0.6");', -1, "$rm", "INVITE"),
    ('del_blacklist_rule("open", "10.0.0.77");', -1, "$rm", "INVITE"), ('del_blacklist_rule("fixed", "10.0.0.5");', -1, "$rm", "INVITE"),
    # --- cache
    ('cache_store("local", "k", "v-$rU");', 1, "$rm", "INVITE"), ('cache_store("local", "k", "v"); cache_fetch("local", "k", $var(o));', 1,
                                                                "$var(o)", "v"),
    ('cache_fetch("local", "no", $var(o));', -2, "$var(o)", None), ('cache_fetch("nosuch", "k", $var(o));', -1, "$var(o)", None),
    ('cache_store("nosuch", "k", "v");', -1, "$rm", "INVITE"), ('cache_remove("local", "no");', 1, "$rm", "INVITE"),
    ('cache_remove("nosuch", "k");', -1, "$rm", "INVITE"),
    ('cache_store("local", "k", "v"); cache_remove("local", "k"); cache_fetch("local", "k", $var(o));', -2, "$var(o)", None),
    ('cache_add("local", "c", 5, 0, $var(o));', 1, "$var(o)", 5), ('cache_add("local", "c", 5, 0); cache_sub("local", "c", 2, 0, $var(o));',
                                                                1, "$var(o)", 3),
    ('cache_add("local", "c", 5, 0); cache_counter_fetch("local", "c", $var(o));', 1, "$var(o)", 5),
    ('cache_counter_fetch("local", "no", $var(o));', -2, "$var(o)", None), ('cache_raw_query("local", "x", "$avp(a)");', -1, "$avp(a)", None),
    ('cache_store("local", $avp(none), "v");', -1, "$rm", "INVITE"),
    # --- events and status
    ('raise_event("E_ROW");', 1, "$var(heard)", "E_ROW"), ('$avp(n) = "a"; $avp(v) = "1"; raise_event("E_ROW", $avp(n), $avp(v));', 1,
                                                          "$var(heard)", "E_ROW a=1"),
    ('$avp(v) = "1"; $avp(v) = "2"; raise_event("E_ROW", , $avp(v));', 1, "$var(heard)", "E_ROW 1=2 2=1"),
    ('$avp(v) = "1"; raise_event("E_ROW", , $avp(v));', 1, "$(avp(v)[*])", "1"), ("raise_event($avp(none));", -1, "$var(heard)", None),
    ('$avp(n) = "a"; raise_event("E_ROW", $avp(n), $avp(v));', -1, "$var(heard)", None),
    ('subscribe_event("E_ROW", "nosuch:127.0.0.1");', -1, "$rm", "INVITE"), ('sr_check_status("none");', -1, "$rm", "INVITE"),
    ('sr_check_status("none", "all");', -1, "$rm", "INVITE"),
    # --- values and log
    ('pv_printf($var(o), "$rU-$rm");', 1, "$var(o)", "bob-INVITE"), ('avp_printf("$avp(o)", "x$rU");', 1, "$avp(o)", "xbob"),
    ('pv_printf($du, "rubbish");', -1, "$du", None), ("get_timestamp($avp(s), $avp(u));", 1, "$avp(s)", 1000),
    ("get_timestamp($avp(s), $avp(u));", 1, "$avp(u)", 0), ("avp_print();", 1, "$rm", "INVITE"),
    ('error("a", "b");', 1, "$rm", "INVITE"), ('log(1, "x");', 1, "$rm", "INVITE"), ('xlog("12345");', 1, "$rm", "INVITE"),
    ('xlog("L_DBG", "12345");', 1, "$rm", "INVITE"), ('xdbg("x");', 1, "$rm", "INVITE"), ("script_trace();", 1, "$rm", "INVITE"),
    ("setdebug(4);", 1, "$log_level", 4), ("setdebug(4); setdebug();", 1, "$log_level", 2),
    ('$var(l) = 3; xlog($var(l), "12345");', 1, "$rm", "INVITE"),
]


async def play(body: str, expression: str) -> tuple[Any, Any, ScriptBook]:
    text = (f"{SETTINGS} route {{ {body} $var(code) = $rc; $var(out) = {expression}; }}")
    book = ScriptBook(text, "sl", "cachedb_local", sockets=[LocalSocket(*one) for one in SOCKETS])
    book.env.wall = lambda: 1000.0
    book.env.vars["one"] = 1

    def hear(name: str, values: dict[str, Any]) -> None:
        book.env.vars["heard"] = " ".join([name, *[f"{key}={value}" for key, value in values.items()]])
    book.env.events.subscribe("E_ROW", "t:", hear)
    book.feed(RAW)
    while book.env._tasks:
        await asyncio.gather(*book.env._tasks)
    return book.env.vars.get("code", "unset"), book.env.vars.get("out"), book


@pytest.mark.parametrize(("body", "code", "expression", "value"), ROWS, ids=[f"{row[0]} {row[2]}" for row in ROWS])
async def test_row(body: str, code: int, expression: str, value: Any) -> None:
    found = await play(body, expression)
    assert found[:2] == (code, value), found[2].said


def test_no_function_is_left_out() -> None:
    text = " ".join([row[0] for row in ROWS])
    elsewhere = {"forward", "send", "fetch_event_params"}           # below
    assert [name for name in Registry(BUILTINS).function_names() if f"{name}(" not in text and name not in elsewhere] == []


@pytest.mark.parametrize(("body", "code", "where", "first"), [
    ("forward();", 1, "10.0.0.8:5070", "INVITE"), ('forward("10.0.0.3");', 1, "10.0.0.3:5060", "INVITE"),
    ('forward("udp:10.0.0.3:5099");', 1, "10.0.0.3:5099", "INVITE"), ('forward("tcp:10.0.0.3:5099");', 1, "10.0.0.3:5099", "INVITE"),
    ("forward(udp:10.0.0.3:5099);", 1, "10.0.0.3:5099", "INVITE"), ('$du = "sip:10.0.0.4"; forward();', 1, "10.0.0.4:5060", "INVITE"),
    ('forward("none.example");', -1, None, ""), ('$ru = "rubbish"; forward();', -1, None, ""),
    ('forward("10.0.0.77");', -1, None, ""), (BRANCH + "forward();", -1, None, ""),
    ('send("10.0.0.3");', 1, "10.0.0.3:5060", "INVITE"), ('send("udp:10.0.0.3:5099");', 1, "10.0.0.3:5099", "INVITE"),
    ('send("10.0.0.3", "X-A: $rU\\r\\n");', 1, "10.0.0.3:5060", "X-A: bob"), ('send("10.0.0.77");', -1, None, ""),
    ('$var(d) = "10.0.0.3:99"; send($var(d));', 1, "10.0.0.3:99", "INVITE"), ('$var(d) = "::::"; send($var(d));', -1, None, ""),
])
def test_sending(body: str, code: int, where: str | None, first: str) -> None:
    book = ScriptBook(f"route {{ {body} $var(code) = $rc; }}", "sl")
    book.net.down.add("10.0.0.77:5060")
    book.feed(RAW)
    sent = [(to, data) for to, data in book.net.log if data.startswith(b"INVITE")]
    assert book.env.vars["code"] == code and [to for to, _ in sent] == ([where] if where else [])
    if where:
        assert first in sent[0][1].decode().split("\r\n")[1 if ":" in first else 0]
        assert sent[0][1].count(b"Via:") == (1 if body.find("send(") >= 0 else 2)


@pytest.mark.parametrize(("call", "result"), [
    ('fetch_event_params("$var(a);$avp(b)")', (1, "1", "2")), ('fetch_event_params("y=$var(a);x=$avp(b)")', (1, "2", "1")),
    ('fetch_event_params("none=$var(a)")', (-1, None, None)),
])
def test_fetch_event_params(call: str, result: tuple[int, str, str]) -> None:
    book = ScriptBook('''route { $avp(n) = "y"; $avp(n) = "x"; $avp(v) = "2"; $avp(v) = "1"; raise_event("E_R", $avp(n), $avp(v)); }
        event_route[E_R] { %s; $var(code) = $rc; $var(b) = $avp(b); }''' % call, "sl").recv("INVITE")
    assert tuple(book.env.vars.get(name) for name in ("code", "a", "b")) == result


@pytest.mark.parametrize(("call", "code"), [
    ("strip();", "E401"), ("strip(1, 2);", "E401"), ('strip("x");', "E402"), ("seturi();", "E401"), ("seturi(1, 2);", "E401"),
    ('force_send_socket("udp:9.9.9.9:5060");', 0), ('set_via_handling("nope");', "E402"), ('pv_printf("x", "y");', "E404"),
    ('pv_printf($rm, "y");', "E404"), ('construct_uri("sip", "b", "h", , );', "E401"), ('cache_fetch("local", "k", $rm);', "E404"),
    ('xlog("L_X", "x");', "E406"), ("next_branches(1);", "E401"), ("route(nope);", "E201"), ("nope();", "E101"),
    ("setflag();", "E401"), ('raise_event("E", "text");', "E404"), ('fetch_event_params("$var(a)");', "E203"),
])
def test_the_checker_counts_and_types(call: str, code: Any) -> None:
    assert fault(call, "sl", "cachedb_local") == code
