"""Measure registering with a store behind the location table: CPU of a REGISTER, bytes a contact, the time to load.

A server with an empty store takes all users, then each once more; it is stopped, started again on what it stored, and
calls to users show that they are there. CPU and memory are the SIP server's; a database of its own process is not in
them. The database runs on the generator's core.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from bench.generator import Generator, Load
from bench.server import CHECKOUT, BenchError, Server, python, script_text, start_server
from bench.workload import WORKLOADS, take

STORES = ("memory", "sqlite", "postgresql", "redis")
MODES = {"write-through": 1, "write-back": 2, "sql-only": 3}
"""How SQL is written, and Kamailio's number for it."""
PLAIN = {"osip": 'modparam("usrloc", "working_mode_preset", "single-instance-no-db")',
         "kamailio": 'modparam("usrloc", "db_mode", 0)'}
KAMAILIO_TABLES = Path("/usr/share/kamailio/db_sqlite")
LOOKUPS = 300
"""Calls that show whether users are there after the restart."""


@contextmanager
def database(store: str, server: str, folder: Path) -> Iterator[str]:
    """Make an empty store for a server; give its URL."""
    if store == "memory":
        yield ""
        return
    if store == "sqlite":
        url = f"sqlite:///{folder}/{server}.db"
        (folder / f"{server}.db").unlink(missing_ok=True)
        _create(server, url, folder)
        yield url
        return
    if server == "kamailio":
        raise BenchError(f"kamailio is measured with memory and sqlite only, not {store}")
    sys.path.append(str(CHECKOUT / "tests"))            # its kit starts databases of our own
    if store == "redis":
        from kit.redis import redis_server
        with redirect_stdout(sys.stderr), redis_server(folder) as (_, port):   # the kit tells their last words
            yield f"redis:bench://127.0.0.1:{port}/"
        return
    from kit.databases import postgres
    own = folder / "postgresql"
    own.mkdir(exist_ok=True)
    with redirect_stdout(sys.stderr), postgres(own) as url:
        _create(server, url, folder)
        yield url


def _create(server: str, url: str, folder: Path) -> None:
    if server == "kamailio":
        with closing(sqlite3.connect(folder / "kamailio.db")) as base:
            for name in ("standard", "usrloc"):
                path = KAMAILIO_TABLES / f"{name}-create.sql"
                if not path.exists():
                    raise BenchError("kamailio-sqlite-modules is not installed: run scripts/install_peers")
                base.executescript(path.read_text())
        return
    done = subprocess.run([python(), "-m", "osip", "db", "create", "usrloc", "--url", url], cwd=folder,
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"osip db create: {done.stdout}{done.stderr}")


def store_text(server: str, store: str, mode: str, url: str) -> str:
    """Return the script of the workload `call` with another place for contacts."""
    text = script_text(server, "call")
    if store == "memory":
        return text
    if server == "kamailio":
        lines = [f'modparam("usrloc", "db_mode", {MODES[mode]})', f'modparam("usrloc", "db_url", "{url}")']
        return text.replace(PLAIN[server], "\n".join(lines)).replace(
            'loadmodule "sl.so"', 'loadmodule "db_sqlite.so"\nloadmodule "sl.so"', 1)
    if store == "redis":
        lines = ['modparam("usrloc", "working_mode_preset", "full-sharing-cachedb-cluster")',
                 f'modparam("usrloc", "cachedb_url", "{url}")']
        load = 'loadmodule "cachedb_redis.so"\n'
    else:
        preset = mode if mode == "sql-only" else f"single-instance-sql-{mode}"
        lines = [f'modparam("usrloc", "working_mode_preset", "{preset}")',
                 f'modparam("usrloc", "db_url", "{url}")']
        load = ""
    return text.replace(PLAIN[server], "\n".join(lines)).replace('loadmodule "sl.so"', f'{load}loadmodule "sl.so"', 1)


def measure_store(name: str, store: str, mode: str, users: int, folder: Path, cores: set[int],
                  generator: Generator) -> dict[str, Any]:
    """Measure one server with one store."""
    patience = 30 + users / 1000
    load = Load("register", 64, users, patience * 4, count=users)
    with database(store, name, folder) as url:
        text = store_text(name, store, mode, url)
        server = start_server(name, "call", folder, cores, text=text)
        try:
            row: dict[str, Any] = {
                "store": store if store in ("memory", "redis") else f"{store} {mode}", "server": name, "users": users,
                "start_seconds": server.start_seconds}
            empty = server.usage().resident
            first = take(WORKLOADS["register"], server, generator, load)
            row["us_register"], row["registers"] = first.us_operation, first.operations
            stored = row["users"] = first.answer.completed      # a slow store may not take all in the time
            row["bytes_contact"] = (first.resident - empty) / stored
            again = take(WORKLOADS["refresh"], server, generator, load)
            row["us_refresh"], row["lost"] = again.us_operation, first.answer.lost + again.answer.lost
            row["stop_seconds"] = stop_gently(server, patience)
        finally:
            server.stop()
        if store != "memory":
            server = start_server(name, "call", folder, cores, text=text, patience=patience)
            try:
                row["load_seconds"] = server.start_seconds - row["start_seconds"]
                row["missing"] = missing(server, generator, stored)
            finally:
                server.stop()
    return row


def stop_gently(server: Server, patience: float) -> float:
    """Ask the server to end, so that it writes what it has not written yet; return the seconds that it took."""
    began = time.monotonic()
    server.child.terminate()
    try:
        server.child.wait(patience)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{server.name} did not end in {patience:.0f} s\n{server.last_words()}") from None
    return time.monotonic() - began


def missing(server: Server, generator: Generator, users: int) -> int:
    """Call some users spread over all; return how many are not there."""
    count = min(users, LOOKUPS)
    answer = generator.run(Load("lookup", 8, users, 30.0, count=count), server, forgive=True)
    return count - answer.completed


def as_store_table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as text."""
    columns = (("store", "store", "{}"), ("server", "server", "{}"), ("users", "users", "{:,}"),
               ("us/REGISTER", "us_register", "{:.1f}"), ("us/refresh", "us_refresh", "{:.1f}"),
               ("REGISTER/s", "registers", "{:,.0f}"), ("bytes/contact", "bytes_contact", "{:,.0f}"),
               ("load s", "load_seconds", "{:.2f}"), ("stop s", "stop_seconds", "{:.2f}"), ("lost", "lost", "{}"),
               ("missing", "missing", "{}"))
    cells = [[heading for heading, _, _ in columns]]
    cells += [[form.format(row[key]) if key in row else "" for _, key, form in columns] for row in rows]
    widths = [max(len(line[at]) for line in cells) for at in range(len(columns))]
    return "\n".join("  ".join(text.ljust(width) if at < 2 else text.rjust(width)
                               for at, (text, width) in enumerate(zip(line, widths, strict=True))) for line in cells)
