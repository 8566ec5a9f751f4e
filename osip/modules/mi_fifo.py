"""Management interface over a named pipe: `:reply_name:{json}` in, the answer into a pipe of that name.

The text form of old tools (`:command:reply_name`, one argument a line, an empty line) is understood too.
"""
from __future__ import annotations

import asyncio
import grp
import json
import logging
import os
import pwd
import re
import stat
import time
from typing import Any

import orjson

from osip.api import Caller, Complaint, Env, MIError, Module, ModuleError, OsipError, Scope, TracedCommands, needs, param, timer
from osip.api import rpc as json_rpc

MAX_REQUEST = 1 << 20
MOST_RUNNING = 64           # requests; more wait in the pipe
LONGEST_WORD = 12           # two escaped surrogates
STALE = 5.0                 # seconds after which the begin of a request has no end to come
_BY = Caller("local", via="fifo")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")
_HEAD = re.compile(rb":[^:\n]*:[ \t]*(?=[{\[])")
_DECODER = json.JSONDecoder(strict=False)
_log = logging.getLogger("osip.mi_fifo")


class MiFifo(TracedCommands, Module):
    """JSON-RPC 2.0 over a FIFO."""
    fifo_name = param("/tmp/opensips_fifo", doc="Path of the pipe.")
    fifo_mode = param(0o660, doc="Its mode.")
    fifo_group = param(None, kind=(int, str), doc="Its group.")
    fifo_user = param(None, kind=(int, str), doc="Its owner.")
    reply_dir = param("/tmp/", doc="Folder of the pipes for answers.")
    pretty_printing = param(0, doc="Indent the answers.")
    reply_indent = param("", removed="answers are JSON")
    core = needs("core")

    def mod_init(self) -> None:
        """Begin with an empty buffer."""
        self._fd = -1
        self._is_mine = False           # one worker has the pipe; it asks the others
        self._buffer = b""
        self._filled = 0.0
        self._running = 0
        self._complain = Complaint(_log)
        self.env.on_hang_up.append(self._look)
        self.env.announcements.append(f"MI fifo {self.fifo_name}")

    async def child_init(self, env: Env) -> None:
        """Make the pipe, in one worker."""
        if not env.number:
            self._open()
            self._is_mine = True

    async def destroy(self) -> None:
        """Remove the pipe, unless somebody else's stands in its place."""
        mine = self._is_there()
        self._close()
        if mine:
            try:
                os.unlink(self.fifo_name)
            except OSError:
                pass

    def _look(self) -> None:
        if self._is_mine:
            self.watch()

    @timer(30, on=Scope.LEADER)
    def watch(self) -> None:
        """Make the pipe again when somebody removed it or put another one in its place; at SIGHUP as well."""
        if self._is_there():
            return
        self._close()
        try:
            self._open()
        except ModuleError as error:
            _log.error("pipe not made again error=%s", error)

    def _is_there(self) -> bool:
        try:
            return self._fd >= 0 and os.path.samestat(os.lstat(self.fifo_name), os.fstat(self._fd))
        except OSError:
            return False

    def _open(self) -> None:
        try:
            if os.path.exists(self.fifo_name):
                if not stat.S_ISFIFO(os.lstat(self.fifo_name).st_mode):
                    raise ModuleError(f"mi_fifo: {self.fifo_name} exists and is no pipe: remove it or set fifo_name")
                os.unlink(self.fifo_name)
            os.mkfifo(self.fifo_name, 0o600)
            user, group = self._ids()
            if user != -1 or group != -1:
                os.chown(self.fifo_name, user, group)
            os.chmod(self.fifo_name, self.fifo_mode)
            # Read and write, so that the pipe never reports its end when a writer goes away.
            self._fd = os.open(self.fifo_name, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise ModuleError(f"mi_fifo cannot make the pipe {self.fifo_name}: {error.strerror or error}") from None
        asyncio.get_running_loop().add_reader(self._fd, self._readable)

    def _ids(self) -> tuple[int, int]:
        try:
            user = -1 if self.fifo_user is None else (
                int(self.fifo_user) if str(self.fifo_user).isdigit() else pwd.getpwnam(self.fifo_user).pw_uid)
            group = -1 if self.fifo_group is None else (
                int(self.fifo_group) if str(self.fifo_group).isdigit() else grp.getgrnam(self.fifo_group).gr_gid)
        except KeyError as error:
            raise ModuleError(f"mi_fifo: {error.args[0]}") from None
        return user, group

    def _close(self) -> None:
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, 65536)
        except (BlockingIOError, InterruptedError):
            return
        now = time.monotonic()
        if self._buffer and now - self._filled >= STALE:
            self._complain("fifo_dropped", "reason=a request without an end, bytes=%d", len(self._buffer))
            self._buffer = b""
        self._filled = now
        self._buffer += data
        self._take()

    def _take(self) -> None:
        """Begin with the requests that are whole; with many running the pipe is left alone until one is done."""
        while self._buffer:
            if self._running >= MOST_RUNNING:
                asyncio.get_running_loop().remove_reader(self._fd)
                return
            request, rest = take(self._buffer)
            if request is None:
                if len(self._buffer) > MAX_REQUEST:
                    self._complain("fifo_dropped", "reason=longer than %d bytes", MAX_REQUEST)
                    self._buffer = b""
                return
            self._buffer = rest
            if request.strip():
                self._running += 1
                self.env.spawn(self._served(request), "mi_fifo")

    async def _served(self, request: bytes) -> None:
        try:
            await self._run(request)
        finally:
            self._running -= 1
            if self._running == MOST_RUNNING - 1 and self._fd >= 0:
                asyncio.get_running_loop().add_reader(self._fd, self._readable)
                self._take()

    async def _run(self, request: bytes) -> None:
        head, _, body = request.lstrip().partition(b"\n")
        parts = head.split(b":", 2)
        if len(parts) < 3 or parts[0]:
            self._complain("fifo_bad_request", "start=%r; write :reply_name:{json}", request[:40])
            return
        if parts[2].lstrip().startswith((b"{", b"[")):
            answer = await json_rpc.answer(self.commands, parts[2] + b"\n" + body, bool(self.pretty_printing), _BY)
            reply = parts[1].decode(errors="replace")
        else:
            answer = await self._text(parts[1].decode(errors="replace"), body)
            reply = parts[2].decode(errors="replace").strip()
        if answer is not None and reply:
            await self._reply(reply, answer if answer.endswith(b"\n") else answer + b"\n")

    async def _text(self, command: str, body: bytes) -> bytes:
        words = [line.decode(errors="replace") for line in body.split(b"\n") if line]
        try:
            result = await self.commands.perform(command, words, _BY)
        except MIError as error:
            return f"{error.code if error.code > 0 else 500} {error.message}\n".encode()
        except OsipError as error:
            return f"500 {error}\n".encode()
        except Exception as error:                  # a broken command must not leave its caller without an answer
            _log.error("management command failed method=%s error=%r", command, error, exc_info=error)
            return b"500 Server error\n"
        return ("200 OK\n" + as_text(result)).encode()

    async def _reply(self, name: str, answer: bytes) -> None:
        if not _NAME.fullmatch(name) or name in (".", ".."):
            self._complain("fifo_bad_request", "bad reply name=%r", name[:200])
            return
        path = os.path.join(self.reply_dir, name)
        for tries in range(30):         # the tool may still be opening its end
            try:
                fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
                break
            except OSError:
                await asyncio.sleep(min(0.002 * 2 ** tries, 0.05))
        else:
            self._complain("fifo_unread", "nobody reads the answer pipe=%s", path)
            return
        try:
            if stat.S_ISFIFO(os.fstat(fd).st_mode):
                await asyncio.wait_for(self._write(fd, answer), 5)
        except (OSError, TimeoutError) as error:
            self._complain("fifo_unread", "answer not delivered pipe=%s error=%s", path, error or "nobody reads")
        finally:
            os.close(fd)

    async def _write(self, fd: int, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(fd, data):]
            except BlockingIOError:
                await asyncio.sleep(0.01)


def take(buffer: bytes) -> tuple[bytes | None, bytes]:
    """Cut one request off the buffer: up to the end of its JSON, or the text form up to its empty line.

    Tools of OpenSIPS write no line end behind the JSON, so its end is where the value ends.
    """
    line, found, rest = buffer.partition(b"\n")
    head = _HEAD.match(buffer)
    if head is not None:
        end = _end_of_value(buffer, head.end())
        if end > 0:
            return buffer[:end], buffer[end:].lstrip(b" \t\r\n")
        if end < 0:                             # no JSON: it is one line, and its answer says so
            return (line, rest) if found else (buffer, b"")
        return None, buffer
    if not found:
        return None, buffer
    if b"{" in line or b"[" in line or not line.strip() or line.count(b":") < 2:
        return line, rest
    text, found, rest = buffer.partition(b"\n\n")
    return (text, rest) if found else (None, buffer)


def _end_of_value(buffer: bytes, start: int) -> int:
    """Return where the JSON value that begins at `start` ends; 0 when more has to come, -1 when it is none."""
    text = buffer.decode("latin-1")             # a character for each byte
    try:
        return _DECODER.raw_decode(text, start)[1]
    except json.JSONDecodeError as error:
        # A word or an escape that is cut is no JSON either; no line end can stand within one.
        is_cut = error.msg.startswith("Unterminated string") or error.pos >= len(text.rstrip()) or (
            len(text) - error.pos < LONGEST_WORD and "\n" not in text[error.pos:])
        return 0 if is_cut else -1
    except (RecursionError, ValueError):        # nested too deeply, or a number of too many digits
        return -1


def as_text(value: Any, depth: int = 0) -> str:
    """Print a result in the indented `name:: value` form of old tools."""
    pad = "\t" * depth
    if isinstance(value, dict):
        return "".join(f"{pad}{k}::\n{as_text(v, depth + 1)}" if isinstance(v, (dict, list)) else f"{pad}{k}:: {v}\n"
                       for k, v in value.items())
    if isinstance(value, list):
        return "".join(as_text(item, depth) for item in value)
    if value in ("OK", None):
        return ""
    return f"{pad}{value if isinstance(value, (str, int)) else orjson.dumps(value).decode()}\n"
