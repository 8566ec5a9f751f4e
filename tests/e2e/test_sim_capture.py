"""A captured call played through a shipped script: what the old server was given, the script handles to its end."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from kit.pcap import ip, link, pcap, tcp, udp

ROOT = Path(__file__).resolve().parents[2]
ALICE, SERVER, BOB = "198.51.100.7", "203.0.113.9", "198.51.100.8"


def message(start: str, *lines: str, tag: str = "") -> bytes:
    method = lines[0].split()[-1] if lines else start.split()[0]
    number = "2" if "BYE" in (method, start.split()[0]) else "1"
    head = [start, *[line for line in lines if ":" in line], f"From: <sip:alice@{SERVER}>;tag=a",
            f"To: <sip:bob@{SERVER}>{';tag=' + tag if tag else ''}", "Call-ID: captured@x", f"CSeq: {number} {method}",
            "Content-Length: 0"]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


def captured() -> bytes:
    """Write a capture of a call from alice (TCP) by the old server to bob (UDP), who hangs up."""
    via, route = f"Via: SIP/2.0/TCP {ALICE};branch=z9hG4bK", f"Route: <sip:{SERVER};lr>"
    old = f"Via: SIP/2.0/UDP {SERVER};branch=z9hG4bKold"
    stream = (message(f"INVITE sip:bob@{SERVER} SIP/2.0", "INVITE", via + "1", "Max-Forwards: 70",
                      f"Contact: <sip:alice@{ALICE}:40000;transport=tcp>")
              + message(f"ACK sip:bob@{BOB} SIP/2.0", "ACK", via + "2", "Max-Forwards: 70", route, tag="b"))
    cut = 100
    ringing = message("SIP/2.0 180 Ringing", "INVITE", old, via + "1", tag="b")
    answer = message("SIP/2.0 200 OK", "INVITE", old, via + "1", f"Contact: <sip:bob@{BOB}>", tag="b")
    bye = message(f"BYE sip:alice@{ALICE}:40000;transport=tcp SIP/2.0", "BYE", f"Via: SIP/2.0/UDP {BOB};branch=z9hG4bK9",
                  "Max-Forwards: 70", route, tag="b").replace(b"From:", b"X:").replace(b"To:", b"From:").replace(
                      b"X:", b"To:")
    end = stream.index(b"\r\n\r\n") + 4
    packets = [(0.0, ip(tcp(b"", 99, 2), 6, ALICE, SERVER)), (0.1, ip(tcp(stream[:cut], 100), 6, ALICE, SERVER)),
               (0.2, ip(tcp(stream[cut:end], 100 + cut), 6, ALICE, SERVER)),
               (0.3, ip(udp(stream[:end]), 17, SERVER, BOB)),           # what the old server sent is not played
               (1.0, ip(udp(ringing), 17, BOB, SERVER)), (4.0, ip(udp(answer), 17, BOB, SERVER)),
               (4.1, ip(tcp(stream[end:], 100 + end), 6, ALICE, SERVER)), (30.0, ip(udp(bye), 17, BOB, SERVER))]
    return pcap([(1000.0 + at, link(data, 113)) for at, data in packets], 113)


def test_a_captured_call(tmp_path: Path) -> None:
    path = tmp_path / "call.pcap"
    path.write_bytes(captured())
    command = [sys.executable, "-m", "osip", "sim", str(ROOT / "cfg/residential.cfg"), "--pcap", str(path), "-o", "json",
               "--set", f"location=bob@{SERVER}=sip:bob@{BOB}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    events = json.loads(done.stdout)["events"]
    assert [one["message"].split()[0:2][-1] if one["message"].startswith("SIP/") else one["message"].split()[0]
            for one in events if one["event"] == "received"] == ["INVITE", "180", "200", "ACK", "BYE"]
    sent = [(one["message"].split("\r\n")[0], one["to"]) for one in events
            if one["event"] == "sent" and not one["repeat"]]        # bob took his time: the INVITE went out again
    assert [one for one in sent if not one[0].startswith("SIP/2.0 100")] == [
        (f"INVITE sip:bob@{BOB} SIP/2.0", f"udp:{BOB}:5060"), ("SIP/2.0 180 Ringing", f"tcp:{ALICE}:40000"),
        ("SIP/2.0 200 OK", f"tcp:{ALICE}:40000"), (f"ACK sip:bob@{BOB} SIP/2.0", f"udp:{BOB}:5060"),
        (f"BYE sip:alice@{ALICE}:40000;transport=tcp SIP/2.0", f"tcp:{ALICE}:40000")]
    assert any(one["event"] == "log" and "transaction answered" in one["text"] for one in events)
