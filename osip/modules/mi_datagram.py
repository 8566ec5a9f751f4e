"""Management interface over datagrams: JSON-RPC 2.0 in each, the answer to where it came from."""
from __future__ import annotations

import asyncio
import grp
import os
import pwd
import socket
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

from osip.api import Env, Module, ModuleError, needs, param, parse_endpoint
from osip.api import rpc as json_rpc

LONGEST = 65457
MOST_RUNNING = 64


class MiDatagram(Module):
    """JSON-RPC 2.0 over UDP or a Unix datagram socket."""
    socket_name = param("", doc="`udp:127.0.0.1:8080`, or the path of a Unix socket; required.")
    children_count = param(1, removed="one worker answers all", doc="No effect.")
    socket_timeout = param(2000, ge=1, doc="Milliseconds in which an answer must have been taken.")
    socket_buf_size = param(LONGEST, ge=1024, le=LONGEST, doc="Longest answer; a longer one becomes an error.")
    unix_socket_mode = param(0o660, doc="Mode of the Unix socket.")
    unix_socket_group = param(None, kind=(int, str), doc="Its group.")
    unix_socket_user = param(None, kind=(int, str), doc="Its owner.")
    trace_destination = param("", doc="Trace of commands; accepted.")
    trace_bwlist = param("", doc="Which commands to trace; accepted.")
    pretty_printing = param(0, doc="Indent the answers.")
    core = needs("core")

    def mod_init(self) -> None:
        """Look at the address."""
        self._socket: socket.socket | None = None
        self._running = 0
        name = self.socket_name
        if not name:
            raise ModuleError('mi_datagram needs modparam("mi_datagram", "socket_name", "udp:127.0.0.1:8080") or a path')
        self._path = name.removeprefix("unix:") if not name.startswith("udp:") else ""
        if not self._path:
            try:
                place = parse_endpoint(name)
                loopback = ip_address(place.host.strip("[]")).is_loopback
            except ValueError as error:
                raise ModuleError(f"mi_datagram: socket_name: {error}") from None
            if not loopback:
                raise ModuleError(f"mi_datagram may not listen on {place.host}: a datagram proves nothing about who sent it, "
                                  "and whoever reaches it controls the server. Use 127.0.0.1, or mi_http with TLS and a password")
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
            raise ModuleError(f"mi_datagram cannot use {self.socket_name}: {getattr(error, 'strerror', '') or error}") from None
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
                data, peer = one.recvfrom(LONGEST + 1)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:                    # an answer was refused; the next request is behind it
                self.env.log.info("mi_datagram: %s", error)
                continue
            if self._running >= MOST_RUNNING:
                continue                                # who sends again finds room then
            self._running += 1
            self.env.spawn(self._answer(one, data, peer), "mi_datagram")

    async def _answer(self, one: socket.socket, data: bytes, peer: Any) -> None:
        try:
            answer = await json_rpc.answer(self.env.mi, data, bool(self.pretty_printing))
            if answer is None or not peer:
                return
            if len(answer) > self.socket_buf_size:
                answer = json_rpc.encode({"jsonrpc": "2.0", "id": None, "error": {
                    "code": -32000, "message": "Server error", "data": f"the answer has {len(answer)} bytes, more than "
                    "socket_buf_size: use mi_http or mi_fifo"}})
            async with asyncio.timeout(self.socket_timeout / 1000):
                await asyncio.get_running_loop().sock_sendto(one, answer, peer)
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
