"""What peers should not send: answered where due, counted, and nothing grows by it."""
from __future__ import annotations

import random
from typing import Any

import pytest

from kit import message
from kit.flows import flow, ringing
from kit.playbook import Playbook
from kit.script import ScriptBook

MANY = 2000
RELAY = "route { loose_route(); t_relay(); }"


def sizes(play: Playbook) -> tuple[int, int, int]:
    """Return how much tm keeps."""
    tm: Any = play.modules["tm"]
    return len(tm.table.servers), len(tm.table.clients), len(tm.echoes.entries)


def refused(play: Playbook, what: str) -> int:
    return int(getattr(play.env.dispatch, what))


# --- transactions --------------------------------------------------------------------------------------------------

def test_responses_to_nothing() -> None:
    play = flow()
    for number in range(MANY):
        asked = message.request(branch=f"z9hG4bK.w0.lie{number}", via="10.0.0.9:5060")
        play.feed(message.response(asked, 200 + number % 400), "bob")
    assert sizes(play) == (0, 0, 0) and not play.env.timers.count
    assert not [where for where, _ in play.net.log if where != "10.0.0.9:5060"]


def test_responses_that_lie_about_the_branch() -> None:
    play = ringing("bob")
    asked = play.received["bob"][0]
    for change in ((b"1 INVITE", b"1 BYE"), (b"1 INVITE", b"1 CANCEL"), (b"1 INVITE", b"1 INFO")):
        play.feed(message.response(asked, 200).replace(*change), "bob")
    tx = next(iter(play.modules["tm"].table.servers.values()))      # type: ignore[attr-defined]
    assert tx.status == 180 and tx.branches[0].status == 180 and sizes(play)[1] == 1
    play.answer("bob", 486).sent("ACK", "bob")
    assert tx.status == 486


@pytest.mark.parametrize("cseq,code", [
    (b"2147483648 INVITE", 400), (b"4294967296 INVITE", 400), (b"99999999999999999999999 INVITE", 400),
    (b"-1 INVITE", 400), (b"x INVITE", 400), (b"INVITE", 400), (b"1", 400), (b"2147483647 INVITE", 100)])
def test_cseq_that_overflows(cseq: bytes, code: int) -> None:
    play = flow().feed(message.request().replace(b"1 INVITE", cseq)).sent(code)
    assert sizes(play)[0] == (code == 100)


@pytest.mark.parametrize("via", ["", ";branch=", ";branch=1", ";branch=z9hG4bK", ";branch=z9hG4bK;branch=2"])
def test_via_without_a_branch_to_trust(via: str) -> None:
    play = flow().recv("INVITE", branch="", via_params=via)
    if not play.net.log:
        pytest.fail("no answer at all")
    status = int(play.net.log[0][1][8:11])
    assert status in (100, 400)
    for _ in range(50):
        play.again()
    assert sizes(play)[0] == (status == 100) and sizes(play)[1] == (status == 100)


@pytest.mark.parametrize("count,in_one_line", [(200, False), (240, False), (200, True), (1000, True)])
def test_many_vias(count: int, in_one_line: bool) -> None:
    vias = [f"SIP/2.0/UDP 10.1.{number // 250}.{number % 250};branch=z9hG4bK-{number}" for number in range(count)]
    lines = f"Via: {', '.join(vias)}\r\n" if in_one_line else "".join(f"Via: {via}\r\n" for via in vias)
    play = ScriptBook(RELAY, udp_mtu=0).recv("INVITE", headers=lines).sent(100).sent("INVITE", "bob")
    play.check(lambda m: m.raw.count(b"SIP/2.0/UDP") == count + 2).answer("bob", 200).sent(200)
    play.check(lambda m: m.raw.count(b"SIP/2.0/UDP") == count + 1)


def test_longer_than_the_bounds_is_counted_and_dropped() -> None:
    play = ScriptBook(RELAY).recv("INVITE", headers="X-A: " + "a" * 70_000 + "\r\n")
    assert not play.net.log and refused(play, "err_requests") == 1 and sizes(play) == (0, 0, 0)


def test_acks_by_the_thousand() -> None:
    play = ringing("bob").answer("bob", 486).sent("ACK", "bob").sent(486)
    before = sizes(play)
    ack = message.request("ACK", to_tag="tag-bob")
    for _ in range(MANY):
        play.feed(ack)
    play.quiet()
    assert sizes(play) == before
    play.advance(60).gone()


def test_acks_to_nothing() -> None:
    play = flow()
    for number in range(MANY):
        play.feed(message.request("ACK", branch=f"z9hG4bK-{number}", to_tag="x"))
    assert sizes(play) == (0, 0, 0) and not play.env.timers.count
    assert not [data for _, data in play.net.log if data.startswith(b"SIP/2.0")], "nobody answers an ACK"


def test_cancels_by_the_thousand() -> None:
    play = ringing("bob", "carol")
    cancel = message.request("CANCEL")
    for _ in range(MANY):
        play.feed(cancel)
    play.sent("CANCEL", "bob").sent("CANCEL", "carol").quiet("bob", "carol")
    assert sizes(play)[:2] == (2, 2)
    play.answer("bob", 487).answer("carol", 487).advance(60).gone()


def test_cancels_to_nothing() -> None:
    play = flow()
    for number in range(MANY):
        play.feed(message.request("CANCEL", branch=f"z9hG4bK-{number}"))
    assert sizes(play) == (0, 0, 0) and not play.env.timers.count


def test_cancels_with_another_cseq_are_not_ours() -> None:
    play = ringing("bob")
    play.feed(message.request("CANCEL", via="10.0.0.77:5060")).quiet("alice")
    tx: Any = next(iter(play.modules["tm"].table.servers.values()))     # type: ignore[attr-defined]
    assert not tx.cancelled


def test_random_damage_is_never_an_exception() -> None:
    rand = random.Random(4)
    play = ringing("bob")
    seeds = [message.request(), message.request("CANCEL"), message.request("ACK"), message.request("BYE", to_tag="x"),
             message.response(play.received["bob"][0], 183), message.response(play.received["bob"][0], 486)]
    for _ in range(3 * MANY):
        raw = bytearray(rand.choice(seeds))
        for _ in range(rand.randrange(1, 6)):
            at = rand.randrange(len(raw))
            raw[at:at + rand.randrange(4)] = rand.choice([b"", b"\x00", b"\r\n", b",", b";", b"\xff", b"<", b"9" * 30])
        play.feed(bytes(raw), rand.choice(["alice", "bob"]))
    # A route that fails would count there; what cannot be read counts as err_ as well, but says so in its reply.
    assert not [data for _, data in play.net.log if data.startswith(b"SIP/2.0 500")]
    play.advance(400).gone()


# --- lists ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["Route", "Contact", "Via", "Record-Route", "Supported", "Proxy-Require"])
@pytest.mark.parametrize("value", ["", ",", ",,,", "<sip:a>,", ",<sip:a>", "<sip:a>,,<sip:b>", "<", "<sip:a", "\"",
                                   "\"\\",
                                   "<sip:a>;", "<sip:a>;=", "<sip:a>;x=\"", "<>", "<sip:>", "*", "*, <sip:a>",
                                   "<sip:a>" * 20, "SIP/2.0/UDP", "SIP/2.0/UDP ,", "SIP/2.0/UDP x;branch", "\x00",
                                   "\xff"])
def test_lists_that_are_broken(name: str, value: str) -> None:
    play = ScriptBook(RELAY).recv("INVITE", headers=f"{name}: {value}\r\n")
    statuses = [int(data[8:11]) for _, data in play.net.log if data.startswith(b"SIP/2.0")]
    assert statuses and statuses[-1] in (100, 400, 416, 420, 475, 476, 478), statuses
    assert not refused(play, "err_replies")


@pytest.mark.parametrize("name", ["Route", "Contact", "Record-Route"])
@pytest.mark.parametrize("count,in_one_line,statuses", [
    (100, False, [100]), (100, True, [100]), (230, False, [100]), (230, True, [100]), (300, False, [513]),
    (400, True, [100, 400]), (3000, True, [100, 400]), (3000, False, [513])])
def test_lists_that_are_long(name: str, count: int, in_one_line: bool, statuses: list[int]) -> None:
    values = ["<sip:10.0.0.3;lr>"] * count
    lines = f"{name}: {','.join(values)}\r\n" if in_one_line else f"{name}: {values[0]}\r\n" * count
    play = ScriptBook(RELAY, udp_mtu=0).recv("INVITE", headers=lines)
    found = [int(data[8:11]) for _, data in play.net.log if data.startswith(b"SIP/2.0")]
    assert found in ([statuses[:1], statuses[1:], statuses]), found
    passed = [data for _, data in play.net.log if data.startswith(b"INVITE")]
    assert len(passed) == (found == [100])


@pytest.mark.parametrize("line", ["X-Much: x", "X-Much: x\r\n y", "Via: SIP/2.0/UDP 10.1.1.1;branch=z9hG4bK-x"],
                         ids=["plain", "folded", "via"])
@pytest.mark.parametrize("script", [RELAY, RELAY + " error_route { xlog(\"seen\"); }"], ids=["alone", "error_route"])
def test_too_many_headers(line: str, script: str) -> None:
    """RFC 3261 section 21.5.7: what is too much is said, by an answer that is no longer than the question."""
    play = ScriptBook(script)
    raw = message.request(headers=f"{line}\r\n" * 600)
    play.feed(raw)
    answers = [data for _, data in play.net.log]
    assert refused(play, "err_requests") == 1 and sizes(play) == (0, 0, 0)
    if "error_route" in script:
        assert not answers
        return
    assert [data[8:11] for data in answers] == [b"513"] and len(answers[0]) < len(raw)
    for name in (b"\r\nCall-ID: call-1\r\n", b";branch=z9hG4bK-1", b"\r\nCSeq: 1 INVITE\r\n"):
        assert name in answers[0]
    play.feed(message.response(message.request(via="10.0.0.9:5060"), 200, headers="X: y\r\n" * 600), "bob")
    play.feed(message.request("ACK", headers="X: y\r\n" * 600))
    assert len(play.net.log) == 1 and refused(play, "err_replies") == 1


@pytest.mark.parametrize("count", [5, 100, 400])
def test_contacts_of_a_redirection(count: int) -> None:
    contacts = ", ".join(f"<sip:u{number}@10.0.0.3>;q=0.{number % 10}" for number in range(count))
    script = """route { t_on_failure("F"); t_relay(); }
        failure_route[F] { if (t_check_status("3..") && get_redirects()) t_relay(); }"""
    play = ScriptBook(script, "tm", "rr", "uac_redirect").recv("INVITE").sent(100).sent("INVITE", "bob")
    play.answer("bob", 302, headers=f"Contact: {contacts}\r\n")
    sent = sum(data.startswith(b"INVITE") for _, data in play.net.log) - 1
    assert sent == (min(count, play.env.config.max_branches) if count < 256 else 0)
