"""Run Redis servers of our own on loopback: one, a master with a replica and a sentinel, a cluster of three."""
from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.peer import HOST, Child, child, eventually, free_port


def ask(port: int, *words: str) -> str:
    """Return what redis-cli says."""
    return subprocess.run(["redis-cli", "-h", HOST, "-p", str(port), *words], capture_output=True, text=True, timeout=10,
                          check=False).stdout.strip()


@contextmanager
def redis_server(folder: Path, *args: str, port: int = 0) -> Iterator[tuple[Child, int]]:
    """Run one server that keeps nothing; give its process and port."""
    port = port or free_port()
    argv = ["redis-server", "--port", str(port), "--bind", HOST, "--save", "", "--appendonly", "no", "--dir", str(folder),
            "--daemonize", "no", *args]
    with child("redis", argv, folder) as server:
        server.wait_for("eady to accept connections", 20)
        yield server, port


@contextmanager
def cluster(folder: Path) -> Iterator[list[tuple[Child, int]]]:
    """Run three masters that share the slots; give processes and ports."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        nodes = []
        for number in range(3):
            own = folder / f"node{number}"
            own.mkdir()
            nodes.append(stack.enter_context(redis_server(own, "--cluster-enabled", "yes", "--cluster-port", str(free_port()),
                                                          "--cluster-node-timeout", "2000")))
        ports = [port for _, port in nodes]
        addresses = [f"{HOST}:{port}" for port in ports]
        made = subprocess.run(["redis-cli", "--cluster", "create", *addresses, "--cluster-yes"], capture_output=True,
                              text=True, timeout=60, check=False)
        assert "All 16384 slots covered" in made.stdout, made.stdout + made.stderr
        eventually(lambda: all("cluster_state:ok" in ask(port, "cluster", "info") for port in ports), "the cluster", 20)
        yield nodes


@contextmanager
def sentinel(folder: Path, name: str, master: int) -> Iterator[int]:
    """Run a sentinel that watches a master; give its port."""
    port = free_port()
    conf = folder / "sentinel.conf"
    conf.write_text(f"port {port}\nbind {HOST}\nsentinel monitor {name} {HOST} {master} 1\n"
                    f"sentinel down-after-milliseconds {name} 500\nsentinel failover-timeout {name} 3000\n")
    with child("sentinel", ["redis-server", conf, "--sentinel"], folder) as server:
        server.wait_for(r"\+monitor", 20)
        yield port
