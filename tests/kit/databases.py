"""Run database servers of our own on loopback: PostgreSQL and MariaDB."""
from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kit.peer import HOST, PeerError, child, eventually, free_port, program

USER, PASSWORD, NAME = "opensips", "opensipsrw", "opensips"


def _as_user(folder: Path, name: str) -> list[str]:
    """Return what runs a program as that user, to whom the folder then belongs: servers refuse to run as root."""
    if os.geteuid():
        return []
    entry = pwd.getpwnam(name)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    for parent in [folder, *folder.parents]:            # it must be able to reach its folder
        if parent.stat().st_uid == 0 and parent != Path("/") and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o711)
    return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups", "--"]


def _make(argv: Sequence[str | Path], folder: Path) -> None:
    """Make an empty database; when that fails, with what the program said."""
    done = subprocess.run(argv, check=False, capture_output=True, text=True, errors="replace", cwd=folder)
    if done.returncode:
        logs = "".join(path.read_text(errors="replace")[-2000:] for path in folder.glob("data/*.err"))
        raise PeerError(f"{argv}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}{logs}")


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), 1):
            return True
    except OSError:
        return False


@contextmanager
def postgres(folder: Path, port: int = 0) -> Iterator[str]:
    """Run PostgreSQL in an empty (or its own old) folder; give the URL of a database."""
    port = port or free_port()
    bin_folder = Path(program("postgresql") or "").resolve().parent
    run_as = _as_user(folder, "postgres")
    data = folder / "data"
    fresh = not data.exists()
    if fresh:
        word = folder / "password"
        word.write_text(PASSWORD)
        word.chmod(0o644)
        _make([*run_as, bin_folder / "initdb", "-D", data, "-U", USER, "-A", "scram-sha-256", "--pwfile", word,
               "-E", "UTF8", "--no-sync", "--locale=C"], folder)
    argv = [*run_as, str(bin_folder / "postgres"), "-D", str(data), "-p", str(port), "-c", f"listen_addresses={HOST}", "-c",
            f"unix_socket_directories={folder}", "-c", "fsync=off", "-c", "max_connections=40"]
    with child("postgres", argv, folder) as server:
        server.wait_for("ready to accept connections", 60)
        if fresh:
            subprocess.run([bin_folder / "createdb", "-h", HOST, "-p", str(port), "-U", USER, NAME], check=True,
                           capture_output=True, env={**os.environ, "PGPASSWORD": PASSWORD})
        yield f"postgres://{USER}:{PASSWORD}@{HOST}:{port}/{NAME}"


@contextmanager
def mariadb(folder: Path, port: int = 0) -> Iterator[str]:
    """Run MariaDB in an empty (or its own old) folder; give the URL of a database."""
    port = port or free_port()
    run_as = _as_user(folder, "mysql")
    data = folder / "data"
    fresh = not data.exists()
    if fresh:
        # In a tmpdir that they share, a server that starts takes the temporary tables of another one away.
        _make([*run_as, "mariadb-install-db", "--no-defaults", f"--datadir={data}", f"--tmpdir={folder}",
               "--skip-test-db", "--auth-root-authentication-method=normal"], folder)
    first = folder / "first.sql"
    first.write_text(f"create database if not exists {NAME};\ncreate or replace user '{USER}'@'{HOST}' identified by "
                     f"'{PASSWORD}';\ngrant all on {NAME}.* to '{USER}'@'{HOST}';\n")
    first.chmod(0o644)
    argv = [*run_as, shutil.which("mariadbd") or "/usr/sbin/mariadbd", "--no-defaults", f"--datadir={data}",
            f"--tmpdir={folder}", f"--port={port}",
            f"--bind-address={HOST}", f"--socket={folder}/sock", f"--pid-file={folder}/pid", f"--init-file={first}",
            "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0"]
    with child("mariadb", argv, folder) as server:
        server.wait_for("ready for connections", 60)
        eventually(lambda: _accepts(port), "MariaDB", 30)
        yield f"mysql://{USER}:{PASSWORD}@{HOST}:{port}/{NAME}"


def sqlite(folder: Path) -> Iterator[str]:
    """Give the URL of a file."""
    yield f"sqlite:///{folder}/file.db"


SERVERS: dict[str, Callable[[Path], object]] = {
    "sqlite": contextmanager(sqlite), "postgresql": postgres, "mariadb": mariadb}
