"""Check the calls of tests: requests within a dialog, branches, what failing expectations say."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from osip.core.errors import OsipError
from osip.testing.bench import Bench
from osip.testing.expect import Mismatch

CFG = Path(__file__).resolve().parents[3] / "cfg"


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench(CFG / "residential.cfg") as made:
        made.location.add("bob@localhost", "sip:bob@10.0.0.2:5070")
        yield made


def test_a_whole_call_with_both_ends(bench: Bench) -> None:
    call = bench.send("INVITE sip:bob@localhost", from_="sip:alice@localhost", source="10.0.0.1:5062")
    call.expect_relay("sip:bob@10.0.0.2:5070").answer(200).expect_reply(200, to="10.0.0.1:5062").ack().expect_relay()
    call.request_within("INFO", body="x").expect_relay("sip:bob@10.0.0.2:5070", body="x", header={"Route": None})
    call.answer(200).expect_reply(200)
    call.request_within("BYE", by="callee").expect_relay("sip:alice@10.0.0.1:5062", to="10.0.0.1:5062")
    assert call.got is not None and call.got.msg.from_.param("tag") == "callee-10.0.0.2:5070"
    call.answer(200).expect_reply(200, to="10.0.0.2:5070").expect_nothing()
    assert [call.request.method, call.request.cseq] == ["BYE", 1]


def test_branches_are_answered_by_address_or_uri(bench: Bench) -> None:
    bench.location.add("bob@localhost", "sip:bob@10.0.0.3")
    call = bench.send("INVITE sip:bob@localhost", from_="sip:alice@localhost")
    call.expect_relay(to="10.0.0.2").expect_relay(to="10.0.0.3")
    call.answer(486, to="sip:bob@10.0.0.3").answer(180, to="10.0.0.2:5070").expect_reply(180)
    with pytest.raises(Mismatch, match="no INVITE to answer at 10.0.0.3"):
        call.answer(200, to="10.0.0.3")
    call.answer(480).expect_reply("48x").ack().expect_nothing()


def test_a_repeat_is_none_of_the_expectations(bench: Bench) -> None:
    call = bench.send("INVITE sip:bob@localhost", from_="sip:alice@localhost").expect_relay().advance(2)
    assert sum(sent.repeat for sent in bench.sent) >= 1
    call.again().expect_nothing()


@pytest.mark.parametrize(("expect", "words"), [
    (lambda call: call.expect_relay("sip:x@y"), ["expected INVITE sip:x@y to be relayed", "INVITE sip:bob@10.0.0.2:5070"]),
    (lambda call: call.expect_relay(header={"X": ...}), ["header X should be any value, is missing"]),
    (lambda call: call.expect_relay(header={"Via": None}), ["should not be there"]),
    (lambda call: call.expect_relay(header={"Max-Forwards": "~^7"}), ["Max-Forwards", "69"]),
    (lambda call: call.expect_relay(body="x"), ["body should be 'x'"]),
    (lambda call: call.expect_reply(200), ["expected a reply 200", "sent: INVITE"]),
    (lambda call: call.expect_nothing(), ["expected nothing more", "INVITE sip:bob"]),
    (lambda call: call.expect_log("~never"), ["expected a log line '~never'"]),
    (lambda call: call.expect_route("nowhere"), ["expected route nowhere", "ran: route[relay]"]),
    (lambda call: call.ack(), ["no final answer yet"]),
    (lambda call: call.answer(200, method="BYE"), ["there is no BYE to answer"]),
])
def test_failures_say_what_came_instead(bench: Bench, expect: object, words: list[str]) -> None:
    call = bench.send("INVITE sip:bob@localhost", from_="sip:alice@localhost")
    with pytest.raises(Mismatch) as caught:
        expect(call)        # type: ignore[operator]
    for word in words:
        assert word in str(caught.value)


def test_raw_messages_and_recorded_answers(bench: Bench, tmp_path: Path) -> None:
    asked = tmp_path / "invite.sip"
    asked.write_text("INVITE sip:bob@localhost SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKr\n"
                     "From: <sip:alice@localhost>;tag=1\nTo: <sip:bob@localhost>\nCall-ID: recorded\nCSeq: 4 INVITE\n"
                     "Contact: <sip:alice@10.0.0.1>\n")
    call = bench.message(asked).expect_relay()
    assert call.id == "recorded"
    call.feed(b"SIP/2.0 183 Going\r\nVia: SIP/2.0/UDP 1.2.3.4;branch=z9hG4bKold\r\nFrom: <sip:a@b>;tag=x\r\n"
              b"To: <sip:c@d>;tag=y\r\nCall-ID: old\r\nCSeq: 9 INVITE\r\nX-Kept: 1\r\nContent-Length: 0\r\n\r\n")
    call.expect_reply(183, "Going", header={"X-Kept": "1", "Call-ID": "recorded", "CSeq": "4 INVITE", "To": "~tag=y"})


def test_what_cannot_be_done_is_said(bench: Bench) -> None:
    with pytest.raises(OsipError, match="METHOD URI"):
        bench.send("INVITE")
    with pytest.raises(OsipError, match="cannot read"):
        bench.message(Path("nowhere.sip"))
    with pytest.raises(OsipError, match="relayed no MESSAGE"):
        bench.message(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 1.2.3.4\r\nCSeq: 1 MESSAGE\r\n\r\n")
