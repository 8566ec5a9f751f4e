"""What needs a network of its own: addresses on several interfaces, routes, multicast, type of service, forged sources.

Each test runs `INSIDE` in a fresh network namespace, which the kernel takes away with its last process.
"""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CAN = os.geteuid() == 0 and shutil.which("unshare") and shutil.which("ip") and \
    subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode == 0
pytestmark = pytest.mark.skipif(not CAN, reason="making a network namespace is not allowed here")

NETWORK = """set -e
ip link set lo up multicast on
ip addr add 10.77.1.1/24 dev lo
ip addr add 10.77.2.1/24 dev lo
ip -6 addr add fd77::1/64 dev lo nodad
ip route add 224.0.0.0/4 dev lo
"""

INSIDE = '''
import json, os, pathlib, re, socket, subprocess, sys, time
folder, cfg = pathlib.Path(sys.argv[1]), sys.argv[2]
(folder / "net.cfg").write_text(cfg)
log = open(folder / "log", "wb")
server = subprocess.Popen([sys.executable, "-m", "osip", "start", "-f", str(folder / "net.cfg"), "--grace", "1"],
                          stdout=log, stderr=log)

def options(call_id, ruri="sip:x@nowhere.example", via="10.77.1.1:6000", params="", method="OPTIONS"):
    return (f"{method} {ruri} SIP/2.0\\r\\nVia: SIP/2.0/UDP {via};branch=z9hG4bK{call_id}{params}\\r\\n"
            f"Max-Forwards: 70\\r\\nFrom: <sip:a@b>;tag=1\\r\\nTo: <sip:x@y>\\r\\nCall-ID: {call_id}\\r\\n"
            f"CSeq: 1 {method}\\r\\nContent-Length: 0\\r\\n\\r\\n").encode()

def peer(host, port=0):
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.settimeout(3)
    return sock

def bracket(host):
    return f"[{host}]" if ":" in host else host

def ready(where):
    probe = peer(where[0])
    probe.settimeout(0.2)
    for number in range(100):
        try:
            probe.sendto(options(f"probe{number}", via=f"{bracket(where[0])}:{probe.getsockname()[1]}"), where)
            return probe.recv(9999)
        except (TimeoutError, OSError):
            if server.poll() is not None:
                break
            time.sleep(0.05)
    raise SystemExit((folder / "log").read_text())

def memory():
    return int(re.search(r"VmRSS:\\s+(\\d+)", pathlib.Path(f"/proc/{server.pid}/status").read_text())[1])

try:
    result = work()
finally:
    server.terminate()
    server.wait(10)
print("RESULT " + json.dumps(result))
'''


def run(work: str, cfg: str, folder: Path) -> Any:
    """Run `def work(): ...` beside a server in a namespace; return what it returned."""
    code = INSIDE.replace("try:\n    result", work + "\n\ntry:\n    result", 1)
    done = subprocess.run(["unshare", "-n", "sh", "-c", NETWORK + 'exec "$@"', "sh", sys.executable, "-c", code,
                           str(folder), cfg], capture_output=True, text=True, timeout=90, check=False)
    marked = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert marked, done.stdout + done.stderr
    return json.loads(marked[0][7:])


LOAD = 'loadmodule "proto_udp.so" loadmodule "sl.so" loadmodule "tm.so" loadmodule "sipmsgops.so" loadmodule "rr.so"\n'
RELAY = LOAD + '''socket = udp:10.77.1.1:5060
socket = udp:10.77.2.1:5060
%s
route { if ($rU == "x") { sl_send_reply(200, "OK"); exit; } %s record_route(); t_relay(); }
'''
RELAYED = '''def work():
    ready(("10.77.1.1", 5060))
    far, near = peer("%s", 7000), peer("10.77.1.1", 6000)
    near.sendto(options("c1", "sip:far@%s:7000"), ("10.77.1.1", 5060))
    raw, source = far.recvfrom(9999)
    text = raw.decode()
    return [source[0], re.search(r"Via: SIP/2.0/UDP ([^;]*)", text)[1], re.search(r"Record-Route: <sip:([^;>]*)", text)[1]]
'''


@pytest.mark.parametrize(("setting", "word", "expected"), [
    ("mhomed = no", "", ["10.77.1.1", "10.77.1.1:5060"]),
    ("mhomed = yes", "", ["10.77.2.1", "10.77.2.1:5060"]),
    ("mhomed = yes", 'force_send_socket("udp:10.77.1.1:5060");', ["10.77.1.1", "10.77.1.1:5060"]),
    ('mhomed = yes advertised_address = "out.example" advertised_port = 6060', "", ["10.77.2.1", "out.example:6060"])])
def test_mhomed_and_advertised(setting: str, word: str, expected: list[str], tmp_path: Path) -> None:
    assert run(RELAYED % ("10.77.2.1", "10.77.2.1"), RELAY % (setting, word), tmp_path)[:2] == expected


def test_as_and_tag(tmp_path: Path) -> None:
    cfg = LOAD + '''socket = udp:10.77.1.1:5060
socket = udp:10.77.2.1:5060 as 203.0.113.9:5999 tag outside
route { if ($rU == "x") { sl_send_reply(200, "$socket_in(tag)/$socket_in(advertised_ip)"); exit; }
    $socket_out = "outside"; record_route(); t_relay(); }
'''
    work = RELAYED % ("10.77.2.1", "10.77.2.1")
    source, via, route = run(work.replace('    ready(("10.77.1.1", 5060))\n', '    ready(("10.77.2.1", 5060))\n'), cfg, tmp_path)
    assert (source, via, route) == ("10.77.2.1", "203.0.113.9:5999", "203.0.113.9:5999")


@pytest.mark.parametrize(("tos", "expected"), [("", 0), ("tos = 0x10", 0x10), ("tos = IPTOS_THROUGHPUT", 8),
                                               ("tos = 184", 184)])
def test_tos(tos: str, expected: int, tmp_path: Path) -> None:
    work = '''def work():
    ready(("10.77.1.1", 5060))
    near = peer("10.77.1.1", 6000)
    near.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    near.sendto(options("c1"), ("10.77.1.1", 5060))
    return near.recvmsg(9999, 64)[1][0][2][0]
'''
    assert run(work, RELAY % (tos, ""), tmp_path) == expected


@pytest.mark.parametrize("ttl", [1, 3])
def test_multicast(ttl: int, tmp_path: Path) -> None:
    cfg = LOAD + f'''mcast_ttl = {ttl}
mcast_loopback = yes
socket = udp:10.77.1.1:5060
socket = udp:224.0.1.75:5060
route {{ if ($rU == "x") {{ sl_send_reply(200, "$socket_in(ip)"); exit; }} t_relay(); }}
'''
    work = '''def work():
    ready(("10.77.1.1", 5060))
    near, group = peer("10.77.1.1", 6000), peer("224.0.1.76", 7000)
    group.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.1.76") + socket.inet_aton("10.77.1.1"))
    group.setsockopt(socket.IPPROTO_IP, 12, 1)        # IP_RECVTTL
    group.settimeout(1)
    near.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.77.1.1"))
    near.sendto(options("m1"), ("224.0.1.75", 5060))
    joined = near.recv(9999).decode().split("\\\\r")[0]
    near.sendto(options("m2", "sip:all@somewhere.example;maddr=224.0.1.76:7000", method="MESSAGE").replace(
        b"maddr=224.0.1.76:7000", b"maddr=224.0.1.76").replace(b"somewhere.example;", b"somewhere.example:7000;"), ("10.77.1.1", 5060))
    try:
        raw, records, _, _ = group.recvmsg(9999, 64)
        return [joined, int.from_bytes(records[0][2][:4], "little")]
    except TimeoutError:
        return [joined, 0]
'''
    joined, heard = run(work, cfg, tmp_path)
    assert joined.startswith("SIP/2.0 200 224.0.1.75") and heard == ttl


def test_ipv6_only(tmp_path: Path) -> None:
    cfg = LOAD + '''socket = udp:[fd77::1]:5060
socket = udp:[::1]:5060
route { if ($rU == "x") { sl_send_reply(200, "$socket_in(ip) $af $si"); exit; } record_route(); t_relay(); }
'''
    work = r'''def work():
    answer = ready(("fd77::1", 5060)).decode().split("\r")[0]
    far, near = peer("fd77::1", 7000), peer("::1", 6000)
    near.sendto(options("c1", "sip:far@[fd77::1]:7000", via="[::1]:6000"), ("::1", 5060))
    raw, source = far.recvfrom(9999)
    lines = [line for line in raw.decode().split("\r\n") if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
    far.sendto("\r\n".join(["SIP/2.0 200 OK", *lines, "Content-Length: 0", "", ""]).encode(), source[:2])
    return [answer, raw.decode(), near.recv(9999).decode()]
'''
    answer, text, reply = run(work, cfg, tmp_path)
    assert answer.replace("[", "").replace("]", "") == "SIP/2.0 200 fd77::1 INET6 fd77::1"
    assert "Record-Route: <sip:[" in text and ";received=" not in text and reply.startswith("SIP/2.0 200 OK")


def test_a_flood_from_forged_addresses(tmp_path: Path) -> None:
    cfg = LOAD + '''loadmodule "pike.so"
modparam("pike", "reqs_density_per_unit", 20)
socket = udp:10.77.1.1:5060
socket = udp:127.0.0.1:5060
route { if (!pike_check_req()) exit; sl_send_reply(200, "OK"); }
'''
    work = '''def work():
    ready(("10.77.1.1", 5060))
    def flood(first, count):
        for number in range(first, first + count):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((f"127.{1 + number // 62500 % 200}.{number // 250 % 250}.{1 + number % 250}", 0))
            sock.sendto(options(f"f{number}") if number % 3 else b"rubbish %d, as long as it takes" % number, ("127.0.0.1", 5060))
            sock.close()
    flood(0, 20000)
    before = memory()
    flood(20000, 40000)
    after = memory()
    near = peer("10.77.1.1", 6000)
    served = 0
    for number in range(10):
        near.sendto(options(f"s{number}"), ("10.77.1.1", 5060))
        served += near.recv(9999).startswith(b"SIP/2.0 200")
    return [before, after, served, (folder / "log").read_bytes().count(b"\\n")]
'''
    before, after, served, lines = run(work, cfg, tmp_path)
    assert served == 10, "those who behave are served all the same"
    assert after - before < 30_000, f"memory grew from {before} to {after} kB"
    assert lines < 200
