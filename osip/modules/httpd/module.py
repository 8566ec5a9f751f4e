"""Serve HTTP inside the worker's loop for the modules that need it (mi_http, mi_xmlrpc, prometheus).

It listens on loopback. Anywhere else it demands that requests say who they are, over TLS.
"""
from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from osip.api import Caller, Complaint, Env, Module, ModuleError, Scope, mi, param
from osip.modules.httpd.door import Door
from osip.modules.httpd.gate import Gate, Refused, is_local_name, is_loopback, parse_access

Serve = Callable[[Any], Awaitable[Any]]

_log = logging.getLogger("osip.httpd")
_LIVE = ("access", "auth_username", "auth_password", "auth_realm")
_PRIORITIES = re.compile(r"[+-]VERS-|^(?:NORMAL|SECURE\d+|PERFORMANCE|PFS|LEGACY|NONE|SYSTEM|@\w+)(?:$|:)")
_PROBES = ("livez", "readyz", "startupz")


class Seldom(logging.Filter):
    """Let one record in ten seconds through: what a library says of broken requests can be repeated at will."""

    def __init__(self) -> None:
        super().__init__()
        self._last = float("-inf")

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is written."""
        if record.created - self._last < 10:
            return False
        self._last = record.created
        return True


class Httpd(Module):
    """Embedded HTTP server."""
    port = param(8888, ge=1, le=65535, doc="TCP port.")
    ip = param("127.0.0.1", doc="Address to listen on.")
    access = param(multiple=True, kind=str, parse=parse_access, doc="Somebody who may send requests: `name=NAME "
                   "role=read|operate|admin token=TOKEN`, for a tenant with `domains=a.example,b.example`. The token "
                   "may stand in a file (`token_file=PATH`) or as its hash (`token_sha256=HEX`). Sent as "
                   "`Authorization: Bearer TOKEN`, or as the password of NAME.")
    max_connections = param(200, ge=1, le=10000, doc="Connections at a time; when all are taken, a silent one gives "
                            "way.")
    buf_size = param(0, ge=0, removed="an answer is as long as it has to be")
    conn_timeout = param(30, ge=1, doc="Seconds without traffic before a connection is closed, and for one request.")
    post_buf_size = param(1024, removed="max_body says how long a body may be")
    receive_buf_size = param(1024, removed="buffers grow as they have to")
    max_body = param(1 << 20, ge=1024, doc="Longest request body (bytes), unpacked.")
    tls_cert_file = param("", doc="Certificate (PEM); turns TLS on.")
    tls_key_file = param("", doc="Private key (PEM).")
    tls_ciphers = param("", doc="Ciphers for TLS 1.2, as OpenSSL lists them (`ECDHE+AESGCM:!aRSA`). "
                        "The priority words of GnuTLS that OpenSIPS takes have no effect; a line in the log says so.")
    auth_realm = param("OpenSIPS MI", doc="Realm of the password dialogue.")
    auth_username = param("", doc="User that requests must give; his role is admin.")
    auth_password = param("", doc="Password that requests must give.")

    def mod_init(self) -> None:
        """Look at who may come in from where."""
        self._roots: dict[str, tuple[Serve, bool]] = {}
        self._runner: Any = None
        self._door: Door | None = None
        self._complain = Complaint(_log)
        self._gate = self._make_gate()
        if bool(self.tls_cert_file) != bool(self.tls_key_file):
            raise ModuleError("httpd needs both tls_cert_file and tls_key_file, or neither")
        self.env.stats.register("httpd", "connections", lambda: len(self._door) if self._door else 0)
        self.env.stats.register("httpd", "refused_connections", lambda: self._door.refused if self._door else 0)

    def _make_gate(self) -> Gate:
        """Return who may come in; ModuleError when strangers could."""
        has_names = bool(self.access or (self.auth_username and self.auth_password))
        if not is_loopback(self.ip) and not (has_names and self.tls_cert_file):
            raise ModuleError(
                f"httpd may not listen on {self.ip or 'all addresses'} without names and TLS: whoever reaches it "
                'controls the server. Set tls_cert_file and tls_key_file, and modparam("httpd", "access", "name=NAME '
                'role=admin token=TOKEN") (or auth_username and auth_password); or set ip to "127.0.0.1"')
        return Gate(self.access, self.auth_username, self.auth_password, self.auth_realm)

    def reload_params(self, changes: dict[str, Any]) -> set[str]:
        """Take over other names and tokens; when they cannot be used, the old ones stay."""
        wanted = {name: value for name, value in changes.items() if name in _LIVE}
        old = {name: getattr(self, name) for name in wanted}
        for name, value in wanted.items():
            setattr(self, name, value)
        try:
            self._gate = self._make_gate()
        except ModuleError as error:
            for name, value in old.items():
                setattr(self, name, value)
            _log.error("names and tokens stay as they are: %s", error)
            return set()
        return set(wanted)

    def register(self, root: str, serve: Serve, *, for_tenants: bool = False) -> None:
        """Give requests for `/root` and below to `serve(request)`, which returns an aiohttp response.

        `request["caller"]` says who sends it. Callers that are limited to domains only come `for_tenants`: what is
        registered so must limit what they do and see.
        """
        name = root.strip("/")
        if name in self._roots:
            raise ModuleError(f'httpd: two modules want the path "/{name}": set the parameter root of one to '
                              "something else")
        self._roots[name] = serve, for_tenants

    @property
    def url(self) -> str:
        """Return where the server answers."""
        host = f"[{self.ip}]" if ":" in self.ip else self.ip
        return f"{'https' if self.tls_cert_file else 'http'}://{host}:{self.port}"

    # --- life --------------------------------------------------------------------------------------------------------

    async def child_init(self, env: Env) -> None:
        """Listen, in one worker: it asks the others."""
        if env.number:
            return
        from aiohttp import web         # a tenth of a second to import: only when HTTP is wanted

        app = web.Application(client_max_size=self.max_body)
        app.router.add_route("*", "/{path:.*}", self._serve)
        logger = logging.getLogger("osip.httpd.http")
        logger.filters[:] = [Seldom()]
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=self.conn_timeout, logger=logger,
                                     shutdown_timeout=2.0, lingering_time=2.0)
        await self._runner.setup()
        self._door = Door(self._runner.server, self._complain, limit=self.max_connections, idle=self.conn_timeout,
                          context=self._context())
        try:
            await self._door.open(self.ip, self.port)
        except OSError as error:
            raise ModuleError(f"httpd cannot listen on {self.ip}:{self.port}: {error.strerror or error}. Choose "
                              'another port: modparam("httpd", "port", 8889)') from None

    def _context(self) -> ssl.SSLContext | None:
        if not self.tls_cert_file:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.tls_cert_file, self.tls_key_file)
        except (OSError, ssl.SSLError) as error:
            raise ModuleError(f"httpd cannot use {self.tls_cert_file} and {self.tls_key_file}: {error}") from None
        if _PRIORITIES.search(self.tls_ciphers):
            _log.warning("tls_ciphers has no effect: it is written for GnuTLS; write a list of OpenSSL's ciphers")
        elif self.tls_ciphers:
            try:
                context.set_ciphers(self.tls_ciphers)
            except ssl.SSLError:
                raise ModuleError(f'httpd: OpenSSL knows no cipher of tls_ciphers "{self.tls_ciphers}"') from None
        return context

    async def destroy(self) -> None:
        """Close everything; what is being answered has two seconds."""
        if self._door is not None:
            self._door.close()
        if self._runner is not None:
            await self._runner.cleanup()

    # --- requests ----------------------------------------------------------------------------------------------------

    async def _serve(self, request: Any) -> Any:
        from aiohttp import web

        guest = self._door.note(request.protocol) if self._door is not None else None
        try:
            async with asyncio.timeout(self.conn_timeout):
                return await self._answer(request, guest)
        except Refused as refused:
            self._complain("http_refused", "source=%s status=%d reason=%s", _peer(request), refused.status,
                           refused.text)
            return web.Response(status=refused.status, text=refused.text + "\n", headers=refused.headers)
        except TimeoutError:
            return web.Response(status=408, headers={"Connection": "close"})
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413, text=f"a request may have {self.max_body} bytes\n")
        except web.HTTPException:
            raise
        except Exception as error:      # a bug in one root must not end the others
            self._complain("http_failed", "source=%s path=%r", _peer(request), request.path[:100], error=error)
            return web.Response(status=500)
        finally:
            if self._door is not None:
                self._door.end(guest)

    async def _answer(self, request: Any, guest: Any) -> Any:
        from aiohttp import web

        root = request.match_info["path"].strip("/").partition("/")[0]
        found = self._roots.get(root)
        if found is None and root in _PROBES:
            return await self._probe(request, root)
        caller = request["caller"] = self._caller(request)
        if found is None:
            return web.Response(status=404, text=f"nothing at /{root[:100]}\n")
        serve, for_tenants = found
        if caller.is_tenant and not for_tenants:
            raise Refused(403, f"/{root} shows all domains; {caller.name} is limited to some")
        try:
            await request.read()            # kept for `serve`; until it is here the connection may have to give way
        except ConnectionError:
            return web.Response(status=400)
        if self._door is not None:
            self._door.begin(guest)
        return await serve(request)

    def _caller(self, request: Any) -> Caller:
        """Say who sends a request; Refused when it may not come in."""
        host = request.headers.get("Host", "")
        if self._gate.is_open and host and not is_local_name(host):
            raise Refused(403, f"the name {host[:100]!r} is not this machine's: ask for 127.0.0.1 or localhost, or "
                               "let httpd demand a token (parameter access)")
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            raise Refused(403, "a page of another site may not send requests here")
        return self._gate.caller(request.headers.get("Authorization", ""), _peer(request))

    async def _probe(self, request: Any, root: str) -> Any:
        """Answer whoever looks whether the server lives, has started, is ready; the reasons only who may know."""
        from aiohttp import web

        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"Allow": "GET"})
        if root == "livez" or (root == "startupz" and self.env.health.is_up):
            return web.Response(text="ok\n")
        faults = await self.env.health.faults() if root == "readyz" else {"server": "starting"}
        try:
            caller = self._caller(request)
            lines = [name if caller.is_tenant else f"{name}: {fault}" for name, fault in faults.items()]
        except Refused:
            lines = list(faults)
        text = "ok\n" if not faults else "not ready\n" + "".join(f"{line}\n" for line in lines)
        return web.Response(status=503 if faults else 200, text=text, headers={"Cache-Control": "no-store"})

    @mi("list_root_path", aliases=("httpd_list_root_path",), scope=Scope.ANY)
    def list_root_path(self) -> list[str]:
        """List the registered roots."""
        return sorted(f"/{root}" for root in self._roots)


def _peer(request: Any) -> str:
    """Return who is at the other end, as host:port."""
    found = request.transport.get_extra_info("peername") if request.transport is not None else None
    if not found:
        return "unknown"
    return f"[{found[0]}]:{found[1]}" if ":" in found[0] else f"{found[0]}:{found[1]}"
