"""HEP in scripts: correlations, packets of other modules, and a whole server that receives captures."""
from __future__ import annotations

import asyncio
import json
import socket
import ssl
from pathlib import Path

import pytest
from kit.certificates import Authority
from kit.message import request
from kit.peer import free_port
from kit.script import ScriptBook, faults_of
from kit.server import osip_server

from osip.api import HEP_LOG, HepPacket, ModuleError, decode_hep, encode_hep
from osip.modules.proto_hep import ProtoHep
from osip.modules.proto_hep.sender import parse_server

SCRIPT = '''modparam("proto_hep", "hep_id", "[dst] 127.0.0.1:%d") modparam("proto_hep", "hep_capture_id", 42)
modparam("proto_hep", "homer5_on", %d) modparam("proto_hep", "compressed_payload", %d)
route { if (correlate("dst", "a", "$ci", "b", "two")) xlog("told"); if (!correlate("none", "a", "1", "b", "2")) xlog("no"); }'''


@pytest.mark.parametrize(("homer5", "compressed", "payload"), [
    (1, 0, "a:call-1:b:two"), (0, 1, json.dumps({"a": "call-1", "b": "two"}))])
async def test_correlate(homer5: int, compressed: int, payload: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        book = ScriptBook(SCRIPT % (server.getsockname()[1], homer5, compressed), "proto_hep")
        module = book.modules["proto_hep"]
        await module.child_init(book.env)
        try:
            book.recv("OPTIONS")
            async with asyncio.timeout(5):
                found = decode_hep(await asyncio.get_running_loop().sock_recv(server, 9999))
            assert (found.payload.decode(), found.kind, found.correlation) == (payload, HEP_LOG, "call-1")
            assert (found.source, found.dest, found.capture_id) == ("10.0.0.1", "10.0.0.9", 42)
            assert found.seconds > 1_500_000_000
            assert "told" in book.said and "no" in book.said
            assert not module.send("dst", HepPacket("192.0.2.1", 1, "2001:db8::1", 2, b""))
        finally:
            await module.destroy()


async def test_old_versions_carry_sip_alone() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        book = ScriptBook(f'''modparam("proto_hep", "hep_id", "[old] 127.0.0.1:{server.getsockname()[1]}; version=2")
route {{ if (!correlate("old", "a", "1", "b", "2")) xlog("no"); }}''', "proto_hep")
        module = book.modules["proto_hep"]
        await module.child_init(book.env)
        try:
            book.recv("OPTIONS")
            assert "no" in book.said
            assert module.send("old", HepPacket("192.0.2.1", 1, "192.0.2.2", 2, b"SIP"))
            await asyncio.sleep(0)
            found = decode_hep(await asyncio.to_thread(server.recv, 9999))
            assert (found.version, found.payload) == (2, b"SIP")
        finally:
            await module.destroy()


def test_bad_settings() -> None:
    assert faults_of('modparam("proto_hep", "hep_id", "[a] h:1;version=9") route { exit; }', "proto_hep")
    module = ProtoHep()
    module.hep_id = [parse_server("[a] 192.0.2.1:1"), parse_server("[a] 192.0.2.2:1")]
    with pytest.raises(ModuleError, match='"a" is there twice'):
        module.mod_init()


def test_tls_needs_certificates() -> None:
    text = 'socket = udp:127.0.0.1:5060 socket = hep_tls:127.0.0.1:9061 %s route { exit; }'
    found, = faults_of(text % "", "proto_udp", "proto_hep")
    assert "E504" in str(found) and "tls_mgm" in str(found)


def test_a_server_takes_captures_and_does_not_answer(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files, hep, hep_tls = authority.issue("server", hosts=("homer.example",)), free_port(), free_port()
    cfg = f'''socket = udp:127.0.0.1:5060
socket = hep_udp:127.0.0.1:{hep}
socket = hep_tcp:127.0.0.1:{hep}
socket = hep_tls:127.0.0.1:{hep_tls}
loadmodule "proto_udp.so"
loadmodule "proto_hep.so"
loadmodule "tls_mgm.so"
loadmodule "sl.so"
modparam("tls_mgm", "server_domain", "homer")
modparam("tls_mgm", "match_sip_domain", "[homer]homer.example")
modparam("tls_mgm", "match_ip_address", "[homer]127.0.0.1:{hep_tls}")
modparam("tls_mgm", "certificate", "[homer]{files.cert}")
modparam("tls_mgm", "private_key", "[homer]{files.key}")
modparam("tls_mgm", "verify_cert", "[homer]0")
modparam("tls_mgm", "require_cert", "[homer]0")
route {{
    if ($socket_in(proto) =~ "hep") xlog("captured $ci from $si:$sp by $socket_in(proto)\\n");
    sl_send_reply(200, "OK");
}}
'''
    context = ssl.create_default_context(cafile=str(authority.files.cert))
    with osip_server(cfg, tmp_path) as server:
        for proto in ("hep_udp", "hep_tcp", "hep_tls"):
            raw = request("OPTIONS", call_id=f"by-{proto}").replace(b"10.0.0.1:5060", b"10.0.0.1")      # a port of its own
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if proto == "hep_udp" else socket.SOCK_STREAM) as plain:
                plain.connect(("127.0.0.1", hep_tls if proto == "hep_tls" else hep))
                plain.settimeout(0.15)
                probe = context.wrap_socket(plain, server_hostname="homer.example") if proto == "hep_tls" else plain
                with probe:
                    probe.send(encode_hep(HepPacket("127.0.0.77", 5099, "192.0.2.2", 5060, raw, seconds=1)))
                    with pytest.raises(TimeoutError):
                        probe.recv(100)
            server.child.wait_for(f"captured by-{proto} from 127.0.0.77:5099 by {proto.upper()}")
        with pytest.raises(ssl.SSLCertVerificationError), socket.create_connection(("127.0.0.1", hep_tls)) as plain:
            ssl.create_default_context().wrap_socket(plain, server_hostname="homer.example")
