"""Check the simulation: steps, changes, what leaves, and the comparison of two scripts."""
from __future__ import annotations

from pathlib import Path

import pytest

from osip.core.errors import OsipError
from osip.testing import sim

SCRIPT = """loadmodule "proto_udp.so"
loadmodule "tm.so"
loadmodule "sipmsgops.so"
route {
	$var(n) = 1;
	$avp(list) = "a"; $avp(list) = "b";
	setflag(CALL);
	append_hf("X-New: 1\\r\\n");
	remove_hf("X-Old");
	$du = "sip:10.0.0.8:5099";
	t_on_failure("again");
	t_relay();
}
failure_route[again] {
	$ru = "sip:carol@10.0.0.3";
	t_relay();
}
"""
INVITE = ("INVITE sip:bob@10.0.0.2 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKs\nFrom: <sip:a@b>;tag=1\n"
          "To: <sip:bob@b>\nCall-ID: s\nCSeq: 1 INVITE\nX-Old: 2\n\n")
BUSY = ("SIP/2.0 486 Busy\nVia: SIP/2.0/UDP 9.9.9.9;branch=z9hG4bKz\nFrom: <sip:a@b>;tag=1\nTo: <sip:bob@b>;tag=2\n"
        "Call-ID: old\nCSeq: 1 INVITE\n\n")


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    out = []
    for name, text in (("s.cfg", SCRIPT), ("invite.sip", INVITE), ("busy.sip", BUSY),
                       ("t.cfg", SCRIPT.replace("X-New: 1", "X-New: 2"))):
        (tmp_path / name).write_text(text)
        out.append(str(tmp_path / name))
    return out


def test_what_it_prints(files: list[str]) -> None:
    text = sim.as_text(sim.simulate(files[0], files[1:3], sim.Setup()))
    lines = text.split("\n")
    assert lines[:2] == ["<<< INVITE sip:bob@10.0.0.2 from udp:10.0.0.1:5060", "route"]
    for number, change in ((5, "$var(n) = 1 (was null)"), (6, '$avp(list) = "a" (was null)'),
                           (7, 'flags = "CALL" (was null)'), (8, "message: + X-New: 1"), (9, "message: - X-Old: 2"),
                           (10, '$du = "sip:10.0.0.8:5099" (was null)')):
        at = next(place for place, line in enumerate(lines) if line.startswith(f"{number:5}  "))
        assert lines[at + 1] == f"         * {change}", lines[at:at + 3]
    assert "failure_route[again]" in lines
    assert '         * $ru = "sip:carol@10.0.0.3" (was "sip:bob@10.0.0.2")' in lines
    assert lines.count(">>> to udp:10.0.0.8:5099") == 3            # both INVITEs and the ACK of the refusal
    assert "    INVITE sip:carol@10.0.0.3 SIP/2.0" in lines


def test_as_json(files: list[str]) -> None:
    found = sim.as_json(sim.simulate(files[0], files[1:2], sim.Setup()))
    kinds = [event["event"] for event in found["events"]]
    assert kinds[:3] == ["received", "route", "step"] and "sent" in kinds
    assert found["variables"] == {"n": 1}
    assert next(event for event in found["events"] if event["event"] == "step")["line"] == 5


def test_difference(files: list[str]) -> None:
    runs = [sim.simulate(path, files[1:2], sim.Setup()) for path in (files[0], files[0], files[3])]
    assert sim.difference(runs[0], runs[1]) == []
    found = sim.difference(runs[0], runs[2])
    assert "-    X-New: 1" in found and "+    X-New: 2" in found


def test_setup(files: list[str]) -> None:
    fixtures = ["dns=x.example.com=10.0.0.6,10.0.0.7", "cache=local=k=v", "var=n=5", "var=s=text", "down=10.0.0.8"]
    bench = sim.simulate(files[0], files[1:2], sim.Setup("10.0.0.5:5066", fixtures=fixtures, advance=1.0))
    assert (bench.var("n"), bench.var("s"), bench.cache.get("local", "k")) == (1, "text", "v")
    assert not any(sent.dest.host == "10.0.0.8" for sent in bench.sent)
    assert bench.sent[0].goes_to("10.0.0.5")


@pytest.mark.parametrize("word", ["nonsense", "dns=x", "cache=a=b", "down=", "location=a"])
def test_wrong_fixtures(files: list[str], word: str) -> None:
    with pytest.raises(OsipError, match="is none of"):
        sim.simulate(files[0], files[1:2], sim.Setup(fixtures=[word]))


def test_an_answer_needs_a_request(files: list[str]) -> None:
    with pytest.raises(OsipError, match="nothing was asked"):
        sim.simulate(files[0], files[2:3], sim.Setup())


BYE = ("BYE sip:bob@10.0.0.2 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKb\nFrom: <sip:a@b>;tag=1\n"
       "To: <sip:bob@b>;tag=2\nCall-ID: s\nCSeq: 2 BYE\n\n")


def test_scripted_answers(files: list[str], tmp_path: Path) -> None:
    (tmp_path / "bye.sip").write_text(BYE)
    answers = ["180", "486 Busy Here", "wait=2", "sip:carol@10.0.0.3=200 Fine", "200", "500"]
    bench = sim.simulate(files[0], [files[1], str(tmp_path / "bye.sip")], sim.Setup(answers=answers))
    replies = [sent.title for sent in bench.sent if not sent.is_request and sent.msg.status != 100]
    assert [one.partition(" ->")[0] for one in replies] == ["SIP/2.0 180 Ringing", "SIP/2.0 200 Fine", "SIP/2.0 200 OK"]
    assert sim.as_text(bench).endswith("\nnote: 1 of the answers were not asked for")
    assert sim.as_json(bench)["events"][-1] == {"event": "note", "text": "1 of the answers were not asked for"}
    times = [sent.at for sent in bench.sent if not sent.is_request and sent.msg.status in (180, 200)]
    assert round(times[1] - times[0]) == 2, "the wait before the answer"


def test_inputs_with_senders_and_times(files: list[str]) -> None:
    raw = INVITE.replace("\n", "\r\n").encode()
    far = sim.Input(raw.replace(b"Call-ID: s", b"Call-ID: t").replace(b"bKs", b"bKt"), "udp:10.0.0.9:5090", 5.0)
    busy = sim.Input(BUSY.replace("\n", "\r\n").replace("Call-ID: old", "Call-ID: s").encode(), "udp:10.0.0.8:5099", 1.0)
    bench = sim.simulate(files[0], [sim.Input(raw), far, busy], sim.Setup(own="192.0.2.77"))
    assert bench.env.is_myself("192.0.2.77") and not bench.env.is_myself("192.0.2.78")
    assert [sent.at - bench.sent[0].at for sent in bench.sent if sent.goes_to("10.0.0.9")][:1] == pytest.approx([5], abs=.2)
    carol = [sent for sent in bench.sent if sent.is_request and sent.msg.ruri == "sip:carol@10.0.0.3"]
    assert [sent.msg.call_id for sent in carol][:1] == ["s"], "the answer belongs to the first call"


def test_statements_of_included_files_name_their_file(tmp_path: Path, files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "more.cfg").write_text("route[more] {\n\t$var(m) = 1;\n}\n")
    (tmp_path / "main.cfg").write_text('loadmodule "proto_udp.so"\ninclude_file "more.cfg"\nroute {\n\troute(more);\n}\n')
    lines = sim.as_text(sim.simulate("main.cfg", files[1:2], sim.Setup())).split("\n")
    assert "    4  route(more);" in lines and "  more.cfg:2  $var(m) = 1;" in lines
