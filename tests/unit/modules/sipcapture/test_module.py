"""Storing what is captured, what scripts do with HEP packets, and a whole server that listens for them."""
from __future__ import annotations

import asyncio
import socket
import sqlite3
import time
from pathlib import Path
from typing import Any, Self

import pytest
from kit.message import request, response
from kit.peer import eventually, free_port
from kit.script import ScriptBook, faults_of
from kit.server import osip_server

from osip.api import (
    HEP_RTCP,
    CapturedSource,
    HepPacket,
    LocalSocket,
    MIError,
    ModuleError,
    Source,
    decode_hep,
    encode_hep,
)
from osip.core.store.sql import Stores

PROBE = request("OPTIONS")


class Captured:
    """A script with sipcapture over an SQLite file of its own, into which HEP packets are put."""

    def __init__(self, script: str, folder: Path, settings: str = "", **config: Any) -> None:
        text = f'modparam("sipcapture", "capture_on", 1) {settings} {script}'
        hep = LocalSocket("hep_udp", "10.0.0.9", 9060)
        self.book = ScriptBook(text, "proto_hep", "sipcapture", "sl", "tm",
                               sockets=[LocalSocket("udp", "10.0.0.9", 5060), hep], **{"db_default_url": "", **config})
        self.env, self.folder, self.hep = self.book.env, folder, hep
        self.stores = Stores(self.env.config)
        self.env.sql = lambda url: self.stores.sql(url or f"sqlite:///{folder}/c.db")
        self.module: Any = self.book.modules["sipcapture"]

    async def __aenter__(self) -> Self:
        for name in ("proto_hep", "sipcapture"):
            await self.book.modules[name].child_init(self.env)
        return self

    async def __aexit__(self, *_: object) -> None:
        for name in ("sipcapture", "proto_hep"):
            await self.book.modules[name].destroy()
        await self.stores.close()

    def packet(self, payload: bytes = PROBE, **more: Any) -> None:
        """Let a HEP packet come in."""
        packet = HepPacket("192.0.2.1", 5060, "192.0.2.2", 5062, payload, seconds=1_700_000_000, **more)
        source = CapturedSource(self.hep, packet.source, packet.source_port, packet, Source(self.hep, "192.0.2.200", 40000))
        take = self.book.modules["proto_hep"].take
        if take is None or not take(packet, source):
            self.book.worker.receive(payload, source)

    async def rows(self, table: str = "sip_capture", what: str = "method, source_ip, callid") -> list[tuple[Any, ...]]:
        await self.module._writer.drained()
        with sqlite3.connect(self.folder / "c.db") as db:
            return db.execute(f"select {what} from {table} order by id").fetchall()


async def test_without_a_route_all_is_stored(tmp_path: Path) -> None:
    async with Captured("route { xlog(\"never\"); }", tmp_path, 'modparam("sipcapture", "hep_route", "none")') as captured:
        captured.packet()
        captured.packet(response(PROBE, 200))
        captured.packet(b"no sip")
        captured.packet(b'{"rtcp": 1}', kind=HEP_RTCP, correlation="call-1")
        assert await captured.rows() == [("OPTIONS", "192.0.2.1", "call-1"), ("200", "192.0.2.1", "call-1")]
        assert await captured.rows("rtcp_capture", "correlation_id, type, msg") == [("call-1", 5, '{"rtcp": 1}')]
        stats = captured.env.stats
        assert (stats.get("captured_requests"), stats.get("captured_replies")) == (1, 1)
        assert not any("never" in line for line in captured.book.said) and not captured.book.net.log


async def test_the_main_route_stores_what_it_wants(tmp_path: Path) -> None:
    script = 'route { if ($si == "192.0.2.1" && $HEPVERSION == 3) sip_capture(, "one", , "three"); else sip_capture("live_%Y"); }'
    async with Captured(script, tmp_path, 'modparam("sipcapture", "table_name", "sip_%Y")') as captured:
        year = time.strftime("%Y")
        captured.packet()
        assert await captured.rows(f"sip_{year}", "callid, custom_field1, custom_field2, custom_field3, destination_ip") == \
            [("call-1", "one", None, "three", "192.0.2.2")]
        captured.book.recv("OPTIONS", call_id="live")
        assert await captured.rows(f"live_{year}", "callid, source_ip, destination_ip, destination_port") == \
            [("live", "10.0.0.1", "10.0.0.9", 5060)]


async def test_a_route_of_its_own_sees_every_packet(tmp_path: Path) -> None:
    script = '''route { xlog("main $ci $hep_net(src_ip)"); }
route[HEP] { hep_get("proto_type", "uint8", $var(kind)); hep_get("0x20", "uint16", $var(extra), $var(vendor));
  if ($var(kind) == 5) { report_capture("id-$var(extra)-$var(vendor)", , 99); exit; }
  if (!hep_del("0x20")) xlog("nothing to remove"); hep_set("captagid", "77"); hep_get("captagid", "uint32", $var(tag));
  xlog("hep $rm $var(tag) $hep_net(proto) $hep_net(src_port) $hep_net(dst_ip) $hep_net(proto_family) $hep_net(none)");
  hep_resume_sip(); xlog("never"); }'''
    async with Captured(script, tmp_path, 'modparam("sipcapture", "hep_route", "HEP")') as captured:
        captured.packet(b"{}", kind=HEP_RTCP, extra=[(3, 0x20, b"\0\x09")])
        captured.packet()
        assert await captured.rows("rtcp_capture", "correlation_id, type, msg") == [("id-9-3", 99, "{}")]
        assert [line for line in captured.book.said if line[:4] in ("main", "hep ", "noth", "neve")] == [
            "nothing to remove", "hep OPTIONS 77 udp 40000 10.0.0.9 2 <null>", "main call-1 192.0.2.200"]


async def test_packets_are_relayed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        script = f'route {{ exit; }} route[HEP] {{ hep_set("0x30", "mark"); $du = "sip:127.0.0.1:{server.getsockname()[1]}"; hep_relay(); }}'
        async with Captured(script, tmp_path, 'modparam("sipcapture", "hep_route", "HEP")') as captured:
            captured.packet(capture_id=5)
            captured.packet()
            for _ in range(2):
                found = decode_hep(await asyncio.to_thread(server.recv, 9999))
                assert (found.payload, found.source, found.extra) == (PROBE, "192.0.2.1", [(0, 0x30, b"mark")])


async def test_off_and_on(tmp_path: Path) -> None:
    script = 'route { if (sip_capture()) xlog("stored"); else xlog("not"); }'
    async with Captured(script, tmp_path, 'modparam("sipcapture", "capture_on", 0)') as captured:
        run = captured.env.mi.run
        assert run("sipcapture:capture") == {"capturing": "off"}
        captured.packet()
        assert run("sip_capture", ["on"]) == "OK" and run("sip_capture") == {"capturing": "on"}
        captured.packet()
        assert [line for line in captured.book.said if line in ("stored", "not")] == ["not", "stored"]
        with pytest.raises(MIError):
            run("sip_capture", ["maybe"])


async def test_words_about_hep_fail_elsewhere(tmp_path: Path) -> None:
    script = '''route { if (!hep_get("payload", "utf8-string", $var(x))) xlog("1"); if (!hep_set("payload", "x")) xlog("2");
if (!hep_del("0x20")) xlog("3"); if (!hep_relay()) xlog("4"); if (!hep_resume_sip()) xlog("5"); xlog("6 $HEPVERSION $hep_net(src_ip)"); }'''
    async with Captured(script, tmp_path) as captured:
        captured.book.recv("OPTIONS")
        assert [line for line in captured.book.said if line[0] in "123456" and len(line) < 20] == \
            ["1", "2", "3", "4", "5", "6 <null> <null>"]


async def test_a_bad_value_is_said(tmp_path: Path) -> None:
    script = 'route { if (!hep_set("src_port", "$var(none)")) xlog("refused"); }'
    async with Captured(script, tmp_path) as captured:
        captured.packet()
        assert "refused" in captured.book.said and any("hep_set: " in line for line in captured.book.said)


@pytest.mark.parametrize("text", ['route { hep_get("x", "uint8"); }', 'route { hep_get("payload", "float"); }'])
def test_what_a_script_cannot_say(text: str) -> None:
    assert faults_of(text, "sipcapture")


async def test_what_is_missing_is_said_at_start(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match="no route of the script"):
        async with Captured("route { exit; }", tmp_path, 'modparam("sipcapture", "hep_route", "NONE_SUCH")'):
            pass
    captured = Captured("route { exit; }", tmp_path, f'modparam("sipcapture", "db_url", "sqlite:///{tmp_path}/other.db")')
    with pytest.raises(ModuleError, match="osip db create"):
        await captured.module.child_init(captured.env)
    with pytest.raises(ModuleError, match="proto_hep.so"):
        ScriptBook('modparam("sipcapture", "hep_route", "none") route { exit; }', "sipcapture")


def test_a_server_stores_what_agents_send(tmp_path: Path) -> None:
    hep = free_port()
    cfg = f'''socket = udp:127.0.0.1:5060
socket = hep_udp:127.0.0.1:{hep}
socket = hep_tcp:127.0.0.1:{hep}
db_default_url = "sqlite:///{tmp_path}/homer.db"
loadmodule "proto_udp.so"
loadmodule "proto_hep.so"
loadmodule "sipcapture.so"
modparam("sipcapture", "hep_route", "none")
modparam("sipcapture", "hep_capture_on", 1)
modparam("sipcapture", "table_name", "sip_capture_%Y%m%d")
loadmodule "sl.so"
route {{ sl_send_reply(200, "OK"); }}
'''
    with osip_server(cfg, tmp_path):
        for kind, name in ((socket.SOCK_DGRAM, "by-udp"), (socket.SOCK_STREAM, "by-tcp")):
            with socket.socket(socket.AF_INET, kind) as agent:
                agent.connect(("127.0.0.1", hep))
                agent.send(encode_hep(HepPacket("192.0.2.7", 5099, "192.0.2.2", 5060, request("INVITE", call_id=name))))
        table = time.strftime("sip_capture_%Y%m%d")

        def stored() -> bool:
            try:
                with sqlite3.connect(tmp_path / "homer.db") as db:
                    return sorted(db.execute(f"select callid, source_port from {table}").fetchall()) == \
                        [("by-tcp", 5099), ("by-udp", 5099)]
            except sqlite3.OperationalError:
                return False
        eventually(stored, "the two messages in the table")


async def test_async_goes_on_when_the_row_is_there(tmp_path: Path) -> None:
    """Both words are for async() as well (modules.md, sipcapture)."""
    script = """route { xlog("never"); }
route[hep] { $var(kind) = 0; hep_get("proto_type", "uint8", $var(kind));
    if ($var(kind) == 5) async(report_capture("id-1"), stored);
    async(sip_capture("other", "one"), stored); xlog("never"); }
route[stored] { xlog("stored $rc"); }
"""
    async with Captured(script, tmp_path, 'modparam("sipcapture", "hep_route", "hep")') as captured:
        captured.packet()
        captured.packet(b'{"rtcp": 1}', kind=HEP_RTCP, correlation="call-1")
        assert not captured.book.said, "the rows are on their way"
        async with asyncio.timeout(5):
            while len(captured.book.said) < 2:
                await asyncio.sleep(0.01)
        assert captured.book.said == ["stored 1"] * 2
        assert await captured.rows("other", "method, custom_field1") == [("OPTIONS", "one")]
        assert await captured.rows("rtcp_capture", "correlation_id") == [("id-1",)]
        assert not captured.book.modules["tm"].table.servers, "a captured request is not ours to answer"
        assert not captured.book.net.log
        captured.env.mi.run("sipcapture:capture", ["off"])
        captured.module.hep_capture_on = 0
        captured.packet()
        async with asyncio.timeout(5):
            while len(captured.book.said) < 3:
                await asyncio.sleep(0.01)
        assert captured.book.said[2] == "stored -1" and await captured.rows("other", "count(*)") == [(1,)]
