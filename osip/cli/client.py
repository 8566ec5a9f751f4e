"""Call management commands of a running server: over HTTP, its FIFO, a datagram socket, or as XML-RPC."""
from __future__ import annotations

import http.client
import json
import os
import select
import socket
import ssl
import tempfile
import time
import xmlrpc.client
from base64 import b64encode
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.parsers.expat import ExpatError

from osip.core.errors import MIError, OsipError

DEFAULT_URL = "http://127.0.0.1:8888/mi"
DEFAULT_FIFO = "/tmp/opensips_fifo"
FORMS = "http://host:port/mi, fifo:/path, unix:/path, udp:host:port or xmlrpc://host:port/RPC2"
LONGEST_DATAGRAM = 65535


class Unreachable(OsipError):
    """No server answers there."""
    code = 3


class NoAnswer(Unreachable):
    """Something is there, and does not answer in time."""
    code = 124


def call(command: str, params: list[Any] | dict[str, Any] | None = None, *, url: str = "",
         timeout: float = 10.0) -> Any:
    """Run a command; MIError, or Unreachable with what to do. `url` has one of FORMS."""
    url = url or os.environ.get("OSIP_MI", "") or DEFAULT_URL
    kind, _, place = url.partition(":")
    if kind == "xmlrpc":
        return _by_xmlrpc(place, command, params, timeout)
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": command, "params": params or []}).encode()
    match kind:
        case "fifo":
            answer = _by_fifo(place, body, timeout)
        case "unix" | "udp":
            answer = _by_datagram(url, body, timeout)
        case _:
            answer = _by_http(url, body, timeout)
    try:
        reply = json.loads(answer)
    except ValueError:
        reply = None
    if not isinstance(reply, dict):
        raise Unreachable(f"{shown(url)} does not speak JSON-RPC; it answered {answer[:60]!r}") from None
    if "error" in reply:
        error = reply["error"]
        raise MIError(error.get("code", -32000), error.get("message", "error"), error.get("data"))
    return reply.get("result")


def shown(url: str) -> str:
    """Return an address without user and password."""
    head, found, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{head}://{authority.rpartition('@')[2]}{slash}{path}" if found else url


def _by_http(url: str, body: bytes, timeout: float) -> bytes:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Unreachable(f'"{shown(url)}" is no MI address: {FORMS}') from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Unreachable(f'"{shown(url)}" is no MI address: {FORMS}')
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    headers = {"Content-Type": "application/json"}
    if parts.username:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + b64encode(login.encode()).decode()
    elif os.environ.get("OSIP_MI_TOKEN"):
        headers["Authorization"] = "Bearer " + os.environ["OSIP_MI_TOKEN"]
    connection = kind(parts.hostname, port, timeout=timeout)
    where = shown(url)
    try:
        connection.request("POST", parts.path or "/mi", body, headers)
        response = connection.getresponse()
        answer = response.read()
    except TimeoutError:
        raise NoAnswer(f"{where} did not answer within {timeout:g} seconds: the server may be busy; osipctl trap "
                       "shows where") from None
    except http.client.HTTPException as error:
        raise Unreachable(f"{where} does not speak HTTP ({type(error).__name__}): is this the port of the script's "
                          "httpd? osip says it when it starts") from None
    except ssl.SSLError as error:
        raise Unreachable(f"{where}: {error.reason or error}. Is this the https port, and its certificate from an authority "
                          "that this machine trusts? SSL_CERT_FILE names another one") from None
    except OSError as error:
        raise Unreachable(f"no osip answers at {where}: {error.strerror or error}. Is it running, with mi_http "
                          f"loaded? Name another address with --url or OSIP_MI{_beside()}") from None
    finally:
        connection.close()
    if response.status != 200:
        text = answer[:200].decode(errors="replace").strip()
        advice = {401: "; give a user and password as http://user:password@host:port/mi, or a token in OSIP_MI_TOKEN",
                  404: "; is the path right? It is the mi_root of mi_http"}.get(response.status, "")
        raise Unreachable(f"{where} answered {response.status} {response.reason}: {text}{advice}")
    return answer


def _beside() -> str:
    """Tell of a pipe that stands where it usually does."""
    return f"; there is a pipe: --url fifo:{DEFAULT_FIFO}" if os.path.exists(DEFAULT_FIFO) else ""


def _by_fifo(path: str, body: bytes, timeout: float) -> bytes:
    name = f"osip_{os.getpid()}_{time.monotonic_ns()}"
    reply_path = os.path.join("/tmp", name)
    until = time.monotonic() + timeout
    try:
        os.mkfifo(reply_path, 0o622)
        os.chmod(reply_path, 0o622)
        reader = os.open(reply_path, os.O_RDWR | os.O_NONBLOCK)
        try:
            writer = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            try:
                _write_all(writer, b":" + name.encode() + b":" + body + b"\n", until, path, timeout)
            finally:
                os.close(writer)
            return _read_line(reader, until, path, timeout)
        finally:
            os.close(reader)
    except OSError as error:
        raise Unreachable(f"no osip reads the pipe {path}: {error.strerror or error}. Is it running, with mi_fifo "
                          "loaded and this fifo_name?") from None
    finally:
        if os.path.exists(reply_path):
            os.unlink(reply_path)


def _write_all(fd: int, data: bytes, until: float, path: str, timeout: float) -> None:
    while data:
        _, ready, _ = select.select([], [fd], [], max(0.0, until - time.monotonic()))
        if not ready:
            raise NoAnswer(f"nobody read the pipe {path} within {timeout:g} seconds")
        try:
            data = data[os.write(fd, data):]
        except BlockingIOError:         # less room than a whole piece needs
            time.sleep(0.01)


def _read_line(fd: int, until: float, path: str, timeout: float) -> bytes:
    data = bytearray()
    while not data.endswith(b"\n"):
        ready, _, _ = select.select([fd], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            raise NoAnswer(f"no answer through the pipe {path} within {timeout:g} seconds")
        data += os.read(fd, 65536)
    return bytes(data)


def _by_datagram(url: str, body: bytes, timeout: float) -> bytes:
    kind, _, place = url.partition(":")
    host, _, port = place.rpartition(":")
    if kind == "udp" and not (host and port.isdecimal()):
        raise Unreachable(f'"{url}" is no MI address: {FORMS}')
    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock, tempfile.TemporaryDirectory(prefix="osipctl") as folder:
        sock.settimeout(timeout)
        try:
            if kind == "unix":
                os.chmod(folder, 0o755)         # the server answers to a name in there
                sock.bind(os.path.join(folder, "answer"))
                os.chmod(os.path.join(folder, "answer"), 0o622)
                sock.connect(place)
            else:
                sock.connect((host.strip("[]"), int(port)))
            sock.send(body)
            return sock.recv(LONGEST_DATAGRAM)
        except TimeoutError:
            raise NoAnswer(f"no answer from {url} within {timeout:g} seconds") from None
        except OSError as error:
            raise Unreachable(f"no osip answers at {url}: {error.strerror or error}. Is it running, with mi_datagram "
                              "loaded and this socket_name?") from None


class _Timed(xmlrpc.client.Transport):
    """A transport that does not wait for ever."""

    def __init__(self, timeout: float) -> None:
        super().__init__()
        self._timeout = timeout

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        """Give the connection its time."""
        connection = super().make_connection(host)
        connection.timeout = self._timeout
        return connection


def _by_xmlrpc(place: str, command: str, params: Any, timeout: float) -> Any:
    url = "http:" + place
    args = [params] if isinstance(params, dict) and params else list(params or [])
    try:
        with xmlrpc.client.ServerProxy(url, transport=_Timed(timeout), allow_none=True) as proxy:
            return getattr(proxy, command)(*args)
    except xmlrpc.client.Fault as error:
        message, _, details = error.faultString.partition(": ")
        raise MIError(error.faultCode, message, details or None) from None
    except TimeoutError:
        raise NoAnswer(f"{shown(url)} did not answer within {timeout:g} seconds") from None
    except xmlrpc.client.ProtocolError as error:
        raise Unreachable(f"{shown(url)} answered {error.errcode} {error.errmsg}") from None
    except (OSError, http.client.HTTPException, xmlrpc.client.Error, ExpatError) as error:
        raise Unreachable(f"no osip answers XML-RPC at {shown(url)}: {getattr(error, 'strerror', None) or error}. Is it "
                          "running, with mi_xmlrpc loaded?") from None
