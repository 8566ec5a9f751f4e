"""Measure registering with a store behind the location table: CPU of a REGISTER, bytes a contact, the time to load.

A server with an empty store takes all users, then each once more; it is stopped, started again on what it stored, and
calls to users show that they are there. CPU and memory are the SIP server's; a database of its own process is not in
them. The database runs on the generator's core.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.generator import Generator, Load
from bench.server import CHECKOUT, BenchError, Server, python, script_text, start_server
from bench.workload import WORKLOADS, take

STORES = ("memory", "sqlite", "postgresql", "mariadb", "redis")
MODES = {"write-through": 1, "write-back": 2, "sql-only": 3}
"""How SQL is written, and Kamailio's number for it."""
PLAIN = {"osip": 'modparam("usrloc", "working_mode_preset", "single-instance-no-db")',
         "kamailio": 'modparam("usrloc", "db_mode", 0)'}
KAMAILIO = {"sqlite": ("db_sqlite", "kamailio-sqlite-modules"), "postgresql": ("db_postgres", "kamailio-postgres-modules"),
            "mariadb": ("db_mysql", "kamailio-mysql-modules")}
"""Kamailio's module for a database, and Debian's package with it and the statements that make the tables."""
KAMAILIO_TABLES = Path("/usr/share/kamailio")
LOOKUPS = 300
"""Calls that show whether users are there after the restart."""
HEARTBEAT = 10.0
"""Seconds between two words about something that takes long."""


@contextmanager
def phase(text: str) -> Iterator[None]:
    """Say what begins, and now and then that it goes on."""
    began, over = time.monotonic(), threading.Event()

    def beat() -> None:
        while not over.wait(HEARTBEAT):
            print(f"{text}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(text, file=sys.stderr, flush=True)
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def database(store: str, server: str, folder: Path) -> Iterator[str]:
    """Make an empty store for a server; give its URL."""
    if server == "kamailio" and store not in ("memory", *KAMAILIO):
        raise BenchError(f"kamailio is measured with memory, {', '.join(KAMAILIO)}, not with {store}")
    if store == "memory":
        yield ""
        return
    if store == "sqlite":
        url = f"sqlite:///{folder}/{server}.db"
        (folder / f"{server}.db").unlink(missing_ok=True)
        _create(server, store, url, folder)
        yield url
        return
    sys.path.append(str(CHECKOUT / "tests"))            # its kit starts databases of our own
    own = folder / store
    own.mkdir(exist_ok=True)
    if store == "redis":
        from kit.redis import redis_server
        with redirect_stdout(sys.stderr), redis_server(own) as (_, port):      # the kit tells their last words
            yield f"redis:bench://127.0.0.1:{port}/"
        return
    from kit.databases import mariadb, postgres
    with redirect_stdout(sys.stderr), (postgres if store == "postgresql" else mariadb)(own) as url:
        _create(server, store, url, folder)
        yield url


def _create(server: str, store: str, url: str, folder: Path) -> None:
    """Make the tables of a server in a database."""
    if server == "kamailio":
        _create_for_kamailio(store, url)
        return
    done = subprocess.run([python(), "-m", "osip", "db", "create", "usrloc", "--url", url], cwd=folder,
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"osip db create: {done.stdout}{done.stderr}")


def _create_for_kamailio(store: str, url: str) -> None:
    module, package = KAMAILIO[store]
    tables = KAMAILIO_TABLES / {"postgresql": "postgres", "mariadb": "mysql"}.get(store, module)
    paths = [tables / f"{name}-create.sql" for name in ("standard", "usrloc")]
    if not all(path.exists() for path in paths):
        raise BenchError(f"{package} is not installed: run scripts/install_peers --bench")
    text = "".join(path.read_text() for path in paths)
    if store == "sqlite":
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as base:
            base.executescript(text)
        return
    at = urlsplit(url)
    words, secret = (
        (["psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", at.hostname, "-p", at.port, "-U", at.username, at.path[1:]],
         "PGPASSWORD") if store == "postgresql" else
        (["mariadb", "--no-defaults", "-h", at.hostname, "-P", at.port, "-u", at.username, at.path[1:]], "MYSQL_PWD"))
    done = subprocess.run([str(word) for word in words], input=text, capture_output=True, text=True, check=False,
                          env={**os.environ, secret: at.password or ""})
    if done.returncode:
        raise BenchError(f"the tables of kamailio in {store}: {done.stdout}{done.stderr}")


def store_text(server: str, store: str, mode: str, url: str) -> str:
    """Return the script of the workload `call` with another place for contacts."""
    text = script_text(server, "call")
    if store == "memory":
        return text
    if server == "kamailio":
        lines = [f'modparam("usrloc", "db_mode", {MODES[mode]})', f'modparam("usrloc", "db_url", "{url}")']
        return text.replace(PLAIN[server], "\n".join(lines)).replace(
            'loadmodule "sl.so"', f'loadmodule "{KAMAILIO[store][0]}.so"\nloadmodule "sl.so"', 1)
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
    what = f"{name}, {store}"
    with database(store, name, folder) as url:
        text = store_text(name, store, mode, url)
        server = start_server(name, "call", folder, cores, text=text)
        try:
            row: dict[str, Any] = {
                "store": store if store in ("memory", "redis") else f"{store} {mode}", "server": name, "users": users,
                "start_seconds": server.start_seconds}
            empty = server.usage().resident
            with phase(f"{what}: registering {users:,} users"):
                first = take(WORKLOADS["register"], server, generator, load)
            row["us_register"], row["registers"] = first.us_operation, first.operations
            stored = row["users"] = first.answer.completed      # a slow store may not take all in the time
            row["bytes_contact"] = (first.resident - empty) / stored
            with phase(f"{what}: registering them again"):
                again = take(WORKLOADS["refresh"], server, generator, load)
            row["us_refresh"], row["lost"] = again.us_operation, first.answer.lost + again.answer.lost
            with phase(f"{what}: stopping"):
                row["stop_seconds"] = stop_gently(server, patience)
        finally:
            server.stop()
        if store != "memory":
            with phase(f"{what}: starting on what it stored"):
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
