"""Where records go: a capture server, tables, the system's log, files; and that nothing there holds anybody up."""
from __future__ import annotations

import asyncio
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from kit.message import request
from kit.script import ScriptBook

from osip.api import (
    HEP_LOG,
    HEP_SIP,
    Complaint,
    OsipError,
    decode_hep,
    parse,
)
from osip.core.store.sql import Stores
from osip.core.store.tables import create_tables
from osip.modules.tracer import Tracer
from osip.modules.tracer.place import Place, parse_places
from osip.modules.tracer.record import End, record_of
from osip.modules.tracer.target import FileTarget, SqlTarget, SyslogTarget

RAW = request("INVITE", call_id="c" * 300)
RECORD = record_of(parse(RAW), RAW, 1_700_000_000.25, End("udp", "192.0.2.1", 5060), End("udp", "192.0.2.2", 5062), "in")
NAMES = {column.name: column.name for column in Tracer.spec.tables[0].columns if column.name != "id"}


@pytest.fixture
def env() -> Any:
    return ScriptBook("route { exit; }", "tracer").env


def complain(env: Any) -> Complaint:
    return Complaint(env.log, clock=lambda: env.now)


# --- HEP ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("form", ["hep:dst", "hep:127.0.0.1:{port}", "hep:127.0.0.1:{port};transport=udp;version=3"])
async def test_hep(form: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        port = server.getsockname()[1]
        script = f'''modparam("proto_hep", "hep_id", "[dst]127.0.0.1:{port}") modparam("proto_hep", "hep_capture_id", 7)
modparam("tracer", "trace_id", "[t]uri={form.format(port=port)}")
route {{ trace("t", "m", "sip|xlog"); xlog("hello $rm"); }}'''
        book = ScriptBook(script, "proto_hep", "tracer")
        for name in ("proto_hep", "tracer"):
            await book.modules[name].child_init(book.env)
        try:
            book.recv("OPTIONS")
            found = []
            async with asyncio.timeout(5):
                for _ in range(2):
                    found.append(decode_hep(await asyncio.get_running_loop().sock_recv(server, 9999)))
            sip, log = found
            assert (sip.kind, sip.payload, sip.source, sip.dest) == (HEP_SIP, request("OPTIONS"), "10.0.0.1", "10.0.0.9")
            assert (sip.source_port, sip.dest_port, sip.protocol, sip.capture_id) == (5060, 5060, 17, 7)
            assert (log.kind, log.payload, log.correlation) == (HEP_LOG, b"hello OPTIONS", sip.correlation) != ""
        finally:
            await book.modules["tracer"].destroy()
            assert set(book.modules["proto_hep"].senders) == {"dst"}
            await book.modules["proto_hep"].destroy()


async def test_a_hep_id_that_is_not_there() -> None:
    book = ScriptBook('modparam("tracer", "trace_id", "[t]uri=hep:dst") route { exit; }', "proto_hep", "tracer")
    await book.modules["proto_hep"].child_init(book.env)
    with pytest.raises(OsipError, match="neither a hep_id"):
        await book.modules["tracer"].traces["t"].targets[0].open()


# --- SQL ---------------------------------------------------------------------------------------------------------

async def test_a_table(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/t.db"
    book = ScriptBook(f'modparam("tracer", "trace_id", "[t]uri={url}") route {{ trace("t", "m", , "x=$fU"); }}', "tracer")
    stores = Stores(book.env.config)
    book.env.sql = stores.sql
    await create_tables(stores.sql(url), Tracer.spec.tables)
    module = book.modules["tracer"]
    await module.child_init(book.env)
    for number in range(3):
        book.recv("OPTIONS", call_id=f"c{number}", branch=f"z9hG4bK-{number}")
    await module.destroy()
    rows = await stores.sql(url).fetch("select * from sip_trace order by id")
    assert [row["callid"] for row in rows] == ["c0", "c1", "c2"]
    assert (rows[0]["trace_attrs"], rows[0]["from_ip"], rows[0]["to_port"], rows[0]["direction"]) == \
        ("x=alice", "10.0.0.1", 5060, "in")
    assert rows[0]["msg"].encode() == request("OPTIONS", call_id="c0", branch="z9hG4bK-0")
    await stores.close()


async def test_a_row_fits_its_columns(env: Any) -> None:
    rows: list[Any] = []

    class FakeSql:
        async def execute(self, statement: Any, batch: Any) -> int:
            rows.extend(batch)
            return len(batch)

    async def check(url: str, name: str) -> None:
        assert (url, name) == ("mysql://u:pw@h/db", "mine")
    env.sql = lambda url: FakeSql()
    found = SqlTarget(env, parse_places("uri=mysql://u:pw@h/db;table=mine")[0], complain(env), NAMES, check)
    await found.open()
    found.take(RECORD)
    assert found.describe() == {"type": "sql", "uri": "mysql://u:***@h/db", "table": "mine", "lost": 0, "waiting": 1}
    await found.close()
    assert len(rows[0]["callid"]) == 255 and rows[0]["time_stamp"].microsecond == 250_000 and rows[0]["method"] == "INVITE"


# --- files and the system's log ----------------------------------------------------------------------------------

async def test_a_file_that_is_moved_away(env: Any, tmp_path: Path) -> None:
    path = tmp_path / "t.log"
    found = FileTarget(env, Place("file", str(path)), complain(env), 0o640)
    await found.open()
    found.take(RECORD)
    path.rename(tmp_path / "old.log")
    env.now += 2
    found.take(RECORD)
    assert [len(one.read_text().splitlines()) for one in (path, tmp_path / "old.log")] == [1, 1]
    assert path.stat().st_mode & 0o777 == 0o640 & ~_mask()
    await found.close()
    os.close(os.open(tmp_path, os.O_RDONLY))        # the number of the closed file is free again, and not ours
    path.unlink()
    tmp_path.chmod(0o700)
    found.take(RECORD)
    assert len(path.read_text().splitlines()) == 1
    await found.close()


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize(("text", "priority"), [("", 28), ("LOG_LOCAL0", 16 * 8 + 4), ("local7:3", 23 * 8 + 6),
                                                ("-1", 27)])
async def test_syslog(text: str, priority: int, env: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    found = SyslogTarget(env, Place("syslog", text), complain(env), 1, "LOG_DAEMON", path)
    found.take(RECORD)
    assert found.lost == 1
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(path)
        server.settimeout(5)
        found.take(RECORD)
        head, _, rest = server.recv(65535).decode().partition(": ")
    assert head.startswith(f"<{priority}>osip[") and json.loads(rest)["method"] == "INVITE"
    found.take(RECORD)
    assert found.lost == 2
    await found.close()


def test_a_facility_that_is_none(env: Any) -> None:
    for text in ("LOG_NONE", "9"):
        with pytest.raises(ValueError, match="facility"):
            SyslogTarget(env, Place("syslog", text), complain(env), 1, "LOG_DAEMON")
