"""Check `osip sim`: text, JSON, difference, complaints."""
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.pcap import ip, link, pcap, udp

from osip.cli.sim import sim

SCRIPT = 'loadmodule "proto_udp.so"\nloadmodule "sl.so"\nroute {\n\t$var(x) = $Ts;\n\tsl_send_reply(CODE, "Well");\n}\n'


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "s.cfg").write_text(SCRIPT)
    (tmp_path / "m.sip").write_text("OPTIONS sip:x@y SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\n"
                                    "From: <sip:a@b>;tag=1\nTo: <sip:x@y>\nCall-ID: 1\nCSeq: 1 OPTIONS\n")
    (tmp_path / "t.cfg").write_text(SCRIPT.replace("CODE", "404"))
    return tmp_path / "s.cfg", tmp_path / "m.sip"


def test_text(files: tuple[Path, Path], run: Callable[..., Any]) -> None:
    result = run(sim, *files, "--define", "CODE=200", "--now", "2026-01-01T00:00:01", "--short", "--from", "10.0.0.7")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "<<< OPTIONS sip:x@y from udp:10.0.0.7:5060", "route", "    4  $var(x) = $Ts;",
        "         * $var(x) = 1767225601 (was null)", '    5  sl_send_reply(CODE, "Well");', ">>> to udp:10.0.0.7:5060",
        "    SIP/2.0 200 Well"]


def test_json_and_difference(files: tuple[Path, Path], run: Callable[..., Any]) -> None:
    found = json.loads(run(sim, *files, "--define", "CODE=200", "-o", "json").stdout)
    assert [event["event"] for event in found["events"]] == ["received", "route", "step", "step", "sent"]
    other = files[0].with_name("t.cfg")
    result = run(sim, *files, "--define", "CODE=200", "--diff", other)
    assert result.exit_code == 1 and "-    SIP/2.0 200 Well" in result.stdout and "+    SIP/2.0 404 Well" in result.stdout
    result = run(sim, *files, "--define", "CODE=404", "--diff", other)
    assert (result.exit_code, result.stdout) == (0, "no difference\n")


def test_complaints(files: tuple[Path, Path], run: Callable[..., Any]) -> None:
    for words, code, text in ((("--set", "x=y", "--define", "CODE=200"), 1, "is none of"), ((), 5, "E402"),
                              (("--now", "soon", "--define", "CODE=200"), 1, "no time")):
        result = run(sim, *files, *words)
        assert result.exit_code == code and text in result.stderr, result.output
    assert run(sim, files[0]).exit_code == 2
    assert run(sim, files[0], files[1].with_name("no.sip"), "--define", "CODE=200").exit_code == 1


def test_arguments_and_preprocessor(files: tuple[Path, Path], run: Callable[..., Any]) -> None:
    files[0].write_text(SCRIPT.replace("CODE", "WORD").replace('"Well"', '"$argv(why)"'))
    result = run(sim, *files, "-p", "sed s/WORD/404/", "--argv", "why=Gone", "--short")
    assert ">>> to udp:10.0.0.1:5060\n    SIP/2.0 404 Gone\n" in result.stdout, result.output


def test_rows(files: tuple[Path, Path], run: Callable[..., Any]) -> None:
    files[0].write_text('loadmodule "proto_udp.so"\nloadmodule "sl.so"\nloadmodule "signaling.so"\n'
                        'loadmodule "db_sqlite.so"\nloadmodule "permissions.so"\n'
                        'route {\n\tif (check_source_address(1)) sl_send_reply(200, "Known");\n}\n')
    known = "row=address=ip=10.0.0.1,mask=32,grp=1,port=0,proto=any"
    assert "SIP/2.0 200 Known" in run(sim, *files, "--set", known).stdout
    result = run(sim, *files)
    assert result.exit_code == 0 and "SIP/2.0 200" not in result.stdout, result.output
    result = run(sim, *files, "--set", "row=address=ipp=10.0.0.1")
    assert result.exit_code == 1 and 'row of table "address"' in result.stderr, result.output


def test_capture_answers_and_standard_input(files: tuple[Path, Path], tmp_path: Path, run: Callable[..., Any]) -> None:
    script, message = files
    raw = message.read_bytes().replace(b"\n", b"\r\n") + b"\r\n"
    other = raw.replace(b"Call-ID: 1", b"Call-ID: 2")
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap([(100.0 + at, link(ip(udp(data, 5066), 17, "198.51.100.7", "203.0.113.9"), 113))
                           for at, data in enumerate((raw, other))], 113))
    code = ("--define", "CODE=200", "--short")
    text = run(sim, script, "--pcap", path, *code).stdout
    assert text.count("<<< OPTIONS sip:x@y from udp:198.51.100.7:5066") == 2
    assert "$var(x) = 100 (was null)" in text and "$var(x) = 101 (was 100)" in text, "the clock is that of the capture"
    for choice in (("--index", "2"), ("--call-id", "2")):
        events = json.loads(run(sim, script, "--pcap", path, *choice, "-o", "json", *code).stdout)["events"]
        assert [one["message"] for one in events if one["event"] == "received"] == [other.decode()]
    rows = run(sim, script, "--pcap", path, "--list").stdout.splitlines()
    assert len(rows) == 3 and rows[2].split()[:3] == ["2", "1.000", "2"]
    assert json.loads(run(sim, script, "--pcap", path, "--list", "-o", "json").stdout)[0]["call_id"] == "1"
    assert "not asked for" in run(sim, script, message, "--answer", "486", *code).stdout
    for words, status in (((script,), 2), ((script, message, "--index", "1"), 2), ((script, "--pcap", message), 1),
                          ((script, message, "--answer", "busy", *code), 1), ((script, "--pcap", path, "--index", "9"), 1)):
        assert run(sim, *words).exit_code == status, words
