"""Rules 32 to 40 of the forty: modules and management. Each test fails when its rule is broken.

Those of modules that do not exist yet are expected to fail; they count as soon as the module is there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kit import registration
from kit.message import request
from kit.script import MODULES, ScriptBook, faults_of, has_module

from osip.core.errors import MIError
from osip.core.mi.rpc import answer
from osip.core.net.endpoint import LocalSocket

LOCATION = ("tm", "sl", "signaling", "usrloc", "registrar", "sipmsgops")


def missing(*names: str) -> pytest.MarkDecorator:
    """Expect a test to fail while one of these modules is not there."""
    absent = [name for name in names if not has_module(name)]
    return pytest.mark.xfail(bool(absent), strict=True, reason=f"{', '.join(absent)}: comes with an issue of its own")


def register(book: ScriptBook, *contacts: str) -> Any:
    """Register contacts of bob."""
    return book.feed(registration.register(", ".join(contacts)))


# --- 32 --------------------------------------------------------------------------------------------------------------


def test_rule_32_save_replies_itself() -> None:
    book = ScriptBook(
        """route { save("location"); if (!sl_send_reply(500, "Second")) xlog("refused");
        if (!t_reply(500, "Third")) xlog("refused"); }""",
        *LOCATION,
    )
    register(book, "<sip:b1@10.0.0.2>").sent(200).check(lambda msg: "b1@10.0.0.2" in msg.get("Contact"))


LOOKUP = """route {
    if (is_method("REGISTER")) { save("location"); exit; }
    $du = "sip:10.0.0.4"; $branch = "sip:old@10.0.0.4"; setbflag("KEPT");
    $var(c) = lookup("location", "method-filtering");
    xlog("$var(c) $ru $(branch(uri)[*]) $ru_q");
}"""


def test_rule_32_lookup_sets_branch_0_and_appends_the_others_by_q() -> None:
    book = ScriptBook(LOOKUP, *LOCATION)
    register(book, "<sip:low@10.0.0.2>;q=0.2", "<sip:high@10.0.0.2>;q=0.9", "<sip:mid@10.0.0.2>;q=0.5")
    book.recv("INVITE", "sip:bob@example.com").says(
        "1 sip:high@10.0.0.2 sip:old@10.0.0.4, sip:mid@10.0.0.2, sip:low@10.0.0.2 900"
    )


def test_rule_32_the_codes_of_lookup_differ() -> None:
    book = ScriptBook(LOOKUP, *LOCATION)
    book.recv("INVITE", "sip:nobody@example.com")
    register(book, '<sip:b1@10.0.0.2>;methods="OPTIONS"')
    book.recv("INVITE", "sip:bob@example.com", branch="z9hG4bK-2").recv("INVITE", "sip:@;;;", branch="z9hG4bK-3")
    assert [line.split()[0] for line in book.said][:2] == ["-1", "-2"]


# --- 33 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "is_mine"),
    [
        ("sip:10.0.0.9", True),
        ("sip:10.0.0.9:5060", True),
        ("sip:10.0.0.9:5070", False),
        ("sip:10.0.0.9:5080;transport=tcp", True),
        ("sip:any.example", True),
        ("sip:any.example:7777", True),
        ("sip:one.example", True),
        ("sip:one.example:5061", False),
        ("sip:sub.tree.example", True),
        ("sip:sub.any.example", False),
        ("sip:edge.example", True),
        ("sip:10.0.0.8", False),
    ],
)
def test_rule_33_myself_is_listeners_and_aliases_with_their_ports(uri: str, is_mine: bool) -> None:
    sockets = [LocalSocket("udp", "10.0.0.9", 5060, "edge.example"), LocalSocket("tcp", "10.0.0.9", 5080)]
    book = ScriptBook(
        """alias = any.example udp:one.example:5060 tree.example accept_subdomain
    route { if (uri == myself) xlog("old"); if (is_myself($rd, $rp)) xlog("new"); }""",
        sockets=sockets,
    )
    book.recv("INVITE", uri).says(*["old", "new"] * is_mine)


@missing("domain")
def test_rule_33_the_domain_module_adds_to_it() -> None:
    assert not faults_of("route { if (is_from_local()) exit; }", *MODULES, "domain")


# --- 34 to 36: modules to come ---------------------------------------------------------------------------------------


@missing("nathelper")
def test_rule_34_nat_tests_are_ored_and_contact_is_fixed_in_what_is_sent() -> None:
    book = ScriptBook(
        """route { if (nat_uac_test(3)) xlog("behind NAT"); if (nat_uac_test(64)) xlog("udp port");
        fix_nated_contact(); xlog("$ct"); t_relay(); }""",
        *MODULES,
        "nathelper",
    )
    book.recv("INVITE", headers="", via="192.168.0.1:5060").sent("INVITE", "bob")
    assert book.said[0] == "behind NAT" and "sip:alice@10.0.0.1" in book.said[-1]


NATTED = "198.51.100.7"


@missing("nathelper")
@pytest.mark.parametrize(
    ("bits", "via", "contact", "holds"),
    [
        (1, NATTED, "192.168.1.1", True),
        (1, NATTED, "198.51.100.9", False),
        (1, "192.168.1.1", NATTED, False),
        (2, "198.51.100.8", NATTED, True),
        (2, NATTED, "192.168.1.1", False),
        (4, "192.168.1.1", NATTED, True),
        (4, "198.51.100.8", NATTED, False),
        (16, f"{NATTED}:5070", NATTED, True),
        (16, "198.51.100.8:5060", NATTED, False),
        (32, NATTED, "198.51.100.9", True),
        (32, "198.51.100.8", NATTED, False),
        (64, NATTED, f"{NATTED}:5070", True),
        (64, f"{NATTED}:5070", NATTED, False),
        (1 | 16, f"{NATTED}:5070", NATTED, True),
        (1 | 16, NATTED, "192.168.1.1", True),
        (1 | 16, "198.51.100.8", "198.51.100.9", False),
    ],
)
def test_rule_34_one_test_that_holds_is_enough(bits: int, via: str, contact: str, holds: bool) -> None:
    book = ScriptBook(f'route {{ if (nat_uac_test({bits})) xlog("yes"); else xlog("no"); }}', *MODULES, "nathelper")
    raw = request("INVITE", via=via).replace(b"<sip:alice@10.0.0.1>", f"<sip:alice@{contact}>".encode())
    book.feed(raw, NATTED).says("yes" if holds else "no")


@missing("nathelper")
def test_rule_34_fix_nated_register_touches_no_contact() -> None:
    book = ScriptBook(
        'modparam("nathelper", "received_avp", "$avp(rcv)") '
        'route { fix_nated_register(); xlog("$avp(rcv)"); t_relay(); }',
        *MODULES,
        "nathelper",
    )
    book.feed(request("REGISTER"), NATTED).says(f"sip:{NATTED}:5060").sent("REGISTER", "bob")
    assert book.got.get("Contact") == "<sip:alice@10.0.0.1>"


@missing("dialog")
def test_rule_35_a_dialog_counts_from_its_start() -> None:
    book = ScriptBook(
        """route { record_route(); if (is_method("INVITE")) { create_dialog(); set_dlg_profile("all"); }
        get_profile_size("all", , $var(n)); xlog("$var(n) $DLG_count"); t_relay(); }""",
        *MODULES,
        "dialog",
    )
    book.recv("INVITE").says("0 0").sent(100).answer("bob", 200).sent(200)
    book.recv("OPTIONS", branch="z9hG4bK-o", call_id="o").says("1 1")


@missing("dialog", "load_balancer")
def test_rule_36_load_falls_with_the_end_of_the_dialog() -> None:
    assert not faults_of('route { load_balance(1, "pstn"); create_dialog(); }', *MODULES, "dialog", "load_balancer")


async def test_rule_36_dispatcher_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("1 sip:10.0.0.2 0 0\n1 sip:10.0.0.3 0 0\n")
    book = ScriptBook(
        f"""modparam("dispatcher", "list_file", "{tmp_path}/list")
    route {{ ds_select_dst(1, 4); xlog("$du"); t_relay(); }}""",
        *MODULES,
        "dispatcher",
    )
    await book.modules["dispatcher"].child_init(book.env)
    for number in range(4):  # round robin goes on, whatever is still under way
        book.recv("INVITE", branch=f"z9hG4bK-{number}", call_id=f"c{number}")
    first, second = book.said[:2]
    assert {first, second} == {"sip:10.0.0.2", "sip:10.0.0.3"} and book.said[2:] == [first, second]


# --- 37 --------------------------------------------------------------------------------------------------------------

ACC = """modparam("acc", "log_extra", "who=$avp(who)") modparam("acc", "extra_fields", "log: tag->tag")
route { do_accounting("log"); $avp(who) = "early"; $acc_extra(tag) = "one"; t_on_reply("r");
    t_relay(); xlog("relayed"); }
onreply_route[r] { $avp(who) = "late"; $acc_extra(tag) = "two"; }"""


def test_rule_37_accounting_is_written_later_with_the_values_of_then() -> None:
    book = ScriptBook('modparam("tm", "onreply_avp_mode", 1) ' + ACC, *MODULES, "acc").recv("INVITE").says("relayed")
    book.sent(100).answer("bob", 180).says().answer("bob", 200)
    assert len(book.said) == 1 and "transaction answered" in book.said[0] and "code=200" in book.said[0]
    assert "who=late" in book.said[0] and "tag=two" in book.said[0]


def test_rule_37_a_failed_call_is_not_accounted_unless_asked() -> None:
    for flags, records in (("", 0), (', "failed"', 1)):
        text = ACC.replace('do_accounting("log")', f'do_accounting("log"{flags})')
        book = ScriptBook(text, *MODULES, "acc").recv("INVITE").answer("bob", 486)
        assert len([line for line in book.said if "ACC" in line]) == records


# --- 38 --------------------------------------------------------------------------------------------------------------


async def test_rule_38_tables_are_cached_and_reloaded_at_once(tmp_path: Path) -> None:
    table = tmp_path / "list"
    table.write_text("1 sip:10.0.0.2 0 0\n")
    book = ScriptBook(
        f"""modparam("dispatcher", "list_file", "{table}")
    route {{ if (ds_select_dst(1, 4)) xlog("$du"); else xlog("none"); }}""",
        *MODULES,
        "dispatcher",
    )
    await book.modules["dispatcher"].child_init(book.env)
    book.recv("INVITE").says("sip:10.0.0.2")
    table.write_text("1 sip:10.0.0.3 0 0\n")
    book.recv("INVITE", call_id="2").says("sip:10.0.0.2")  # the cache counts
    await book.env.mi.run("ds_reload")
    book.said.clear()
    book.recv("INVITE", call_id="3").says("sip:10.0.0.3")
    table.write_text("1 sip:10.0.0.4 0 0\nrubbish\n")
    with pytest.raises(MIError, match="old sets stay"):
        await book.env.mi.run("ds_reload")
    book.said.clear()
    book.recv("INVITE", call_id="4").says("sip:10.0.0.3")  # all or nothing


@missing("permissions")
def test_rule_38_permissions_is_cached() -> None:
    assert not faults_of("route { if (check_address(1, $si, $sp, $socket_in(proto))) exit; }", *MODULES, "permissions")


# --- 39, 40 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "params", "outcome"),
    [
        ("log_level", [], "Processes"),
        ("log_level", [2], "New global log level"),
        ("core:log_level", {"level": 2}, "New global log level"),
        ("get_statistics", ["core:"], "core:rcv_requests"),
        ("statistics:get", {"statistics": ["rcv_requests"]}, "core:rcv_requests"),
        ("log_level", {"colour": 1}, -32602),
        ("log_level", [1, 2, 3], -32602),
        ("log_level", {"level": "loud"}, -32602),
        ("no_such", [], -32601),
        ("list", [], -32001),
        ("get_statistics", ["nothing:"], 404),
        ("blacklists:list", {}, "Lists"),
    ],
)
def test_rule_39_management_commands(method: str, params: Any, outcome: str | int) -> None:
    mi = ScriptBook("route { exit; }").env.mi
    try:
        found = mi.run(method, params)
    except MIError as error:
        assert error.code == outcome, error
    else:
        assert outcome in found and json.dumps(found)


def test_rule_39_an_ambiguous_count_is_an_error() -> None:
    mi = ScriptBook("route { exit; }", *MODULES, "dispatcher").env.mi
    with pytest.raises(MIError, match="Ambiguous|Invalid"):
        mi.run("ds_list", ["1"])
    assert mi.run("ds_list", {"full": "1"}) == mi.run("ds_list", {"full": "1"})


async def test_rule_39_results_and_errors_are_json_rpc() -> None:
    mi = ScriptBook("route { exit; }").env.mi
    asked: Any = answer(mi, b'{"jsonrpc": "2.0", "method": "which", "params": ["core:pw"], "id": 1}')
    found = json.loads(await asked if hasattr(asked, "__await__") else asked)
    assert found["result"] == ["core:pwd"] and found["id"] == 1
    asked = answer(mi, b'{"jsonrpc": "2.0", "method": "nothing", "id": 2}')
    found = json.loads(await asked if hasattr(asked, "__await__") else asked)
    assert found["error"]["code"] == -32601 and found["error"]["message"]


NAMES = {
    "core": "rcv_requests rcv_replies fwd_requests fwd_replies drop_requests drop_replies err_requests err_replies "
    "bad_URIs_rcvd bad_msg_hdr slow_messages timestamp",
    "tm": "received_replies relayed_replies local_replies UAS_transactions UAC_transactions 2xx_transactions "
    "3xx_transactions 4xx_transactions 5xx_transactions 6xx_transactions inuse_transactions",
    "sl": "1xx_replies 2xx_replies 3xx_replies 4xx_replies 5xx_replies 6xx_replies sent_replies sent_err_replies "
    "received_ACKs",
    "registrar": "max_expires max_contacts default_expire accepted_regs rejected_regs",
    "usrloc": "registered_users location-users location-contacts location-expires",
}


@pytest.mark.parametrize("group", NAMES)
def test_rule_40_statistics_keep_their_names(group: str) -> None:
    book = ScriptBook(
        'route { if (is_method("REGISTER")) save("location"); else t_relay(); }', *MODULES, "usrloc", "registrar"
    )
    register(book, "<sip:b1@10.0.0.2>")
    known = {stat.full_name for stat in book.env.stats.select(f"{group}:")}
    assert {f"{group}:{name}" for name in NAMES[group].split()} <= known, known


def test_rule_40_statistics_are_read_by_scripts() -> None:
    book = ScriptBook('route { xlog("$stat(rcv_requests) $stat(core:rcv_requests) $stat(none)"); }')
    book.recv("INVITE").recv("INVITE").says("1 1 <null>", "2 2 <null>")
