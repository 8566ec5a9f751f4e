"""nat_traversal by its script functions: tests, mended Contacts, and endpoints that come and go with their reasons."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kit import message
from kit.registration import register
from kit.script import ScriptBook

from osip.api import ModuleError, parse
from osip.modules.nat_traversal.endpoint import CALL, REGISTRATION, SUBSCRIPTION

MODULES = ("tm", "sl", "rr", "textops", "sipmsgops", "signaling", "usrloc", "registrar", "nat_traversal")
NATTED = "192.0.2.7"
PARAMS = 'modparam("nat_traversal", "keepalive_state_file", "{file}") modparam("nat_traversal", "keepalive_interval", 2)\n'
SCRIPT = """route {
    if (client_nat_test(3)) { fix_contact(); force_rport(); nat_keepalive(); }
    if (is_method("REGISTER")) { save("location"); exit; }
    if ($rU == "here") { sl_send_reply(200, "OK"); exit; }
    t_relay();
}
"""


def book(text: str = SCRIPT, file: object = "") -> ScriptBook:
    return ScriptBook(PARAMS.format(file=file) + text, *MODULES)


def module(play: ScriptBook) -> Any:
    return play.modules["nat_traversal"]


def counts(play: ScriptBook) -> tuple[int, ...]:
    """Return (endpoints, registered, subscribed, in a call)."""
    nat = module(play)
    return nat.keepalive_endpoints(), nat.registered_endpoints(), nat.subscribed_endpoints(), nat.dialog_endpoints()


def natted(play: ScriptBook, raw: bytes, port: int = 40000) -> ScriptBook:
    return play.feed(raw, NATTED, port=port)            # type: ignore[return-value]


def run(play: ScriptBook, seconds: float) -> None:
    """Let time pass as in a worker: the module has its turn ten times a second."""
    for _ in range(round(seconds * 10)):
        play.advance(0.1)
        module(play).keepalive_turn()


def pings(play: ScriptBook, where: str = f"{NATTED}:40000") -> int:
    return sum(data.startswith(b"NOTIFY") for at, data in play.net.log if at == where)


# --- tests and Contacts --------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("via", "contact", "found"), [
    (f"{NATTED}:40000", f"sip:a@{NATTED}", 0), ("10.0.0.1:40000", f"sip:a@{NATTED}", 2 | 4),
    (f"{NATTED}:5060", f"sip:a@{NATTED}", 2), (f"{NATTED}:40000", "sip:a@192.168.1.1", 1 | 8),
    (f"{NATTED}:40000", "sip:a@100.64.0.1", 1 | 8), (f"{NATTED}:40000", "sip:a@198.51.100.1", 8),
    ("phone.example:40000", "sip:a@phone.example", 2 | 8), (f"{NATTED}:40000", "tel:+49", 0), ("100.127.1.1", "", 2 | 4)])
def test_client_nat_test(via: str, contact: str, found: int) -> None:
    play = book('route { if (client_nat_test($hdr(X-Type))) xlog("yes"); else xlog("no"); }'.replace(
        "$hdr(X-Type)", "TYPE").replace("TYPE", "$(hdr(X-Type){s.int})"))
    for kind in (1, 2, 4, 8, 15):
        raw = message.request(via=via, headers=f"X-Type: {kind}\r\n").replace(
            b"Contact: <sip:alice@10.0.0.1>\r\n", f"Contact: <{contact}>\r\n".encode() if contact else b"")
        natted(play, raw)
        play.says("yes" if kind & found else "no")


@pytest.mark.parametrize(("contact", "sent"), [
    ("<sip:alice@10.0.0.1>", f"<sip:alice@{NATTED}:40000>"),
    ('"A" <sip:alice@10.0.0.1:5070;ob>;expires=5', f'"A" <sip:alice@{NATTED}:40000;ob>;expires=5'),
    ("<tel:+49>", "<tel:+49>")])
def test_fix_contact(contact: str, sent: str) -> None:
    play = book('route { if (!fix_contact()) xlog("none"); t_relay(); }')
    natted(play, message.request().replace(b"<sip:alice@10.0.0.1>", contact.encode(), 1))
    asked = next(parse(data) for _, data in play.net.log if data.startswith(b"INVITE"))
    assert asked.get("Contact") == sent
    assert play.said == ([] if "sip" in contact else ["none"])


def test_fix_contact_of_an_answer() -> None:
    play = book('route { t_on_reply("A"); t_relay(); } onreply_route[A] { fix_contact(); }')
    play.recv("INVITE").sent(100).sent("INVITE", "bob")
    play.answer("bob", 200, headers="Contact: <sip:bob@172.16.0.1>\r\n").sent(200)
    assert play.got.get("Contact") == "<sip:bob@10.0.0.2:5060>"


# --- reasons -------------------------------------------------------------------------------------------------------

def test_a_registration_as_long_as_it_lasts() -> None:
    play = book()
    natted(play, register("<sip:bob@10.0.0.5>", expires=60))
    assert counts(play) == (1, 1, 0, 0)
    run(play, 10)
    assert pings(play) == 5, "one in each interval of two seconds"
    natted(play, register("<sip:bob@10.0.0.5>", cseq=2, expires=0))
    assert counts(play) == (0, 0, 0, 0)
    run(play, 10)
    assert pings(play) == 5


def test_an_end_in_time() -> None:
    play = book()
    natted(play, register("<sip:bob@10.0.0.5>", expires=61))
    wall = play.env.wall()
    play.env.wall = lambda: wall + 62                   # type: ignore[method-assign]
    run(play, 3)
    assert counts(play) == (0, 0, 0, 0) and pings(play) == 0


def test_what_is_refused_is_not_kept_alive() -> None:
    play = book("route { nat_keepalive(); if (is_method(\"REGISTER\")) sl_send_reply(403, \"No\"); else t_relay(); }")
    natted(play, register())
    natted(play, message.request())
    play.answer("bob", 486)
    natted(play, message.request("SUBSCRIBE", branch="z9hG4bK-s", call_id="s"))
    play.answer("bob", 404, "SUBSCRIBE")
    assert counts(play) == (0, 0, 0, 0)


def test_a_registration_that_is_passed_on() -> None:
    play = book("route { nat_keepalive(); fix_contact(); t_relay(); }")
    natted(play, message.request("REGISTER", headers="Expires: 600\r\n"))
    play.answer("bob", 200, "REGISTER", headers=f"Contact: <sip:alice@{NATTED}:40000>;expires=300\r\n")
    [endpoint] = module(play).endpoints
    assert endpoint.uri == f"sip:{NATTED}:40000" and list(endpoint.reasons) == [f"{REGISTRATION}:bob@example.com"]
    assert endpoint.reasons[f"{REGISTRATION}:bob@example.com"] == pytest.approx(play.env.wall() + 300, abs=5)


@pytest.mark.parametrize("relay", [True, False])
def test_a_subscription(relay: bool) -> None:
    play = book("route { nat_keepalive(); %s; }" % (
        "t_relay()" if relay else 'append_to_reply("Expires: 90\\r\\n"); sl_send_reply(200, "OK")'))
    natted(play, message.request("SUBSCRIBE", call_id="sub"))
    if relay:
        play.answer("bob", 202, "SUBSCRIBE", headers="Expires: 90\r\n")
    [endpoint] = module(play).endpoints
    assert endpoint.reasons[f"{SUBSCRIPTION}:sub"] == pytest.approx(play.env.wall() + 90, abs=5)
    assert counts(play) == (1, 0, 1, 0)


def test_a_call_from_its_answer_to_its_bye() -> None:
    play = book('route { if (!has_totag()) nat_keepalive(); t_relay(); }')
    natted(play, message.request()).answer("bob", 180)
    assert counts(play) == (0, 0, 0, 0)
    play.answer("bob", 200)
    assert counts(play) == (1, 0, 0, 1)
    play.feed(message.request("BYE", call_id="other", to_tag="x"), "bob")
    assert counts(play) == (1, 0, 0, 1)
    play.feed(message.request("BYE", branch="z9hG4bK-b", to_tag="tag-bob"), "bob")
    assert counts(play) == (0, 0, 0, 0)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("word", ["nat_keepalive();", "$nat_traversal.track_dialog = 1;"])
def test_the_called_phone_too_when_it_is_known(known: bool, word: str) -> None:
    play = book("route { if (is_method(\"REGISTER\")) { nat_keepalive(); save(\"location\"); exit; } %s t_relay(); }" % word)
    if known:
        play.feed(register("<sip:bob@10.0.0.2>"), "bob")
    play.recv("INVITE").answer("bob", 200)
    reasons = {one.uri: {reason[0] for reason in one.reasons} for one in module(play).endpoints}
    expected = {"sip:10.0.0.2:5060": {REGISTRATION, CALL}} if known else {}
    if word == "nat_keepalive();":
        expected["sip:10.0.0.1:5060"] = {CALL}
    assert reasons == expected


def test_other_methods_are_not_followed() -> None:
    play = book('route { if (!nat_keepalive()) xlog("no"); $nat_traversal.track_dialog = 1; '
                'xlog("$nat_traversal.track_dialog"); }')
    play.recv("OPTIONS")
    play.says("no", "0")


def test_variables() -> None:
    play = book('route { xlog("$source_uri"); xlog("$(keepalive.socket($source_uri))"); if (is_method("REGISTER")) '
                '{ nat_keepalive(); save("location"); } }'.replace("$(keepalive.socket($source_uri))",
                                                                   "$keepalive.socket($source_uri)"))
    natted(play, register("<sip:bob@10.0.0.5>"))
    natted(play, message.request("OPTIONS"))
    play.says(f"sip:{NATTED}:40000", "<null>", f"sip:{NATTED}:40000", "udp:10.0.0.9:5060")


def test_answers_to_keepalives_are_taken() -> None:
    play = book()
    natted(play, register("<sip:bob@10.0.0.5>", expires=60))
    run(play, 2.1)
    ping = next(data for _, data in play.net.log if data.startswith(b"NOTIFY"))
    before = len(play.net.log)
    natted(play, message.response(ping, 481))
    assert len(play.net.log) == before and play.env.dispatch.drop_replies == 0


# --- state ---------------------------------------------------------------------------------------------------------

async def test_endpoints_outlive_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "state"
    play = book(SCRIPT, file)
    run(play, 0.2)
    natted(play, register("<sip:bob@10.0.0.5>", expires=60))
    natted(play, message.request(call_id="c", branch="z9hG4bK-c")).answer("bob", 200)
    await module(play).destroy()
    again = book(SCRIPT, file)
    run(again, 0.2)
    assert counts(again) == (1, 1, 0, 1)
    run(again, 4)
    assert pings(again) >= 1
    again.feed(message.request("BYE", call_id="c", branch="z9hG4bK-b", to_tag="tag-bob"), "bob")
    assert counts(again) == (1, 1, 0, 0)


async def test_a_file_that_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    play = book(SCRIPT, tmp_path / "nowhere" / "state")
    run(play, 0.2)
    natted(play, register("<sip:bob@10.0.0.5>", expires=60))
    await module(play).save_turn()
    await module(play).save_turn()
    assert [line[:43] for line in play.said] == ["nat_traversal: state file not written file="]
    assert module(play).endpoints.is_changed


@pytest.mark.parametrize(("name", "value"), [
    ("keepalive_from", "mailto:x"), ("keepalive_extra_headers", "no colon"), ("keepalive_extra_headers", ": x")])
def test_parameters_that_cannot_be(name: str, value: str) -> None:
    with pytest.raises(ModuleError, match=name):
        book(f'modparam("nat_traversal", "{name}", "{value}")\n{SCRIPT}')


@pytest.mark.parametrize("order", ["t_newtran(); nat_keepalive();", "nat_keepalive(); t_newtran();"])
def test_a_registration_with_a_transaction(order: str) -> None:
    play = book('route { %s save("location"); }' % order)
    natted(play, register(f"<sip:bob@{NATTED}:40000>", expires=60))
    assert counts(play) == (1, 1, 0, 0)
