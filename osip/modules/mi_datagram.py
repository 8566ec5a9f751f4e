"""Management interface over datagrams: JSON-RPC 2.0 in each, the answer to where it came from."""
from __future__ import annotations

import asyncio
import grp
import os
import pwd
import socket
import struct
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

from osip.api import Caller, Env, Module, ModuleError, TracedCommands, needs, param, parse_endpoint
from osip.api import rpc as json_rpc

LONGEST = 65457
_CREDENTIALS = socket.CMSG_SPACE(struct.calcsize("3i"))
MOST_RUNNING = 64


class MiDatagram(TracedCommands, Module):
    """JSON-RPC 2.0 over UDP or a Unix datagram socket."""
    socket_name = param("", doc="`udp:127.0.0.1:8080`, or the path of a Unix socket; required.")
    children_count = param(1, removed="one worker answers all", doc="No effect.")
    socket_timeout = param(2000, ge=1, doc="Milliseconds in which an answer must have been taken.")
    socket_buf_size = param(LONGEST, ge=1024, le=LONGEST, doc="Longest answer; a longer one becomes an error.")
    unix_socket_mode = param(0o660, doc="Mode of the Unix socket.")
    unix_socket_group = param(None, kind=(int, str), doc="Its group.")
    unix_socket_user = param(None, kind=(int, str), doc="Its owner.")
    reply_indent = param("", removed="answers are JSON")
    pretty_printing = param(0, doc="Indent the answers.")
    core = needs("core")

    def mod_init(self) -> None:
        """Look at the address."""
        self._socket: socket.socket | None = None
        self._running = 0
        name = self.socket_name
        if not name:
            raise ModuleError('mi_datagram needs modparam("mi_datagram", "socket_name", "udp:127.0.0.1:8080") or a '
                              "path")
        self._path = name.removeprefix("unix:") if not name.startswith("udp:") else ""
        if not self._path:
            try:
                place = parse_endpoint(name)
                loopback = ip_address(place.host.strip("[]")).is_loopback
            except ValueError as error:
                raise ModuleError(f"mi_datagram: socket_name: {error}") from None
            if not loopback:
                raise ModuleError(f"mi_datagram may not listen on {place.host}: a datagram proves nothing about who "
                                  "sent it, and whoever reaches it controls the server. Use 127.0.0.1, or mi_http "
                                  "with TLS and tokens")
            if not place.port:
                raise ModuleError(f'mi_datagram: "{name}" has no port')
            self._place = (place.host.strip("[]"), place.port)
        elif not self._path.startswith("/"):
            raise ModuleError(f'mi_datagram: "{name}" is neither udp:host:port nor a path')
        self.env.announcements.append(f"MI datagram {name}")

    async def child_init(self, env: Env) -> None:
        """Open the socket, in one worker: it asks the others."""
        if env.number:
            return
        try:
            self._socket = self._open()
        except (OSError, KeyError) as error:
            reason = getattr(error, "strerror", "") or error
            raise ModuleError(f"mi_datagram cannot use {self.socket_name}: {reason}") from None
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._on_readable, self._socket)

    def _open(self) -> socket.socket:
        if not self._path:
            one = socket.socket(socket.AF_INET6 if ":" in self._place[0] else socket.AF_INET, socket.SOCK_DGRAM)
            one.setblocking(False)
            one.bind(self._place)
            return one
        with suppress(FileNotFoundError):
            os.unlink(self._path)                       # what a server that was killed left behind
        one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)        # the kernel tells who sends
        old = os.umask(0o777)                           # nobody may use it before its mode is set
        try:
            one.bind(self._path)
        finally:
            os.umask(old)
        user, group = self.unix_socket_user, self.unix_socket_group
        if user is not None or group is not None:
            os.chown(self._path, pwd.getpwnam(user).pw_uid if isinstance(user, str) else -1 if user is None else user,
                     grp.getgrnam(group).gr_gid if isinstance(group, str) else -1 if group is None else group)
        os.chmod(self._path, self.unix_socket_mode)
        return one

    def _on_readable(self, one: socket.socket) -> None:
        for _ in range(16):
            try:
                data, more, _, peer = one.recvmsg(LONGEST + 1, _CREDENTIALS)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:                    # an answer was refused; the next request is behind it
                self.env.log.info("mi_datagram: %s", error)
                continue
            if self._running >= MOST_RUNNING:
                continue                                # who sends again finds room then
            self._running += 1
            self.env.spawn(self._answer(one, data, peer, _sender(more)), "mi_datagram")

    async def _answer(self, one: socket.socket, data: bytes, peer: Any, sender: str) -> None:
        try:
            caller = Caller(sender, via="datagram", peer=_name(peer))
            answer = await json_rpc.answer(self.commands, data, bool(self.pretty_printing), caller)
            if answer is None or not peer:
                return
            if len(answer) > self.socket_buf_size:
                answer = json_rpc.encode({"jsonrpc": "2.0", "id": None, "error": {
                    "code": -32000, "message": "Server error", "data": f"the answer has {len(answer)} bytes, more "
                    "than socket_buf_size: use mi_http or mi_fifo"}})
            async with asyncio.timeout(self.socket_timeout / 1000):
                await _send(one, answer, peer)
        except (OSError, TimeoutError) as error:
            self.env.log.error("mi_datagram: answer not delivered to=%s reason=%s", peer, error or "timeout")
        finally:
            self._running -= 1

    async def destroy(self) -> None:
        """Close the socket and remove its path."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            if self._path:
                with suppress(FileNotFoundError):
                    os.unlink(self._path)


async def _send(one: socket.socket, answer: bytes, peer: Any) -> None:
    """Send a datagram; wait while the other end has no room. (uvloop has no `sock_sendto`.)"""
    pause = 0.001
    while True:
        try:
            one.sendto(answer, peer)
            return
        except (BlockingIOError, InterruptedError):
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.05)


def _name(peer: Any) -> str:
    """Return the address that a datagram came from, for the audit log."""
    if isinstance(peer, tuple):
        return f"{peer[0]}:{peer[1]}"
    return peer.decode("utf-8", "replace") if isinstance(peer, bytes) else str(peer or "")


def _sender(more: list[tuple[int, int, bytes]]) -> str:
    """Return the name of the user who sent a datagram through a Unix socket, as the kernel tells it, else `local`."""
    for level, kind, data in more:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            uid = struct.unpack("3i", data[:struct.calcsize("3i")])[1]
            try:
                return pwd.getpwuid(uid).pw_name
            except KeyError:
                return f"uid:{uid}"
    return "local"
