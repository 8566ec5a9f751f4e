"""Management interface over HTTP: JSON-RPC 2.0 in the body of a POST."""
from __future__ import annotations

from typing import Any

from osip.api import Module, TracedCommands, needs, param
from osip.api import rpc as json_rpc

JSON = "application/json"


class MiHttp(TracedCommands, Module):
    """JSON-RPC 2.0 by `POST /root`."""
    root = param("mi", aliases=("mi_http_root",), doc="First part of the path.")
    pretty_printing = param(0, doc="Indent the answers.")
    mi_http_method = param(0, removed="commands are sent by POST")
    httpd = needs("httpd")

    def mod_init(self) -> None:
        """Take the path."""
        self.httpd.register(self.root, self._serve, for_tenants=True)
        self.env.announcements.append(f"MI {self.httpd.url}/{self.root.strip('/')}")

    async def _serve(self, request: Any) -> Any:
        from aiohttp import web

        if request.method != "POST":
            return web.Response(status=405, headers={"Allow": "POST"}, text="send JSON-RPC 2.0 by POST\n")
        if request.content_type != JSON:
            return web.Response(status=400, text=f"Content-Type must be {JSON}\n")
        body = await request.read()
        answer = await json_rpc.answer(self.commands, body, bool(self.pretty_printing), request["caller"])
        if answer is None:
            return web.Response(status=204)
        return web.Response(body=answer, content_type=JSON)
