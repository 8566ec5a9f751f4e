"""Serve HTTP inside the worker's loop for the modules that need it (mi_http, prometheus).

It listens on loopback. Anywhere else it demands a user and a password, over TLS.
"""
from __future__ import annotations

import asyncio
import hmac
import logging
import ssl
from base64 import b64decode
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any

from osip.api import Env, Module, ModuleError, Scope, mi, param

Serve = Callable[[Any], Awaitable[Any]]

_log = logging.getLogger("osip.httpd")


class Httpd(Module):
    """Embedded HTTP server."""
    port = param(8888, ge=1, le=65535, doc="TCP port.")
    ip = param("127.0.0.1", doc="Address to listen on.")
    buf_size = param(0, ge=0, doc="Longest answer (bytes; 0 = no limit); kept for old scripts.")
    conn_timeout = param(30, ge=1, doc="Seconds without traffic before a connection is closed.")
    post_buf_size = param(1024, ge=256, doc="Kept for old scripts; a body may have 1 MiB.")
    receive_buf_size = param(1024, ge=256, doc="Kept for old scripts.")
    max_body = param(1 << 20, ge=1024, doc="Longest request body (bytes).")
    tls_cert_file = param("", doc="Certificate (PEM); turns TLS on.")
    tls_key_file = param("", doc="Private key (PEM).")
    tls_ciphers = param("SECURE256:+SECURE192:-VERS-ALL:+VERS-TLS1.2", doc="Kept for old scripts; TLS 1.2 or newer.")
    auth_realm = param("OpenSIPS MI", doc="Realm of the password dialogue.")
    auth_username = param("", doc="User that requests must give.")
    auth_password = param("", doc="Password that requests must give.")

    def mod_init(self) -> None:
        self._roots: dict[str, Serve] = {}
        self._runner: Any = None
        try:
            loopback = ip_address(self.ip).is_loopback
        except ValueError:
            loopback = self.ip == "localhost"
        if not loopback and not (self.auth_username and self.auth_password and self.tls_cert_file):
            raise ModuleError(f'httpd may not listen on {self.ip} without auth_username, auth_password and '
                              'tls_cert_file: whoever reaches it controls the server. Set them, or ip to "127.0.0.1"')
        if bool(self.tls_cert_file) != bool(self.tls_key_file):
            raise ModuleError("httpd needs both tls_cert_file and tls_key_file, or neither")

    def register(self, root: str, serve: Serve) -> None:
        """Give requests for `/root` and below to `serve(request)`, which returns an aiohttp response."""
        self._roots[root.strip("/")] = serve

    @property
    def url(self) -> str:
        """Return where the server answers."""
        host = f"[{self.ip}]" if ":" in self.ip else self.ip
        return f"{'https' if self.tls_cert_file else 'http'}://{host}:{self.port}"

    async def child_init(self, env: Env) -> None:
        if env.number:                  # one process can have the port; it asks the others
            return
        from aiohttp import web         # a tenth of a second to import: only when HTTP is wanted

        app = web.Application(client_max_size=self.max_body)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=self.conn_timeout)
        await self._runner.setup()
        context = None
        if self.tls_cert_file:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            try:
                context.load_cert_chain(self.tls_cert_file, self.tls_key_file)
            except (OSError, ssl.SSLError) as error:
                raise ModuleError(f"httpd cannot use {self.tls_cert_file} and {self.tls_key_file}: {error}") from None
        try:
            await web.TCPSite(self._runner, self.ip, self.port, ssl_context=context).start()
        except OSError as error:
            raise ModuleError(f"httpd cannot listen on {self.ip}:{self.port}: {error.strerror or error}. Choose "
                              'another port: modparam("httpd", "port", 8889)') from None

    async def _serve(self, request: Any) -> Any:
        from aiohttp import web

        if (self.auth_username or self.auth_password) and not self._allowed(request.headers.get("Authorization", "")):
            return web.Response(status=401, headers={"WWW-Authenticate": f'Basic realm="{self.auth_realm}"'})
        root = request.match_info["path"].strip("/").partition("/")[0]
        serve = self._roots.get(root)
        if serve is None:
            return web.Response(status=404, text=f"nothing at /{root}\n")
        try:
            async with asyncio.timeout(self.conn_timeout):
                return await serve(request)
        except TimeoutError:
            return web.Response(status=408)

    def _allowed(self, header: str) -> bool:
        scheme, _, value = header.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given = b64decode(value, validate=True)
        except ValueError:
            return False
        return hmac.compare_digest(given, f"{self.auth_username}:{self.auth_password}".encode())

    async def destroy(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @mi("list_root_path", aliases=("httpd_list_root_path",), scope=Scope.ANY)
    def list_root_path(self) -> list[str]:
        """List the registered roots."""
        return sorted(f"/{root}" for root in self._roots)
