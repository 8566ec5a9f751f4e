"""Ask HTTP servers from scripts; the script waits, the worker does not."""
from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from osip.api import Ctx, Env, Module, ModuleError, Value, Var, function, needs, param, slot, transform

HTTP_1_0, HTTP_1_1 = 1, 2               # of curl_http_version; 0 leaves it to us
REFUSED, NO_CONNECTION, TOO_SLOW, BUSY, INTERNAL = -1, -2, -3, -4, -10


class RestClient(Module):
    """HTTP client."""

    connection_timeout = param(20, ge=1, live=True, doc="Seconds to wait for a connection.")
    connect_poll_interval = param(20, removed="nothing is polled", doc="No effect.")
    max_async_transfers = param(100, ge=1, live=True, doc="Transfers at the same time; what comes on top fails with -10.")
    max_transfer_size = param(10240, ge=0, live=True, doc="Largest answer (KB; 0 = no limit).")
    curl_timeout = param(20, ge=1, live=True, doc="Seconds for the whole transfer.")
    ssl_capath = param("", doc="Folder or file of authorities to trust; without it those of the system.")
    ssl_verifypeer = param(1, ge=0, le=1, doc="0: take any certificate.")
    ssl_verifyhost = param(1, ge=0, le=1, doc="0: the certificate may have another name.")
    curl_http_version = param(0, ge=0, le=4, doc="1: HTTP/1.0 is spoken; otherwise HTTP/1.1, never HTTP/2.")
    enable_expect_100 = param(0, ge=0, le=1, live=True, doc="1: ask before a body is sent (Expect: 100-continue).")
    no_concurrent_connects = param(0, ge=0, le=1, live=True, doc="1: while one request waits for a connection to a host, "
                                   "others to it fail with -4.")
    curl_conn_lifetime = param(0, ge=0, doc="Seconds that an unused connection is kept; 0 = 15.")
    tracer = needs("tracer", optional=True)
    headers = slot(dict)
    domain = slot(str)

    def mod_init(self) -> None:
        """Prepare TLS."""
        self._running = 0
        self._connecting: set[str] = set()
        self._session: Any = None
        if self.curl_http_version > HTTP_1_1:
            self.env.log.warning("rest_client: curl_http_version %d asks for HTTP/2: HTTP/1.1 is spoken",
                                 self.curl_http_version)
        try:
            self._tls = _context(self.ssl_capath, bool(self.ssl_verifypeer), bool(self.ssl_verifyhost))
        except (OSError, ssl.SSLError) as error:
            raise ModuleError(f'rest_client: ssl_capath "{self.ssl_capath}": {error}') from None

    async def child_init(self, env: Env) -> None:
        """Open the pool of connections."""
        import aiohttp

        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=self.curl_conn_lifetime or 15),
            cookie_jar=aiohttp.DummyCookieJar(),
            version=aiohttp.HttpVersion10 if self.curl_http_version == HTTP_1_0 else aiohttp.HttpVersion11)

    async def destroy(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()

    # --- requests ------------------------------------------------------------------------------------------------

    async def _ask(self, ctx: Ctx, method: str, url: str, send: str | None, send_type: str | None, body: Var,
                   ctype: Var | None, code: Var | None) -> int:
        """Send a request and assign what came; the result is the script's."""
        given, ctx[self.headers] = ctx[self.headers] or {}, None
        domain, ctx[self.domain] = ctx[self.domain], None
        if code is not None:
            code.set(ctx, 0)
        if self._running >= self.max_async_transfers:
            self.env.log.error("rest_client: %d transfers run already; %s %s is refused", self._running, method, url)
            return INTERNAL
        host = url.partition("://")[2].partition("/")[0]
        if self.no_concurrent_connects and host in self._connecting:
            return BUSY
        headers = {"Content-Type": send_type, **given} if send_type else dict(given)
        self._running += 1
        self._connecting.add(host)
        try:
            return await self._transfer(ctx, method, url, send, headers, domain, body, ctype, code)
        finally:
            self._running -= 1
            self._connecting.discard(host)

    async def _transfer(self, ctx: Ctx, method: str, url: str, send: str | None, headers: dict[str, str],
                        domain: str | None, body: Var, ctype: Var | None, code: Var | None) -> int:
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=self.curl_timeout, connect=self.connection_timeout,
                                        sock_connect=self.connection_timeout)
        data = None if send is None else send.encode("utf-8", "surrogateescape")
        connected = False
        try:
            async with self._session.request(method, url, data=data, headers=headers, timeout=timeout,
                                             ssl=self._tls_for(domain), allow_redirects=False,
                                             expect100=bool(self.enable_expect_100 and send)) as answer:
                connected = True
                self._connecting.discard(url.partition("://")[2].partition("/")[0])
                raw = await self._read(answer)
                if code is not None:
                    code.set(ctx, answer.status)
                if ctype is not None:
                    ctype.set(ctx, answer.headers.get("Content-Type", ""))
                text = raw.decode("utf-8", "surrogateescape")
                body.set(ctx, text)
                self._trace(ctx, method, url, send, f"{answer.status} {answer.reason}\n{text}")
                return 1
        except (aiohttp.ServerTimeoutError, TimeoutError) as error:
            self._failed(ctx, method, url, "no answer in time")
            return NO_CONNECTION if isinstance(error, aiohttp.ConnectionTimeoutError) else TOO_SLOW
        except (aiohttp.InvalidURL, ValueError) as error:
            self._failed(ctx, method, url, f"bad URL or header: {error}")
            return INTERNAL
        except aiohttp.ClientConnectionError as error:
            self._failed(ctx, method, url, str(error) or "the connection was lost")
            return TOO_SLOW if connected else REFUSED
        except aiohttp.ClientError as error:
            self._failed(ctx, method, url, str(error))
            return INTERNAL

    async def _read(self, answer: Any) -> bytes:
        """Read a body; ValueError when it is too large."""
        most = self.max_transfer_size * 1024
        if not most:
            return bytes(await answer.read())
        kept = bytearray()
        async for part in answer.content.iter_chunked(65536):
            kept += part
            if len(kept) > most:
                raise ValueError(f"the answer is larger than max_transfer_size={self.max_transfer_size} KB")
        return bytes(kept)

    def _failed(self, ctx: Ctx, method: str, url: str, reason: str) -> None:
        place = url.partition("?")[0].rpartition("@")      # neither passwords nor parameters belong in a log
        self.env.log.error("rest_client: %s %s: %s", method, place[2], reason)
        self._trace(ctx, method, url, None, reason)

    def _trace(self, ctx: Ctx, method: str, url: str, sent: str | None, outcome: str) -> None:
        """Tell the module tracer of a transfer, if the message is traced; passwords are left out of the URL."""
        if self.tracer is not None:
            place = re.sub(r"(?<=//)[^/@]*@", "***@", url)
            self.tracer.tell(ctx, "rest", f"{method} {place}\n{sent or ''}\n\n{outcome}")

    def _tls_for(self, domain: str | None) -> Any:
        if not domain:
            return self._tls
        tls = self.env.modules.get("tls_mgm")
        found = None if tls is None else tls.client_context(domain)
        if found is None:
            raise ValueError(f'there is no TLS client domain "{domain}"')
        return found

    @function()
    async def rest_get(self, ctx: Ctx, url: str, body_pv: Var, ctype_pv: Var | None = None,
                       retcode_pv: Var | None = None) -> int:
        """GET: 1, -1 refused, -2 no connection in time, -3 no answer in time, -4 another one is connecting, -10 other."""
        return await self._ask(ctx, "GET", url, None, None, body_pv, ctype_pv, retcode_pv)

    @function()
    async def rest_post(self, ctx: Ctx, url: str, send_body: str, send_ctype: str | None, recv_body_pv: Var,
                        recv_ctype_pv: Var | None = None, retcode_pv: Var | None = None) -> int:
        """POST a body, as application/x-www-form-urlencoded unless told; results as rest_get."""
        return await self._ask(ctx, "POST", url, send_body, send_ctype or "application/x-www-form-urlencoded",
                               recv_body_pv, recv_ctype_pv, retcode_pv)

    @function()
    async def rest_put(self, ctx: Ctx, url: str, send_body: str, send_ctype: str | None, recv_body_pv: Var,
                       recv_ctype_pv: Var | None = None, retcode_pv: Var | None = None) -> int:
        """PUT a body; results as rest_get."""
        return await self._ask(ctx, "PUT", url, send_body, send_ctype or "application/x-www-form-urlencoded",
                               recv_body_pv, recv_ctype_pv, retcode_pv)

    @function()
    def rest_append_hf(self, ctx: Ctx, text: str) -> bool:
        """Add a header `Name: value` to the next request of this message."""
        name, colon, value = text.partition(":")
        if not colon or not name.strip() or any(sign in text.strip() for sign in "\r\n\0"):
            self.env.log.error('rest_client: "%s" is no header', text)
            return False
        if ctx[self.headers] is None:
            ctx[self.headers] = {}
        ctx[self.headers][name.strip()] = value.strip()
        return True

    @function()
    def rest_init_client_tls(self, ctx: Ctx, tls_client_domain: str) -> bool:
        """Use a TLS client domain of tls_mgm for the next request of this message."""
        if "tls_mgm" not in self.env.modules:
            self.env.log.error("rest_client: rest_init_client_tls needs module tls_mgm")
            return False
        ctx[self.domain] = tls_client_domain
        return True

    @transform("rest.escape")
    def escape(value: Value) -> Value:          # a plain function, see `transform`
        """Write what may not stand in a URL as %HH."""
        return None if value is None else quote(str(value), safe="", errors="surrogateescape")

    @transform("rest.unescape")
    def unescape(value: Value) -> Value:
        """Undo %HH."""
        return None if value is None else unquote(str(value), errors="surrogateescape")


def _context(authorities: str, verify_peer: bool, verify_host: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if authorities:
        context.load_verify_locations(**{"capath" if Path(authorities).is_dir() else "cafile": authorities})
    context.check_hostname = verify_host and verify_peer
    if not verify_peer:
        context.verify_mode = ssl.CERT_NONE
    return context
