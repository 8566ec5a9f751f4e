"""Call management commands of a running server over HTTP or its FIFO."""
from __future__ import annotations

import http.client
import json
import os
import select
import time
from base64 import b64encode
from typing import Any
from urllib.parse import urlsplit

from osip.core.errors import MIError, OsipError

DEFAULT_URL = "http://127.0.0.1:8888/mi"


class Unreachable(OsipError):
    """No server answers there."""


def call(command: str, params: list[Any] | dict[str, Any] | None = None, *, url: str = "",
         timeout: float = 10.0) -> Any:
    """Run a command; `url` is `http://host:port/mi` or `fifo:/path`. MIError, or Unreachable with what to do."""
    url = url or os.environ.get("OSIP_MI", "") or DEFAULT_URL
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": command, "params": params or []}).encode()
    answer = _by_fifo(url[5:], body, timeout) if url.startswith("fifo:") else _by_http(url, body, timeout)
    try:
        reply = json.loads(answer)
    except ValueError:
        raise Unreachable(f"{url} does not speak JSON-RPC; it answered {answer[:60]!r}") from None
    if "error" in reply:
        error = reply["error"]
        raise MIError(error.get("code", -32000), error.get("message", "error"), error.get("data"))
    return reply.get("result")


def _by_http(url: str, body: bytes, timeout: float) -> bytes:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Unreachable(f'"{url}" is no MI address: http://host:port/mi or fifo:/path')
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    headers = {"Content-Type": "application/json"}
    if parts.username:
        headers["Authorization"] = "Basic " + b64encode(f"{parts.username}:{parts.password or ''}".encode()).decode()
    connection = kind(parts.hostname, parts.port, timeout=timeout)
    where = f"{parts.scheme}://{parts.hostname}:{parts.port or ''}{parts.path}"
    try:
        connection.request("POST", parts.path or "/mi", body, headers)
        response = connection.getresponse()
        answer = response.read()
    except OSError as error:
        raise Unreachable(f"no osip answers at {where}: {error.strerror or error}. Is it running, with mi_http "
                          "loaded? Name another address with --url or OSIP_MI") from None
    finally:
        connection.close()
    if response.status != 200:
        text = answer[:100].decode(errors="replace")
        raise Unreachable(f"{where} answered {response.status} {response.reason}: {text}")
    return answer


def _by_fifo(path: str, body: bytes, timeout: float) -> bytes:
    name = f"osip_{os.getpid()}_{time.monotonic_ns()}"
    reply_path = os.path.join("/tmp", name)
    try:
        os.mkfifo(reply_path, 0o622)
        os.chmod(reply_path, 0o622)
        reader = os.open(reply_path, os.O_RDWR | os.O_NONBLOCK)
        try:
            writer = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            try:
                os.write(writer, b":" + name.encode() + b":" + body + b"\n")
            finally:
                os.close(writer)
            return _read_line(reader, timeout, path)
        finally:
            os.close(reader)
    except OSError as error:
        raise Unreachable(f"no osip reads the pipe {path}: {error.strerror or error}") from None
    finally:
        if os.path.exists(reply_path):
            os.unlink(reply_path)


def _read_line(fd: int, timeout: float, path: str) -> bytes:
    data, until = b"", time.monotonic() + timeout
    while not data.endswith(b"\n"):
        ready, _, _ = select.select([fd], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            raise Unreachable(f"no answer through the pipe {path} within {timeout:g} seconds")
        data += os.read(fd, 65536)
    return data
