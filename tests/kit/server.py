"""Run the servers that end-to-end tests drive: osip on a script, and Kamailio to prove the tests themselves."""

from __future__ import annotations

import re
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kit.peer import HOST, Child, PeerError, child, free_port, missing_peer, program

CHECKOUT = Path(__file__).resolve().parents[2]

PROBE = (
    "OPTIONS sip:{host}:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{own};branch=z9hG4bKprobe{number};rport\r\n"
    "Max-Forwards: 1\r\nFrom: <sip:probe@{host}>;tag=probe\r\nTo: <sip:{host}:{port}>\r\n"
    "Call-ID: probe-{number}-{own}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


@dataclass(frozen=True)
class Running:
    """A server under test: its process, its SIP port (UDP and TCP), its folder, the port that MI over HTTP has."""

    child: Child
    port: int
    folder: Path
    mi_port: int

    @property
    def address(self) -> str:
        """Give host:port as it stands in a SIP URI."""
        return f"{HOST}:{self.port}"


def place_script(text: str, port: int, folder: Path, mi_port: int, replace: Mapping[str, str]) -> str:
    """Give a script ports and files of its own: SIP 5060, MI over HTTP, the FIFO; then replace what a test names."""
    text = re.sub(r"(?<=:)5060\b", str(port), text)
    text = re.sub(r"\b0\.0\.0\.0(?=:)|(?<=:)\*(?=:)", HOST, text)
    text = re.sub(r'(modparam\(\s*"(?:httpd|mi_http)"\s*,\s*"port"\s*,\s*)"?\d+"?', rf"\g<1>{mi_port}", text)
    if not re.search(r'modparam\(\s*"httpd"\s*,\s*"port"', text):
        text = re.sub(r'(loadmodule\s+"httpd(?:\.so)?")', rf'\g<1> modparam("httpd", "port", {mi_port})', text)
    text = re.sub(r'(modparam\(\s*"mi_fifo"\s*,\s*"fifo_name"\s*,\s*)"[^"]*"', rf'\g<1>"{folder}/osip_fifo"', text)
    for pattern, new in replace.items():
        text, count = re.subn(pattern, new, text)
        if not count:
            raise PeerError(f"nothing in the script matches {pattern!r}")
    return text


def wait_for_answer(server: Child, port: int, timeout: float) -> None:
    """Send OPTIONS until anything comes back: an answer of any kind means that messages reach the script."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        sock.connect((HOST, port))
        sock.settimeout(0.1)
        deadline, number = time.monotonic() + timeout, 0
        while time.monotonic() < deadline and server.alive:
            number += 1
            probe = PROBE.format(host=HOST, port=port, own=sock.getsockname()[1], number=number)
            try:
                sock.send(probe.encode())
                sock.recv(65535)
                return
            except ConnectionRefusedError:
                time.sleep(0.02)        # nobody listens yet, and nothing tells when
            except TimeoutError:
                continue
    raise PeerError(f"{server.name} gave no answer on UDP port {port}\n{server.last_words()}")


@contextmanager
def osip_server(cfg: str | Path, folder: Path, *args: str, port: int | None = None,
                replace: Mapping[str, str] | None = None, env: Mapping[str, str] | None = None,
                timeout: float = 20.0) -> Iterator[Running]:
    """Run `python -m osip start` on a script (a path, or its text) with ports and a working folder of its own."""
    text = cfg.read_text() if isinstance(cfg, Path) else cfg
    port, mi_port = port or free_port(), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / (cfg.name if isinstance(cfg, Path) else "test.cfg")
    script.write_text(place_script(text, port, folder, mi_port, replace or {}))
    argv = [sys.executable, "-m", "osip", "start", "-f", script, "--grace", "2", *args]
    with child("osip", argv, folder, {"PYTHONUNBUFFERED": "1", **(env or {})}) as running:
        wait_for_answer(running, port, timeout)
        yield Running(running, port, folder, mi_port)


@contextmanager
def kamailio_server(cfg: Path, folder: Path, *, port: int | None = None, timeout: float = 20.0) -> Iterator[Running]:
    """Run Kamailio on a script in which it listens on port 5060."""
    found = program("kamailio")
    if found is None:
        raise PeerError(missing_peer("kamailio"))
    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / cfg.name
    script.write_text(place_script(cfg.read_text(), port, folder, 0, {}))
    argv = [found, "-f", script, "-DD", "-E", "-m", "256", "-M", "16", "-P", folder / "kamailio.pid", "-Y", folder]
    with child("kamailio", argv, folder) as running:
        wait_for_answer(running, port, timeout)
        yield Running(running, port, folder, 0)
