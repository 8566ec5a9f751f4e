"""Run a RabbitMQ of our own on loopback."""
from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.peer import HOST, eventually, free_port

PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"      # the wrapper in the path would become another user


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), 1) as one:
            one.sendall(b"AMQP\x00\x00\x09\x01")
            one.settimeout(2)
            return one.recv(1) == b"\x01"
    except OSError:
        return False


@contextmanager
def rabbit(folder: Path, port: int = 0) -> Iterator[int]:
    """Start a broker that keeps its things in a folder; give its port."""
    port = port or free_port()
    epmd = free_port()
    (folder / "plugins").write_text("[].\n")
    env = {**os.environ, "HOME": str(folder), "RABBITMQ_NODENAME": f"osip{port}@localhost", "RABBITMQ_NODE_PORT": str(port),
           "RABBITMQ_NODE_IP_ADDRESS": HOST, "RABBITMQ_DIST_PORT": str(free_port()), "ERL_EPMD_PORT": str(epmd),
           "ERL_EPMD_ADDRESS": HOST, "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"), "RABBITMQ_LOG_BASE": str(folder / "log"),
           "RABBITMQ_CONF_ENV_FILE": os.devnull, "RABBITMQ_CONFIG_FILE": str(folder / "none"),
           "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"), "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "conf"),
           "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}"}
    with (folder / "out").open("wb") as out:
        server = subprocess.Popen([PROGRAM], env=env, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        eventually(lambda: server.poll() is not None or _answers(port), "RabbitMQ", 60)
        assert server.poll() is None, (folder / "out").read_text(errors="replace")
        yield port
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        killer = shutil.which("epmd")
        if killer is not None:
            subprocess.run([killer, "-port", str(epmd), "-kill"], env=env, capture_output=True, check=False)
